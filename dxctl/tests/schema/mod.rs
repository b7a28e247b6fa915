//! As much of JSON Schema (2020-12) as the shipped schema uses. A keyword that
//! isn't known here fails the test: then it has to be added.

use regex::Regex;
use serde_json::{Map, Value};

pub(crate) struct Schema<'a> {
    root: &'a Value,
}

impl<'a> Schema<'a> {
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// Each with its place; empty for what the schema takes.
    pub(crate) fn mistakes(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check(self.root, value, "", &mut found);
        found
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let keywords = schema.as_object().unwrap();
        for (keyword, wanted) in keywords {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "properties" => {}
                "$ref" => {
                    let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                    self.check(self.root.pointer(path).unwrap(), value, at, found);
                }
                "anyOf" => self.any_of(wanted, value, at, found),
                "additionalProperties" => self.additional(keywords, wanted, value, at, found),
                "items" => {
                    let items = value.as_array().into_iter().flatten().enumerate();
                    for (index, item) in items {
                        self.check(wanted, item, &format!("{at}/{index}"), found);
                    }
                }
                keyword => {
                    if !holds(keyword, wanted, value) {
                        found.push(format!("{at}: {keyword} {wanted}"));
                    }
                }
            }
        }
        let properties = keywords.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            if let Some(inner) = value.get(name) {
                self.check(schema, inner, &format!("{at}/{name}"), found);
            }
        }
    }

    fn any_of(&self, choices: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let fits = |choice: &Value| {
            let mut inner = Vec::new();
            self.check(choice, value, at, &mut inner);
            inner.is_empty()
        };
        if !choices.as_array().unwrap().iter().any(fits) {
            found.push(format!("{at}: none of the choices"));
        }
    }

    fn additional(
        &self,
        schema: &Map<String, Value>,
        wanted: &Value,
        value: &Value,
        at: &str,
        found: &mut Vec<String>,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, inner) in value.as_object().into_iter().flatten() {
            if known.is_some_and(|known| known.contains_key(name)) {
                continue;
            }
            let at = format!("{at}/{name}");
            match wanted {
                Value::Bool(false) => found.push(format!("{at}: unknown key")),
                schema => self.check(schema, inner, &at, found),
            }
        }
    }
}

fn holds(keyword: &str, wanted: &Value, value: &Value) -> bool {
    let text = value.as_str();
    let length = text.map(|text| text.chars().count() as u64);
    let items = value.as_array().map(|items| items.len() as u64);
    match keyword {
        "type" => match wanted.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            other => panic!("type {other}"),
        },
        "enum" => wanted.as_array().unwrap().contains(value),
        "required" => wanted
            .as_array()
            .unwrap()
            .iter()
            .all(|name| value.get(name.as_str().unwrap()).is_some() || !value.is_object()),
        "pattern" => {
            text.is_none_or(|text| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text))
        }
        "minimum" => value
            .as_i64()
            .is_none_or(|number| number >= wanted.as_i64().unwrap()),
        "maximum" => value
            .as_i64()
            .is_none_or(|number| number <= wanted.as_i64().unwrap()),
        "minLength" => length.is_none_or(|length| length >= wanted.as_u64().unwrap()),
        "maxLength" => length.is_none_or(|length| length <= wanted.as_u64().unwrap()),
        "minItems" => items.is_none_or(|items| items >= wanted.as_u64().unwrap()),
        "maxItems" => items.is_none_or(|items| items <= wanted.as_u64().unwrap()),
        other => panic!("the schema uses {other}, which this test doesn't know"),
    }
}
