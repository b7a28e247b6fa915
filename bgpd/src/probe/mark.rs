//! What tells our probes from each other and from everyone else's.

use std::hash::{BuildHasher, Hasher, RandomState};

/// One probe: the target's number, and the probe's at that target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) slot: u16,
    pub(super) sequence: u32,
}

/// This thread's own, chosen at random.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    /// The identifier of ICMP echoes.
    pub(super) fn identifier(self) -> u16 {
        self.0 as u16
    }

    pub(super) fn write(self, token: Token, octets: &mut [u8]) {
        octets[..8].copy_from_slice(&self.0.to_be_bytes());
        octets[8..10].copy_from_slice(&token.slot.to_be_bytes());
        octets[12..16].copy_from_slice(&token.sequence.to_be_bytes());
    }

    /// `None`: not ours.
    pub(super) fn read(self, octets: &[u8]) -> Option<Token> {
        let octets: &[u8; TOKEN] = octets.first_chunk()?;
        let (mark, rest) = octets.split_first_chunk()?;
        let [high, low, _, _, sequence @ ..] = rest else {
            return None;
        };
        let token = Token {
            slot: u16::from_be_bytes([*high, *low]),
            sequence: u32::from_be_bytes(sequence.try_into().ok()?),
        };
        (*mark == self.0.to_be_bytes()).then_some(token)
    }

    /// A TCP sequence number for a probe.
    pub(super) fn scramble(self, token: Token) -> u32 {
        let plain = (u32::from(token.slot) << 16) | (token.sequence & 0xffff);
        plain ^ (self.0 >> 32) as u32
    }

    /// The target and the lower half of the probe's number.
    pub(super) fn unscramble(self, scrambled: u32) -> (u16, u16) {
        let plain = scrambled ^ (self.0 >> 32) as u32;
        ((plain >> 16) as u16, plain as u16)
    }
}

/// Octets that a token takes.
pub(super) const TOKEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_written_and_a_strangers_is_not() {
        let (mark, other) = (Mark(0x0123_4567_89ab_cdef), Mark(1));
        let token = Token {
            slot: 0xfedc,
            sequence: 0x1234_5678,
        };
        let mut octets = [0xff; TOKEN];
        mark.write(token, &mut octets);
        assert_eq!(mark.read(&octets), Some(token));
        assert_eq!(other.read(&octets), None);
        (0..TOKEN).for_each(|end| assert_eq!(mark.read(&octets[..end]), None));
        assert_eq!(mark.unscramble(mark.scramble(token)), (0xfedc, 0x5678));
    }
}
