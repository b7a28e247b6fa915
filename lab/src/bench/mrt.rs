//! The BGP messages of an MRT file (RFC 6396).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use bgp_core::Family;
use bgp_core::wire::{self, Announcement, Codec, Message};
use bytes::BytesMut;

use super::session;

/// Everything that the recorded peer announced over IPv4, in order.
pub fn announcements(path: &Path) -> anyhow::Result<Vec<Announcement>> {
    let what = || format!("reading {}", path.display());
    let file = File::open(path).with_context(what)?;
    let mut bytes = vec![];
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .with_context(what)?;
    let mut stream = BytesMut::new();
    for message in messages(&bytes) {
        stream.extend_from_slice(message);
    }
    // It was recorded inside an AS.
    let codec = Codec {
        internal: true,
        ..session::codec(Family::Ipv4)
    };
    let mut announced = vec![];
    while let Some(frame) = wire::frame(&mut stream, &codec)
        .ok()
        .with_context(|| format!("{} holds what is not BGP", path.display()))?
    {
        let decoded = wire::decode(&frame, &codec).ok();
        if let Some(Message::Update(update)) = decoded.map(|decoded| decoded.message) {
            // What it takes for withdrawn: four routes through AS 0 (RFC 7607).
            announced.extend(update.announced);
        }
    }
    Ok(announced)
}

/// Records of type BGP4MP_ET (§3), from four-octet peers (§4.4.3) over IPv4.
fn messages(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (header, rest) = file.split_first_chunk::<12>()?;
            let [_, _, _, _, t0, t1, s0, s1, length @ ..] = *header;
            let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
            let (record, rest) = rest.split_at_checked(length)?;
            file = rest;
            if (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([s0, s1]))
                == (BGP4MP_ET, MESSAGE_AS4)
            {
                return record.get(BEFORE_MESSAGE..);
            }
        }
    })
}

const BGP4MP_ET: u16 = 17;
const MESSAGE_AS4: u16 = 4;
/// After the common header: microseconds, two ASNs, interface, family, two
/// addresses.
const BEFORE_MESSAGE: usize = 4 + 8 + 2 + 2 + 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bench::scenario::real;

    #[test]
    fn the_real_table_is_read_whole() {
        let announced = announcements(Path::new(real::TABLE)).unwrap();
        let prefixes = real::distinct(&announced);
        assert_eq!(prefixes.len(), 577_701);
    }
}
