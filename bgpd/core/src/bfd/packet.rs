//! Control packets (RFC 5880 §4) as octets, both ways. Nothing is allocated.

use super::{Diagnostic, State};

/// A packet that passed the checks of RFC 5880 §6.8.6 that need no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'p> {
    pub header: Header,
    /// Where the A bit is set.
    pub(super) section: Option<Section<'p>>,
    /// All of it, as long as its Length field says: what a digest covers.
    pub(super) octets: &'p [u8],
}

/// The mandatory section. Intervals are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub diagnostic: Diagnostic,
    pub state: State,
    pub poll: bool,
    pub r#final: bool,
    pub control_plane_independent: bool,
    pub demand: bool,
    pub detect_mult: u8,
    pub my_discriminator: u32,
    /// 0: the sender doesn't know it yet.
    pub your_discriminator: u32,
    pub desired_min_tx_interval: u32,
    pub required_min_rx_interval: u32,
    pub required_min_echo_rx_interval: u32,
}

/// The authentication section as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section<'p> {
    pub(super) auth_type: u8,
    /// What follows Auth Len.
    pub(super) body: &'p [u8],
}

/// A packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    octets: [u8; LONGEST],
    length: usize,
}

/// Why octets are no packet for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    #[error("shorter than a control packet")]
    Short,
    #[error("not version 1")]
    Version,
    #[error("a wrong Length")]
    Length,
    #[error("Detect Mult 0")]
    DetectMult,
    #[error("the Multipoint bit")]
    Multipoint,
    #[error("My Discriminator 0")]
    MyDiscriminator,
    #[error("Your Discriminator 0 in state Init or Up")]
    YourDiscriminator,
}

/// Reads a UDP payload, checked in the order of RFC 5880 §6.8.6.
pub fn decode(payload: &[u8]) -> Result<Packet<'_>, Malformed> {
    let (fixed, _) = payload
        .split_first_chunk::<MANDATORY>()
        .ok_or(Malformed::Short)?;
    let [vers_diag, flags, detect_mult, length, numbers @ ..] = fixed;
    if vers_diag >> 5 != VERSION {
        return Err(Malformed::Version);
    }
    let authenticated = flags & AUTHENTICATION_PRESENT != 0;
    let least = if authenticated {
        MANDATORY_AND_AUTHENTICATION
    } else {
        MANDATORY
    };
    let length = usize::from(*length);
    let octets = payload
        .get(..length)
        .filter(|octets| octets.len() >= least)
        .ok_or(Malformed::Length)?;
    if *detect_mult == 0 {
        return Err(Malformed::DetectMult);
    }
    if flags & MULTIPOINT != 0 {
        return Err(Malformed::Multipoint);
    }
    let [my, your, tx, rx, echo_rx] = words(numbers);
    if my == 0 {
        return Err(Malformed::MyDiscriminator);
    }
    let state = State::from_bits(flags >> 6);
    if your == 0 && !matches!(state, State::Down | State::AdminDown) {
        return Err(Malformed::YourDiscriminator);
    }
    let section = if authenticated {
        Some(section(octets)?)
    } else {
        None
    };
    Ok(Packet {
        header: Header {
            diagnostic: Diagnostic::from_bits(*vers_diag),
            state,
            poll: flags & POLL != 0,
            r#final: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            detect_mult: *detect_mult,
            my_discriminator: my,
            your_discriminator: your,
            desired_min_tx_interval: tx,
            required_min_rx_interval: rx,
            required_min_echo_rx_interval: echo_rx,
        },
        section,
        octets,
    })
}

/// The section must fill what the mandatory one leaves: a digest covers no more.
fn section(octets: &[u8]) -> Result<Section<'_>, Malformed> {
    let (_, section) = octets
        .split_first_chunk::<MANDATORY>()
        .ok_or(Malformed::Length)?;
    match section {
        [auth_type, auth_len, body @ ..] if usize::from(*auth_len) == section.len() => {
            Ok(Section {
                auth_type: *auth_type,
                body,
            })
        }
        _ => Err(Malformed::Length),
    }
}

fn words(octets: &[u8; 20]) -> [u32; 5] {
    let (words, _) = octets.as_chunks::<4>();
    let mut numbers = [0; 5];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = u32::from_be_bytes(*word);
    }
    numbers
}

impl Header {
    /// Without authentication.
    pub fn encode(&self) -> Encoded {
        self.with_section(0)
    }

    /// With room for an authentication section of so many octets, which are 0.
    pub(super) fn with_section(&self, section: usize) -> Encoded {
        let length = LONGEST.min(MANDATORY.saturating_add(section));
        let mut encoded = Encoded {
            octets: [0; LONGEST],
            length,
        };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | flag(self.poll, POLL)
            | flag(self.r#final, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(section > 0, AUTHENTICATION_PRESENT)
            | flag(self.demand, DEMAND);
        let first = [
            VERSION << 5 | self.diagnostic.bits(),
            flags,
            self.detect_mult,
            u8::try_from(length).unwrap_or(u8::MAX),
        ];
        let numbers = [
            self.my_discriminator,
            self.your_discriminator,
            self.desired_min_tx_interval,
            self.required_min_rx_interval,
            self.required_min_echo_rx_interval,
        ];
        let octets = first
            .into_iter()
            .chain(numbers.into_iter().flat_map(u32::to_be_bytes));
        for (to, from) in encoded.octets.iter_mut().zip(octets) {
            *to = from;
        }
        encoded
    }
}

impl Encoded {
    /// What goes into the UDP payload.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// The authentication section, to be filled.
    pub(super) fn section_mut(&mut self) -> &mut [u8] {
        self.octets
            .get_mut(MANDATORY..self.length)
            .unwrap_or_default()
    }
}

const VERSION: u8 = 1;
pub(super) const MANDATORY: usize = 24;
const MANDATORY_AND_AUTHENTICATION: usize = 26;
/// With a SHA-1 section.
pub const LONGEST: usize = MANDATORY + 28;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION_PRESENT: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;
