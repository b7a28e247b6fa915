//! The Internet checksum (RFC 1071).

/// Of all parts together; each but the last of an even length.
pub(super) fn checksum<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u16 {
    let words = parts.into_iter().flat_map(|part| part.chunks(2));
    let words =
        words.map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    /// RFC 1071 §3's example.
    #[test]
    fn the_sum_is_the_rfcs() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum([&octets[..]]), !0xddf2);
        assert_eq!(checksum([&octets[..4], &octets[4..]]), !0xddf2);
    }
}
