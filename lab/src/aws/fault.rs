//! Faults on order, and the record of what was called: what a client has to
//! live with, without waiting for AWS to have a bad day.
//!
//! A fault is ordered before the start (`--fault`) or while it runs
//! (`POST /lab/faults`, see `admin`), for an operation, for any call, or for
//! the call with a number.

use std::fmt;
use std::str::FromStr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dx_model::{MODEL, Unknown};
use serde::Serialize;
use serde_json::Value;

use super::error::{ApiError, ErrorKind};

/// The next `count` calls that it is aimed at go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub aim: Aim,
    pub count: u32,
}

/// Which calls a fault is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    Operation(String),
    /// Written `*`.
    Any,
    /// Written `#7`: the seventh call since the start or the last `clear`.
    Number(u64),
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
    /// It happened, and the connection is closed instead of an answer.
    Cut,
    /// The connection is closed, and nothing happened.
    CutBefore,
    /// It happened at once; the answer takes this long.
    Slow(Duration),
    /// The answer has a value in each enumeration that no client knows, but
    /// in states.
    UnknownEnum,
    /// Likewise in states.
    UnknownState,
    /// Nothing happens and no answer comes, for as long as the client waits.
    Hold,
    /// It happened, and no answer comes, for as long as the client waits.
    HoldAfter,
    /// No answer comes, and it happens only after this long, whether the client
    /// still waits or not.
    Late(Duration),
}

/// `throttle:DescribeConnections:3`, `cut:CreatePrivateVirtualInterface`,
/// `slow=500:*`, `hold:#7`.
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not KIND:OPERATION[:COUNT], where KIND is {KINDS}");
        let mut parts = text.split(':');
        let kind = parts.next().and_then(FaultKind::parse).ok_or_else(wrong)?;
        let aim = match parts.next().ok_or_else(wrong)? {
            "*" => Aim::Any,
            operation if MODEL.has(operation) => Aim::Operation(operation.to_owned()),
            other => match other.strip_prefix('#') {
                Some(number) => Aim::Number(number.parse().map_err(|_| wrong())?),
                None => return Err(format!("{other} is not an operation of Direct Connect")),
            },
        };
        let count = parts
            .next()
            .map_or(Ok(1), |count| count.parse().map_err(|_| wrong()))?;
        Ok(Self { kind, aim, count })
    }
}

const KINDS: &str = "throttle, error, lost, cut, cut-before, slow[=MILLISECONDS], unknown-enum, \
                     unknown-state, hold, hold-after or late=MILLISECONDS; OPERATION may be * or \
                     #NUMBER";

impl FaultKind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "throttle" => Self::Throttle,
            "error" => Self::Error,
            "lost" => Self::Lost,
            "cut" => Self::Cut,
            "cut-before" => Self::CutBefore,
            "slow" => Self::Slow(Duration::from_secs(5)),
            "unknown-enum" => Self::UnknownEnum,
            "unknown-state" => Self::UnknownState,
            "hold" => Self::Hold,
            "hold-after" => Self::HoldAfter,
            _ => {
                let (kind, time) = text.split_once('=')?;
                let time = Duration::from_millis(time.parse().ok()?);
                match kind {
                    "slow" => Self::Slow(time),
                    "late" => Self::Late(time),
                    _ => return None,
                }
            }
        })
    }
}

/// One call as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// From 1.
    pub number: u64,
    pub operation: String,
    pub account: String,
    pub fault: Option<String>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Under way.
    Open,
    /// Waits, as a fault wants it.
    Held,
    Answered,
    /// Answered with this error.
    Refused(String),
    /// The connection was closed.
    Cut,
}

/// What became of a call.
#[derive(Debug)]
pub enum Failure {
    Refused(ApiError),
    /// The connection is to be closed.
    Cut,
}

/// The faults that are still to happen, and the calls that were.
#[derive(Default)]
pub struct Faults {
    ledger: Mutex<Ledger>,
    changed: Condvar,
}

#[derive(Default)]
struct Ledger {
    ordered: Vec<Fault>,
    calls: Vec<Call>,
}

impl Faults {
    pub fn new(faults: Vec<Fault>) -> Self {
        let faults_and_calls = Ledger {
            ordered: faults,
            calls: vec![],
        };
        Self {
            ledger: Mutex::new(faults_and_calls),
            changed: Condvar::new(),
        }
    }

    pub fn order(&self, fault: Fault) {
        self.lock().ordered.push(fault);
    }

    /// Forgets what was ordered and what was called.
    pub fn clear(&self) {
        *self.lock() = Ledger::default();
    }

    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Waits until a call is held; `None`: none was in time.
    pub fn wait_until_held(&self, limit: Duration) -> Option<Call> {
        let held = |call: &&Call| call.outcome == Outcome::Held;
        let deadline = Instant::now() + limit;
        let mut ledger = self.lock();
        loop {
            if let Some(call) = ledger.calls.iter().find(held) {
                return Some(call.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            ledger = (self.changed.wait_timeout(ledger, left))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Carries out a call, or what the fault that is due for it makes of it.
    pub async fn around(
        &self,
        account: &str,
        operation: &str,
        call: impl FnOnce() -> Result<Value, ApiError> + Send + 'static,
    ) -> Result<Value, Failure> {
        let (number, kind) = self.record(account, operation);
        let refused = |kind, text: &str| Err(Failure::Refused(ApiError::new(kind, text)));
        let answer = match kind {
            None => call().map_err(Failure::Refused),
            Some(FaultKind::Throttle) => refused(ErrorKind::Throttling, "Rate exceeded"),
            Some(FaultKind::Error) => refused(ErrorKind::Server, INTERNAL),
            Some(FaultKind::Lost) => call()
                .map_err(Failure::Refused)
                .and_then(|_| refused(ErrorKind::Server, INTERNAL)),
            // Whether it was refused is lost with the connection.
            Some(FaultKind::Cut) => call().map_or(Err(Failure::Cut), |_| Err(Failure::Cut)),
            Some(FaultKind::CutBefore) => Err(Failure::Cut),
            Some(FaultKind::Slow(time)) => {
                let answer = call();
                tokio::time::sleep(time).await;
                answer.map_err(Failure::Refused)
            }
            Some(FaultKind::UnknownEnum) => call()
                .map(|answer| MODEL.with_unknown(operation, answer, Unknown::OtherEnums))
                .map_err(Failure::Refused),
            Some(FaultKind::UnknownState) => call()
                .map(|answer| MODEL.with_unknown(operation, answer, Unknown::States))
                .map_err(Failure::Refused),
            Some(FaultKind::Hold) => self.hold(number).await,
            Some(FaultKind::HoldAfter) => {
                let _kept_back = call();
                self.hold(number).await
            }
            Some(FaultKind::Late(time)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    let _kept_back = call();
                });
                self.hold(number).await
            }
        };
        self.conclude(
            number,
            match &answer {
                Ok(_) => Outcome::Answered,
                Err(Failure::Refused(error)) => Outcome::Refused(error.kind.name().to_owned()),
                Err(Failure::Cut) => Outcome::Cut,
            },
        );
        answer
    }

    /// Until the client goes: the server then drops this future.
    async fn hold(&self, number: u64) -> Result<Value, Failure> {
        self.conclude(number, Outcome::Held);
        std::future::pending().await
    }

    fn record(&self, account: &str, operation: &str) -> (u64, Option<FaultKind>) {
        let mut ledger = self.lock();
        let number = ledger.calls.len() as u64 + 1;
        let aimed = |fault: &&mut Fault| {
            fault.count > 0
                && match &fault.aim {
                    Aim::Any => true,
                    Aim::Operation(name) => name == operation,
                    Aim::Number(wanted) => *wanted == number,
                }
        };
        let due = ledger.ordered.iter_mut().find(aimed).map(|fault| {
            fault.count -= 1;
            fault.kind
        });
        ledger.calls.push(Call {
            number,
            operation: operation.to_owned(),
            account: account.to_owned(),
            fault: due.map(|kind| kind.to_string()),
            outcome: Outcome::Open,
        });
        (number, due)
    }

    fn conclude(&self, number: u64, outcome: Outcome) {
        let mut ledger = self.lock();
        // Absent where the record was cleared meanwhile.
        if let Some(call) = ledger.calls.iter_mut().find(|call| call.number == number) {
            call.outcome = outcome;
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttle => "throttle",
            Self::Error => "error",
            Self::Lost => "lost",
            Self::Cut => "cut",
            Self::CutBefore => "cut-before",
            Self::Slow(time) => return write!(f, "slow={}", time.as_millis()),
            Self::UnknownEnum => "unknown-enum",
            Self::UnknownState => "unknown-state",
            Self::Hold => "hold",
            Self::HoldAfter => "hold-after",
            Self::Late(time) => return write!(f, "late={}", time.as_millis()),
        })
    }
}

const INTERNAL: &str = "An internal error has occurred.";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::*;

    /// What comes of calls with a fault on order, and how many had an effect.
    fn outcomes(fault: &str, calls: usize) -> (Vec<Outcome>, u32) {
        let faults = Faults::new(vec![fault.parse().unwrap()]);
        let happened = Arc::new(AtomicU32::new(0));
        let call = || {
            let happened = Arc::clone(&happened);
            move || {
                happened.fetch_add(1, Ordering::Relaxed);
                Ok(json!({}))
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        for _ in 0..calls {
            let call = faults.around("1", "CreateConnection", call());
            let limit = Duration::from_millis(50);
            let _ = runtime.block_on(async { tokio::time::timeout(limit, call).await });
        }
        let outcomes = faults.calls().into_iter().map(|call| call.outcome);
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
        (outcomes.collect(), happened.load(Ordering::Relaxed))
    }

    #[test]
    fn faults_after_the_effect_have_it_and_those_before_have_none() {
        use Outcome::{Answered, Cut, Held};
        let refused = |name: &str| Outcome::Refused(name.to_owned());
        let server = || refused("DirectConnectServerException");
        for (fault, expected, happened) in [
            ("lost:CreateConnection", vec![server(), Answered], 2),
            ("error:*", vec![server(), Answered], 1),
            ("cut:CreateConnection", vec![Cut, Answered], 2),
            ("cut-before:#1", vec![Cut, Answered], 1),
            ("hold:#2", vec![Answered, Held], 1),
            ("hold-after:#2", vec![Answered, Held], 2),
            ("late=80:#2", vec![Answered, Held], 2),
            ("slow=1:*", vec![Answered, Answered], 2),
            ("error:DeleteConnection", vec![Answered, Answered], 2),
        ] {
            assert_eq!(outcomes(fault, 2), (expected, happened), "{fault}");
        }
        let throttled = || refused("ThrottlingException");
        assert_eq!(
            outcomes("throttle:CreateConnection:2", 3),
            (vec![throttled(), throttled(), Answered], 1)
        );
    }

    #[test]
    fn a_fault_that_can_never_happen_is_refused() {
        for text in [
            "lost",
            "late:CreateConnection",
            "lost:CreateLog",
            "lost:CreateLag:x",
            "slow=x:*",
            "hold:#x",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_is_shown_as_it_is_ordered() {
        for kind in [
            "throttle",
            "cut-before",
            "slow=20",
            "unknown-state",
            "late=9",
        ] {
            let fault: Fault = format!("{kind}:*").parse().unwrap();
            assert_eq!(fault.kind.to_string(), kind);
        }
    }
}
