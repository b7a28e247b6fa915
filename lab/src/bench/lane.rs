//! Where a round takes place: the speaker in one namespace, all that it speaks
//! with in another, one veth pair between them. (Several speakers refuse next
//! hops that are their own, so one namespace would not do.)

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::{Asn, Family, RouterId};

use crate::world::{Namespace, Result, join};

pub struct Lane {
    pub driver: Namespace,
    pub speaker: Namespace,
}

/// One of the driver's ends of a session.
#[derive(Clone, Copy, Debug)]
pub struct Neighbor {
    pub address: IpAddr,
    pub asn: Asn,
    pub router_id: RouterId,
    pub takes: Takes,
}

/// What the speaker announces to a neighbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Everything,
    Nothing,
}

impl Neighbor {
    /// The number makes its address, its AS and its router id.
    pub fn new(family: Family, number: u16, takes: Takes) -> Self {
        let number = u32::from(number);
        let v4 = Ipv4Addr::from_bits(NETWORK.to_bits() + number);
        let address = match family {
            Family::Ipv4 => v4.into(),
            Family::Ipv6 => Ipv6Addr::from_bits(NETWORK6.to_bits() + u128::from(number)).into(),
        };
        Self {
            address,
            asn: Asn(PRIVATE_ASN + number),
            router_id: RouterId(v4),
            takes,
        }
    }
}

impl Lane {
    pub fn create(family: Family, neighbors: &[Neighbor]) -> Result<Self> {
        let lane = Self {
            driver: Namespace::create("driver")?,
            speaker: Namespace::create("speaker")?,
        };
        // As bgpd asks for; the others have no nexthop objects and don't care.
        lane.speaker
            .sysctl(&[("ipv4/nexthop_compat_mode", "0"), ("ipv4/ip_forward", "1")])?;
        join((&lane.driver, INTERFACE), (&lane.speaker, INTERFACE))?;
        let local = local(family);
        let length = prefix_length(family);
        lane.speaker
            .ip(&format!("address add {local}/{length} dev {INTERFACE}"))?;
        lane.driver.ip(&addresses(neighbors, length))?;
        lane.speaker.ip(&lane.known_neighbors(neighbors)?)?;
        Ok(lane)
    }

    /// The kernel's table of neighbors, one for all namespaces, ends at 1,024;
    /// permanent entries don't count.
    fn known_neighbors(&self, neighbors: &[Neighbor]) -> Result<String> {
        let shown = self.driver.show(&format!("-o link show dev {INTERFACE}"))?;
        let mac = shown
            .split_whitespace()
            .skip_while(|word| *word != "link/ether")
            .nth(1)
            .unwrap_or_default();
        Ok(lines(neighbors, |neighbor| {
            format!(
                "neighbor replace {} lladdr {mac} nud permanent dev {INTERFACE}",
                neighbor.address
            )
        }))
    }
}

/// The speaker's own address.
pub const fn local(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(ROUTER_ID),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0, 0, 0, 0xfffe)),
    }
}

pub const fn prefix_length(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 16,
        Family::Ipv6 => 64,
    }
}

fn addresses(neighbors: &[Neighbor], length: u8) -> String {
    lines(neighbors, |neighbor| {
        format!("address add {}/{length} dev {INTERFACE}", neighbor.address)
    })
}

fn lines(neighbors: &[Neighbor], line: impl Fn(&Neighbor) -> String) -> String {
    neighbors.iter().fold(String::new(), |mut text, neighbor| {
        let _ = writeln!(text, "{}", line(neighbor));
        text
    })
}

/// The speaker's router id, and its IPv4 address.
pub const ROUTER_ID: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 254);
pub const INTERFACE: &str = "lane";
const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 0);
const NETWORK6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0, 0, 0, 0);
/// RFC 6996: the first of the four-octet ones.
const PRIVATE_ASN: u32 = 4_200_000_000;
