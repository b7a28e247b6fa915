//! Links: name, flags and whether packets can leave (`struct ifinfomsg`).

use libc::{
    IFF_LOWER_UP, IFF_UP, IFLA_IFNAME, IFLA_OPERSTATE, NLM_F_DUMP, RTM_DELLINK, RTM_GETLINK,
    RTM_NEWLINK,
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

impl Link {
    pub fn read(message: &Message<'_>) -> Option<Self> {
        if !matches!(message.kind, RTM_NEWLINK | RTM_DELLINK) {
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
