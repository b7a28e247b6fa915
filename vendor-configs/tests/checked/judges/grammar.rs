//! Command shapes of a platform, and whether a text keeps to them.
//!
//! A grammar is a file of shapes, nested by indentation as the commands are:
//!
//! ```text
//! @define NAME            shapes for `@include NAME`
//! interface {ifname}      a word stands for itself, {…} for a typed value (see `slots`)
//!   + encapsulation …     `+`: every block of this kind has one
//!   * endif               `*`: may stand twice in a block
//!   neighbor {use peer} (in|out) [le {le}] {community}…
//!                         choice, what may be missing, one or more
//! route-policy {def x} => end-policy      the next line after the block
//! prefix-set {def x} => end-set ,         and commas between its lines
//! ```

use vendor_configs::indented::{self, Node};

use super::Complaint;
use super::slots::{Facts, Slot};

pub(crate) struct Grammar {
    shapes: Vec<Shape>,
    quotes: Quotes,
}

/// Whether `"two words"` are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    Plain,
    Join,
}

#[derive(Clone, Debug)]
struct Shape {
    text: String,
    repeats: bool,
    required: bool,
    parts: Vec<Part>,
    end: Option<String>,
    commas: bool,
    below: Vec<Self>,
}

#[derive(Clone, Debug)]
enum Part {
    Word(String),
    Slot(Slot),
    Many(Slot),
    Choice(Vec<Vec<Self>>),
}

impl Grammar {
    /// Panics on a grammar that is none: it is part of the test.
    pub(crate) fn read(text: &str, quotes: Quotes) -> Self {
        let nodes = indented::parse(text);
        let defined: Vec<&Node> = nodes
            .iter()
            .filter(|node| node.text.starts_with("@define"))
            .collect();
        let commands: Vec<Node> = nodes
            .iter()
            .filter(|node| !node.text.starts_with("@define"))
            .cloned()
            .collect();
        Self {
            shapes: shapes(&commands, &defined),
            quotes,
        }
    }

    /// What a text written as a tree has against it.
    pub(crate) fn judge(&self, nodes: &[Node]) -> Vec<Complaint> {
        let mut facts = Facts::default();
        let mut complaints = Vec::new();
        self.block(&self.shapes, nodes, None, &mut facts, &mut complaints);
        complaints.extend(facts.complaints());
        complaints
    }

    fn block(
        &self,
        shapes: &[Shape],
        nodes: &[Node],
        above: Option<(&Node, &Shape)>,
        facts: &mut Facts,
        complaints: &mut Vec<Complaint>,
    ) {
        let mut used = vec![false; shapes.len()];
        let mut before: Option<&Shape> = None;
        for (index, node) in nodes.iter().enumerate() {
            let mut text = node.text.as_str();
            if above.is_some_and(|(_, shape)| shape.commas) {
                let comma = text.ends_with(',');
                if comma == (index + 1 == nodes.len()) {
                    complaints.push(Complaint::at(
                        node.line,
                        "a comma stands after each line but the last",
                    ));
                }
                text = text.trim_end_matches(',');
            }
            let words = words(text, self.quotes);
            let found = shapes
                .iter()
                .position(|shape| shape.matches(&words, node.line, facts));
            let Some(found) = found else {
                complaints.push(refusal(shapes, &words, node));
                continue;
            };
            used[found] = true;
            let shape = &shapes[found];
            if !shape.repeats && nodes[..index].iter().any(|other| other.text == node.text) {
                complaints.push(Complaint::at(
                    node.line,
                    format!("`{}` stands twice", node.text),
                ));
            }
            let closes = |shape: &Shape| {
                let ends = shape.end.as_deref().unwrap_or_default();
                ends.split('|').any(|end| end == node.text)
            };
            if shapes.iter().any(closes) && !before.is_some_and(closes) {
                complaints.push(Complaint::at(
                    node.line,
                    format!("`{}` closes nothing", node.text),
                ));
            }
            before = Some(shape);
            if let Some(end) = &shape.end {
                let next = nodes.get(index + 1).map(|next| next.text.as_str());
                if !next.is_some_and(|next| end.split('|').any(|end| next.starts_with(end))) {
                    complaints.push(Complaint::at(
                        node.line,
                        format!("its block does not end with {end}"),
                    ));
                }
            }
            self.block(
                &shape.below,
                &node.children,
                Some((node, shape)),
                facts,
                complaints,
            );
        }
        for (shape, _) in shapes
            .iter()
            .zip(used)
            .filter(|(shape, used)| shape.required && !used)
        {
            let line = above.map_or(1, |(node, _)| node.line);
            complaints.push(Complaint::at(
                line,
                format!("`{}` is missing here", shape.text),
            ));
        }
    }
}

fn refusal(shapes: &[Shape], words: &[String], node: &Node) -> Complaint {
    let near: Vec<&str> = shapes
        .iter()
        .filter(|shape| matches!((shape.parts.first(), words.first()), (Some(Part::Word(a)), Some(b)) if a == b))
        .map(|shape| shape.text.as_str())
        .collect();
    let hint = match near.as_slice() {
        [] => "no command here begins so".to_owned(),
        near => format!("known are: {}", near.join("; ")),
    };
    Complaint::at(node.line, format!("`{}`: {hint}", node.text))
}

impl Shape {
    fn matches(&self, words: &[String], line: usize, facts: &mut Facts) -> bool {
        let before = facts.mark();
        let fits = matches(&self.parts, words, line, facts, &mut |rest, _| {
            rest.is_empty()
        });
        if !fits {
            facts.back_to(before);
        }
        fits
    }
}

/// Whether `parts` take a beginning of `words` whose rest satisfies `then`.
fn matches(
    parts: &[Part],
    words: &[String],
    line: usize,
    facts: &mut Facts,
    then: &mut dyn FnMut(&[String], &mut Facts) -> bool,
) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return then(words, facts);
    };
    match part {
        Part::Word(word) => {
            words.first() == Some(word) && matches(rest, &words[1..], line, facts, then)
        }
        Part::Slot(Slot::Rest) => !words.is_empty() && matches(rest, &[], line, facts, then),
        Part::Slot(slot) => {
            let before = facts.mark();
            let fits = words
                .first()
                .is_some_and(|word| slot.takes(word, line, facts))
                && matches(rest, &words[1..], line, facts, then);
            if !fits {
                facts.back_to(before);
            }
            fits
        }
        Part::Many(slot) => {
            let before = facts.mark();
            let count = words
                .iter()
                .take_while(|word| slot.takes(word, line, facts))
                .count();
            let fits = count > 0 && matches(rest, &words[count..], line, facts, then);
            if !fits {
                facts.back_to(before);
            }
            fits
        }
        Part::Choice(choices) => choices.iter().any(|choice| {
            let before = facts.mark();
            let fits = matches(choice, words, line, facts, &mut |words, facts| {
                matches(rest, words, line, facts, then)
            });
            if !fits {
                facts.back_to(before);
            }
            fits
        }),
    }
}

fn shapes(nodes: &[Node], defined: &[&Node]) -> Vec<Shape> {
    nodes
        .iter()
        .flat_map(|node| match node.text.strip_prefix("@include ") {
            Some(name) => {
                let node = defined
                    .iter()
                    .find(|node| node.text == format!("@define {name}"))
                    .unwrap_or_else(|| panic!("no @define {name}"));
                shapes(&node.children, defined)
            }
            None => vec![shape(node, defined)],
        })
        .collect()
}

fn shape(node: &Node, defined: &[&Node]) -> Shape {
    let (text, end) = match node.text.split_once(" => ") {
        Some((text, end)) => (text, Some(end)),
        None => (node.text.as_str(), None),
    };
    let (repeats, required) = (text.starts_with("* "), text.starts_with("+ "));
    let text = text.trim_start_matches(['*', '+']).trim();
    let mut reader = Reader {
        rest: text,
        whole: text,
    };
    let parts = reader.parts();
    assert!(
        reader.rest.is_empty(),
        "grammar: `{}` in `{text}`",
        reader.rest
    );
    Shape {
        text: text.to_owned(),
        repeats,
        required,
        parts,
        end: end.map(|end| end.trim_end_matches(" ,").to_owned()),
        commas: end.is_some_and(|end| end.ends_with(" ,")),
        below: shapes(&node.children, defined),
    }
}

/// Reads the parts of one shape.
struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl Reader<'_> {
    fn parts(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next() {
                None | Some(')' | ']' | '|') => return parts,
                Some('[') => {
                    let mut choices = self.choices(']');
                    choices.push(Vec::new());
                    parts.push(Part::Choice(choices));
                }
                Some('(') => {
                    let choices = self.choices(')');
                    parts.push(Part::Choice(choices));
                }
                Some('{') => parts.push(self.slot()),
                Some(_) => {
                    let end = self
                        .rest
                        .find([' ', ')', ']', '|'])
                        .unwrap_or(self.rest.len());
                    parts.push(Part::Word(self.rest[..end].to_owned()));
                    self.rest = &self.rest[end..];
                }
            }
        }
    }

    fn choices(&mut self, close: char) -> Vec<Vec<Part>> {
        let mut choices = Vec::new();
        loop {
            self.rest = &self.rest[1..];
            choices.push(self.parts());
            match self.rest.chars().next() {
                Some('|') => {}
                Some(c) if c == close => {
                    self.rest = &self.rest[1..];
                    return choices;
                }
                _ => panic!("grammar: `{close}` is missing in `{}`", self.whole),
            }
        }
    }

    fn slot(&mut self) -> Part {
        let end = self
            .rest
            .find('}')
            .unwrap_or_else(|| panic!("grammar: no }} in {}", self.whole));
        let slot = Slot::named(&self.rest[1..end]);
        self.rest = &self.rest[end + 1..];
        match self.rest.strip_prefix('…') {
            Some(rest) => {
                self.rest = rest;
                Part::Many(slot)
            }
            None => Part::Slot(slot),
        }
    }
}

fn words(text: &str, quotes: Quotes) -> Vec<String> {
    match quotes {
        Quotes::Plain => text.split_whitespace().map(str::to_owned).collect(),
        Quotes::Join => joined(text),
    }
}

/// An open quotation mark leaves a word that no slot takes.
fn joined(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut inside, mut any) = (None, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if inside == Some('"') => word.extend(chars.next()),
            '"' | '\'' if inside.is_none_or(|open| open == c) => {
                inside = match inside {
                    None => Some(c),
                    Some(_) => None,
                };
                any = true;
            }
            c if c.is_whitespace() && inside.is_none() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    if inside.is_some() {
        words.push("\"".to_owned());
    }
    words
}
