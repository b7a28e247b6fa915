//! MikroTik RouterOS 7.20 and later, where BGP has instances.

use crate::platform::{Entry, dotted, nothing_missing, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "mikrotik_routeros",
    title: "MikroTik RouterOS 7",
    default_parent: "sfp-sfpplus1",
    interface: dotted,
    comment: "#",
    description: STRING,
    key: STRING,
    longest_policy: 80,
    templates: templates![],
    forms: &[],
    check: nothing_missing,
};

/// Between double quotes a variable is expanded and `?` asks for help.
const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "\"\\$?",
    refused: "",
};
