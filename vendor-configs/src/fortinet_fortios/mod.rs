//! Fortinet FortiOS 7: FortiGate.

use crate::check::{Mistake, Router};
use crate::linux;
use crate::platform::{Entry, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "fortinet_fortios",
    title: "Fortinet FortiOS 7",
    default_parent: "port1",
    // Names have 15 characters at most, as on Linux.
    interface: linux::interface,
    comment: "#",
    description: STRING,
    key: STRING,
    // Of 35, with `-REFUSED-V6`.
    longest_policy: 22,
    templates: templates![],
    forms: &[],
    check: check_vrfs,
};

/// A backslash escapes; `?` asks for help when pasted.
const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "\"\\",
    refused: "?",
};

fn check_vrfs(router: &Router) -> Vec<Mistake> {
    let in_vrf = router.links().iter().filter(|link| link.vrf.is_some());
    in_vrf
        .map(|link| {
            Mistake::new(format!(
                "VIF {}: FortiOS separates by VDOM, not by named VRF: leave the VRF out and paste the text inside the VDOM",
                link.name
            ))
        })
        .collect()
}
