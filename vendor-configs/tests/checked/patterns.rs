//! Regular expressions that come again and again: each is read once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex::Regex;

type Read = BTreeMap<String, Result<&'static Regex, regex::Error>>;

pub(crate) fn pattern(text: &str) -> Result<&'static Regex, regex::Error> {
    static READ: Mutex<Read> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.get(text) {
        return known.clone();
    }
    let made = Regex::new(text).map(|made| &*Box::leak(Box::new(made)));
    read.insert(text.to_owned(), made.clone());
    made
}

/// What the whole of a value has to be.
pub(crate) fn whole(text: &str) -> Result<&'static Regex, regex::Error> {
    pattern(&format!("^(?:{text})$"))
}
