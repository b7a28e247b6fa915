//! Links: name, flags and whether packets can leave (`struct ifinfomsg`).

use libc::{
    AF_UNSPEC, IFF_LOWER_UP, IFF_UP, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_OPERSTATE,
    NLM_F_DUMP, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK,
};

use super::message::{Attributes, Batch, Message, u32_at};

/// A link as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub ifindex: u32,
    pub name: String,
    /// Administratively up, with carrier, and not waiting (802.1X).
    pub up: bool,
    /// The message was RTM_DELLINK.
    pub deleted: bool,
}

/// Asks for all links.
pub fn dump(batch: &mut Batch) {
    batch.begin(RTM_GETLINK, NLM_F_DUMP, &[0; IFINFOMSG]);
}

/// Asks for the link of this name.
pub fn named(batch: &mut Batch, name: &str) {
    let name: Vec<u8> = name.bytes().chain([0]).collect();
    let mut request = batch.begin(RTM_GETLINK, 0, &[0; IFINFOMSG]);
    request.attribute(IFLA_IFNAME, &name);
}

/// Whether the link is a VRF, which only its driver's name tells.
pub fn is_vrf(message: &Message<'_>) -> bool {
    let find = |within, wanted| {
        let mut all = Attributes(within);
        all.find_map(|(kind, value)| (kind == wanted).then_some(value))
    };
    let attributes = message.payload.get(IFINFOMSG..).unwrap_or_default();
    let driver = find(attributes, IFLA_LINKINFO).and_then(|info| find(info, IFLA_INFO_KIND));
    driver.is_some_and(|driver| driver.strip_suffix(b"\0").unwrap_or(driver) == b"vrf")
}

impl Link {
    pub fn read(message: &Message<'_>) -> Option<Self> {
        if !matches!(message.kind, RTM_NEWLINK | RTM_DELLINK) {
            return None;
        }
        // A bridge tells of its ports in the same words: a port that leaves it is
        // RTM_DELLINK of AF_BRIDGE, and the link is still there.
        if i32::from(*message.payload.first()?) != AF_UNSPEC {
            return None;
        }
        let ifindex = u32_at(message.payload, 4)?;
        let flags = u32_at(message.payload, 8)? as i32;
        let (mut name, mut operstate) = (String::new(), IF_OPER_UNKNOWN);
        for (kind, value) in Attributes(message.payload.get(IFINFOMSG..)?) {
            match kind {
                IFLA_IFNAME => {
                    name = String::from_utf8_lossy(value)
                        .trim_end_matches('\0')
                        .to_owned()
                }
                IFLA_OPERSTATE => operstate = value.first().copied().unwrap_or(IF_OPER_UNKNOWN),
                _ => {}
            }
        }
        let wanted = IFF_UP | IFF_LOWER_UP;
        let up = flags & wanted == wanted && operstate != IF_OPER_DORMANT;
        let deleted = message.kind == RTM_DELLINK;
        Some(Self {
            ifindex,
            name,
            up: up && !deleted,
            deleted,
        })
    }
}

/// The size of `struct ifinfomsg`.
const IFINFOMSG: usize = 16;
/// RFC 2863's ifOperStatus.
const IF_OPER_UNKNOWN: u8 = 0;
const IF_OPER_DORMANT: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_leaves_its_bridge_is_no_link_that_is_gone() {
        let mut payload = [0; IFINFOMSG];
        payload[4] = 7;
        let read = |payload: &[u8]| {
            Link::read(&Message {
                kind: RTM_DELLINK,
                flags: 0,
                sequence: 0,
                port: 0,
                payload,
            })
        };
        let gone = read(&payload).expect("a link");
        assert!(gone.deleted && gone.ifindex == 7);
        payload[0] = libc::AF_BRIDGE as u8;
        assert_eq!(read(&payload), None);
    }
}
