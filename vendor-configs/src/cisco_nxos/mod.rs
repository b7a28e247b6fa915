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
    templates: templates![
        "config.j2",
        "assumes.j2",
        "verify.j2",
        "drain.j2",
        "rollback.j2",
    ],
    forms: &[],
    check: nothing_missing,
};
