//! Juniper SRX: Junos as on MX, and a security zone that lets BGP and BFD in.

use crate::juniper_junos::{KEY, SET, STRING};
use crate::platform::{Entry, dotted, nothing_missing, templates};

pub(crate) static ENTRY: Entry = Entry {
    name: "juniper_srx",
    title: "Juniper SRX",
    default_parent: "xe-0/0/16",
    interface: dotted,
    comment: "#",
    description: STRING,
    key: KEY,
    longest_policy: 48,
    templates: templates![],
    forms: SET,
    check: nothing_missing,
};
