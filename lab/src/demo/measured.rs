//! Traffic across the world, and what has to be seen of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::narrator::{Narrator, milliseconds};
use crate::wait::{self, Unmet, ensure};
use crate::world::{Direction, Flow, Outcome, VPC_HOST, World};

/// Which way a packet came, by the routers that it passed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Edge, AWS.
    DirectConnect,
    /// Edge, the internet, AWS.
    Internet,
}

impl Way {
    pub(super) const fn ttl(self) -> u8 {
        match self {
            Self::DirectConnect => 62,
            Self::Internet => 61,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::DirectConnect => "Direct Connect",
            Self::Internet => "the internet path",
        }
    }
}

pub(super) fn start_flow(world: &World) -> anyhow::Result<Flow> {
    let to = SocketAddr::from((VPC_HOST, 7));
    Ok(Flow::start(
        &world.onprem,
        (&world.vpc, to),
        Duration::from_millis(1),
    )?)
}

pub(super) fn traffic(world: &World, how_long: Duration) -> anyhow::Result<Outcome> {
    let flow = start_flow(world)?;
    let paused = wait::pause(how_long);
    let outcome = flow.stop();
    paused?;
    Ok(outcome)
}

/// Whether both ends of the trunk have (`1`) or lack (`0`) carrier.
pub(super) fn carriers(world: &World, wanted: char) -> Result<(), String> {
    for (router, port) in [(&world.edge, "eth1"), (&world.aws, "dx0")] {
        let link = router
            .show(&format!("link show dev {port}"))
            .map_err(|error| error.to_string())?;
        let has = if link.contains("NO-CARRIER") {
            '0'
        } else {
            '1'
        };
        if has != wanted {
            return Err(format!("{} {port}: carrier {has}", router.name()));
        }
    }
    Ok(())
}

/// Every packet came, the same way, in both directions.
pub(super) fn expect_all(outcome: &Outcome, way: Way) -> Result<(), Unmet> {
    for (direction, name) in directions(outcome) {
        let all = direction.lost == 0 && direction.by_ttl.keys().eq([&way.ttl()]);
        let expected = format!("every packet {name} arrives over {}", way.name());
        ensure(all && direction.received > 0, expected, describe(direction))?;
    }
    Ok(())
}

/// The last packets came this way, in both directions.
pub(super) fn expect_end(outcome: &Outcome, way: Way) -> Result<(), Unmet> {
    for (direction, name) in directions(outcome) {
        let expected = format!("traffic {name} ends up on {}", way.name());
        ensure(
            direction.last_ttl == Some(way.ttl()),
            expected,
            describe(direction),
        )?;
    }
    Ok(())
}

/// Traffic moved to this way, and was not gone for longer than this.
pub(super) fn expect_move(outcome: &Outcome, way: Way, longest: Duration) -> Result<(), Unmet> {
    expect_end(outcome, way)?;
    for (direction, name) in directions(outcome) {
        let moved = direction.by_ttl.len() == 2;
        ensure(
            moved,
            format!("traffic {name} begins on the other path"),
            describe(direction),
        )?;
        let expected = format!("an outage {name} below {}", milliseconds(longest));
        ensure(direction.outage < longest, expected, describe(direction))?;
    }
    Ok(())
}

fn directions(outcome: &Outcome) -> [(&Direction, &'static str); 2] {
    [
        (&outcome.forth, "to the VPC"),
        (&outcome.back, "from the VPC"),
    ]
}

fn describe(direction: &Direction) -> String {
    let ways: Vec<String> = direction
        .by_ttl
        .iter()
        .map(|(ttl, count)| {
            let way = [Way::DirectConnect, Way::Internet]
                .into_iter()
                .find(|way| way.ttl() == *ttl);
            format!("{count} over {}", way.map_or("another way", Way::name))
        })
        .collect();
    format!(
        "{} received ({}), {} lost, outage {}",
        direction.received,
        ways.join(", "),
        direction.lost,
        milliseconds(direction.outage)
    )
}

pub(super) fn say_move(narrator: &Narrator, outcome: &Outcome, way: Way) {
    narrator.observed(&format!(
        "traffic moved to {}, measured at the receivers:",
        way.name()
    ));
    for (direction, name) in directions(outcome) {
        narrator.say(&format!(
            "  {name:<13} lost {} of {} packets, outage {}, {} reordered ({})",
            direction.lost,
            direction.lost + direction.received,
            milliseconds(direction.outage),
            direction.reordered,
            describe_ways(direction),
        ));
    }
    narrator.say(&format!(
        "  (the sender itself paused for up to {})",
        milliseconds(outcome.pause)
    ));
}

fn describe_ways(direction: &Direction) -> String {
    let count = |way: Way| direction.by_ttl.get(&way.ttl()).copied().unwrap_or(0);
    format!(
        "{} over Direct Connect, {} over the internet",
        count(Way::DirectConnect),
        count(Way::Internet)
    )
}

/// Where a link's carrier tells.
pub(super) const AT_ONCE: Duration = Duration::from_secs(1);
/// Where BFD has to, 300 ms × 3, on a slow machine. BGP's own way, the hold timer,
/// would take 90 s.
pub(super) const BY_BFD: Duration = Duration::from_secs(4);
