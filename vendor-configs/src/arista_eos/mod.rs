//! Arista EOS.

use crate::platform::{Entry, dotted, nothing_missing, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "arista_eos",
    title: "Arista EOS",
    default_parent: "Ethernet1",
    interface: dotted,
    comment: "!",
    // `!` begins a comment, `|` and `>` lead output elsewhere.
    description: Quoting {
        quote: None,
        escaped: "",
        refused: "?!|>\"",
    },
    key: Quoting {
        quote: None,
        escaped: "",
        refused: "? !|>\"\\",
    },
    longest_policy: 48,
    templates: templates![],
    forms: &[],
    check: nothing_missing,
};
