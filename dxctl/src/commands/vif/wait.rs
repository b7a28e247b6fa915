//! `dxctl vif wait`, and `--wait` of the other commands.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::super::find_vif;
use super::present;
use crate::aws::{AwsError, DirectConnect, Filter, Outcome, VirtualInterface};
use crate::cli::{Global, Goal, VifWaitArgs};
use crate::output::note;
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifWaitArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let id = find_vif(&aws, &args.vif).await?.id;
    let vif = until(&aws, &id, args.goal, args.timeout).await?;
    present(&vif, global)
}

/// Looks again and again, ever less often, until the goal is met, can't be met
/// any more, or the time is over.
pub(super) async fn until(
    aws: &impl DirectConnect,
    id: &str,
    goal: Goal,
    limit: Duration,
) -> anyhow::Result<VirtualInterface> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut progress = Progress::new();
    loop {
        match look(aws, id).await {
            Ok(vif) => {
                progress.say(id, &describe(&vif), start.elapsed());
                match judge(&vif, goal) {
                    Judgement::Met => {
                        progress.end();
                        return Ok(vif);
                    }
                    Judgement::Never(why) => {
                        progress.end();
                        return Err(Refused::new(why).into());
                    }
                    Judgement::NotYet => {}
                }
            }
            // One lost answer is no reason to stop looking.
            Err(error) if error.outcome == Outcome::Refused => return Err(error.into()),
            Err(error) if start.elapsed() >= limit => return Err(error.into()),
            Err(error) => progress.say(id, error.cause(), start.elapsed()),
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            progress.end();
            return Err(Refused::new(format!(
                "{id} is not {} after {} s: look again with dxctl vif show {id}",
                goal_name(goal),
                limit.as_secs()
            ))
            .into());
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// A deleted interface that AWS lists no more is deleted.
async fn look(aws: &impl DirectConnect, id: &str) -> Result<VirtualInterface, AwsError> {
    let found = aws.virtual_interfaces(Filter::Id(id)).await?;
    Ok(found
        .into_iter()
        .find(|vif| vif.id == id)
        .unwrap_or_else(|| VirtualInterface::unlisted(id)))
}

fn describe(vif: &VirtualInterface) -> String {
    let peers = vif.peers.iter().filter_map(|peer| {
        peer.status
            .as_ref()
            .map(|status| format!("{} BGP {status}", peer.family))
    });
    std::iter::once(vif.state.clone())
        .chain(peers)
        .collect::<Vec<_>>()
        .join(", ")
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Met,
    NotYet,
    Never(String),
}

fn judge(vif: &VirtualInterface, goal: Goal) -> Judgement {
    let gone = matches!(vif.state.as_str(), "deleting" | "deleted" | "rejected");
    match goal {
        Goal::Deleted if vif.state == "deleted" => Judgement::Met,
        Goal::Deleted => Judgement::NotYet,
        _ if gone => Judgement::Never(format!("{} is {}", vif.id, vif.state)),
        Goal::Provisioned => match vif.state.as_str() {
            // `down` is a successful create: BGP is not up yet.
            "available" | "down" | "testing" => Judgement::Met,
            "confirming" => Judgement::Never(format!(
                "{} waits for its owner's confirmation: the owner of the other account has to accept it",
                vif.id
            )),
            _ => Judgement::NotYet,
        },
        Goal::Up => {
            let up = !vif.peers.is_empty()
                && vif
                    .peers
                    .iter()
                    .all(|peer| peer.status.as_deref() == Some("up"));
            if up {
                Judgement::Met
            } else {
                Judgement::NotYet
            }
        }
    }
}

fn goal_name(goal: Goal) -> &'static str {
    match goal {
        Goal::Provisioned => "provisioned",
        Goal::Up => "up",
        Goal::Deleted => "deleted",
    }
}

/// On a terminal one line that updates; otherwise a line for each change.
struct Progress {
    terminal: bool,
    last: String,
}

impl Progress {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    fn say(&mut self, id: &str, what: &str, waited: Duration) {
        if self.terminal {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{id}: {what} ({} s)", waited.as_secs());
            let _ = err.flush();
        } else if self.last != what {
            note(format_args!("{id}: {what} ({} s)", waited.as_secs()));
        }
        what.clone_into(&mut self.last);
    }

    fn end(&mut self) {
        if self.terminal {
            note("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::tests::vif;

    #[test]
    fn down_is_a_successful_create() {
        assert_eq!(
            judge(&vif("a", 1, "down"), Goal::Provisioned),
            Judgement::Met
        );
        assert_eq!(
            judge(&vif("a", 1, "pending"), Goal::Provisioned),
            Judgement::NotYet
        );
    }

    #[test]
    fn an_unknown_state_is_waited_through() {
        assert_eq!(
            judge(&vif("a", 1, "approving"), Goal::Provisioned),
            Judgement::NotYet
        );
    }

    #[test]
    fn what_can_not_come_is_not_waited_for() {
        for state in ["rejected", "deleting", "deleted", "confirming"] {
            let judged = judge(&vif("a", 1, state), Goal::Provisioned);
            assert!(matches!(judged, Judgement::Never(_)), "{state}");
        }
    }

    #[test]
    fn up_means_every_session() {
        let mut both = vif("a", 1, "available");
        assert_eq!(judge(&both, Goal::Up), Judgement::Met);
        let mut second = both.peers[0].clone();
        second.status = Some("down".into());
        both.peers.push(second);
        assert_eq!(judge(&both, Goal::Up), Judgement::NotYet);
        both.peers.clear();
        assert_eq!(judge(&both, Goal::Up), Judgement::NotYet);
    }
}
