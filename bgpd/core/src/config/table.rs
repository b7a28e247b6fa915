//! One TOML table, read key by key: each value with its place, each mistake
//! noted and passed over so that the next is found too.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Mistakes};
use super::value;

/// Reads a text's tables. What `read` makes of them counts only if it noted no
/// mistake.
///
/// # Errors
/// Every mistake at once, in the text's order. Where the text is no TOML, only
/// that is told: what it means is then a guess.
pub fn parse<T>(
    text: &str,
    read: impl for<'t> FnOnce(&'t DeTable<'t>, &'t Mistakes<'t>) -> Option<T>,
) -> Result<T, Vec<Mistake>> {
    let mistakes = Mistakes::in_text(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        mistakes.add(
            error.span().map_or(0, |span| span.start),
            format!("not TOML: {}", error.message()),
        );
    }
    if !errors.is_empty() {
        return Err(mistakes.into_sorted());
    }
    let value = read(root.get_ref(), &mistakes);
    match (value, mistakes.into_sorted()) {
        (Some(value), mistakes) if mistakes.is_empty() => Ok(value),
        (_, mistakes) => Err(mistakes),
    }
}

/// A value and the offset where it stands.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    pub value: T,
    pub offset: usize,
}

impl<T> At<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At {
            value: change(self.value),
            offset: self.offset,
        }
    }
}

/// The keys that a table may have.
pub struct Keys {
    pub known: &'static [&'static str],
    /// Keys that would be understood, but not here, with the reason.
    pub refused: &'static [(&'static str, &'static str)],
}

pub struct Table<'t> {
    /// How messages call it: `vif "prod"`.
    pub title: String,
    /// Where its header stands.
    pub offset: usize,
    entries: &'t DeTable<'t>,
    mistakes: &'t Mistakes<'t>,
}

/// The title of the text as a whole.
pub const TOP_LEVEL: &str = "top level";

impl<'t> Table<'t> {
    /// Notes unknown keys at once.
    pub fn open(
        title: String,
        offset: usize,
        entries: &'t DeTable<'t>,
        keys: &Keys,
        mistakes: &'t Mistakes<'t>,
    ) -> Self {
        let table = Self {
            title,
            offset,
            entries,
            mistakes,
        };
        for key in entries.keys() {
            table.check_key(key.get_ref(), key.span().start, keys);
        }
        table
    }

    pub fn mistake(&self, offset: usize, message: impl std::fmt::Display) {
        self.mistakes
            .add(offset, format!("{}: {message}", self.title));
    }

    pub fn mistakes(&self) -> &'t Mistakes<'t> {
        self.mistakes
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether the key's value is a string.
    pub fn is_text(&self, key: &str) -> bool {
        let value = self.entries.get(key).map(Spanned::get_ref);
        matches!(value, Some(DeValue::String(_)))
    }

    /// Whether the key's value is true or false.
    pub fn is_flag(&self, key: &str) -> bool {
        let value = self.entries.get(key).map(Spanned::get_ref);
        matches!(value, Some(DeValue::Boolean(_)))
    }

    /// Whether the key's value is a table.
    pub fn is_table(&self, key: &str) -> bool {
        let value = self.entries.get(key).map(Spanned::get_ref);
        matches!(value, Some(DeValue::Table(_)))
    }

    /// Where the key's value stands, or else the table.
    pub fn place(&self, key: &str) -> usize {
        self.entries
            .get(key)
            .map_or(self.offset, |value| value.span().start)
    }

    /// Notes the key's absence. A value of the wrong kind was noted when read.
    pub fn required<T>(&self, key: &str, value: Option<T>, example: &str) -> Option<T> {
        if value.is_none() && !self.has(key) {
            self.mistake(
                self.offset,
                format_args!("`{key}` is missing; write for example `{key} = {example}`"),
            );
        }
        value
    }

    pub fn text(&self, key: &str) -> Option<At<&'t str>> {
        let value = self.entries.get(key)?;
        self.text_of(key, value)
    }

    pub fn flag(&self, key: &str) -> Option<At<bool>> {
        let value = self.entries.get(key)?;
        let DeValue::Boolean(flag) = value.get_ref() else {
            self.mistake(
                value.span().start,
                format_args!("`{key}` must be true or false, without quotes"),
            );
            return None;
        };
        Some(At {
            value: *flag,
            offset: value.span().start,
        })
    }

    pub fn integer(&self, key: &str, range: RangeInclusive<u32>) -> Option<At<u32>> {
        let value = self.entries.get(key)?;
        let offset = value.span().start;
        let (least, most) = (range.start(), range.end());
        let DeValue::Integer(integer) = value.get_ref() else {
            self.mistake(
                offset,
                format_args!("`{key}` must be a number from {least} to {most}, without quotes"),
            );
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number));
        if value.is_none() {
            self.mistake(
                offset,
                format_args!("`{key}` is {integer}, outside {least} to {most}"),
            );
        }
        Some(At {
            value: value?,
            offset,
        })
    }

    /// A string that `parse` takes.
    pub fn parsed<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<At<T>> {
        let text = self.text(key)?;
        self.parse_at(key, text, &parse)
    }

    /// A number that `parse` takes.
    pub fn number<T>(&self, key: &str, parse: impl Fn(u32) -> Result<T, String>) -> Option<At<T>> {
        let number = self.integer(key, 0..=u32::MAX)?;
        match parse(number.value) {
            Ok(value) => Some(At {
                value,
                offset: number.offset,
            }),
            Err(message) => {
                self.mistake(number.offset, format_args!("`{key}`: {message}"));
                None
            }
        }
    }

    pub fn duration(&self, key: &str, range: RangeInclusive<Duration>) -> Option<At<Duration>> {
        let duration = self.parsed_duration(key)?;
        if !range.contains(&duration.value) {
            let (least, most) = (range.start(), range.end());
            self.mistake(
                duration.offset,
                format_args!("`{key}` is outside {least:?} to {most:?}"),
            );
            return None;
        }
        Some(duration)
    }

    pub fn parsed_duration(&self, key: &str) -> Option<At<Duration>> {
        let value = self.entries.get(key)?;
        if let DeValue::Integer(number) = value.get_ref() {
            self.mistake(
                value.span().start,
                format_args!(
                    "`{key}` needs a unit, in quotes: for example \"{number}s\" or \"300ms\""
                ),
            );
            return None;
        }
        self.parsed(key, value::duration)
    }

    /// A list of strings; one string alone counts as a list of one.
    pub fn list<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<At<T>> {
        let Some(value) = self.entries.get(key) else {
            return Vec::new();
        };
        let one = |item| {
            self.text_of(key, item)
                .and_then(|text| self.parse_at(key, text, &parse))
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(one).collect(),
            _ => one(value).into_iter().collect(),
        }
    }

    /// A table inside this one: `key = { … }`.
    pub fn table(&self, key: &str, keys: &Keys) -> Option<Self> {
        let value = self.entries.get(key)?;
        let offset = value.span().start;
        let DeValue::Table(entries) = value.get_ref() else {
            self.mistake(
                offset,
                format_args!("`{key}` must be a table: `{key} = {{ … }}`"),
            );
            return None;
        };
        let title = match self.title.as_str() {
            TOP_LEVEL => key.to_owned(),
            title => format!("{title}, {key}"),
        };
        Some(Self::open(title, offset, entries, keys, self.mistakes))
    }

    /// The tables of a list `[[key]]`, each called by its name or number.
    pub fn tables(&self, key: &str, keys: &Keys) -> Vec<Self> {
        let Some(value) = self.entries.get(key) else {
            return Vec::new();
        };
        let not_a_list = |offset| {
            let message =
                format!("`{key}` is a list of tables: write [[{key}]], with two brackets");
            self.mistakes.add(offset, message);
        };
        let DeValue::Array(items) = value.get_ref() else {
            not_a_list(value.span().start);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let DeValue::Table(entries) = item.get_ref() else {
                not_a_list(item.span().start);
                continue;
            };
            let title = match entries.get("name").map(Spanned::get_ref) {
                Some(DeValue::String(name)) => format!("{key} {name:?}"),
                _ => format!("{key} number {}", index + 1),
            };
            let title = match self.title.as_str() {
                TOP_LEVEL => title,
                outer => format!("{outer}, {title}"),
            };
            let offset = item.span().start;
            tables.push(Self::open(title, offset, entries, keys, self.mistakes));
        }
        tables
    }

    /// The table's keys, with the places of their values.
    pub fn keys(&self) -> impl Iterator<Item = At<&'t str>> {
        self.entries.iter().map(|(key, value)| At {
            value: key.get_ref().as_ref(),
            offset: value.span().start,
        })
    }

    /// A table inside this one whose keys are the operator's own.
    pub fn map(&self, key: &str) -> Option<Self> {
        let value = self.entries.get(key)?;
        let DeValue::Table(entries) = value.get_ref() else {
            self.mistake(
                value.span().start,
                format_args!("`{key}` must be a table: `{key} = {{ … }}`"),
            );
            return None;
        };
        Some(Self {
            title: format!("{}, {key}", self.title),
            offset: value.span().start,
            entries,
            mistakes: self.mistakes,
        })
    }

    fn text_of(&self, key: &str, value: &'t Spanned<DeValue<'t>>) -> Option<At<&'t str>> {
        let offset = value.span().start;
        let DeValue::String(text) = value.get_ref() else {
            self.mistake(offset, format_args!("`{key}` must be a string, in quotes"));
            return None;
        };
        Some(At {
            value: text,
            offset,
        })
    }

    fn parse_at<T>(
        &self,
        key: &str,
        text: At<&str>,
        parse: &impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        match parse(text.value) {
            Ok(value) => Some(At {
                value,
                offset: text.offset,
            }),
            Err(message) => {
                self.mistake(text.offset, format_args!("`{key}`: {message}"));
                None
            }
        }
    }

    fn check_key(&self, key: &str, offset: usize, keys: &Keys) {
        if keys.known.contains(&key) {
            return;
        }
        if let Some((_, reason)) = keys.refused.iter().find(|(refused, _)| *refused == key) {
            self.mistake(offset, format_args!("`{key}` can't be used here: {reason}"));
            return;
        }
        let nearest = nearest(key, keys.known).map(|near| format!("did you mean `{near}`?"));
        let hint = nearest.unwrap_or_else(|| format!("known here: {}", keys.known.join(", ")));
        self.mistake(
            offset,
            format_args!("unknown key `{}`; {hint}", key.escape_debug()),
        );
    }
}

/// The known key that a slip of the fingers away from `key`.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|near| (strsim::damerau_levenshtein(key, near), *near))
        .filter(|(distance, near)| *distance <= near.len().div_ceil(3) && *distance < near.len())
        .min()
        .map(|(_, near)| near)
}
