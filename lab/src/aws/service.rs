//! The simulator as it runs: shared by the API's requests and the thread that
//! keeps the router as the API says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::error::{ApiError, ErrorKind};
use super::fault::{Failure, Faults};
use super::id::Ids;
use super::policy::Policy;
use super::router::{AwsRouter, VifIntent};
use super::simulator::{Caller, Simulator, Time};

pub struct Service {
    simulator: Mutex<Simulator>,
    request_ids: Mutex<Ids>,
    regions: Vec<String>,
    clock: Clock,
    faults: Faults,
    /// Of every caller; `None`: everything is allowed.
    policy: Mutex<Option<Policy>>,
    stopping: AtomicBool,
}

/// The simulated world's time, which may run faster than ours.
pub struct Clock {
    /// Both ends of the scale's origin.
    simulated: Time,
    started: Instant,
    /// Simulated seconds a second.
    scale: f64,
}

impl Clock {
    pub fn start(scale: f64) -> Self {
        let simulated = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            simulated,
            started: Instant::now(),
            scale,
        }
    }

    pub fn now(&self) -> Time {
        self.simulated + self.started.elapsed().mul_f64(self.scale)
    }
}

impl Service {
    pub fn new(simulator: Simulator, clock: Clock, faults: Faults, random: u64) -> Self {
        let regions = simulator.regions().to_vec();
        let request_ids = Mutex::new(Ids::new(!random));
        Self {
            simulator: Mutex::new(simulator),
            request_ids,
            regions,
            clock,
            faults,
            policy: Mutex::new(None),
            stopping: AtomicBool::new(false),
        }
    }

    pub async fn call(
        self: &Arc<Self>,
        caller: Caller,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        let (service, account, named) = (
            Arc::clone(self),
            caller.account.clone(),
            operation.to_owned(),
        );
        let call = move || {
            service.permitted(&caller, &named)?;
            service.carry_out(&caller, &named, input)
        };
        self.faults.around(&account, operation, call).await
    }

    /// From now on; `None` allows everything.
    pub fn permit(&self, policy: Option<Policy>) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    fn permitted(&self, caller: &Caller, operation: &str) -> Result<(), ApiError> {
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        match policy
            .as_ref()
            .is_none_or(|policy| policy.allows(operation))
        {
            true => Ok(()),
            false => Err(ApiError::new(
                ErrorKind::AccessDenied,
                format!(
                    "User: arn:aws:iam::{}:user/lab is not authorized to perform: directconnect:{operation}",
                    caller.account
                ),
            )),
        }
    }

    /// Past all faults and policies.
    pub fn carry_out(
        &self,
        caller: &Caller,
        operation: &str,
        input: Value,
    ) -> Result<Value, ApiError> {
        self.lock().call(caller, operation, input, self.clock.now())
    }

    /// Where it can be called.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    pub fn request_id(&self) -> String {
        self.request_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .uuid()
    }

    /// Keeps `router` as the API's state wants it and takes its sessions'
    /// states back, until [`Self::stop`]. Never holds the state while the
    /// router works.
    pub fn drive(&self, router: &mut dyn AwsRouter) {
        let mut applied: Option<Vec<VifIntent>> = None;
        let mut complaint = String::new();
        while !self.stopping.load(Ordering::Relaxed) {
            let intents = self.intents();
            let outcome = if applied.as_ref() == Some(&intents) {
                Ok(())
            } else {
                router.apply(&intents)
            };
            let outcome = outcome
                .map(|()| applied = Some(intents))
                .and_then(|()| router.status());
            match outcome {
                Ok(sessions) => {
                    complaint.clear();
                    self.lock().observe(sessions);
                }
                Err(error) => {
                    applied = None;
                    let text = format!("{error:#}");
                    if text != complaint {
                        tracing::warn!(error = text, "the router is not as it should be");
                        complaint = text;
                    }
                }
            }
            std::thread::sleep(POLL);
        }
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn intents(&self) -> Vec<VifIntent> {
        let now = self.clock.now();
        let mut simulator = self.lock();
        simulator.advance(now);
        simulator.intents()
    }

    /// A panic inside a call leaves the state as consistent as an early return
    /// does: each operation checks first and changes last.
    fn lock(&self) -> MutexGuard<'_, Simulator> {
        self.simulator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often the router is looked at.
const POLL: Duration = Duration::from_millis(100);
