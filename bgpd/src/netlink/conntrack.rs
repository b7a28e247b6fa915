//! Connection tracking: the flows that the kernel knows, and how one is forgotten
//! (`linux/netfilter/nfnetlink_conntrack.h`).

use std::net::IpAddr;

use libc::NLM_F_DUMP;

use super::message::{Attributes, Batch, Message, address};

/// One flow, as far as moving it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Who began it, and with whom, as it was before any translation.
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Where answers are sent to: the source as the far end sees it.
    pub seen_as: IpAddr,
    /// Whether that was decided by a rule.
    pub is_source_translated: bool,
    family: u8,
    /// What names it: the original tuple, the zone, and the entry's own number, so
    /// that a later flow of the same tuple is another.
    tuple: Vec<u8>,
    zone: Option<[u8; 2]>,
    id: [u8; 4],
}

/// Asks for all flows.
pub fn dump(batch: &mut Batch) {
    batch.begin(
        message(IPCTNL_MSG_CT_GET),
        NLM_F_DUMP,
        &[libc::AF_UNSPEC as u8, 0, 0, 0],
    );
}

/// Forgets a flow; its next packet begins it anew.
pub fn delete(batch: &mut Batch, flow: &Flow) {
    let mut request = batch.begin(message(IPCTNL_MSG_CT_DELETE), 0, &[flow.family, 0, 0, 0]);
    request
        .attribute(CTA_TUPLE_ORIG | NESTED, &flow.tuple)
        .attribute(CTA_ID, &flow.id);
    if let Some(zone) = &flow.zone {
        request.attribute(CTA_ZONE, zone);
    }
}

impl Flow {
    pub fn read(message: &Message<'_>) -> Option<Self> {
        if message.kind != self::message(IPCTNL_MSG_CT_NEW) {
            return None;
        }
        let family = *message.payload.first()?;
        let (mut tuple, mut reply, mut status, mut id, mut zone) = (None, None, 0, None, None);
        for (kind, value) in Attributes(message.payload.get(NFGENMSG..)?) {
            match kind {
                CTA_TUPLE_ORIG => tuple = Some(value),
                CTA_TUPLE_REPLY => reply = ends(value),
                CTA_STATUS => status = u32::from_be_bytes(value.try_into().ok()?),
                CTA_ID => id = value.try_into().ok(),
                CTA_ZONE => zone = value.try_into().ok(),
                _ => {}
            }
        }
        let (source, destination) = ends(tuple?)?;
        Some(Self {
            source,
            destination,
            seen_as: reply?.1,
            is_source_translated: status & IPS_SRC_NAT != 0,
            family,
            tuple: tuple?.to_vec(),
            zone,
            id: id?,
        })
    }
}

/// The addresses of a tuple.
fn ends(tuple: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let (_, addresses) = Attributes(tuple).find(|(kind, _)| *kind == CTA_TUPLE_IP)?;
    let (mut source, mut destination) = (None, None);
    for (kind, value) in Attributes(addresses) {
        match kind {
            CTA_IP_V4_SRC | CTA_IP_V6_SRC => source = address(value),
            CTA_IP_V4_DST | CTA_IP_V6_DST => destination = address(value),
            _ => {}
        }
    }
    Some((source?, destination?))
}

const fn message(kind: u16) -> u16 {
    NFNL_SUBSYS_CTNETLINK << 8 | kind
}

const NFGENMSG: usize = 4;
const NESTED: u16 = 1 << 15;
const NFNL_SUBSYS_CTNETLINK: u16 = 1;
const IPCTNL_MSG_CT_NEW: u16 = 0;
const IPCTNL_MSG_CT_GET: u16 = 1;
const IPCTNL_MSG_CT_DELETE: u16 = 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_TUPLE_IP: u16 = 1;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
/// enum ip_conntrack_status: the source has been translated.
const IPS_SRC_NAT: u32 = 1 << 4;
