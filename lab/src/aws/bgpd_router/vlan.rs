//! The VLAN interfaces on AWS's side, made with `ip`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use ipnet::IpNet;

use crate::aws::router::VifIntent;
use crate::world;

/// Where the router is: a network namespace, or this process's own.
#[derive(Clone, Debug)]
pub enum Place {
    Namespace(String),
    Here,
}

impl Place {
    /// Runs lines of `ip -batch` there.
    pub(super) fn ip(&self, lines: &str) -> world::Result<()> {
        let mut command = Command::new("ip");
        if let Self::Namespace(name) = self {
            command.args(["-n", name]);
        }
        world::run(command.args(["-batch", "-"]), Some(lines)).map(drop)
    }

    /// A command that will run there.
    pub(super) fn command(&self, program: &std::path::Path) -> Command {
        match self {
            Self::Here => Command::new(program),
            Self::Namespace(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(program);
                command
            }
        }
    }
}

/// One VLAN interface as it should be or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vlan {
    trunk: String,
    id: u16,
    mtu: u32,
    addresses: BTreeSet<IpNet>,
}

/// By the interface's name.
pub(super) type Vlans = BTreeMap<String, Vlan>;

pub(super) fn interface(vif: &VifIntent) -> String {
    format!("{}.{}", vif.trunk, vif.vlan)
}

pub(super) fn wanted(vifs: &[VifIntent]) -> Vlans {
    let vlan = |vif: &VifIntent| Vlan {
        trunk: vif.trunk.clone(),
        id: vif.vlan.id(),
        mtu: vif.mtu,
        addresses: vif.peers.iter().map(|peer| peer.amazon).collect(),
    };
    vifs.iter().map(|vif| (interface(vif), vlan(vif))).collect()
}

/// The lines of `ip -batch` that make or change interfaces; none if there is
/// nothing to do.
pub(super) fn additions(wanted: &Vlans, made: &Vlans) -> String {
    let mut lines = String::new();
    let mut say = |line: String| lines.push_str(&(line + "\n"));
    for (name, vlan) in wanted {
        let Vlan {
            trunk,
            id,
            mtu,
            addresses,
        } = vlan;
        let before = made.get(name);
        if before.is_none() {
            // Loose binding: the kernel leaves the interface's nexthops alone when the
            // trunk loses carrier, so that bgpd can swap them.
            say(format!(
                "link add link {trunk} name {name} type vlan id {id} loose_binding on"
            ));
        }
        if before.is_none_or(|before| before.mtu != *mtu) {
            say(format!("link set dev {name} mtu {mtu} up"));
        }
        let had = before
            .map(|before| before.addresses.clone())
            .unwrap_or_default();
        for address in had.difference(addresses) {
            say(format!("address delete {address} dev {name}"));
        }
        for address in addresses.difference(&had) {
            // Duplicate address detection would keep an IPv6 address unusable for a second.
            let nodad = if address.addr().is_ipv6() {
                " nodad"
            } else {
                ""
            };
            say(format!("address add {address} dev {name}{nodad}"));
        }
    }
    lines
}

/// The lines that take away what is made and no longer wanted.
pub(super) fn removals(wanted: &Vlans, made: &Vlans) -> String {
    let gone = made.keys().filter(|name| !wanted.contains_key(*name));
    gone.map(|name| format!("link delete {name}\n")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn vlan(mtu: u32, addresses: &[&str]) -> Vlan {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Vlan {
            trunk: "dx0".into(),
            id: 101,
            mtu,
            addresses,
        }
    }

    fn one(vlan: Vlan) -> Vlans {
        Vlans::from([("dx0.101".to_owned(), vlan)])
    }

    #[test]
    fn a_new_interface_is_made_raised_and_addressed() {
        let wanted = one(vlan(1500, &["169.254.1.1/30", "2001:db8::1/125"]));
        let lines = "link add link dx0 name dx0.101 type vlan id 101 loose_binding on\n\
                     link set dev dx0.101 mtu 1500 up\n\
                     address add 169.254.1.1/30 dev dx0.101\n\
                     address add 2001:db8::1/125 dev dx0.101 nodad\n";
        assert_eq!(additions(&wanted, &Vlans::new()), lines);
        assert_eq!(additions(&wanted, &wanted), "");
    }

    #[test]
    fn a_change_touches_only_what_differs() {
        let before = one(vlan(1500, &["169.254.1.1/30"]));
        let after = one(vlan(8500, &["169.254.1.5/30"]));
        let lines = "link set dev dx0.101 mtu 8500 up\n\
                     address delete 169.254.1.1/30 dev dx0.101\n\
                     address add 169.254.1.5/30 dev dx0.101\n";
        assert_eq!(additions(&after, &before), lines);
        assert_eq!(removals(&after, &before), "");
        assert_eq!(removals(&Vlans::new(), &before), "link delete dx0.101\n");
    }
}
