//! BIRD 2. The VLAN's interface is made by the platform `linux`.

use crate::linux;
use crate::platform::{Entry, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "bird",
    title: "BIRD 2",
    default_parent: linux::PARENT,
    interface: linux::interface,
    comment: "#",
    description: STRING,
    key: STRING,
    // BIRD's names have 64 characters at most.
    longest_policy: 45,
    templates: templates![],
    forms: &[],
    check: linux::check_names,
};

/// BIRD's strings end at the first quote; nothing escapes it.
const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "",
    refused: "\"",
};
