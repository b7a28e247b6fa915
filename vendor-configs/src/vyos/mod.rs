//! VyOS 1.4 and later, as `set` commands.

use crate::linux;
use crate::platform::{Entry, Form, Made, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "vyos",
    title: "VyOS",
    default_parent: linux::PARENT,
    interface: crate::platform::dotted,
    comment: "#",
    description: STRING,
    key: STRING,
    longest_policy: 100,
    templates: templates![],
    forms: &[Form {
        name: "set",
        made: Made::Usual,
    }],
    check: linux::check_names,
};

/// Its command line is bash; its saved configuration writes double quotes.
const STRING: Quoting = Quoting {
    quote: Some('\''),
    escaped: "",
    refused: "'\"\\",
};
