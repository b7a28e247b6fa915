//! The small world: six network namespaces joined by veth pairs.
//!
//! ```text
//!             lan            eth1      fibre       dx0            vpc
//!  onprem ─────────── edge ═════════ (bridge) ═════════ aws ─────────── vpc host
//!                     eth0 ───────── internet ───────── inet0
//! ```
//!
//! `edge` is the on-premises router, `aws` is AWS's. The double line is the
//! Direct Connect trunk (802.1Q). The fibre's two ports share a bridge: with
//! both down, each end sees its carrier go, as with a real cut. The internet
//! carries the same traffic another way; it stands for a site-to-site VPN.
//!
//! Everything that a `World` made goes when it is dropped; what a killed run
//! left behind goes when the next world is made.

mod address;
mod namespace;
mod process;
mod traffic;

use std::io;

pub use address::*;
pub use namespace::run;
pub use namespace::{Namespace, sweep};
pub use process::Process;
pub use traffic::{Direction, Flow, Outcome, RoundTrips};

/// Why the world could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{command}` failed: {output}")]
    Command { command: String, output: String },
    #[error("can't run `{program}`: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

pub type Result<T> = std::result::Result<T, Error>;

/// All of it, up and addressed; BGP and the VLANs are others' work.
pub struct World {
    pub onprem: Namespace,
    pub edge: Namespace,
    pub fibre: Namespace,
    pub aws: Namespace,
    pub vpc: Namespace,
    pub internet: Namespace,
}

impl World {
    /// Makes the world. Names begin with `lab` and this process's id.
    pub fn create() -> Result<Self> {
        sweep()?;
        let world = Self {
            onprem: Namespace::create("onprem")?,
            edge: Namespace::create("edge")?,
            fibre: Namespace::create("fibre")?,
            aws: Namespace::create("aws")?,
            vpc: Namespace::create("vpc")?,
            internet: Namespace::create("internet")?,
        };
        for router in [&world.edge, &world.aws, &world.internet] {
            router.forward()?;
        }
        world.connect()?;
        world.address()?;
        Ok(world)
    }

    /// Cuts the fibre: both ends lose their carrier.
    pub fn cut(&self) -> Result<()> {
        self.fibre.ip("link set dev a down\nlink set dev b down")
    }

    pub fn mend(&self) -> Result<()> {
        self.fibre.ip("link set dev a up\nlink set dev b up")
    }

    /// The fibre loses so many percent of the packets each way, 100 for all, and
    /// both ends keep their carrier: what a fault beyond the next switch does.
    pub fn lose(&self, percent: u8) -> Result<()> {
        let rule = match percent {
            0 => "",
            100.. => "drop",
            _ => &format!("numgen random mod 100 < {percent} drop"),
        };
        // The table is made anew in one transaction.
        let text = format!(
            "table bridge fault {{}}\ndelete table bridge fault\ntable bridge fault {{\n\
             chain forward {{\ntype filter hook forward priority 0;\n{rule}\n}}\n}}\n"
        );
        let mut command = self.fibre.command("nft");
        command.args(["-f", "-"]);
        run(&mut command, Some(&text)).map(drop)
    }

    /// All namespaces, each with what it stands for.
    pub fn places(&self) -> [(&Namespace, &'static str); 6] {
        [
            (&self.onprem, "a host on the premises"),
            (
                &self.edge,
                "the edge router: eth1 is the trunk, eth0 the internet",
            ),
            (&self.fibre, "the fibre: a bridge with the ports a and b"),
            (
                &self.aws,
                "AWS's router: dx0 is the trunk, inet0 the internet",
            ),
            (&self.vpc, "a host in the VPC"),
            (&self.internet, "the internet"),
        ]
    }

    fn connect(&self) -> Result<()> {
        join((&self.onprem, "eth0"), (&self.edge, "lan"))?;
        join((&self.edge, "eth1"), (&self.fibre, "a"))?;
        join((&self.aws, "dx0"), (&self.fibre, "b"))?;
        join((&self.edge, "eth0"), (&self.internet, "edge"))?;
        join((&self.aws, "inet0"), (&self.internet, "aws"))?;
        join((&self.vpc, "eth0"), (&self.aws, "vpc"))?;
        // Without VLAN filtering a bridge passes tagged frames as they are.
        self.fibre.ip(
            "link add fibre type bridge forward_delay 0 stp_state 0 mcast_snooping 0\n\
             link set dev fibre mtu 9100\n\
             link set dev a master fibre mtu 9100 up\nlink set dev b master fibre mtu 9100 up\n\
             link set dev fibre up",
        )?;
        // Jumbo frames and a VLAN tag fit, as on a real Direct Connect port.
        self.edge.ip("link set dev eth1 mtu 9100 up")?;
        self.aws.ip("link set dev dx0 mtu 9100 up")
    }

    fn address(&self) -> Result<()> {
        self.onprem.ip(&format!(
            "address add {ONPREM_HOST}/24 dev eth0\naddress add {ONPREM_HOST6}/64 dev eth0\n\
             route add default via {EDGE_LAN}\nroute add default via {EDGE_LAN6}"
        ))?;
        self.edge.ip(&format!(
            "address add {EDGE_LAN}/24 dev lan\naddress add {EDGE_LAN6}/64 dev lan\n\
             address add {EDGE_INTERNET}/24 dev eth0\naddress add {EDGE_INTERNET6}/64 dev eth0\n\
             route add default via {EDGE_GATEWAY}\nroute add default via {EDGE_GATEWAY6}"
        ))?;
        self.internet.ip(&format!(
            "address add {EDGE_GATEWAY}/24 dev edge\naddress add {EDGE_GATEWAY6}/64 dev edge\n\
             address add {AWS_GATEWAY}/24 dev aws\naddress add {AWS_GATEWAY6}/64 dev aws\n\
             route add {ONPREM} via {EDGE_INTERNET}\nroute add {ONPREM6} via {EDGE_INTERNET6}\n\
             route add {VPC} via {AWS_INTERNET}\nroute add {VPC6} via {AWS_INTERNET6}"
        ))?;
        self.aws.ip(&format!(
            "address add {AWS_INTERNET}/24 dev inet0\naddress add {AWS_INTERNET6}/64 dev inet0\n\
             address add {VPC_ROUTER}/24 dev vpc\naddress add {VPC_ROUTER6}/64 dev vpc\n\
             route add default via {AWS_GATEWAY}\nroute add default via {AWS_GATEWAY6}"
        ))?;
        self.vpc.ip(&format!(
            "address add {VPC_HOST}/24 dev eth0\naddress add {VPC_HOST6}/64 dev eth0\n\
             route add default via {VPC_ROUTER}\nroute add default via {VPC_ROUTER6}"
        ))
    }
}

/// A veth pair between two namespaces, both ends up.
pub fn join(left: (&Namespace, &str), right: (&Namespace, &str)) -> Result<()> {
    let (left, left_name) = left;
    let (right, right_name) = right;
    left.ip(&format!(
        "link add {left_name} type veth peer name {right_name} netns {}\nlink set dev {left_name} up",
        right.name()
    ))?;
    right.ip(&format!("link set dev {right_name} up"))
}
