//! One nftables table of ours with one chain that masquerades (`linux/netfilter/
//! nf_tables.h`). It is replaced as a whole in one transaction; no other table is
//! named, so none is touched.

use std::io;

use bgp_core::Family;
use ipnet::IpNet;
use libc::{NLM_F_ACK, NLM_F_CREATE};

use super::message::{Batch, octets};
use super::socket::{Refusal, Socket};

/// Packets from these sources that leave by this interface get its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Masquerade {
    pub interface: String,
    pub from: Vec<IpNet>,
}

/// Whether the table is there.
pub fn exists(socket: &mut Socket, table: &str) -> io::Result<bool> {
    let mut batch = Batch::new();
    batch
        .begin(message(NFT_MSG_GETTABLE), 0, &header(NFPROTO_INET))
        .attribute(NFTA_TABLE_NAME, &name(table));
    match socket.ask(&mut batch, |message| Some(message.kind)) {
        Ok(answer) => Ok(answer.is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the table say exactly this, whatever it said before; without rules there is
/// no table. All of it or nothing.
pub fn replace(socket: &mut Socket, table: &str, rules: &[Masquerade]) -> Result<(), Refusal> {
    let mut batch = Batch::new();
    let edge = [0, 0, 0, NFNL_SUBSYS_NFTABLES as u8];
    batch.begin(NFNL_MSG_BATCH_BEGIN, 0, &edge);
    // What is not there can't be deleted, so it is made first.
    on_table(&mut batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
    let last = if rules.is_empty() { NLM_F_ACK } else { 0 };
    on_table(&mut batch, NFT_MSG_DELTABLE, last, table);
    if !rules.is_empty() {
        on_table(&mut batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
        let matches: Vec<(&str, &IpNet)> = rules
            .iter()
            .flat_map(|rule| rule.from.iter().map(|net| (rule.interface.as_str(), net)))
            .collect();
        let last = if matches.is_empty() { NLM_F_ACK } else { 0 };
        chain(&mut batch, table, last);
        for (index, (interface, net)) in matches.iter().enumerate() {
            let is_last = index + 1 == matches.len();
            let last = if is_last { NLM_F_ACK } else { 0 };
            rule(&mut batch, table, last, interface, net);
        }
    }
    batch.begin(NFNL_MSG_BATCH_END, 0, &edge);
    socket.transact(&mut batch)
}

fn on_table(batch: &mut Batch, kind: u16, flags: i32, table: &str) {
    batch
        .begin(message(kind), flags, &header(NFPROTO_INET))
        .attribute(NFTA_TABLE_NAME, &name(table));
}

fn chain(batch: &mut Batch, table: &str, flags: i32) {
    let mut hook = Nested::default();
    hook.be32(NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING)
        .be32(NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_SRC);
    batch
        .begin(
            message(NFT_MSG_NEWCHAIN),
            flags | NLM_F_CREATE,
            &header(NFPROTO_INET),
        )
        .attribute(NFTA_CHAIN_TABLE, &name(table))
        .attribute(NFTA_CHAIN_NAME, &name(CHAIN))
        .attribute(NFTA_CHAIN_HOOK | NESTED, &hook.0)
        .attribute(NFTA_CHAIN_TYPE, &name("nat"));
}

/// `meta nfproto …; meta oifname …; ip saddr …; masquerade`
fn rule(batch: &mut Batch, table: &str, flags: i32, interface: &str, net: &IpNet) {
    // struct iphdr and struct ipv6hdr: where the source address stands.
    let (protocol, offset) = match Family::of(net.addr()) {
        Family::Ipv4 => (NFPROTO_IPV4, 12),
        Family::Ipv6 => (NFPROTO_IPV6, 8),
    };
    let mut padded = [0; IFNAMSIZ];
    for (octet, byte) in padded.iter_mut().zip(interface.bytes()) {
        *octet = byte;
    }
    let (address, length) = octets(&net.network());
    let (mask, _) = octets(&net.netmask());
    let mut all = Nested::default();
    all.expression("meta", meta(NFT_META_NFPROTO))
        .expression("cmp", equal(&[protocol]))
        .expression("meta", meta(NFT_META_OIFNAME))
        .expression("cmp", equal(&padded));
    let length32 = u32::try_from(length).unwrap_or(u32::MAX);
    let mut source = Nested::default();
    source
        .be32(NFTA_PAYLOAD_DREG, NFT_REG_1)
        .be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER)
        .be32(NFTA_PAYLOAD_OFFSET, offset)
        .be32(NFTA_PAYLOAD_LEN, length32);
    let mut masked = Nested::default();
    masked
        .be32(NFTA_BITWISE_SREG, NFT_REG_1)
        .be32(NFTA_BITWISE_DREG, NFT_REG_1)
        .be32(NFTA_BITWISE_LEN, length32)
        .nested(NFTA_BITWISE_MASK, value(&mask[..length]))
        .nested(NFTA_BITWISE_XOR, value(&[0; 16][..length]));
    all.expression("payload", source)
        .expression("bitwise", masked)
        .expression("cmp", equal(&address[..length]))
        .expression("masq", Nested::default());
    batch
        .begin(
            message(NFT_MSG_NEWRULE),
            flags | NLM_F_CREATE | libc::NLM_F_APPEND,
            &header(NFPROTO_INET),
        )
        .attribute(NFTA_RULE_TABLE, &name(table))
        .attribute(NFTA_RULE_CHAIN, &name(CHAIN))
        .attribute(NFTA_RULE_EXPRESSIONS | NESTED, &all.0);
}

fn meta(key: u32) -> Nested {
    let mut meta = Nested::default();
    meta.be32(NFTA_META_DREG, NFT_REG_1)
        .be32(NFTA_META_KEY, key);
    meta
}

fn equal(to: &[u8]) -> Nested {
    let mut compared = Nested::default();
    compared
        .be32(NFTA_CMP_SREG, NFT_REG_1)
        .be32(NFTA_CMP_OP, NFT_CMP_EQ)
        .nested(NFTA_CMP_DATA, value(to));
    compared
}

fn value(octets: &[u8]) -> Nested {
    let mut value = Nested::default();
    value.attribute(NFTA_DATA_VALUE, octets);
    value
}

fn name(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

const fn message(kind: u16) -> u16 {
    NFNL_SUBSYS_NFTABLES << 8 | kind
}

/// `struct nfgenmsg`
const fn header(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

/// Attributes inside an attribute.
#[derive(Default)]
struct Nested(Vec<u8>);

impl Nested {
    fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    fn nested(&mut self, kind: u16, inner: Self) -> &mut Self {
        self.attribute(kind | NESTED, &inner.0)
    }

    fn expression(&mut self, kind: &str, data: Self) -> &mut Self {
        let mut expression = Self::default();
        expression
            .attribute(NFTA_EXPR_NAME, &name(kind))
            .nested(NFTA_EXPR_DATA, data);
        self.nested(NFTA_LIST_ELEM, expression)
    }
}

const CHAIN: &str = "postrouting";
const IFNAMSIZ: usize = 16;
const NESTED: u16 = 1 << 15;

// linux/netfilter/nfnetlink.h
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
// linux/netfilter.h, linux/netfilter_ipv4.h
const NFPROTO_INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const NF_INET_POST_ROUTING: u32 = 4;
const NF_IP_PRI_NAT_SRC: u32 = 100;
// linux/netfilter/nf_tables.h
const NFT_MSG_NEWTABLE: u16 = 0;
const NFT_MSG_GETTABLE: u16 = 1;
const NFT_MSG_DELTABLE: u16 = 2;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFT_MSG_NEWRULE: u16 = 6;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFT_REG_1: u32 = 1;
const NFTA_META_DREG: u16 = 1;
const NFTA_META_KEY: u16 = 2;
const NFT_META_OIFNAME: u32 = 7;
const NFT_META_NFPROTO: u32 = 15;
const NFTA_CMP_SREG: u16 = 1;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_DATA: u16 = 3;
const NFT_CMP_EQ: u32 = 0;
const NFTA_PAYLOAD_DREG: u16 = 1;
const NFTA_PAYLOAD_BASE: u16 = 2;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
const NFTA_BITWISE_SREG: u16 = 1;
const NFTA_BITWISE_DREG: u16 = 2;
const NFTA_BITWISE_LEN: u16 = 3;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_BITWISE_XOR: u16 = 5;
