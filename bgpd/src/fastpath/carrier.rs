//! Which links can carry packets: from netlink's notifications, and, while in
//! doubt, by asking the driver at 1 kHz.
//!
//! The kernel reports a change of carrier at once, but a second one within a
//! second up to 0.9 s late (its link watch is throttled, for all links
//! together). So after each change the links that matter are asked directly
//! for a while.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::netlink::link::Link;

/// All links, by index.
pub(super) struct Links {
    known: HashMap<u32, State>,
    /// For ioctl(2) only.
    device: OwnedFd,
    doubt_until: Option<Instant>,
}

struct State {
    name: String,
    up: bool,
}

impl Links {
    pub(super) fn new() -> io::Result<Self> {
        let device = socket(
            AddressFamily::Unix,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        Ok(Self {
            known: HashMap::new(),
            device,
            doubt_until: None,
        })
    }

    pub(super) fn is_up(&self, ifindex: u32) -> bool {
        self.known.get(&ifindex).is_some_and(|state| state.up)
    }

    pub(super) fn exists(&self, ifindex: u32) -> bool {
        self.known.contains_key(&ifindex)
    }

    /// For messages.
    pub(super) fn name(&self, ifindex: u32) -> String {
        self.known.get(&ifindex).map_or_else(
            || format!("interface {ifindex}"),
            |state| state.name.clone(),
        )
    }

    pub(super) fn indexes(&self) -> Vec<u32> {
        self.known.keys().copied().collect()
    }

    /// Takes in what netlink says. `true`: the link has come up or gone down.
    pub(super) fn note(&mut self, link: &Link, now: Instant) -> bool {
        let before = self.is_up(link.ifindex);
        if link.deleted {
            self.known.remove(&link.ifindex);
        } else {
            self.known.insert(
                link.ifindex,
                State {
                    name: link.name.clone(),
                    up: link.up,
                },
            );
        }
        self.note_change(before != link.up, now)
    }

    /// Whether the driver should be asked now.
    pub(super) fn in_doubt(&mut self, now: Instant) -> bool {
        self.doubt_until.take_if(|until| *until <= now);
        self.doubt_until.is_some()
    }

    /// Asks the driver of one link. `Some(up)`: it has changed.
    pub(super) fn ask_driver(&mut self, ifindex: u32, now: Instant) -> Option<bool> {
        let state = self.known.get_mut(&ifindex)?;
        let up = link_detected(&self.device, &state.name)?;
        if up == state.up {
            return None;
        }
        state.up = up;
        self.note_change(true, now);
        Some(up)
    }

    fn note_change(&mut self, changed: bool, now: Instant) -> bool {
        if changed {
            self.doubt_until = Some(now + DOUBT);
        }
        changed
    }
}

/// ETHTOOL_GLINK: running, and the driver has carrier. `None`: it can't tell.
#[expect(unsafe_code, reason = "no crate in use wraps ETHTOOL_GLINK")]
fn link_detected(device: &OwnedFd, name: &str) -> Option<bool> {
    let mut value = EthtoolValue {
        command: ETHTOOL_GLINK,
        data: 0,
    };
    // SAFETY: all-zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last octet stays 0.
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: `request` names an interface by a string that ends in 0 and
    // points at `value`, which has the layout of `struct ethtool_value`; both
    // outlive the call.
    let result = unsafe {
        libc::ioctl(
            device.as_raw_fd(),
            libc::SIOCETHTOOL as libc::Ioctl,
            &raw mut request,
        )
    };
    (result == 0).then_some(value.data != 0)
}

/// `struct ethtool_value` (linux/ethtool.h).
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

const ETHTOOL_GLINK: u32 = 0x0a;
/// Longer than the link watch's throttle of one second, twice over.
const DOUBT: Duration = Duration::from_secs(2);

/// How often a driver is asked while in doubt.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_raises_doubt_that_fades() {
        let mut links = Links::new().expect("a socket");
        let now = Instant::now();
        let link = Link {
            ifindex: 7,
            name: "nowhere0".into(),
            up: true,
            deleted: false,
        };
        assert!(links.note(&link, now) && !links.note(&link, now));
        assert!(links.is_up(7) && links.in_doubt(now));
        assert!(!links.in_doubt(now + DOUBT));
        assert_eq!(
            links.ask_driver(7, now),
            None,
            "no such device: the driver can't tell"
        );
        assert!(
            links.note(
                &Link {
                    deleted: true,
                    up: false,
                    ..link
                },
                now
            ) && !links.is_up(7)
        );
    }

    #[test]
    fn the_loopback_interface_has_carrier() {
        let device = Links::new().expect("a socket").device;
        assert_eq!(link_detected(&device, "no-such-device"), None);
        assert!(link_detected(&device, "lo").is_some());
    }
}
