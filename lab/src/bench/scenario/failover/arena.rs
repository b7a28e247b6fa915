//! Where a path fails: an edge with two links to one far end, and a host behind
//! the edge whose traffic takes the preferred one.
//!
//! ```text
//!              lan            a     ┌ fibre ┐     a
//!   source ─────────── edge ════════╡bridges╞════════ far
//!                           ════════╡       ╞════════
//!                             b     └───────┘     b
//! ```
//!
//! Each link goes through a bridge of a namespace of its own, where it is cut,
//! silenced or made to lose packets; a delay is a [`Relay`] in the bridge's
//! place. The far end takes whatever reaches it for its own.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::relay::{Delay, Relay};
use crate::world::{self, Namespace, join};

pub struct Arena {
    pub source: Namespace,
    pub edge: Namespace,
    pub far: Namespace,
    fibre: Namespace,
}

/// One of the two ways from the edge to the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// The preferred one.
    A,
    B,
}

/// Which packets of a link are concerned, as the edge sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Out,
    Back,
    Both,
}

impl Link {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Of its interfaces at both ends, of its bridge and of its session.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "link_a",
            Self::B => "link_b",
        }
    }

    pub const fn number(self) -> u8 {
        match self {
            Self::A => 1,
            Self::B => 2,
        }
    }

    pub const fn at_edge(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 98, self.number(), 1)
    }

    pub const fn at_far(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 98, self.number(), 2)
    }

    fn ports(self) -> [String; 2] {
        ["edge", "far"].map(|end| format!("{}-{end}", self.name()))
    }
}

impl Arena {
    pub fn create(role: &str) -> world::Result<Self> {
        let arena = Self {
            source: Namespace::create(&format!("{role}-source"))?,
            edge: Namespace::create(&format!("{role}-edge"))?,
            far: Namespace::create(&format!("{role}-far"))?,
            fibre: Namespace::create(&format!("{role}-fibre"))?,
        };
        arena.edge.forward()?;
        join((&arena.source, "eth0"), (&arena.edge, "lan"))?;
        for link in Link::BOTH {
            arena.connect(link)?;
        }
        join((&arena.edge, "other"), (&arena.fibre, "other"))?;
        arena
            .edge
            .ip(&format!("address add {EDGE_LAN}/24 dev lan"))?;
        arena.source.ip(&format!(
            "address add {SOURCE}/24 dev eth0\nroute add default via {EDGE_LAN}"
        ))?;
        // Everything that comes by a link is the far end's own.
        arena.far.ip(&format!(
            "route add local default dev lo table 100\n\
             rule add iif link_a lookup 100 priority 100\nrule add iif link_b lookup 100 priority 100\n\
             route add {LAN} via {} metric 1\nroute add {LAN} via {} metric 2",
            Link::A.at_edge(),
            Link::B.at_edge()
        ))?;
        Ok(arena)
    }

    fn connect(&self, link: Link) -> world::Result<()> {
        let name = link.name();
        let [at_edge, at_far] = link.ports();
        join((&self.edge, name), (&self.fibre, &at_edge))?;
        join((&self.far, name), (&self.fibre, &at_far))?;
        self.fibre.ip(&format!(
            "link add name {name} type bridge forward_delay 0 stp_state 0 mcast_snooping 0\n\
             link set dev {at_edge} master {name} up\nlink set dev {at_far} master {name} up\n\
             link set dev {name} up"
        ))?;
        for (end, address) in [(&self.edge, link.at_edge()), (&self.far, link.at_far())] {
            end.ip(&format!("address add {address}/24 dev {name}"))?;
            // A relay carries packets as they are, of one MTU and with their checksums.
            let off = ["-K", name, "tx", "off", "tso", "off", "gso", "off"];
            end.exec("ethtool", &off)?;
        }
        Ok(())
    }

    /// Both ends lose their carrier.
    pub fn cut(&self, link: Link) -> world::Result<()> {
        self.set_ports(link, "down")
    }

    pub fn mend(&self, link: Link) -> world::Result<()> {
        self.set_ports(link, "up")
    }

    fn set_ports(&self, link: Link, state: &str) -> world::Result<()> {
        let lines = link
            .ports()
            .map(|port| format!("link set dev {port} {state}"));
        self.fibre.ip(&lines.join("\n"))
    }

    /// A link that nobody uses loses its carrier and has it back.
    pub fn change_another_link(&self) -> world::Result<()> {
        self.fibre
            .ip("link set dev other down\nlink set dev other up")
    }

    /// So many of a thousand packets are lost; 1000 is silence.
    pub fn lose(&self, link: Link, per_mille: u16, way: Way) -> world::Result<()> {
        let name = link.name();
        let [at_edge, at_far] = link.ports();
        let drop = match per_mille {
            1000.. => "drop".to_owned(),
            _ => format!("numgen random mod 1000 < {per_mille} drop"),
        };
        let out = format!("iifname \"{at_edge}\" {drop}\n");
        let back = format!("iifname \"{at_far}\" {drop}\n");
        let rules = match way {
            Way::Out => out,
            Way::Back => back,
            Way::Both => out + &back,
        };
        // The table is made anew in one transaction.
        self.nft(&format!(
            "table bridge {name} {{}}\ndelete table bridge {name}\ntable bridge {name} {{\n\
             chain forward {{\ntype filter hook forward priority 0;\n{rules}}}\n}}\n"
        ))
    }

    /// Loses so many of a thousand packets all the time, and is ready for
    /// [`Self::burst`].
    pub fn lose_with_bursts(&self, link: Link, per_mille: u16, in_burst: u16) -> world::Result<()> {
        let name = link.name();
        let [at_edge, at_far] = link.ports();
        self.nft(&format!(
            "table bridge {name} {{}}\ndelete table bridge {name}\ntable bridge {name} {{\n\
             set burst {{ type ifname; flags timeout; }}\n\
             chain forward {{\ntype filter hook forward priority 0;\n\
             iifname @burst numgen random mod 1000 < {in_burst} drop\n\
             iifname {{ \"{at_edge}\", \"{at_far}\" }} numgen random mod 1000 < {per_mille} drop\n}}\n}}\n"
        ))
    }

    /// The kernel ends it by itself: whoever has to be woken for that, as nft(8),
    /// may wait behind others for as long as many a burst.
    pub fn burst(&self, link: Link, lasts: Duration) -> world::Result<()> {
        let [at_edge, at_far] = link.ports();
        let (name, lasts) = (link.name(), lasts.as_millis());
        self.nft(&format!(
            "add element bridge {name} burst {{ \"{at_edge}\" timeout {lasts}ms, \"{at_far}\" timeout {lasts}ms }}\n"
        ))
    }

    pub fn lose_nothing(&self, link: Link) -> world::Result<()> {
        let name = link.name();
        self.nft(&format!(
            "table bridge {name} {{}}\ndelete table bridge {name}\n"
        ))
    }

    /// Takes the bridge's place until it is given to [`Self::bridge`].
    pub fn relay(&self, link: Link) -> anyhow::Result<Relay> {
        let [at_edge, at_far] = link.ports();
        let relay = self
            .fibre
            .enter(|| Relay::start(&at_edge, &at_far, Delay::default()))??;
        self.fibre.ip(&format!(
            "link set dev {at_edge} nomaster\nlink set dev {at_far} nomaster"
        ))?;
        Ok(relay)
    }

    /// The bridge takes the relay's place again.
    pub fn bridge(&self, link: Link, relay: Relay) -> world::Result<()> {
        let name = link.name();
        relay.end();
        let [at_edge, at_far] = link.ports();
        self.fibre.ip(&format!(
            "link set dev {at_edge} master {name}\nlink set dev {at_far} master {name}"
        ))
    }

    fn nft(&self, text: &str) -> world::Result<()> {
        let mut command = self.fibre.command("nft");
        command.args(["-f", "-"]);
        world::run(&mut command, Some(text)).map(drop)
    }
}

pub const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 2);
pub const EDGE_LAN: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
/// Of the speaker at the edge.
pub const EDGE_ASN: u32 = 4_200_065_000;
pub const LAN: &str = "10.98.0.0/24";
