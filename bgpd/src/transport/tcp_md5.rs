//! RFC 2385 in user space: to tell whether a captured segment was signed with a
//! key. The kernel signs and checks what really travels.

use std::net::IpAddr;

use bgp_core::config::AuthKey;

/// What a segment's signature says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// The segment has no MD5 option.
    Missing,
    /// Signed with this key.
    Valid,
    /// Signed with another key (or damaged), or we have no key to compare.
    Foreign,
}

/// One TCP segment, whole: header, options, data.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    octets: &'a [u8],
    header: usize,
}

impl<'a> Segment<'a> {
    /// `None` if this is no complete TCP header.
    pub fn new(source: IpAddr, destination: IpAddr, octets: &'a [u8]) -> Option<Self> {
        let header = usize::from(octets.get(12)? >> 4) * 4;
        (FIXED_HEADER..=octets.len())
            .contains(&header)
            .then_some(Self {
                source,
                destination,
                octets,
                header,
            })
    }

    pub fn is_reset(&self) -> bool {
        self.octets[13] & RST != 0
    }

    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.octets[0], self.octets[1]])
    }

    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.octets[2], self.octets[3]])
    }

    pub fn check(&self, key: Option<&AuthKey>) -> Signature {
        match (self.signature(), key) {
            (None, _) => Signature::Missing,
            (Some(signature), Some(key)) if signature == self.digest(key.expose().as_bytes()) => {
                Signature::Valid
            }
            (Some(_), _) => Signature::Foreign,
        }
    }

    /// RFC 2385 §2.0: pseudo-header, header without options and with checksum
    /// zero, data, key.
    pub fn digest(&self, key: &[u8]) -> [u8; 16] {
        let mut md5 = md5::Context::new();
        let length = self.octets.len();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                md5.consume(source.octets());
                md5.consume(destination.octets());
                md5.consume([0, TCP]);
                md5.consume((length as u16).to_be_bytes());
            }
            (source, destination) => {
                for address in [source, destination] {
                    match address {
                        IpAddr::V4(address) => md5.consume(address.to_ipv6_mapped().octets()),
                        IpAddr::V6(address) => md5.consume(address.octets()),
                    }
                }
                md5.consume((length as u32).to_be_bytes());
                md5.consume([0, 0, 0, TCP]);
            }
        }
        let (before_checksum, after_checksum) =
            (&self.octets[..16], &self.octets[18..FIXED_HEADER]);
        md5.consume(before_checksum);
        md5.consume([0, 0]);
        md5.consume(after_checksum);
        md5.consume(&self.octets[self.header..]);
        md5.consume(key);
        md5.finalize().0
    }

    /// The MD5 option's value.
    fn signature(&self) -> Option<&'a [u8]> {
        let mut options = &self.octets[FIXED_HEADER..self.header];
        loop {
            match *options {
                [] | [END_OF_OPTIONS, ..] => return None,
                [NO_OPERATION, ref rest @ ..] => options = rest,
                [MD5_SIGNATURE, 18, ref rest @ ..] => return rest.get(..16),
                [_, length, ..] if length >= 2 => options = options.get(usize::from(length)..)?,
                [_, ..] => return None,
            }
        }
    }
}

const FIXED_HEADER: usize = 20;
const RST: u8 = 0x04;
const TCP: u8 = 6;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const MD5_SIGNATURE: u8 = 19;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SYNs as Linux 6.18 signed them with the key `dx-lab-key-7`.
    const SYN_V4: &str = "c97600b38182370900000000d002faf0264f00000101\
        13123431dbe629487266623be6152ad9f303020405b4010104020103030a";
    const SYN_V6: &str = "920000b33428010e00000000d002fd20fa5000000101\
        13125b6d0b60cb34468a6e884ab5872e3632020405a0010104020103030a";

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .chars()
            .map(|digit| digit.to_digit(16).unwrap() as u8)
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    fn key(text: &str) -> AuthKey {
        AuthKey::from_file_content(text.to_owned().into()).unwrap()
    }

    fn check(source: &str, destination: &str, octets: &[u8], key: Option<&AuthKey>) -> Signature {
        let segment = Segment::new(
            source.parse().unwrap(),
            destination.parse().unwrap(),
            octets,
        );
        segment.unwrap().check(key)
    }

    #[test]
    fn a_segment_that_the_kernel_signed_is_valid_with_its_key_alone() {
        for (source, destination, syn) in [
            ("10.9.9.1", "10.9.9.2", SYN_V4),
            ("fd00:9::1", "fd00:9::2", SYN_V6),
        ] {
            let syn = octets(syn);
            let (right, wrong) = (key("dx-lab-key-7"), key("dx-lab-key-8"));
            let check = |key| check(source, destination, &syn, key);
            assert_eq!(check(Some(&right)), Signature::Valid);
            assert_eq!(check(Some(&wrong)), Signature::Foreign);
            assert_eq!(check(None), Signature::Foreign);
        }
    }

    #[test]
    fn addresses_and_data_are_signed_too() {
        let key = key("dx-lab-key-7");
        let mut syn = octets(SYN_V4);
        assert_eq!(
            check("10.9.9.3", "10.9.9.2", &syn, Some(&key)),
            Signature::Foreign
        );
        syn.push(0);
        assert_eq!(
            check("10.9.9.1", "10.9.9.2", &syn, Some(&key)),
            Signature::Foreign
        );
    }

    #[test]
    fn a_segment_without_the_option_has_no_signature() {
        let mut plain = octets(SYN_V4);
        plain[22] = 253;
        assert_eq!(
            check("10.9.9.1", "10.9.9.2", &plain, Some(&key("dx-lab-key-7"))),
            Signature::Missing
        );
    }

    #[test]
    fn no_cut_or_damaged_segment_panics() {
        let whole = octets(SYN_V4);
        for length in 0..whole.len() {
            for at in 12..length {
                for value in [0, 1, 2, 18, 19, 20, 0xf0, 0xff] {
                    let mut cut = whole[..length].to_vec();
                    cut[at] = value;
                    let ends = ["10.9.9.1".parse().unwrap(), "10.9.9.2".parse().unwrap()];
                    if let Some(segment) = Segment::new(ends[0], ends[1], &cut) {
                        segment.check(Some(&key("dx-lab-key-7")));
                    }
                }
            }
        }
    }
}
