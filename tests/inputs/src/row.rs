//! One input, and what may come of it.

use std::fmt;

use ipnet::IpNet;

use crate::bytes;

/// Bytes that arrive at a stage of a session.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    /// The clause that permits what is permitted.
    pub rule: String,
    pub session: Session,
    pub stage: Stage,
    pub bytes: Vec<u8>,
    pub permitted: Vec<Outcome>,
    /// What the bytes announce, where that is worth a look.
    pub prefix: Option<IpNet>,
}

/// What the peer's OPEN has offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {
    /// Four-octet AS numbers and both families.
    External,
    ExternalIpv4,
    /// Both families, AS numbers of two octets.
    TwoOctet,
    /// As `External`, with messages of up to 65,535 octets.
    Extended,
    /// As `External`, from the speaker's own AS.
    Internal,
}

/// When the bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Instead of the peer's OPEN.
    OpenExpected,
    /// After its OPEN, before its KEEPALIVE.
    KeepaliveExpected,
    Established,
}

/// One thing that may come of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The session stays, whatever becomes of prefixes.
    Alive,
    /// The session stays and the row's prefix is announced by it.
    Announced,
    /// As `Announced`, and the route has no attribute of this type.
    AnnouncedWithout(u8),
    /// The session stays and the prefix is gone.
    Withdrawn,
    /// The session stays, and so does the route that was there before.
    Untouched,
    /// The session ends with this NOTIFICATION.
    Notification(u8, u8),
    /// The session ends without a word, as after the peer's own NOTIFICATION.
    Closed,
}

/// What has come of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub end: End,
    pub route: Route,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Alive,
    Notification(u8, u8),
    Closed,
}

/// The row's prefix afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// With the types of its attributes, where the observer can see them.
    Announced(Option<Vec<u8>>),
    Withdrawn,
    /// As [`Row::before`] has left it.
    Untouched,
}

/// The MED of a route that was there before its row.
pub const MED_BEFORE: u32 = 4242;

impl Session {
    /// The peer's OPEN.
    pub fn open(self, hold_time: u16) -> Vec<u8> {
        bytes::open(self, hold_time)
    }

    pub const fn peer_asn(self) -> u32 {
        match self {
            Self::Internal => bytes::SPEAKER_AS,
            Self::External | Self::ExternalIpv4 | Self::TwoOctet | Self::Extended => bytes::PEER_AS,
        }
    }
}

impl Row {
    /// An UPDATE that announces the row's prefix, without fault, before the row
    /// comes: so that it shows whether the row withdraws it.
    pub fn before(&self) -> Option<Vec<u8>> {
        (self.stage == Stage::Established)
            .then_some(self.prefix)
            .flatten()
            .map(|prefix| bytes::announcement(prefix, self.session, MED_BEFORE))
    }

    /// Whether the session may end.
    pub fn may_end(&self) -> bool {
        self.permitted.iter().any(|outcome| outcome.ends())
    }

    /// Whether what was observed is permitted, else what is wrong.
    pub fn judge(&self, observed: &Observed) -> Result<(), String> {
        if self
            .permitted
            .iter()
            .any(|outcome| outcome.fits(observed, self.prefix.is_some()))
        {
            return Ok(());
        }
        Err(format!(
            "{} ({:?}, {:?}): {observed:?}, but {} permits {:?}; the bytes: {}",
            self.name,
            self.session,
            self.stage,
            self.rule,
            self.permitted,
            Hex(&self.bytes),
        ))
    }
}

impl Outcome {
    const fn ends(self) -> bool {
        matches!(self, Self::Notification(..) | Self::Closed)
    }

    fn fits(self, observed: &Observed, has_prefix: bool) -> bool {
        let alive = observed.end == End::Alive;
        match (self, &observed.route) {
            (Self::Alive, _) => alive,
            (Self::Notification(code, subcode), _) => {
                observed.end == End::Notification(code, subcode)
            }
            (Self::Closed, _) => observed.end == End::Closed,
            (
                Self::Announced | Self::AnnouncedWithout(_) | Self::Withdrawn | Self::Untouched,
                _,
            ) if !has_prefix => alive,
            (Self::Announced, Route::Announced(_)) => alive,
            (Self::AnnouncedWithout(code), Route::Announced(codes)) => {
                alive && !codes.as_ref().is_some_and(|codes| codes.contains(&code))
            }
            (Self::Withdrawn, Route::Withdrawn) | (Self::Untouched, Route::Untouched) => alive,
            (
                Self::Announced | Self::AnnouncedWithout(_) | Self::Withdrawn | Self::Untouched,
                _,
            ) => false,
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.0.iter().take(200) {
            write!(f, "{octet:02x}")?;
        }
        if self.0.len() > 200 {
            write!(f, "… ({} octets)", self.0.len())?;
        }
        Ok(())
    }
}
