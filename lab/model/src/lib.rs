//! The service model that AWS publishes: operations and the shapes of what they
//! take and give. Requests and answers are checked against it: by the simulator,
//! that it can neither accept nor say what the real service couldn't, and by
//! `dxctl api`, that a mistake is named before AWS is asked.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

/// The Direct Connect model, version 2012-10-25.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../dx-api-model.json"))
        .expect("invariant: the bundled model is well-formed")
});

/// What AWS publishes.
#[derive(Deserialize)]
pub struct Model {
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
struct Operation {
    input: Option<Reference>,
    output: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    shape: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Shape {
    Structure {
        #[serde(default)]
        members: BTreeMap<String, Reference>,
        #[serde(default)]
        required: Vec<String>,
    },
    List {
        member: Reference,
        min: Option<usize>,
        max: Option<usize>,
    },
    String {
        #[serde(default, rename = "enum")]
        values: Vec<String>,
        min: Option<usize>,
        max: Option<usize>,
        #[serde(default, deserialize_with = "pattern")]
        pattern: Option<Regex>,
    },
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    Long,
    Boolean,
    Timestamp,
    Blob,
}

/// Who looks. AWS is liberal in what it takes and strict in what it says: in a
/// request a member that no shape has is passed over, in an answer it is a bug,
/// and bounds of length don't hold for answers. Who writes a request has
/// mistyped such a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Service,
    Author,
    Client,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A value of the wrong type, after which nothing else counts.
    #[error("{0}")]
    Type(String),
    /// Everything that breaks a constraint.
    #[error("{}", .0.join("; "))]
    Violations(Vec<String>),
}

impl Model {
    /// Whether the service has an operation of that name.
    pub fn has(&self, operation: &str) -> bool {
        self.operations.contains_key(operation)
    }

    /// All names, in order.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// Refuses a request that doesn't have the operation's input shape, with
    /// all violations at once as AWS words them.
    pub fn check_input(&self, operation: &str, input: &Value) -> Result<(), InputError> {
        self.check_request(operation, input, Reader::Service)
    }

    /// As [`Self::check_input`], and refuses members that no shape has.
    pub fn check_written(&self, operation: &str, input: &Value) -> Result<(), InputError> {
        self.check_request(operation, input, Reader::Author)
    }

    fn check_request(
        &self,
        operation: &str,
        input: &Value,
        reader: Reader,
    ) -> Result<(), InputError> {
        let Some(shape) = self
            .operations
            .get(operation)
            .and_then(|o| o.input.as_ref())
        else {
            return Ok(());
        };
        let mut check = Check {
            model: self,
            reader,
            violations: vec![],
        };
        check
            .value(&shape.shape, input, "")
            .map_err(InputError::Type)?;
        match check.violations.as_slice() {
            [] => Ok(()),
            _ => Err(InputError::Violations(check.violations)),
        }
    }

    /// A request with every required member, whose texts nobody knows.
    pub fn example(&self, operation: &str) -> Value {
        let input = self
            .operations
            .get(operation)
            .and_then(|o| o.input.as_ref());
        input.map_or_else(|| json!({}), |input| self.example_of(&input.shape))
    }

    fn example_of(&self, shape: &str) -> Value {
        match self.shapes.get(shape) {
            Some(Shape::Structure { members, required }) => {
                let given = members.iter().filter(|(name, _)| required.contains(name));
                let given =
                    given.map(|(name, member)| (name.clone(), self.example_of(&member.shape)));
                Value::Object(given.collect())
            }
            Some(Shape::List { member, .. }) => json!([self.example_of(&member.shape)]),
            Some(Shape::String { values, max, .. }) => match (values.first(), max) {
                (Some(first), _) => json!(first),
                // The only pattern that x doesn't fit is that of these ids.
                (None, Some(22)) => json!("dxrg-00000000000000000"),
                (None, _) => json!("x"),
            },
            Some(Shape::Integer { .. } | Shape::Long | Shape::Timestamp) => json!(1),
            Some(Shape::Boolean) => json!(true),
            Some(Shape::Blob) | None => json!(""),
        }
    }

    /// What is wrong with an answer, if anything.
    pub fn check_output(&self, operation: &str, output: &Value) -> Result<(), String> {
        let Some(shape) = self
            .operations
            .get(operation)
            .and_then(|o| o.output.as_ref())
        else {
            return Ok(());
        };
        let mut check = Check {
            model: self,
            reader: Reader::Client,
            violations: vec![],
        };
        check.value(&shape.shape, output, "")?;
        match check.violations.as_slice() {
            [] => Ok(()),
            violations => Err(violations.join("; ")),
        }
    }
}

/// Which enumerations of an answer have a value that the model lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Members that are called a state or a status.
    States,
    OtherEnums,
}

/// What no enumeration of the model has.
pub const UNKNOWN_VALUE: &str = "lab-unknown";

impl Model {
    /// An answer as a newer service might give it, to a client that is older.
    pub fn with_unknown(&self, operation: &str, mut answer: Value, which: Unknown) -> Value {
        let output = self
            .operations
            .get(operation)
            .and_then(|o| o.output.as_ref());
        if let Some(output) = output {
            self.make_unknown(&output.shape, &mut answer, "", which);
        }
        answer
    }

    fn make_unknown(&self, shape: &str, value: &mut Value, name: &str, which: Unknown) {
        match (self.shapes.get(shape), value) {
            (Some(Shape::Structure { members, .. }), Value::Object(object)) => {
                for (name, member) in members {
                    if let Some(value) = object.get_mut(name) {
                        self.make_unknown(&member.shape, value, name, which);
                    }
                }
            }
            (Some(Shape::List { member, .. }), Value::Array(items)) => {
                for item in items {
                    self.make_unknown(&member.shape, item, name, which);
                }
            }
            (Some(Shape::String { values, .. }), value) if !values.is_empty() => {
                let lower = name.to_ascii_lowercase();
                let is_state = lower.ends_with("state") || lower.ends_with("status");
                if is_state == (which == Unknown::States) {
                    *value = UNKNOWN_VALUE.into();
                }
            }
            _ => {}
        }
    }
}

struct Check<'a> {
    model: &'a Model,
    reader: Reader,
    /// Values of the right type that break a constraint.
    violations: Vec<String>,
}

impl Check<'_> {
    /// `Err`: a value of the wrong type, after which nothing else counts.
    fn value(&mut self, shape: &str, value: &Value, at: &str) -> Result<(), String> {
        let model = self.model;
        let Some(shape) = model.shapes.get(shape) else {
            return Err(format!("the model has no shape {shape}"));
        };
        let wrong = |wanted: &str| Err(wrong_type(at, value, wanted));
        match (shape, value) {
            (Shape::Structure { members, required }, Value::Object(object)) => {
                self.structure(members, required, object, at)
            }
            (Shape::Structure { .. }, _) => wrong("a structure"),
            (Shape::List { member, min, max }, Value::Array(items)) => {
                self.length(items.len(), *min, *max, at);
                for (index, item) in items.iter().enumerate() {
                    self.value(&member.shape, item, &format!("{at}.{}.member", index + 1))?;
                }
                Ok(())
            }
            (Shape::List { .. }, _) => wrong("a list"),
            (
                Shape::String {
                    values,
                    min,
                    max,
                    pattern,
                },
                Value::String(text),
            ) => {
                if !values.is_empty() && !values.contains(text) {
                    let set = values.join(", ");
                    self.violate(at, &format!("Member must satisfy enum value set: [{set}]"));
                }
                self.length(text.chars().count(), *min, *max, at);
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
                    let text = format!("Member must satisfy regular expression pattern: {pattern}");
                    self.violate(at, &text);
                }
                Ok(())
            }
            (Shape::String { .. }, _) => wrong("a String"),
            (Shape::Integer { min, max }, value) => match value.as_i64() {
                Some(number) if i32::try_from(number).is_ok() => {
                    if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
                        self.violate(at, "Member must be within its bounds");
                    }
                    Ok(())
                }
                _ => wrong("an Integer"),
            },
            (Shape::Long, value) if value.is_i64() => Ok(()),
            (Shape::Long, _) => wrong("a Long"),
            (Shape::Boolean, Value::Bool(_)) => Ok(()),
            (Shape::Boolean, _) => wrong("a Boolean"),
            (Shape::Timestamp, Value::Number(_)) => Ok(()),
            (Shape::Timestamp, _) => wrong("a Timestamp"),
            (Shape::Blob, Value::String(_)) => Ok(()),
            (Shape::Blob, _) => wrong("a Blob"),
        }
    }

    fn structure(
        &mut self,
        members: &BTreeMap<String, Reference>,
        required: &[String],
        object: &serde_json::Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        for name in required {
            if object.get(name).is_none_or(Value::is_null) {
                self.violate(&join(at, name), "Member must not be null");
            }
        }
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            match members.get(name) {
                Some(member) => self.value(&member.shape, value, &join(at, name))?,
                None => self.unknown_member(members, &join(at, name), name)?,
            }
        }
        Ok(())
    }

    fn unknown_member(
        &mut self,
        members: &BTreeMap<String, Reference>,
        at: &str,
        name: &str,
    ) -> Result<(), String> {
        match self.reader {
            Reader::Service => {}
            Reader::Client => return Err(format!("{at} is not in the model")),
            Reader::Author => {
                let alike = |known: &&String| strsim::damerau_levenshtein(known, name) <= 3;
                let hint = match members.keys().find(alike) {
                    Some(known) => format!("; {known} is meant?"),
                    None => {
                        let known: Vec<&str> = members.keys().map(String::as_str).collect();
                        format!("; there are {}", known.join(", "))
                    }
                };
                self.violations
                    .push(format!("'{at}' is no member here{hint}"));
            }
        }
        Ok(())
    }

    fn length(&mut self, length: usize, min: Option<usize>, max: Option<usize>, at: &str) {
        if self.reader == Reader::Client {
            return;
        }
        if let Some(min) = min.filter(|min| length < *min) {
            self.violate(
                at,
                &format!("Member must have length greater than or equal to {min}"),
            );
        }
        if let Some(max) = max.filter(|max| length > *max) {
            self.violate(
                at,
                &format!("Member must have length less than or equal to {max}"),
            );
        }
    }

    /// Names the member but never quotes its value, which may be a key.
    fn violate(&mut self, at: &str, constraint: &str) {
        self.violations.push(format!(
            "Value at '{at}' failed to satisfy constraint: {constraint}"
        ));
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

fn wrong_type(at: &str, value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(_) => "BOOLEAN_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    let place = if at.is_empty() { "the request" } else { at };
    format!("{found} can not be converted to {wanted} (at {place})")
}

fn pattern<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Regex::new(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_shape_that_the_model_refers_to_exists() {
        for operation in MODEL.operations.values() {
            for reference in [&operation.input, &operation.output].into_iter().flatten() {
                assert!(
                    MODEL.shapes.contains_key(&reference.shape),
                    "{}",
                    reference.shape
                );
            }
        }
        for shape in MODEL.shapes.values() {
            let references: Vec<&Reference> = match shape {
                Shape::Structure { members, .. } => members.values().collect(),
                Shape::List { member, .. } => vec![member],
                _ => vec![],
            };
            for reference in references {
                assert!(
                    MODEL.shapes.contains_key(&reference.shape),
                    "{}",
                    reference.shape
                );
            }
        }
    }

    #[test]
    fn a_missing_member_and_a_wrong_enum_value_are_named_together() {
        let input = json!({
            "newPrivateVirtualInterface": { "vlan": 7, "addressFamily": "ipx" }
        });
        let error = MODEL
            .check_input("CreatePrivateVirtualInterface", &input)
            .unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(&error, InputError::Violations(all) if all.len() == 3),
            "{text}"
        );
        assert!(text.contains("'connectionId'"), "{text}");
        assert!(
            text.contains("'newPrivateVirtualInterface.virtualInterfaceName'"),
            "{text}"
        );
        assert!(text.contains("[ipv4, ipv6]"), "{text}");
    }

    #[test]
    fn a_text_where_a_number_belongs_is_a_serialization_error() {
        let input = json!({ "connectionId": "c", "newPrivateVirtualInterface": { "vlan": "7" } });
        let error = MODEL
            .check_input("CreatePrivateVirtualInterface", &input)
            .unwrap_err();
        assert!(matches!(error, InputError::Type(_)), "{error}");
    }

    #[test]
    fn a_mistyped_member_is_passed_over_by_the_service_and_named_to_its_author() {
        let input = json!({ "conectionId": "dxcon-1" });
        assert!(MODEL.check_input("DescribeConnections", &input).is_ok());
        let error = MODEL
            .check_written("DescribeConnections", &input)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "'conectionId' is no member here; connectionId is meant?"
        );
    }

    #[test]
    fn an_integer_beyond_32_bits_does_not_fit_an_integer_but_a_long() {
        let vif = |member: &str| {
            json!({ "connectionId": "c", "newPrivateVirtualInterface":
                { "virtualInterfaceName": "a", "vlan": 7, member: 4_200_000_000_i64 } })
        };
        let check = |member| MODEL.check_input("CreatePrivateVirtualInterface", &vif(member));
        assert!(check("asn").is_err());
        assert!(check("asnLong").is_ok());
    }

    #[test]
    fn unknown_values_are_put_into_states_or_into_all_other_enumerations() {
        let answer = json!({ "virtualInterfaces": [{ "virtualInterfaceState": "down",
            "virtualInterfaceName": "a", "addressFamily": "ipv4",
            "bgpPeers": [{ "bgpStatus": "up", "addressFamily": "ipv4" }] }] });
        let with = |which| MODEL.with_unknown("DescribeVirtualInterfaces", answer.clone(), which);
        let states = with(Unknown::States);
        let vif = &states["virtualInterfaces"][0];
        assert_eq!(vif["virtualInterfaceState"], UNKNOWN_VALUE);
        assert_eq!(vif["bgpPeers"][0]["bgpStatus"], UNKNOWN_VALUE);
        assert_eq!(vif["addressFamily"], "ipv4");
        let others = with(Unknown::OtherEnums);
        let vif = &others["virtualInterfaces"][0];
        assert_eq!(vif["virtualInterfaceState"], "down");
        assert_eq!(vif["addressFamily"], UNKNOWN_VALUE);
        assert_eq!(vif["virtualInterfaceName"], "a");
    }

    #[test]
    fn an_answer_with_a_member_that_the_model_lacks_is_a_bug() {
        let answer = json!({ "virtualInterfaceState": "deleting", "virtualInterfaceName": "x" });
        let wrong = MODEL
            .check_output("DeleteVirtualInterface", &answer)
            .unwrap_err();
        assert_eq!(wrong, "virtualInterfaceName is not in the model");
    }
}
