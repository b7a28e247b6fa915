//! Makes AWS as a plan says, and survives being killed at any point.
//!
//! There is no client token, so nothing is asked for blindly: each step stands
//! in the [`Journal`] before its call goes out, a call without a clear answer is
//! followed by a look, and a later run plans anew from what AWS has. What a
//! killed run left unfinished is looked for before it is made again.

mod journal;
mod keys;
mod lock;
mod macsec;
mod observe;
mod our_end;
mod perform;
mod replace;
pub(crate) mod session;
mod until;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::Refused;
use crate::aws::DirectConnect;
use crate::output::note;
use crate::plan::{self, Call, Plan, Wanted};

pub(crate) use journal::{Journal, JournalError};
pub(crate) use keys::{key, known_keys};
pub(crate) use lock::KeyLock;
pub(crate) use observe::observe;
pub(crate) use our_end::{CameUp, Mark, OurEnd};
pub(crate) use replace::{Overtaken, replace};

/// What a run has, and what it has made so far.
pub(crate) struct Apply<'a, A> {
    pub(crate) aws: &'a A,
    pub(crate) wanted: Wanted<'a>,
    pub(crate) journal: Journal,
    /// How long to wait for one state.
    pub(crate) limit: Duration,
    /// Where bgpd answers, unless the file says.
    pub(crate) socket: PathBuf,
    pub(crate) made: Made,
}

/// Identifiers by the file's names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) gateways: BTreeMap<String, String>,
    pub(crate) vifs: BTreeMap<String, String>,
    /// bgpd's sessions that were restarted, and from when on.
    pub(crate) restarted: Vec<(OurEnd, Mark)>,
}

impl<A: DirectConnect> Apply<'_, A> {
    /// Waits until what a killed run may have asked for is there, or can't come
    /// any more. Only Direct Connect gateways: everything else AWS refuses to make
    /// twice.
    pub(crate) async fn settle(&self, patience: Duration) -> anyhow::Result<()> {
        let mut told = false;
        while let Some(name) = self.missing_gateway(patience).await? {
            if !told {
                note(format_args!(
                    "the last run ended while it was making gateway {name:?}: waiting whether it appears …"
                ));
                told = true;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn missing_gateway(&self, patience: Duration) -> anyhow::Result<Option<String>> {
        let young = self.journal.unfinished().iter();
        let young = young.filter(|intent| intent.age() < patience);
        let names: Vec<&str> = young.filter_map(|intent| intent.gateway()).collect();
        if names.is_empty() {
            return Ok(None);
        }
        let there = self.aws.gateways().await?;
        let is_there = |name: &&str| {
            let mut live = there.iter().filter(|gateway| !gateway.is_gone());
            live.any(|gateway| gateway.name == **name)
        };
        let missing = names.into_iter().find(|name| !is_there(name));
        Ok(missing.map(str::to_owned))
    }

    /// Every step in order; then waits until AWS has done what takes it time.
    pub(crate) async fn execute(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.made.vifs.extend(plan.vif_ids.clone());
        self.made.gateways.extend(plan.gateway_ids.clone());
        let count = plan.steps.len();
        let mut awaits_vifs = false;
        for (at, step) in plan.steps.iter().enumerate() {
            if awaits_vifs && !matches!(step.call, Call::CreateVif { .. }) {
                self.vifs_provisioned().await?;
                awaits_vifs = false;
            }
            let label = step.label();
            self.journal.intent(&label, step)?;
            let id = self.perform(step).await?;
            self.journal.done(&label)?;
            note(format_args!(
                "[{}/{count}] {label}{}",
                at + 1,
                told(id.as_ref())
            ));
            awaits_vifs |= matches!(step.call, Call::CreateVif { .. });
        }
        // Those too that an earlier run asked for and didn't wait for.
        self.vifs_provisioned().await?;
        self.associations_settled().await
    }

    /// Whether AWS is now as wanted; what isn't was changed by somebody else.
    pub(crate) async fn verify(&self) -> anyhow::Result<()> {
        let observed = observe(self.aws, self.wanted.site).await?;
        let left = plan::plan(self.wanted, &observed)?;
        if left.is_empty() {
            return Ok(());
        }
        Err(Refused::new(format!(
            "everything was done, and yet AWS differs from the site file; is another program at work? Look with dxctl plan:\n{}",
            plan::listing(&left)
        ))
        .into())
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn told(id: Option<&String>) -> String {
    id.map(|id| format!(": {id}")).unwrap_or_default()
}
