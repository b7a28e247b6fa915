//! BFD (RFC 5880) between the text's daemon and a neighbor that has it.

use std::time::{Duration, Instant};

use lab::wait;
use vendor_configs::{Bfd, RouterLink};

use super::aws::{self, Sent};
use super::theirs::Theirs;
use super::{WIRE, private, wired};
use crate::Bench;
use crate::foreign::Daemon;
use crate::pair::Pair;

/// Detection takes 0.9 s; the rest is a busy machine's. The hold time is 90 s.
const DETECTED: Duration = Duration::from_secs(3);
/// A session that BFD has ended once may wait a minute before it tries again.
const SETTLED: Duration = Duration::from_secs(100);

pub(super) fn silence(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let link = private()?;
    let pair = wired(bench, &link)?;
    let sent: [Sent; 2] = [("172.31.0.0/16", &[]), ("fd00:172::/56", &[])];
    let aws = aws::with_bird(bench, &pair.ours, &link, &sent, Some(Bfd::default()))?;
    let theirs = Theirs::start(bench, &pair.theirs, daemon, &link)?;
    let mut since = None;
    wait::until("BFD and BGP are up at both ends for 2 s", SETTLED, || {
        let up = aws
            .sessions_are_up()
            .and_then(|()| aws_sees_bfd(&aws, &link))
            .and_then(|()| theirs.bfd_is_up());
        if let Err(seen) = up {
            since = None;
            return Err(seen);
        }
        let up_for = since.get_or_insert_with(Instant::now).elapsed();
        (up_for > Duration::from_secs(2))
            .then_some(())
            .ok_or_else(|| format!("up for {} ms", up_for.as_millis()))
    })
    .map_err(|error| theirs.explain(&error))?;
    fall_silent(&pair, &link)?;
    let silent = Instant::now();
    wait::until("BFD has ended both sessions", DETECTED, || {
        theirs.ended_by_bfd()
    })?;
    // Not the hold time, and not before there was anything to notice.
    let detected = silent.elapsed();
    wait::ensure(
        detected > Duration::from_millis(500),
        "BFD waits for three packets that don't come",
        format!("{} ms", detected.as_millis()),
    )?;
    Ok(())
}

fn aws_sees_bfd(aws: &aws::ByBird, link: &RouterLink) -> Result<(), String> {
    let said = aws.ask("show bfd sessions");
    let said = said.map_err(|error| format!("{error:#}"))?;
    (said.matches(" Up ").count() == link.sessions.len())
        .then_some(())
        .ok_or(said)
}

/// What AWS sends goes to a station that isn't there: no carrier is lost.
fn fall_silent(pair: &Pair, link: &RouterLink) -> anyhow::Result<()> {
    for session in &link.sessions {
        pair.ours.ip(&format!(
            "neighbor replace {} lladdr 02:00:00:00:00:99 dev {WIRE} nud permanent",
            session.local.addr()
        ))?;
    }
    Ok(())
}
