//! Where the configuration is wrong, and what to do about it.

use std::cell::RefCell;
use std::fmt;

/// One mistake, at its place in the text. Lines and columns count from 1;
/// columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub line: usize,
    pub column: usize,
    /// What is wrong, in which table, and what to do.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Collects mistakes while the text is read.
pub struct Mistakes<'t> {
    text: &'t str,
    found: RefCell<Vec<(usize, String)>>,
}

impl<'t> Mistakes<'t> {
    pub fn in_text(text: &'t str) -> Self {
        Self {
            text,
            found: RefCell::default(),
        }
    }

    pub fn add(&self, offset: usize, message: impl Into<String>) {
        self.found.borrow_mut().push((offset, message.into()));
    }

    /// The line of an offset, for messages that point at a second place.
    pub fn line(&self, offset: usize) -> usize {
        self.place(offset).0
    }

    /// All of them in the text's order, each once.
    pub fn into_sorted(self) -> Vec<Mistake> {
        let mut mistakes: Vec<Mistake> = self
            .found
            .borrow()
            .iter()
            .map(|(offset, message)| {
                let (line, column) = self.place(*offset);
                Mistake {
                    line,
                    column,
                    message: message.clone(),
                }
            })
            .collect();
        mistakes.sort();
        mistakes.dedup();
        mistakes
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}
