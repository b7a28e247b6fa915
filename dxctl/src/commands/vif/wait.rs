//! `dxctl vif wait`, and `--wait` of the other commands.

use std::time::Duration;

use super::super::find_vif;
use super::present;
use crate::Verdict;
use crate::aws::{AwsError, DirectConnect, Filter, VirtualInterface};
use crate::cli::{Global, Goal, VifWaitArgs};
use crate::wait::Judgement;

pub(super) async fn run(args: VifWaitArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let id = find_vif(&aws, &args.vif).await?.id;
    let vif = until(&aws, &id, args.goal, args.timeout).await?;
    present(&vif, global)
}

/// Looks until the goal is met, can't be met any more, or the time is over.
pub(super) async fn until(
    aws: &impl DirectConnect,
    id: &str,
    goal: Goal,
    limit: Duration,
) -> anyhow::Result<VirtualInterface> {
    let look = async || {
        let vif = look(aws, id).await?;
        let seen = describe(&vif);
        let judged = match judge(&vif, goal) {
            Judgement::Met(()) => Judgement::Met(vif),
            Judgement::NotYet => Judgement::NotYet,
            Judgement::Never(why) => Judgement::Never(why),
        };
        Ok((seen, judged))
    };
    crate::wait::until(id, goal_name(goal), limit, look).await
}

/// AWS has made it.
pub(crate) fn provisioned(vif: &VirtualInterface) -> Judgement<()> {
    judge(vif, Goal::Provisioned)
}

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

fn judge(vif: &VirtualInterface, goal: Goal) -> Judgement<()> {
    let gone = matches!(vif.state.as_str(), "deleting" | "deleted" | "rejected");
    match goal {
        Goal::Deleted if vif.state == "deleted" => Judgement::Met(()),
        Goal::Deleted => Judgement::NotYet,
        _ if gone => Judgement::Never(format!("{} is {}", vif.id, vif.state)),
        Goal::Provisioned => match vif.state.as_str() {
            // `down` is a successful create: BGP is not up yet.
            "available" | "down" | "testing" => Judgement::Met(()),
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
                Judgement::Met(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::tests::vif;

    #[test]
    fn down_is_a_successful_create() {
        assert_eq!(
            judge(&vif("a", 1, "down"), Goal::Provisioned),
            Judgement::Met(())
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
        assert_eq!(judge(&both, Goal::Up), Judgement::Met(()));
        let mut second = both.peers[0].clone();
        second.status = Some("down".into());
        both.peers.push(second);
        assert_eq!(judge(&both, Goal::Up), Judgement::NotYet);
        both.peers.clear();
        assert_eq!(judge(&both, Goal::Up), Judgement::NotYet);
    }
}
