//! Answers in pages: `maxResults` at a time, `nextToken` for the rest.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;

/// The members of a request that ask for a page.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    max_results: Option<i64>,
    next_token: Option<String>,
}

impl Page {
    /// One page of `items` under `key`, with the token for the next if there
    /// is one.
    pub fn of(&self, key: &str, items: Vec<Value>) -> Result<Value, ApiError> {
        let start = match &self.next_token {
            None => 0,
            Some(token) => offset(token, key)
                .filter(|start| *start <= items.len())
                .ok_or_else(|| {
                    ApiError::client("The nextToken is not valid: it is not of this operation.")
                })?,
        };
        let size = match self.max_results {
            None => MAX_RESULTS,
            // The API reference: of a value above 100, 100 are returned.
            Some(size @ 1..) => usize::try_from(size)
                .unwrap_or(MAX_RESULTS)
                .min(MAX_RESULTS),
            Some(_) => return Err(ApiError::client("maxResults must be at least 1.")),
        };
        let end = items.len().min(start + size);
        let mut answer = Map::new();
        if end < items.len() {
            answer.insert("nextToken".into(), json!(token(end, key)));
        }
        let page: Vec<Value> = items.into_iter().skip(start).take(size).collect();
        answer.insert(key.into(), Value::Array(page));
        Ok(Value::Object(answer))
    }
}

const MAX_RESULTS: usize = 100;

/// Opaque to clients: says which list it belongs to, so that it can't be used
/// with another.
fn token(offset: usize, key: &str) -> String {
    format!("{key}.{offset}")
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn offset(token: &str, key: &str) -> Option<usize> {
    let bytes: Option<Vec<u8>> = (0..token.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok())
        .collect();
    String::from_utf8(bytes?)
        .ok()?
        .strip_prefix(key)?
        .strip_prefix('.')?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pages_follow_each_other_until_none_is_left() {
        let items: Vec<Value> = (0..5).map(|n| json!(n)).collect();
        let mut page = Page {
            max_results: Some(2),
            next_token: None,
        };
        let mut seen = vec![];
        loop {
            let answer = page.of("things", items.clone()).unwrap();
            seen.extend(answer["things"].as_array().unwrap().clone());
            match answer.get("nextToken") {
                Some(token) => page.next_token = token.as_str().map(str::to_owned),
                None => break,
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_token_of_another_list_or_none_at_all_is_refused() {
        for token in [
            token(0, "others"),
            "zz".into(),
            "é".into(),
            token(99, "things"),
        ] {
            let page = Page {
                max_results: None,
                next_token: Some(token),
            };
            assert!(page.of("things", vec![json!(1)]).is_err());
        }
        assert!(
            Page {
                max_results: Some(0),
                next_token: None
            }
            .of("things", vec![])
            .is_err()
        );
    }
}
