//! `dxctl api`, and how any other verb calls an operation by its name.

use std::io::{IsTerminal, Read};

use dx_model::MODEL;
use serde_json::Value;

use super::vif::confirm;
use crate::aws::is_read_only;
use crate::cli::{ApiArgs, Global};
use crate::output::{json, note, print};
use crate::{Refused, Verdict};

pub(super) async fn run(args: ApiArgs, global: &Global) -> anyhow::Result<Verdict> {
    let Some(operation) = &args.operation else {
        let names: Vec<&str> = MODEL.operations().collect();
        global
            .reader()
            .show(&names, |names| names.join("\n") + "\n")?;
        return Ok(Verdict::Fine);
    };
    known(operation)?;
    if args.generate_cli_skeleton {
        print(&json(&MODEL.example(operation)))?;
        return Ok(Verdict::Fine);
    }
    if args.reveal && !std::io::stdout().is_terminal() {
        return Err(Refused::new("--reveal shows keys on a terminal only").into());
    }
    let call = Call {
        operation,
        input: input(&args)?,
    };
    let consent = match is_destructive(operation) && !args.yes {
        true => Consent::Ask,
        false => Consent::Given,
    };
    let answer = call.make(global, consent).await?;
    show(
        answer,
        if args.reveal {
            Keys::Shown
        } else {
            Keys::Redacted
        },
    )
}

/// One operation and its request, which may hold a key.
pub(super) struct Call<'a> {
    pub(super) operation: &'a str,
    pub(super) input: Value,
}

impl Call<'_> {
    /// Checks the request, asks the operator where that is due, and calls.
    pub(super) async fn make(&self, global: &Global, consent: Consent) -> anyhow::Result<Value> {
        self.check()?;
        let aws = global.aws().await?;
        if consent == Consent::Ask {
            confirm(&format!(
                "{} {}? [y/N] ",
                self.operation,
                redacted(self.input.clone())
            ))?;
        }
        if !is_read_only(self.operation) {
            note(format_args!("calling {} …", self.operation));
        }
        let mut answer = aws.any(self.operation, &self.input).await?;
        // What is listed by pages is answered whole.
        let mut input = self.input.clone();
        while is_read_only(self.operation)
            && let Some(token) = following(&mut answer)
        {
            input["nextToken"] = token;
            append(&mut answer, aws.any(self.operation, &input).await?);
        }
        Ok(answer)
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        MODEL
            .check_written(self.operation, &self.input)
            .map_err(|error| {
                Refused::usage(format!(
                    "the request doesn't fit {}: {error}\n  nothing was sent; dxctl api {} --generate-cli-skeleton shows what is required",
                    self.operation, self.operation
                ))
            })
    }
}

/// Whether the operator is asked before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Ask,
    Given,
}

fn is_destructive(operation: &str) -> bool {
    ["Delete", "Disassociate"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// Takes the next page's token out of an answer.
fn following(answer: &mut Value) -> Option<Value> {
    let token = answer.as_object_mut()?.remove("nextToken")?;
    token
        .as_str()
        .is_some_and(|token| !token.is_empty())
        .then_some(token)
}

/// Adds a page's lists to those that are there.
fn append(answer: &mut Value, page: Value) {
    let Value::Object(members) = page else { return };
    for (name, member) in members {
        match (&mut answer[name.as_str()], member) {
            (Value::Array(items), Value::Array(more)) => items.extend(more),
            (there, member) => *there = member,
        }
    }
}

/// Whether keys in an answer are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Shown,
    Redacted,
}

pub(super) fn show(answer: Value, keys: Keys) -> anyhow::Result<Verdict> {
    let answer = match keys {
        Keys::Shown => answer,
        Keys::Redacted => redacted(answer),
    };
    print(&json(&answer))?;
    Ok(Verdict::Fine)
}

fn known(operation: &str) -> Result<(), Refused> {
    if MODEL.has(operation) {
        return Ok(());
    }
    // As the aws tool writes them too: describe-locations.
    let typed = operation.replace('-', "").to_ascii_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&name.to_ascii_lowercase(), &typed);
    let closest = MODEL.operations().min_by_key(|name| distance(name));
    let hint = closest.filter(|name| distance(name) <= 4);
    let hint = hint.map_or_else(
        || "dxctl api --list names them".to_owned(),
        |name| format!("{name} is meant?"),
    );
    Err(Refused::usage(format!(
        "Direct Connect has no operation {operation}: {hint}"
    )))
}

fn input(args: &ApiArgs) -> anyhow::Result<Value> {
    let Some(path) = &args.cli_input_json else {
        return Ok(Value::Object(serde_json::Map::new()));
    };
    let (name, text) = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        ("standard input".to_owned(), text)
    } else {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        (name, text)
    };
    // serde_json's message has the place and no content.
    serde_json::from_str(&text).map_err(|error| anyhow::anyhow!("{name} is not JSON: {error}"))
}

/// Without the members that hold keys.
fn redacted(mut value: Value) -> Value {
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if SECRET.contains(&name.as_str()) && !member.is_null() {
                    *member = Value::String("(redacted)".to_owned());
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// Members of requests and answers that hold a key, or a text with one in it.
const SECRET: [&str; 3] = ["authKey", "cak", "customerRouterConfig"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_hold_keys_are_redacted_wherever_they_stand() {
        let answer = json!({ "virtualInterfaces": [{ "authKey": "canary", "bgpPeers": [{ "authKey": "canary" }],
            "customerRouterConfig": "key canary", "vlan": 7 }], "cak": "canary" });
        let text = redacted(answer).to_string();
        assert!(
            !text.contains("canary") && text.contains("\"vlan\":7"),
            "{text}"
        );
    }

    #[test]
    fn a_request_that_does_not_fit_is_refused_with_its_place() {
        let call = Call {
            operation: "UpdateConnection",
            input: json!({ "conectionId": "dxcon-1" }),
        };
        let text = call.check().unwrap_err().to_string();
        assert!(text.contains("'connectionId'"), "{text}");
        assert!(text.contains("connectionId is meant?"), "{text}");
    }

    #[test]
    fn pages_are_joined() {
        let mut answer = json!({ "lags": [1], "nextToken": "t" });
        assert_eq!(following(&mut answer), Some(json!("t")));
        append(&mut answer, json!({ "lags": [2], "nextToken": "" }));
        assert_eq!(following(&mut answer), None);
        assert_eq!(answer, json!({ "lags": [1, 2] }));
    }

    #[test]
    fn a_mistyped_operation_is_refused_with_the_one_that_is_meant() {
        for typed in [
            "describe-locations",
            "DescribeLocation",
            "describelocations",
        ] {
            let text = known(typed).unwrap_err().to_string();
            assert!(text.contains("DescribeLocations is meant?"), "{text}");
        }
    }
}
