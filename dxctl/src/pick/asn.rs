//! A private AS number that nothing else uses.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bgp_core::{Asn, aws};

use super::{Excluded, Picked};
use crate::Refused;

/// The private ranges of RFC 6996. 65535 and 4294967295 are reserved
/// (RFC 7300) and outside both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsnRange {
    TwoOctets,
    FourOctets,
}

impl AsnRange {
    const fn numbers(self) -> RangeInclusive<u32> {
        match self {
            Self::TwoOctets => 64_512..=65_534,
            Self::FourOctets => 4_200_000_000..=4_294_967_294,
        }
    }

    /// Next to it, and never private (RFC 7300).
    const fn reserved(self) -> Asn {
        match self {
            Self::TwoOctets => Asn(65_535),
            Self::FourOctets => Asn(4_294_967_295),
        }
    }
}

/// Numbers in use, each with who uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AsnUse(BTreeMap<Asn, String>);

impl AsnUse {
    /// The first use of a number is the one that is told.
    pub(crate) fn add(&mut self, asn: Asn, by: impl Into<String>) {
        self.0.entry(asn).or_insert_with(|| by.into());
    }

    pub(crate) fn extend(&mut self, other: Self) {
        other.0.into_iter().for_each(|(asn, by)| self.add(asn, by));
    }

    fn holder(&self, asn: Asn) -> Option<&str> {
        if asn == aws::GATEWAY_ASN {
            return Some("the default of every Direct Connect gateway");
        }
        self.0.get(&asn).map(String::as_str)
    }
}

/// The lowest free number, or with a seed the first free one from a place that
/// the seed alone decides.
pub(crate) fn asn(
    range: AsnRange,
    used: &AsnUse,
    seed: Option<&str>,
) -> Result<Picked<Asn>, Refused> {
    let numbers = range.numbers();
    let (first, last) = (*numbers.start(), *numbers.end());
    let size = u64::from(last - first) + 1;
    let start = seed.map_or(0, |seed| hash(seed) % size);
    let candidates = (0..size).map(|step| {
        let offset = u32::try_from((start + step) % size);
        Asn(first + offset.expect("invariant: an offset in a range of u32 fits in u32"))
    });
    let mut passed: Vec<(Asn, &str)> = Vec::new();
    for candidate in candidates {
        match used.holder(candidate) {
            Some(holder) => passed.push((candidate, holder)),
            None => {
                return Ok(Picked {
                    value: candidate,
                    reason: reason(range, seed, &passed),
                    excluded: excluded(range, used, &passed),
                });
            }
        }
    }
    Err(Refused::new(format!(
        "no free private AS number from {first} to {last}: try --bits 32"
    )))
}

/// All of the range that is taken, and what is reserved beside it.
fn excluded(range: AsnRange, used: &AsnUse, passed: &[(Asn, &str)]) -> Vec<Excluded> {
    let gateway = (aws::GATEWAY_ASN, used.holder(aws::GATEWAY_ASN));
    let reserved = (range.reserved(), Some("reserved (RFC 7300)"));
    let taken = used.0.keys().map(|asn| (*asn, used.holder(*asn)));
    let all: BTreeMap<Asn, Option<&str>> = taken.chain([gateway, reserved]).collect();
    let here = all
        .into_iter()
        .filter(|(asn, _)| range.numbers().contains(&asn.0) || *asn == range.reserved());
    let told = here.filter_map(|(asn, holder)| {
        Some(Excluded {
            what: asn.to_string(),
            by: holder?.to_owned(),
            passed: passed.iter().any(|(other, _)| *other == asn),
        })
    });
    told.collect()
}

fn reason(range: AsnRange, seed: Option<&str>, passed: &[(Asn, &str)]) -> String {
    let numbers = range.numbers();
    let how = match seed {
        None => format!(
            "the lowest free one of {}–{}",
            numbers.start(),
            numbers.end()
        ),
        Some(seed) => format!(
            "derived from `{seed}` in {}–{}",
            numbers.start(),
            numbers.end()
        ),
    };
    let told = |(asn, holder): &(Asn, &str)| format!("{asn} is taken: {holder}");
    let passed: Vec<String> = passed.iter().map(told).collect();
    match passed.as_slice() {
        [] => how,
        few @ [_, ..] if few.len() <= 3 => format!("{how} ({})", few.join("; ")),
        [first, rest @ ..] => format!("{how} ({first}; and {} more are taken)", rest.len()),
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn used(numbers: impl IntoIterator<Item = u32>) -> AsnUse {
        let mut used = AsnUse::default();
        numbers
            .into_iter()
            .for_each(|number| used.add(Asn(number), format!("vif {number}")));
        used
    }

    #[test]
    fn the_gateway_default_is_never_picked() {
        let picked = asn(AsnRange::TwoOctets, &used([]), None).unwrap();
        assert_eq!(picked.value, Asn(64_513));
        assert!(
            picked.reason.contains("64512 is taken"),
            "{}",
            picked.reason
        );
    }

    #[test]
    fn numbers_in_use_are_passed_and_named() {
        let picked = asn(AsnRange::TwoOctets, &used([64_513, 64_514]), None).unwrap();
        assert_eq!(picked.value, Asn(64_515));
        assert!(picked.reason.contains("vif 64514"), "{}", picked.reason);
        let told = picked.excluded.iter();
        let told: Vec<_> = told.map(|one| (one.what.as_str(), one.passed)).collect();
        let expected = [
            ("64512", true),
            ("64513", true),
            ("64514", true),
            ("65535", false),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_taken_elsewhere_in_the_range_is_told_too() {
        let picked = asn(
            AsnRange::TwoOctets,
            &used([64_600, 4_200_000_000]),
            Some("a"),
        )
        .unwrap();
        let told = picked.excluded.iter().filter(|one| !one.passed);
        let told: Vec<_> = told.map(|one| format!("{} {}", one.what, one.by)).collect();
        let gateway = "64512 the default of every Direct Connect gateway";
        assert_eq!(
            told,
            [gateway, "64600 vif 64600", "65535 reserved (RFC 7300)"]
        );
    }

    #[test]
    fn four_octet_numbers_start_at_4200000000() {
        let picked = asn(AsnRange::FourOctets, &used([]), None).unwrap();
        assert_eq!(picked.value, Asn(4_200_000_000));
    }

    #[test]
    fn a_seed_gives_the_same_number_until_it_is_taken() {
        let one = asn(AsnRange::TwoOctets, &used([]), Some("frankfurt-1")).unwrap();
        let two = asn(AsnRange::TwoOctets, &used([]), Some("frankfurt-1")).unwrap();
        assert_eq!(one, two);
        let other = asn(
            AsnRange::TwoOctets,
            &used([one.value.0]),
            Some("frankfurt-1"),
        )
        .unwrap();
        assert_ne!(one.value, other.value);
        assert!(other.value.is_private());
    }

    #[test]
    fn a_full_range_is_refused_with_a_way_out() {
        let error = asn(AsnRange::TwoOctets, &used(64_512..=65_534), Some("x")).unwrap_err();
        assert!(error.to_string().contains("--bits 32"));
    }
}
