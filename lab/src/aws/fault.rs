//! Faults on order: what a client has to live with, without waiting for AWS to
//! have a bad day.

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::Value;

use super::error::{ApiError, ErrorKind};

/// The next `count` calls of an operation go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    operation: String,
    kind: FaultKind,
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `ThrottlingException`, and nothing happens.
    Throttle,
    /// A server error, and nothing happens.
    Error,
    /// A server error, although it happened: there is no client token, so that
    /// trying again blindly does it twice or is refused.
    Lost,
}

/// `throttle:DescribeConnections:3`, `lost:CreatePrivateVirtualInterface`.
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not throttle|error|lost:OPERATION[:COUNT]");
        let mut parts = text.split(':');
        let kind = match parts.next() {
            Some("throttle") => FaultKind::Throttle,
            Some("error") => FaultKind::Error,
            Some("lost") => FaultKind::Lost,
            _ => return Err(wrong()),
        };
        let operation = parts.next().ok_or_else(wrong)?.to_owned();
        if !super::model::MODEL.has(&operation) {
            return Err(format!("{operation} is not an operation of Direct Connect"));
        }
        let count = parts
            .next()
            .map_or(Ok(1), |count| count.parse().map_err(|_| wrong()))?;
        Ok(Self {
            operation,
            kind,
            count,
        })
    }
}

/// The faults that are still to happen.
#[derive(Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub fn new(faults: Vec<Fault>) -> Self {
        Self(Mutex::new(faults))
    }

    /// Carries out a call, or what the fault that is due for it makes of it.
    pub fn around(
        &self,
        operation: &str,
        call: impl FnOnce() -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        match self.take(operation) {
            None => call(),
            Some(FaultKind::Throttle) => Err(ApiError::new(ErrorKind::Throttling, "Rate exceeded")),
            Some(FaultKind::Error) => Err(internal()),
            Some(FaultKind::Lost) => call().and_then(|_| Err(internal())),
        }
    }

    fn take(&self, operation: &str) -> Option<FaultKind> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = faults
            .iter_mut()
            .find(|f| f.operation == operation && f.count > 0)?;
        due.count -= 1;
        Some(due.kind)
    }
}

fn internal() -> ApiError {
    ApiError::new(ErrorKind::Server, "An internal error has occurred.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    fn outcomes(fault: &str, calls: usize) -> (Vec<Option<ErrorKind>>, u32) {
        let faults = Faults::new(vec![fault.parse().unwrap()]);
        let happened = Cell::new(0);
        let call = || {
            happened.set(happened.get() + 1);
            Ok(json!({}))
        };
        let calls = (0..calls).map(|_| faults.around("CreateConnection", call).err());
        (
            calls.map(|error| error.map(|error| error.kind)).collect(),
            happened.get(),
        )
    }

    #[test]
    fn a_lost_answer_has_its_effect_and_the_others_have_none() {
        assert_eq!(
            outcomes("lost:CreateConnection", 2),
            (vec![Some(ErrorKind::Server), None], 2)
        );
        assert_eq!(
            outcomes("error:CreateConnection", 1),
            (vec![Some(ErrorKind::Server)], 0)
        );
        let throttled = Some(ErrorKind::Throttling);
        assert_eq!(
            outcomes("throttle:CreateConnection:2", 3),
            (vec![throttled, throttled, None], 1)
        );
        assert_eq!(outcomes("error:DeleteConnection", 1), (vec![None], 1));
    }

    #[test]
    fn a_fault_that_can_never_happen_is_refused() {
        for text in [
            "lost",
            "late:CreateConnection",
            "lost:CreateLog",
            "lost:CreateLag:x",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
