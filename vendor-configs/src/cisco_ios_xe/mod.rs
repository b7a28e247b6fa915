//! Cisco IOS-XE 16 and later: ISR, ASR 1000, Catalyst 8000.

use crate::platform::{Entry, dotted, nothing_missing, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "cisco_ios_xe",
    title: "Cisco IOS-XE",
    default_parent: "TenGigabitEthernet0/0/0",
    interface: dotted,
    comment: "!",
    description: LINE,
    key: WORD,
    longest_policy: 48,
    templates: templates![],
    forms: &[],
    check: nothing_missing,
};

/// To the end of the line. `?` asks for help when pasted.
pub(crate) const LINE: Quoting = Quoting {
    quote: None,
    escaped: "",
    refused: "?",
};

/// One word.
pub(crate) const WORD: Quoting = Quoting {
    quote: None,
    escaped: "",
    refused: "? \"",
};
