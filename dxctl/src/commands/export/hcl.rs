//! Terraform's language: strings, identifiers, and blocks of attributes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A string literal: nothing in it is taken for a template.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                literal.push(c);
                literal.push(c);
            }
            // Also what only breaks lines for some readers.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                write!(literal, "\\u{:04x}", u32::from(c)).expect(WRITABLE);
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// Identifiers already given away, so that each is used once.
#[derive(Default)]
pub(super) struct Labels(BTreeSet<String>);

impl Labels {
    /// The name as an identifier; where that is taken, the number with it.
    pub(super) fn label(&mut self, name: &str, id: &str) -> String {
        let mut label = identifier(if name.is_empty() { id } else { name });
        if self.0.contains(&label) {
            label = identifier(&format!("{label}_{id}"));
        }
        while !self.0.insert(label.clone()) {
            label.push('_');
        }
        label
    }
}

fn identifier(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut name: String = text
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

/// A block: its header, and attributes in the order that they were given.
pub(super) struct Block {
    header: String,
    attributes: Vec<(String, String)>,
}

impl Block {
    pub(super) fn new(header: impl Into<String>) -> Self {
        Self {
            header: header.into(),
            attributes: Vec::new(),
        }
    }

    /// The value as it stands: a number, a reference, a list.
    pub(super) fn plain(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.attributes.push((key.to_owned(), value.into()));
        self
    }

    pub(super) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.plain(key, quoted(value))
    }

    pub(super) fn write(&self) -> String {
        let width = self.attributes.iter().map(|(key, _)| key.len()).max();
        let width = width.unwrap_or(0);
        let mut text = format!("{} {{\n", self.header);
        for (key, value) in &self.attributes {
            writeln!(text, "  {key:width$} = {value}").expect(WRITABLE);
        }
        text + "}\n"
    }
}

const WRITABLE: &str = "invariant: a String takes every write";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_string_is_a_template_or_ends_it() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(quoted("${x} %{y} $z $${w}"), r#""$${x} %%{y} $z $$${w}""#);
        assert_eq!(quoted("a\nb\u{1}"), "\"a\\nb\\u0001\"");
    }

    #[test]
    fn identifiers_are_valid_and_each_is_given_once() {
        let mut labels = Labels::default();
        assert_eq!(labels.label("1 büro", "dxcon-1"), "_1_b_ro");
        assert_eq!(labels.label("prod", "dxcon-2"), "prod");
        assert_eq!(labels.label("prod", "dxcon-3"), "prod_dxcon-3");
        assert_eq!(labels.label("prod", "dxcon-3"), "prod_dxcon-3_");
        assert_eq!(labels.label("", "dxcon-4"), "dxcon-4");
    }
}
