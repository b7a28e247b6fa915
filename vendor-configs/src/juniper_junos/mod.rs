//! Juniper Junos on MX, in braces; as `set` lines by the form `set`.

use crate::junos;
use crate::platform::{Entry, Form, Made, dotted, nothing_missing, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "juniper_junos",
    title: "Juniper Junos (MX)",
    default_parent: "xe-0/0/0",
    interface: dotted,
    comment: "#",
    description: STRING,
    key: KEY,
    longest_policy: 60,
    templates: templates![],
    forms: SET,
    check: nothing_missing,
};

/// Between double quotes; Junos documents no way to write these inside.
pub(crate) const STRING: Quoting = Quoting {
    quote: Some('"'),
    escaped: "",
    refused: "\"\\?",
};

/// A key that begins with `$9$` would be taken for an encrypted one.
pub(crate) const KEY: Quoting = Quoting {
    refused: "\"\\?$",
    ..STRING
};

pub(crate) const SET: &[Form] = &[Form {
    name: "set",
    made: Made::From(set_lines),
}];

fn set_lines(braces: &str) -> Result<String, String> {
    let statements = junos::parse(braces).map_err(|error| error.to_string())?;
    Ok(junos::set_lines(&statements).join("\n") + "\n")
}
