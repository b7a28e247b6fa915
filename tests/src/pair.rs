//! Two routers on one wire, each in a network namespace of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Duration;

use bgp_core::Family;
use lab::world::{self, Namespace};

use crate::Bench;

pub(crate) struct Pair {
    pub(crate) ours: Namespace,
    pub(crate) theirs: Namespace,
}

pub(crate) const WIRE: &str = "wire";
pub(crate) const OUR_ASN: u32 = 65001;
pub(crate) const THEIR_ASN: u32 = 65002;

pub(crate) const fn our_address(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 1)),
    }
}

pub(crate) const fn their_address(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 2)),
    }
}

impl Pair {
    pub(crate) fn create(bench: &Bench) -> world::Result<Self> {
        let ours = Namespace::create(&format!("{}-ours", bench.number))?;
        let theirs = Namespace::create(&format!("{}-theirs", bench.number))?;
        world::join((&ours, WIRE), (&theirs, WIRE))?;
        let pair = Self { ours, theirs };
        for (router, address) in [
            (&pair.ours, our_address as fn(Family) -> IpAddr),
            (&pair.theirs, their_address),
        ] {
            router.forward()?;
            router.ip(&format!(
                "address add {}/24 dev {WIRE}\naddress add {}/64 dev {WIRE} nodad",
                address(Family::Ipv4),
                address(Family::Ipv6)
            ))?;
        }
        pair.wait_for_link_local();
        Ok(pair)
    }

    /// Some daemons don't speak over an interface before it has its link-local
    /// address, which the kernel adds a moment later.
    fn wait_for_link_local(&self) {
        for _ in 0..100 {
            let has = |router: &Namespace| {
                router
                    .show(&format!("-6 address show dev {WIRE} scope link"))
                    .is_ok_and(|text| text.contains("fe80"))
            };
            if has(&self.ours) && has(&self.theirs) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
