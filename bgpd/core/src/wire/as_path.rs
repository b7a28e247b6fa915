//! AS_PATH (RFC 4271 §5.1.2), its wire form, and how AS4_PATH merges into it
//! (RFC 6793 §4.2.3).

use std::fmt;

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u8;
use smallvec::SmallVec;

use super::Parsed;
use super::iana::segment;
use crate::Asn;

/// ASNs that one segment holds at most.
const SEGMENT: usize = 255;

/// AS_PATH, with AS4_PATH already merged in (RFC 6793 §4.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPath {
    pub segments: SmallVec<[AsPathSegment; 1]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AsPathSegment {
    Sequence(Vec<Asn>),
    Set(Vec<Asn>),
    /// RFC 5065; never sent or accepted outside a confederation.
    ConfedSequence(Vec<Asn>),
    ConfedSet(Vec<Asn>),
}

impl AsPath {
    /// One sequence; empty for routes of one's own towards one's own AS.
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> Self {
        let asns: Vec<_> = asns.into_iter().collect();
        if asns.is_empty() {
            return Self::default();
        }
        Self {
            segments: SmallVec::from_iter([AsPathSegment::Sequence(asns)]),
        }
    }

    /// Its length as the decision counts it (RFC 4271 §9.1.2.2 (a), RFC 5065
    /// §5.3): a set is one AS, a confederation's segments are none.
    pub fn len_for_decision(&self) -> usize {
        self.segments
            .iter()
            .map(AsPathSegment::count)
            .fold(0, usize::saturating_add)
    }

    /// The AS that the path came in from: the first one of a leading sequence,
    /// confederation segments skipped. `None` for routes that begin in our own
    /// AS, and for a leading set.
    pub fn first(&self) -> Option<Asn> {
        match self
            .segments
            .iter()
            .find(|segment| !segment.is_confederation())?
        {
            AsPathSegment::Sequence(asns) => asns.first().copied(),
            _ => None,
        }
    }

    /// The AS that the prefix began in, if one can be named.
    pub fn origin(&self) -> Option<Asn> {
        match self.segments.last()? {
            AsPathSegment::Sequence(asns) => asns.last().copied(),
            _ => None,
        }
    }

    /// In any segment: a loop, if it is our own AS (RFC 4271 §9.1.2).
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|other| other == asn)
    }

    /// Whether it holds a set (RFC 9774 wants none sent or accepted).
    pub fn has_set(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, AsPathSegment::Set(_) | AsPathSegment::ConfedSet(_)))
    }

    /// Puts `asn` in front `times` times (RFC 4271 §5.1.2 (b) 1): into the leading
    /// sequence as long as that has room.
    pub fn prepend(&mut self, asn: Asn, times: usize) {
        let mut left = times;
        if let Some(AsPathSegment::Sequence(asns)) = self.segments.first_mut() {
            let fits = left.min(SEGMENT.saturating_sub(asns.len()));
            asns.splice(0..0, std::iter::repeat_n(asn, fits));
            left = left.saturating_sub(fits);
        }
        while left > 0 {
            let fits = left.min(SEGMENT);
            self.segments
                .insert(0, AsPathSegment::Sequence(vec![asn; fits]));
            left = left.saturating_sub(fits);
        }
    }

    /// Every ASN in the order written.
    pub fn asns(&self) -> impl Iterator<Item = Asn> + '_ {
        self.segments
            .iter()
            .flat_map(|segment| segment.asns().iter().copied())
    }

    pub(super) fn has_confederation(&self) -> bool {
        self.segments.iter().any(AsPathSegment::is_confederation)
    }

    pub(super) fn drop_confederation(&mut self) {
        self.segments.retain(|segment| !segment.is_confederation());
    }
}

impl AsPathSegment {
    pub fn asns(&self) -> &[Asn] {
        match self {
            Self::Sequence(asns)
            | Self::Set(asns)
            | Self::ConfedSequence(asns)
            | Self::ConfedSet(asns) => asns,
        }
    }

    const fn is_confederation(&self) -> bool {
        matches!(self, Self::ConfedSequence(_) | Self::ConfedSet(_))
    }

    fn count(&self) -> usize {
        match self {
            Self::Sequence(asns) => asns.len(),
            Self::Set(_) => 1,
            Self::ConfedSequence(_) | Self::ConfedSet(_) => 0,
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Set(_) => segment::AS_SET,
            Self::Sequence(_) => segment::AS_SEQUENCE,
            Self::ConfedSequence(_) => segment::AS_CONFED_SEQUENCE,
            Self::ConfedSet(_) => segment::AS_CONFED_SET,
        }
    }

    fn new(code: u8, asns: Vec<Asn>) -> Option<Self> {
        Some(match code {
            segment::AS_SET => Self::Set(asns),
            segment::AS_SEQUENCE => Self::Sequence(asns),
            segment::AS_CONFED_SEQUENCE => Self::ConfedSequence(asns),
            segment::AS_CONFED_SET => Self::ConfedSet(asns),
            _ => return None,
        })
    }
}

/// `64512 65010 {1,2}`, a confederation's segments in `(…)` and `[…]`.
impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.segments.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            segment.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for AsPathSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, between, close) = match self {
            Self::Sequence(_) => ("", " ", ""),
            Self::Set(_) => ("{", ",", "}"),
            Self::ConfedSequence(_) => ("(", " ", ")"),
            Self::ConfedSet(_) => ("[", ",", "]"),
        };
        f.write_str(open)?;
        for (place, asn) in self.asns().iter().enumerate() {
            if place > 0 {
                f.write_str(between)?;
            }
            asn.fmt(f)?;
        }
        f.write_str(close)
    }
}

/// Octets of one ASN in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Two,
    Four,
}

impl Width {
    pub(super) const fn of(four_octet_as: bool) -> Self {
        if four_octet_as { Self::Four } else { Self::Two }
    }

    const fn octets(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

/// The path, or what is wrong with it (RFC 7606 §7.2).
pub(super) fn decode(mut value: &[u8], width: Width) -> Result<AsPath, &'static str> {
    let mut path = AsPath::default();
    while !value.is_empty() {
        let (rest, (code, count)) = segment_header(value).map_err(|_| "a lone octet at the end")?;
        if count == 0 {
            return Err("a segment without ASNs");
        }
        let (rest, asns) = asns(rest, usize::from(count), width)
            .map_err(|_| "a segment longer than the attribute")?;
        // RFC 7607 §2.
        if asns.contains(&Asn(0)) {
            return Err("AS 0 in the path");
        }
        path.segments
            .push(AsPathSegment::new(code, asns).ok_or("an unknown segment type")?);
        value = rest;
    }
    Ok(path)
}

/// Octets that `put` writes.
pub(super) fn encoded_len(path: &AsPath, width: Width) -> usize {
    let octets = |asns: &[Asn]| {
        let asns_len = asns.len().saturating_mul(width.octets());
        asns.chunks(SEGMENT)
            .count()
            .saturating_mul(2)
            .saturating_add(asns_len)
    };
    path.segments
        .iter()
        .map(|segment| octets(segment.asns()))
        .fold(0, usize::saturating_add)
}

/// Segments of more than 255 ASNs become several.
pub(super) fn put(path: &AsPath, width: Width, out: &mut BytesMut) {
    for segment in &path.segments {
        for asns in segment.asns().chunks(SEGMENT) {
            out.put_u8(segment.code());
            out.put_u8(u8::try_from(asns.len()).unwrap_or(u8::MAX));
            for asn in asns {
                match width {
                    Width::Two => out.put_u16(asn.two_octets()),
                    Width::Four => out.put_u32(asn.0),
                }
            }
        }
    }
}

/// RFC 6793 §4.2.3: the four-octet path, with as many leading ASNs of the
/// two-octet one as it is shorter. An AS4_PATH longer than the AS_PATH is
/// ignored.
pub(super) fn merge(two: AsPath, four: AsPath) -> AsPath {
    let Some(mut leading) = two.len_for_decision().checked_sub(four.len_for_decision()) else {
        return two;
    };
    let mut merged = AsPath::default();
    for segment in two.segments {
        if leading == 0 && !segment.is_confederation() {
            break;
        }
        let count = segment.count();
        match segment {
            AsPathSegment::Sequence(mut asns) if asns.len() > leading => {
                asns.truncate(leading);
                leading = 0;
                merged.segments.push(AsPathSegment::Sequence(asns));
            }
            whole => {
                leading = leading.saturating_sub(count);
                merged.segments.push(whole);
            }
        }
    }
    join(&mut merged, four);
    merged
}

/// Appends, so that a sequence cut in two for the merge is one again.
fn join(front: &mut AsPath, back: AsPath) {
    let mut back = back.segments.into_iter().peekable();
    if let (Some(AsPathSegment::Sequence(asns)), Some(AsPathSegment::Sequence(more))) =
        (front.segments.last_mut(), back.peek())
        && asns.len().saturating_add(more.len()) <= SEGMENT
    {
        asns.extend_from_slice(more);
        back.next();
    }
    front.segments.extend(back);
}

fn segment_header(input: &[u8]) -> Parsed<'_, (u8, u8)> {
    (be_u8, be_u8).parse(input)
}

fn asns(input: &[u8], count: usize, width: Width) -> Parsed<'_, Vec<Asn>> {
    let (rest, octets) = take(count.saturating_mul(width.octets()))(input)?;
    let asns = match width {
        Width::Two => {
            let (asns, _) = octets.as_chunks::<2>();
            asns.iter()
                .map(|asn| Asn(u32::from(u16::from_be_bytes(*asn))))
                .collect()
        }
        Width::Four => {
            let (asns, _) = octets.as_chunks::<4>();
            asns.iter()
                .map(|asn| Asn(u32::from_be_bytes(*asn)))
                .collect()
        }
    };
    Ok((rest, asns))
}
