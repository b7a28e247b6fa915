//! Linux itself: the VLAN's interface for whichever daemon speaks BGP, as `ip`
//! commands; as units of systemd-networkd by the form `networkd`.

use bgp_core::VlanId;

use crate::check::{Mistake, Router};
use crate::platform::{Entry, Form, Made, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "linux",
    title: "Linux (iproute2, systemd-networkd)",
    default_parent: PARENT,
    interface,
    comment: "#",
    description: Quoting {
        quote: Some('\''),
        escaped: "",
        // Inside single quotes the shell takes all but the quote; networkd
        // expands `%` and reads `\`.
        refused: "'%\\",
    },
    // No key is written: BGP is the daemon's.
    key: Quoting {
        quote: None,
        escaped: "",
        refused: "",
    },
    longest_policy: 100,
    templates: templates!["networkd.j2"],
    forms: &[Form {
        name: "networkd",
        made: Made::Template("networkd.j2"),
    }],
    check: check_names,
};

pub(crate) const PARENT: &str = "eth1";

/// Longest name of an interface: IFNAMSIZ without its NUL.
const LONGEST: usize = 15;

/// `eth1.101`; of a long name its end, where ports differ.
pub(crate) fn interface(parent: &str, vlan: VlanId) -> String {
    let tail = format!(".{vlan}");
    let room = LONGEST - tail.len();
    let start = parent.len().saturating_sub(room);
    let end = parent.get(start..).unwrap_or(parent);
    format!("{}{tail}", end.trim_start_matches(['-', '.', '_']))
}

/// What Linux takes as the name of an interface.
pub(crate) fn check_names(router: &Router) -> Vec<Mistake> {
    let parents = router
        .links()
        .iter()
        .filter_map(|link| link.parent.as_ref());
    let backup = router.plan().backup.as_ref();
    let names = parents.chain(backup.and_then(|backup| backup.interface.as_ref()));
    names
        .map(|name| name.as_str())
        .filter(|name| name.len() > LONGEST || name.contains(['/', ':']))
        .map(|name| {
            Mistake::new(format!(
                "{name} is no name of a Linux interface: 1–{LONGEST} characters without / and :"
            ))
        })
        .collect()
}

/// For daemons that have one routing table.
pub(crate) fn check_no_vrf(router: &Router) -> Vec<Mistake> {
    let in_vrf = router.links().iter().filter(|link| link.vrf.is_some());
    let refused = in_vrf.map(|link| {
        Mistake::new(format!(
            "VIF {}: this daemon has no VRFs on Linux: leave the VRF out, or run the daemon inside it (`ip vrf exec`)",
            link.name
        ))
    });
    check_names(router).into_iter().chain(refused).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_interface_name_fits_into_what_linux_takes() {
        let name = |parent| interface(parent, VlanId::new(4094).unwrap());
        assert_eq!(name("eth1"), "eth1.4094");
        assert_eq!(name("enp130s0f1np1"), "130s0f1np1.4094");
        assert_ne!(name("enp130s0f0np0"), name("enp130s0f1np1"));
    }
}
