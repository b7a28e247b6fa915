//! Cisco IOS 15, before IOS-XE. Its templates are IOS-XE's, which ask for the
//! platform where the two differ.

use crate::cisco_ios_xe::{LINE, WORD};
use crate::platform::{Entry, dotted, nothing_missing, templates};

pub(crate) static ENTRY: Entry = Entry {
    name: "cisco_ios",
    title: "Cisco IOS (classic)",
    default_parent: "GigabitEthernet0/0",
    interface: dotted,
    comment: "!",
    description: LINE,
    key: WORD,
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
