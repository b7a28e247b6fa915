//! OpenBGPD 7 on OpenBSD; its portable edition takes the same file.

use crate::linux;
use crate::platform::{Entry, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "openbgpd",
    title: "OpenBGPD",
    default_parent: "ix0",
    // OpenBSD's VLANs are interfaces of a kind of their own.
    interface: |_, vlan| format!("vlan{vlan}"),
    comment: "#",
    description: STRING,
    key: STRING,
    longest_policy: 100,
    templates: templates![],
    forms: &[],
    check: linux::check_no_vrf,
};

/// A backslash escapes quotes and blanks, and stands for itself before others.
const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "",
    refused: "\"\\",
};
