//! Socket filters (classic BPF): a raw socket would else be given everyone's packets.

use bgp_core::Family;
use socket2::SockFilter;

/// Takes ICMP messages of this type with this identifier.
pub(super) fn icmp(family: Family, message_type: u8, identifier: u16) -> Vec<SockFilter> {
    vec![
        header_length(family),
        instruction(LOAD_OCTET, 0),
        jump(EQUAL, message_type.into(), 0, 3),
        instruction(LOAD_HALF, 4),
        jump(EQUAL, identifier.into(), 0, 1),
        instruction(RETURN, TAKE),
        instruction(RETURN, DROP),
    ]
}

/// Takes the answers to a SYN: SYN and ACK, or RST.
pub(super) fn tcp(family: Family) -> Vec<SockFilter> {
    vec![
        header_length(family),
        instruction(LOAD_OCTET, 13),
        jump(ANY_SET, RST, 2, 0),
        instruction(AND, SYN | ACK),
        jump(EQUAL, SYN | ACK, 0, 1),
        instruction(RETURN, TAKE),
        instruction(RETURN, DROP),
    ]
}

/// Into X: what comes before the message. Only raw IPv4 sockets give the IP header.
fn header_length(family: Family) -> SockFilter {
    match family {
        Family::Ipv4 => instruction(LOAD_X_HEADER_LENGTH, 0),
        Family::Ipv6 => instruction(LOAD_X, 0),
    }
}

fn instruction(code: u16, value: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, value)
}

fn jump(code: u16, value: u32, if_true: u8, if_false: u8) -> SockFilter {
    SockFilter::new(code, if_true, if_false, value)
}

// linux/bpf_common.h; the loads are relative to X.
const LOAD_X: u16 = 0x01;
const LOAD_X_HEADER_LENGTH: u16 = 0xb1;
const LOAD_OCTET: u16 = 0x50;
const LOAD_HALF: u16 = 0x48;
const AND: u16 = 0x54;
const EQUAL: u16 = 0x15;
const ANY_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
const TAKE: u32 = u32::MAX;
const DROP: u32 = 0;

const SYN: u32 = 0x02;
const RST: u32 = 0x04;
const ACK: u32 = 0x10;
