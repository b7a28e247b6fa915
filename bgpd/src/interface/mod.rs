//! Interfaces: makes a VIF's VLAN interface with its addresses, or takes over
//! the one that is already right; removes only what bgpd made.
//!
//! What bgpd made carries the alias `bgpd vif NAME` (`ip link show` prints it).
//! Such an interface is changed to what the configuration says, or replaced;
//! any other is used if it is right as it is, and refused otherwise. The parent
//! is the operator's: its MTU is never raised (that may take the link down, and
//! the switch port has to agree), and it is not set up (it may be down on
//! purpose): the VIF then waits for its carrier.

mod observed;
mod vlan;

use std::net::IpAddr;

use bgp_core::{VlanId, config};
use ipnet::IpNet;

use crate::netlink::{Batch, Socket, route};
use observed::Kernel;

/// A VIF's interface, ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    pub ifindex: u32,
    pub parent_ifindex: u32,
    /// `false`: it was there already.
    pub created: bool,
}

/// Why an interface could not be made, taken over or removed.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    #[error("no interface is named \"{name}\"; there are: {existing}")]
    NotFound { name: String, existing: String },
    #[error(
        "interface \"{name}\" is not ours: it is {found}; give the VIF another interface name, or remove that one with `ip link delete dev {name}`"
    )]
    NameTaken { name: String, found: String },
    #[error(
        "VLAN {vlan} on \"{parent}\" belongs to interface \"{owner}\", which bgpd did not make; use another VLAN, or remove that one with `ip link delete dev {owner}`"
    )]
    VlanTaken {
        vlan: VlanId,
        parent: String,
        owner: String,
    },
    #[error(
        "interface \"{name}\" is VLAN {vlan} on \"{parent}\", but bgpd did not make it and it {difference}; run `{command}`, or remove it with `ip link delete dev {name}` and bgpd makes its own"
    )]
    Differs {
        name: String,
        parent: String,
        vlan: VlanId,
        difference: String,
        command: String,
    },
    #[error(
        "\"{parent}\" has MTU {parent_mtu} and the VIF needs {mtu}: run `ip link set dev {parent} mtu {mtu}` (and see that the switch port takes jumbo frames), or give the VIF a smaller mtu"
    )]
    ParentMtu {
        parent: String,
        parent_mtu: u32,
        mtu: u32,
    },
    #[error(
        "the address {address} of \"{name}\" is on interface \"{owner}\" already; remove it there with `ip addr del {address} dev {owner}`, or use another"
    )]
    AddressTaken {
        name: String,
        address: IpNet,
        owner: String,
    },
    #[error(
        "interface \"{name}\" was not made by bgpd and stays; remove it with `ip link delete dev {name}`"
    )]
    NotOurs { name: String },
    #[error(
        "this kernel can't make VLAN interfaces (802.1Q): load it with `modprobe 8021q`, or use a kernel that has it"
    )]
    NoVlanSupport,
    #[error("the kernel refused to {action}: {cause}")]
    Kernel { action: String, cause: String },
}

/// Makes the VIF's VLAN interface as configured, or sees that it is so. What
/// was done is undone when a later step fails.
pub async fn ensure_vif(vif: &config::Vif) -> Result<Made, InterfaceError> {
    vlan::ensure(&Kernel::open()?, vif).await
}

/// Removes an interface that bgpd made. `false`: there is none of that name.
pub async fn remove_vif(interface: &str) -> Result<bool, InterfaceError> {
    let kernel = Kernel::open()?;
    let links = kernel.links().await?;
    let Some(link) = links.iter().find(|link| link.name == interface) else {
        return Ok(false);
    };
    if !link.is_ours() {
        return Err(InterfaceError::NotOurs {
            name: interface.into(),
        });
    }
    kernel.delete_link(link.ifindex, interface).await?;
    Ok(true)
}

/// The names of all interfaces that bgpd made.
pub async fn made() -> Result<Vec<String>, InterfaceError> {
    let links = Kernel::open()?.links().await?;
    let ours = links.into_iter().filter(observed::Link::is_ours);
    Ok(ours.map(|link| link.name).collect())
}

/// An interface's index.
pub async fn lookup(name: &str) -> Result<u32, InterfaceError> {
    let links = Kernel::open()?.links().await?;
    observed::by_name(&links, name).map(|link| link.ifindex)
}

/// The interface on whose link an address is. `None`: the way there leads
/// through a gateway, or there is none.
pub async fn toward(address: IpAddr) -> Result<Option<u32>, InterfaceError> {
    let asked = || -> std::io::Result<Option<route::WayOut>> {
        let mut batch = Batch::new();
        route::look_up(&mut batch, address);
        Socket::new()?.ask(&mut batch, |message| route::WayOut::read(&message))
    };
    match asked() {
        Ok(way) => Ok(way
            .filter(|way| way.gateway.is_none())
            .map(|way| way.ifindex)),
        // "Network is unreachable" and its like: no way there.
        Err(error) if error.raw_os_error().is_some() => Ok(None),
        Err(error) => Err(InterfaceError::Kernel {
            action: format!("say where {address} is"),
            cause: error.to_string(),
        }),
    }
}
