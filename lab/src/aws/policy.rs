//! Which operations callers are allowed: as much of IAM as `dxctl iam-policy`
//! writes, so that its policies can be tried.

use std::collections::BTreeSet;

use serde::Deserialize;

/// An identity policy. What it doesn't name is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Without the service's prefix.
    operations: BTreeSet<String>,
}

impl Policy {
    pub fn allows(&self, operation: &str) -> bool {
        self.operations.contains(operation)
    }

    /// Of the document, as `POST /lab/policy` takes it. Anything that isn't
    /// understood is an error: a policy that allows more than it says is no test.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let mut operations = BTreeSet::new();
        for statement in document.statement {
            if statement.effect != "Allow" || statement.resource != "*" {
                return Err("a statement is not {Effect: Allow, Resource: *}".to_owned());
            }
            for action in statement.action {
                let own = action.strip_prefix("directconnect:");
                if own.is_some_and(|operation| !dx_model::MODEL.has(operation)) {
                    return Err(format!("{action} is no action of Direct Connect"));
                }
                operations.extend(own.map(str::to_owned));
            }
        }
        Ok(Self { operations })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "Version")]
    _version: String,
    statement: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: String,
    action: Vec<String>,
    resource: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn policy(statement: Value) -> Result<Policy, String> {
        let document = json!({ "Version": "2012-10-17", "Statement": [statement] });
        Policy::parse(document.to_string().as_bytes())
    }

    #[test]
    fn what_is_not_named_is_denied() {
        let actions = ["directconnect:DescribeLags", "ssm:GetParameter"];
        let policy =
            policy(json!({ "Effect": "Allow", "Action": actions, "Resource": "*" })).unwrap();
        assert!(policy.allows("DescribeLags"));
        assert!(!policy.allows("DeleteLag") && !policy.allows("GetParameter"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let action = ["directconnect:DescribeLags"];
        for statement in [
            json!({ "Effect": "Deny", "Action": action, "Resource": "*" }),
            json!({ "Effect": "Allow", "Action": action, "Resource": "arn:aws:directconnect:*" }),
            json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": {} }),
            json!({ "Effect": "Allow", "Action": ["directconnect:Describe*"], "Resource": "*" }),
        ] {
            assert!(policy(statement.clone()).is_err(), "{statement}");
        }
    }
}
