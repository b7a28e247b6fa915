//! The simulated AWS as something that runs: started, asked for its URL,
//! stopped when dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::oneshot;

use super::error::ApiError;
use super::fault::{Fault, Faults};
use super::http;
use super::policy::Policy;
use super::router::AwsRouter;
use super::seed::Seed;
use super::service::{Clock, Service};
use super::simulator::{Caller, Delays, Simulator};

pub struct Settings {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub seed: Seed,
    /// Simulated seconds a second.
    pub time_scale: f64,
    /// The same number, the same ids.
    pub random: u64,
    pub faults: Vec<Fault>,
}

/// A running simulator: one thread serves the API, one drives the router.
pub struct Server {
    address: SocketAddr,
    service: Arc<Service>,
    stop_serving: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Returns once the API can be called.
    pub fn start(settings: Settings, mut router: Box<dyn AwsRouter>) -> anyhow::Result<Self> {
        let Settings {
            listen,
            seed,
            time_scale,
            random,
            faults,
        } = settings;
        let listener = std::net::TcpListener::bind(listen)
            .with_context(|| format!("can't listen on {listen}: choose another address or port"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let clock = Clock::start(time_scale);
        let simulator = Simulator::new(seed, Delays::default(), clock.now(), random);
        let service = Arc::new(Service::new(simulator, clock, Faults::new(faults), random));

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop_serving, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&service);
        let serving = std::thread::Builder::new()
            .name("aws-api".into())
            .spawn(move || {
                let outcome = runtime.block_on(async {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    tokio::select! {
                        outcome = http::serve(listener, served) => outcome,
                        _ = stopped => Ok(()),
                    }
                });
                if let Err(error) = outcome {
                    tracing::error!(%error, "the API has stopped");
                }
            })?;
        let driven = Arc::clone(&service);
        let driving = std::thread::Builder::new()
            .name("aws-router".into())
            .spawn(move || driven.drive(router.as_mut()))?;
        Ok(Self {
            address,
            service,
            stop_serving: Some(stop_serving),
            threads: vec![serving, driving],
        })
    }

    /// The faults on order and the calls so far.
    pub fn faults(&self) -> &Faults {
        self.service.faults()
    }

    /// Denies every caller what the policy doesn't allow.
    pub fn permit(&self, policy: Option<Policy>) {
        self.service.permit(policy);
    }

    /// What the API would answer, by no call that is counted or goes wrong.
    pub fn ask(&self, caller: &Caller, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.service.carry_out(caller, operation, input)
    }

    /// For `AWS_ENDPOINT_URL_DIRECT_CONNECT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    /// Stops both, and with its thread the router goes too.
    fn drop(&mut self) {
        self.service.stop();
        drop(self.stop_serving.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the simulated AWS has panicked");
            }
        }
    }
}
