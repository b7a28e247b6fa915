//! STAMP, unauthenticated (RFC 8762): what goes there and back (`packet`), what it
//! says of each direction (`one_way`), and the far end (`reflector`).

mod one_way;
mod packet;
pub mod reflector;

use std::time::Duration;

use super::mark::Token;
use packet::Timestamp;

pub(super) use one_way::Reflections;
pub(super) use packet::Reply;

/// The packet of one probe: a session (RFC 8972 §3) for each target.
pub(super) fn request(token: Token, wall: Duration) -> [u8; packet::LENGTH] {
    packet::request(token.sequence, token.slot, Timestamp::at(wall))
}

/// The probe that such a packet was.
pub(super) fn token(request: &[u8]) -> Option<Token> {
    let octets: &[u8; packet::LENGTH] = request.first_chunk()?;
    Some(Token {
        slot: u16::from_be_bytes([octets[14], octets[15]]),
        sequence: u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]),
    })
}
