//! Cisco NX-OS: Nexus 9000, 7000.

use crate::platform::{Entry, dotted, nothing_missing, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "cisco_nxos",
    title: "Cisco NX-OS",
    default_parent: "Ethernet1/1",
    interface: dotted,
    comment: "!",
    // ` ;` ends a command, `|` and `>` lead its output elsewhere.
    description: Quoting {
        quote: None,
        escaped: "",
        refused: "?;|>\"",
    },
    key: Quoting {
        quote: None,
        escaped: "",
        refused: "? ;|>\"\\",
    },
    // A route-map's name has at most 63 characters.
    longest_policy: 48,
    templates: templates![],
    forms: &[],
    check: nothing_missing,
};
