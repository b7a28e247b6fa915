//! What FRR's operator can do to it.

use std::time::Duration;

use bgp_core::Family;
use lab::wait;

use super::theirs::{Theirs, all_up, bfd, our_text};
use crate::Bench;
use crate::ours::{Ours, PATIENCE};
use crate::pair::Pair;

/// RFC 5882 §3.2: BGP goes on, and BFD is there again afterwards.
pub(super) fn administrative_down(bench: &Bench) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    let family = Family::Ipv4;
    let ours = Ours::start(
        bench,
        &pair.ours,
        &our_text(family, "{ interval = \"100ms\" }"),
    )?;
    let theirs = Theirs::frr(bench, &pair.theirs, family)?;
    all_up(&ours, &theirs)?;

    theirs.ask(&["configure terminal", "bfd", "profile fast", "shutdown"])?;
    wait::until("the far end is AdminDown", PATIENCE, || {
        let peer = ours.peer("them")?;
        match bfd(&peer)?.remote_state.as_str() {
            "AdminDown" => Ok(()),
            _ => Err(format!("{peer:?}")),
        }
    })?;
    wait::while_holding(
        "BGP stays Established",
        Duration::from_secs(2),
        || match ours.established("them")? {
            peer if peer.flaps == 0 => Ok(()),
            peer => Err(format!("{peer:?}")),
        },
    )?;

    theirs.ask(&["configure terminal", "bfd", "profile fast", "no shutdown"])?;
    let after = all_up(&ours, &theirs)?;
    anyhow::ensure!(after.flaps == 0, "BGP has flapped: {after:?}");
    Ok(())
}
