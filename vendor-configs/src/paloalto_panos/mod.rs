//! Palo Alto Networks PAN-OS 10 and 11, as `set` commands for a virtual router
//! of the legacy routing engine.

use crate::platform::{Entry, Form, Made, dotted, nothing_missing, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "paloalto_panos",
    title: "Palo Alto Networks PAN-OS",
    default_parent: "ethernet1/1",
    interface: dotted,
    comment: "#",
    description: STRING,
    key: STRING,
    // A peer group's name has at most 31 characters, `-V6` among them.
    longest_policy: 28,
    templates: templates![],
    forms: &[Form {
        name: "set",
        made: Made::Usual,
    }],
    check: nothing_missing,
};

/// Between double quotes; no way to write these inside is documented.
const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "",
    refused: "\"\\?",
};
