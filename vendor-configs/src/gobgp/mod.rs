//! GoBGP 3, its configuration in TOML. The VLAN's interface is made by the
//! platform `linux`.

use crate::linux;
use crate::platform::{Entry, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "gobgp",
    title: "GoBGP",
    default_parent: linux::PARENT,
    interface: linux::interface,
    comment: "#",
    description: STRING,
    key: STRING,
    longest_policy: 100,
    templates: templates![],
    forms: &[],
    check: linux::check_no_vrf,
};

/// TOML's basic string.
const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "\"\\",
    refused: "",
};
