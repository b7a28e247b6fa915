//! FRRouting 8 and later. The VLAN's interface is made by the platform `linux`.

use crate::linux;
use crate::platform::{Entry, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "frr",
    title: "FRRouting",
    default_parent: linux::PARENT,
    interface: linux::interface,
    comment: "!",
    // To the end of the line; `?` asks for help when typed into vtysh.
    description: Quoting {
        quote: None,
        escaped: "",
        refused: "?",
    },
    key: Quoting {
        quote: None,
        escaped: "",
        refused: "? \"",
    },
    longest_policy: 100,
    templates: templates![],
    forms: &[],
    check: linux::check_names,
};
