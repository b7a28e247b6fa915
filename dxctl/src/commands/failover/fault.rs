//! What takes the sessions down, and ends that again.

use std::time::Duration;

use super::super::answered;
use crate::Refused;
use crate::aws::{AwsError, Client, Outcome};
use crate::control::Control;
use crate::output::note;

/// Whose doing it is.
pub(super) enum Fault {
    /// StartBgpFailoverTest: AWS.
    Test { aws: Box<Client>, vif: String },
    /// bgpd.
    Drill { control: Control, name: String },
}

/// Why it could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{0:#}")]
    Bgpd(anyhow::Error),
}

impl StartError {
    /// Then it has to be stopped.
    pub(super) fn may_have_started(&self) -> bool {
        match self {
            Self::Aws(error) => error.outcome == Outcome::Unknown,
            Self::Bgpd(error) => !error.is::<Refused>(),
        }
    }
}

/// At least a minute more than asked for: AWS has to act first.
const SPARE: Duration = Duration::from_secs(60);
const DRILL_SPARE: Duration = Duration::from_secs(10);
/// AWS's limit for a test, and bgpd's for a drill.
const MAX_MINUTES: u64 = 4320;
const MAX_SECONDS: u64 = 3600;
/// How often it is tried to stop it, and how long in between at first.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

impl Fault {
    /// AWS's and bgpd's limits, less what is added to be sure.
    pub(super) fn check(&self, duration: Duration) -> Result<(), Refused> {
        let (who, longest) = match self {
            Self::Test { .. } => ("AWS", Duration::from_secs(MAX_MINUTES * 60) - SPARE),
            Self::Drill { .. } => ("bgpd", Duration::from_secs(MAX_SECONDS) - DRILL_SPARE),
        };
        if duration <= longest {
            return Ok(());
        }
        Err(Refused::new(format!(
            "--duration: {who} takes {} s at most",
            longest.as_secs()
        )))
    }

    /// Ends by itself, a little after `duration`, should nobody stop it.
    pub(super) async fn start(&self, duration: Duration) -> Result<(), StartError> {
        match self {
            Self::Test { aws, vif } => {
                let minutes = (duration + SPARE).as_secs().div_ceil(60);
                let minutes = i32::try_from(minutes.clamp(1, MAX_MINUTES)).unwrap_or(1);
                Ok(aws.start_failover_test(vif, minutes).await?)
            }
            Self::Drill { control, name } => {
                let seconds = (duration + DRILL_SPARE).as_secs_f64().ceil() as u64;
                let concerned = answered(control.drill(name, seconds.min(MAX_SECONDS)).await);
                concerned.map(drop).map_err(StartError::Bgpd)
            }
        }
    }

    /// Tries again and again before it gives up.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.stop_once().await {
                Ok(()) => return Ok(()),
                Err(error) => note(format_args!("{error:#}\ntrying again …")),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.stop_once().await
    }

    async fn stop_once(&self) -> anyhow::Result<()> {
        match self {
            Self::Test { aws, vif } => Ok(aws.stop_failover_test(vif).await?),
            Self::Drill { control, name } => match answered(control.stop_drill(name).await) {
                Ok(_) => Ok(()),
                // Nothing is running: it has ended by itself.
                Err(error) if error.is::<Refused>() => Ok(()),
                Err(error) => Err(error),
            },
        }
    }

    /// What the operator can do where [`stop`](Self::stop) could not.
    pub(super) fn by_hand(&self) -> String {
        match self {
            Self::Test { vif, .. } => format!(
                "Stop it by hand: aws directconnect stop-bgp-failover-test --virtual-interface-id {vif}\n\
                 (or in the console). AWS ends it by itself when its time is over."
            ),
            Self::Drill { name, .. } => format!(
                "bgpd ends the drill of {name} by itself when its time is over; at once: restart bgpd."
            ),
        }
    }
}
