//! Interfaces as the probes see them: index, VRF, counters, own addresses.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use nix::net::if_::if_nametoindex;

use crate::netlink::{Batch, Socket, link};

/// Where a path's packets leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) ifindex: u32,
    /// The VRF that it is, or is in.
    pub(super) vrf: Option<Vrf>,
    master: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vrf {
    pub(super) name: Arc<str>,
    pub(super) ifindex: u32,
}

impl Interface {
    /// Whichever the routes say.
    pub(super) fn any() -> Self {
        Self {
            ifindex: 0,
            vrf: None,
            master: None,
        }
    }

    /// As it is now, where `known` tells what it was. `None`: there is none of this
    /// name.
    pub(super) fn named(name: &str, known: Option<Self>) -> Option<Self> {
        let ifindex = if_nametoindex(name).ok()?;
        let master = master(name);
        // A driver is for life, a VRF's name is not.
        let known = known.filter(|known| known.ifindex == ifindex && known.master == master);
        let known = known.filter(|known| known.vrf.as_ref().is_none_or(Vrf::is_there));
        if known.is_some() {
            return known;
        }
        let vrf = match is_vrf(name) {
            true => Some(name.to_owned()),
            false => master.clone().filter(|master| is_vrf(master)),
        };
        let vrf = vrf.and_then(|name| {
            Some(Vrf {
                ifindex: if_nametoindex(name.as_str()).ok()?,
                name: name.into(),
            })
        });
        Some(Self {
            ifindex,
            vrf,
            master,
        })
    }

    /// Whether an answer that arrived there came by it. Inside a VRF the kernel may
    /// tell the VRF's own index; and by the VRF came whatever its sockets hear,
    /// whichever interface inside it the kernel tells.
    pub(super) fn is(&self, ifindex: u32) -> bool {
        let vrf = self.vrf.as_ref().map(|vrf| vrf.ifindex);
        ifindex == self.ifindex || vrf.is_some_and(|vrf| vrf == ifindex || vrf == self.ifindex)
    }
}

impl Vrf {
    fn is_there(&self) -> bool {
        if_nametoindex(&*self.name).ok() == Some(self.ifindex)
    }
}

/// The address that a packet out of this interface to `target` would have.
pub(super) fn source(interface: Option<&str>, target: IpAddr) -> io::Result<IpAddr> {
    let to = SocketAddr::new(target, 9);
    let domain = socket2::Domain::for_address(to);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    socket.bind_device(interface.map(str::as_bytes))?;
    // Sends nothing: the kernel only looks for a route.
    socket.connect(&to.into())?;
    let own = socket.local_addr()?.as_socket().map(|own| own.ip());
    own.ok_or_else(|| io::Error::other("the socket has no address"))
}

fn is_vrf(name: &str) -> bool {
    let ask = || -> io::Result<Option<bool>> {
        let mut batch = Batch::new();
        link::named(&mut batch, name);
        Socket::new()?.ask(&mut batch, |message| Some(link::is_vrf(&message)))
    };
    // One that cannot be asked about has gone in the meantime.
    ask().ok().flatten().unwrap_or(false)
}

fn master(name: &str) -> Option<String> {
    let link = fs::read_link(directory(name).join("master")).ok()?;
    Some(link.file_name()?.to_str()?.to_owned())
}

fn directory(name: &str) -> std::path::PathBuf {
    Path::new("/sys/class/net").join(name)
}

/// An interface's packet counters, read the cheapest way: a file that stays open
/// takes 1 µs, RTM_GETSTATS 3 µs.
#[derive(Debug)]
pub(super) struct Counters {
    received: File,
    sent: File,
}

impl Counters {
    pub(super) fn open(name: &str, ifindex: u32) -> io::Result<Self> {
        let told = fs::read_to_string(directory(name).join("ifindex"))?;
        if told.trim() != ifindex.to_string() {
            return Err(io::Error::other(
                "/sys is of another network namespace: mount it anew inside this one",
            ));
        }
        let statistics = directory(name).join("statistics");
        Ok(Self {
            received: File::open(statistics.join("rx_packets"))?,
            sent: File::open(statistics.join("tx_packets"))?,
        })
    }

    /// Packets received. Fails once the interface is gone.
    pub(super) fn received(&self) -> io::Result<u64> {
        read(&self.received)
    }

    pub(super) fn sent(&self) -> io::Result<u64> {
        read(&self.sent)
    }
}

fn read(file: &File) -> io::Result<u64> {
    let mut text = [0; 24];
    let length = file.read_at(&mut text, 0)?;
    let text = std::str::from_utf8(&text[..length]).ok();
    let number = text.and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("no number"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_loopback_interface_has_an_index_an_address_and_no_vrf() {
        let lo = Interface::named("lo", None).expect("lo");
        assert_eq!((lo.ifindex, &lo.vrf), (1, &None));
        assert!(lo.is(1) && !lo.is(2));
        assert_eq!(Interface::named("no-such-link", None), None);
        assert_eq!(Interface::named("lo", Some(lo.clone())), Some(lo));
        let target = "127.0.0.9".parse().unwrap();
        assert_eq!(source(None, target).unwrap(), IpAddr::from([127, 0, 0, 1]));
        assert!(Counters::open("lo", 1).unwrap().received().is_ok());
        assert!(Counters::open("lo", 7).is_err());
        assert!(Counters::open("no-such-link", 1).is_err());
    }
}
