//! STAMP test packets in unauthenticated mode (RFC 8762 §4.2.1, §4.3.1), with the
//! session identifier of RFC 8972 §3.

use std::time::Duration;

/// Octets of a test packet without extensions, either way.
pub(super) const LENGTH: usize = 44;

/// Seconds since 1900 and their fraction (RFC 5905 §6), as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    /// `wall`: since the Unix epoch.
    pub(crate) fn at(wall: Duration) -> Self {
        let seconds = wall.as_secs().wrapping_add(UNIX_EPOCH) << 32;
        let fraction = (u64::from(wall.subsec_nanos()) << 32) / NANOSECONDS;
        Self(seconds | fraction)
    }

    /// Nanoseconds from `earlier` to this. Both wrap around every 136 years.
    pub(crate) fn since(self, earlier: Self) -> i64 {
        let difference = self.0.wrapping_sub(earlier.0).cast_signed();
        ((i128::from(difference) * i128::from(NANOSECONDS)) >> 32) as i64
    }

    fn read(octets: [u8; 8], error_estimate: u16) -> Self {
        let plain = u64::from_be_bytes(octets);
        if error_estimate & PTP == 0 {
            return Self(plain);
        }
        // RFC 8762 §4.2.1: seconds and nanoseconds (IEEE 1588).
        let nanoseconds = (plain & 0xffff_ffff).min(NANOSECONDS - 1);
        Self(((plain >> 32) << 32) | ((nanoseconds << 32) / NANOSECONDS))
    }
}

/// A Session-Sender's packet.
pub(crate) fn request(sequence: u32, session: u16, now: Timestamp) -> [u8; LENGTH] {
    let mut octets = [0; LENGTH];
    octets[..4].copy_from_slice(&sequence.to_be_bytes());
    octets[4..12].copy_from_slice(&now.0.to_be_bytes());
    octets[12..14].copy_from_slice(&ERROR_ESTIMATE.to_be_bytes());
    octets[14..16].copy_from_slice(&session.to_be_bytes());
    octets
}

/// What a Session-Reflector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Its own count of packets, or the sender's where it keeps no state.
    pub(crate) sequence: u32,
    /// When it sent this.
    pub(crate) sent: Timestamp,
    /// When it had received the sender's packet.
    pub(crate) received: Timestamp,
    pub(crate) session: u16,
    pub(crate) sender_sequence: u32,
}

impl Reply {
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; LENGTH] = octets.first_chunk()?;
        let error_estimate = u16::from_be_bytes([octets[12], octets[13]]);
        Some(Self {
            sequence: u32::from_be_bytes(part(octets, 0)),
            sent: Timestamp::read(part(octets, 4), error_estimate),
            session: u16::from_be_bytes(part(octets, 14)),
            received: Timestamp::read(part(octets, 16), error_estimate),
            sender_sequence: u32::from_be_bytes(part(octets, 24)),
        })
    }

    /// How long the reflector kept the packet.
    pub(crate) fn held(&self) -> Duration {
        Duration::from_nanos(self.sent.since(self.received).try_into().unwrap_or(0))
    }
}

/// The answer to a sender's packet, of the same length: what follows the base
/// packet goes back as it came, so that extensions (RFC 8972 §4) that are not
/// understood are still marked so. `None`: too short for an answer that is no
/// longer.
pub(super) fn reflect(
    request: &[u8],
    sequence: u32,
    received: Timestamp,
    ttl: u8,
    now: Timestamp,
) -> Option<Vec<u8>> {
    let sender: &[u8; LENGTH] = request.first_chunk()?;
    let mut reply = request.to_vec();
    reply[..4].copy_from_slice(&sequence.to_be_bytes());
    reply[4..12].copy_from_slice(&now.0.to_be_bytes());
    reply[12..14].copy_from_slice(&ERROR_ESTIMATE.to_be_bytes());
    // RFC 8972 §3: the session's identifier is copied.
    reply[14..16].copy_from_slice(&sender[14..16]);
    reply[16..24].copy_from_slice(&received.0.to_be_bytes());
    // RFC 8762 §4.3.1: sequence number, timestamp and error estimate of the sender.
    reply[24..38].copy_from_slice(&sender[..14]);
    reply[38..40].fill(0);
    reply[40] = ttl;
    reply[41..LENGTH].fill(0);
    Some(reply)
}

fn part<const N: usize>(octets: &[u8; LENGTH], offset: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&octets[offset..offset + N]);
    part
}

const NANOSECONDS: u64 = 1_000_000_000;
/// The Unix epoch in NTP's seconds (RFC 5905 §A.4).
const UNIX_EPOCH: u64 = 2_208_988_800;
/// RFC 4656 §4.1.2: not known to be synchronized, NTP's format, 2⁻¹⁶ s.
const ERROR_ESTIMATE: u16 = (16 << 8) | 1;
/// RFC 8762 §4.2.1: the Z bit, PTP's format.
const PTP: u16 = 1 << 14;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// 2024-01-01 00:00:00.5 UTC.
    const NEW_YEAR: Duration = Duration::from_millis(1_704_067_200_500);

    /// Worked out by hand from RFC 8762's figures 2 and 4.
    #[test]
    fn packets_are_laid_out_as_in_the_rfc() {
        let sent = request(0x0102_0304, 0xabcd, Timestamp::at(NEW_YEAR));
        let mut expected = vec![
            0x01, 0x02, 0x03, 0x04, // sequence number
            0xe9, 0x3c, 0x7f, 0x00, 0x80, 0x00, 0x00, 0x00, // timestamp
            0x10, 0x01, // error estimate
            0xab, 0xcd, // SSID
        ];
        expected.resize(44, 0);
        assert_eq!(sent[..], expected);
        let received = Timestamp::at(NEW_YEAR + Duration::from_secs(1));
        let now = Timestamp::at(NEW_YEAR + Duration::from_secs(2));
        let reply = reflect(&sent, 7, received, 254, now).unwrap();
        let expected = [
            0x00, 0x00, 0x00, 0x07, // sequence number
            0xe9, 0x3c, 0x7f, 0x02, 0x80, 0x00, 0x00, 0x00, // timestamp
            0x10, 0x01, // error estimate
            0xab, 0xcd, // SSID
            0xe9, 0x3c, 0x7f, 0x01, 0x80, 0x00, 0x00, 0x00, // receive timestamp
            0x01, 0x02, 0x03, 0x04, // the sender's sequence number
            0xe9, 0x3c, 0x7f, 0x00, 0x80, 0x00, 0x00, 0x00, // its timestamp
            0x10, 0x01, // its error estimate
            0x00, 0x00, // must be zero
            0xfe, // its TTL
            0x00, 0x00, 0x00, // must be zero
        ];
        assert_eq!(reply, expected);
        let read = Reply::read(&reply).unwrap();
        assert_eq!((read.sequence, read.sender_sequence), (7, 0x0102_0304));
        assert_eq!(
            (read.session, read.held()),
            (0xabcd, Duration::from_secs(1))
        );
        assert_eq!(read.received.since(Timestamp::at(NEW_YEAR)), 1_000_000_000);
    }

    #[test]
    fn an_answer_is_as_long_as_the_question_and_short_questions_have_none() {
        let mut question = request(1, 1, Timestamp::at(NEW_YEAR)).to_vec();
        question.extend([0x80, 1, 0, 4, 9, 9, 9, 9]);
        let now = Timestamp::at(NEW_YEAR);
        let reply = reflect(&question, 0, now, 64, now).unwrap();
        assert_eq!((reply.len(), &reply[44..]), (52, &question[44..]));
        for end in 0..LENGTH {
            assert_eq!(reflect(&question[..end], 0, now, 64, now), None);
            assert_eq!(Reply::read(&question[..end]), None);
        }
    }

    #[test]
    fn times_in_ptps_format_are_understood() {
        let octets = [0, 0, 0, 9, 0x1d, 0xcd, 0x65, 0x00];
        let half = Timestamp::read(octets, PTP | 1);
        assert_eq!(half, Timestamp::read([0, 0, 0, 9, 0x80, 0, 0, 0], 1));
        let garbage = Timestamp::read([0xff; 8], PTP | 1);
        assert_eq!(garbage.0 >> 32, 0xffff_ffff);
    }

    #[test]
    fn differences_survive_the_end_of_an_era() {
        let before = Timestamp(u64::MAX - 0xffff_ffff);
        let after = Timestamp(1 << 32);
        assert_eq!(after.since(before), 2_000_000_000);
        assert_eq!(before.since(after), -2_000_000_000);
    }
}
