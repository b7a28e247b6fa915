//! One round of each fault.

use std::time::Duration;

use anyhow::{Context, ensure};
use bgp_core::api::Events;

use super::arena::{EDGE_ASN, Link, Way};
use super::far::Act;
use super::fault::Fault;
use super::router::Router;
use super::stage::{INTERVAL, Stage};
use super::traffic::{self, Flow, Outcome, Returning};
use super::verdict::Verdict;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::speaker::Speaker;
use crate::wait;

/// Lost packets as time.
const OUTAGE: Quantity = Quantity::milliseconds("outage");
/// From the first lost packet to the last.
const SPAN: Quantity = Quantity::milliseconds("first to last");
const LOST: Quantity = Quantity::count("lost");
/// From the fault to the first packet of those that go the other way for good;
/// the fault is a command that takes some milliseconds itself.
const MOVED_AFTER: Quantity = Quantity::milliseconds("moved after");
const MOVES: Quantity = Quantity::count("moves");
/// Packets lost by the return.
const RETURN_LOST: Quantity = Quantity::count("lost by the return");
/// How long after our traffic the far end was told to move its own.
const TOLD_AFTER: Quantity = Quantity::milliseconds("far end told after");
/// bgpd's own word: from the event to the kernel's answer.
const SWAP: Quantity = Quantity {
    name: "swap",
    unit: "ms",
    digits: 3,
};
/// 1: bgpd's events say what is wanted.
const NAMED: Quantity = Quantity::count("named");
const CPU_SHARE: Quantity = Quantity {
    name: "CPU",
    unit: "% of a core",
    digits: 2,
};
const MEMORY: Quantity = Quantity::megabytes("memory");

pub fn run(fault: Fault, stage: &mut Stage, quiet: Duration) -> anyhow::Result<Figures> {
    let figures = match fault {
        Fault::Flaps => flaps(stage),
        Fault::Quiet => nothing_moves(stage, quiet),
        Fault::Worse => worse(stage),
        Fault::Spike => spike(stage),
        Fault::Overhead => overhead(stage),
        Fault::Dead => dead(stage),
        Fault::Drain => drain(stage),
        Fault::Direction => direction(stage),
        _ => fail_and_return(fault, stage),
    };
    figures.with_context(|| stage.last_words())
}

/// A fault that is to move the traffic, and its end, which is to bring it back.
fn fail_and_return(fault: Fault, stage: &mut Stage) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let returning = match fault {
        Fault::Silent | Fault::Loss | Fault::OneWay => {
            Some(Returning::start(&stage.arena, Link::A, RETURN_INTERVAL)?)
        }
        _ => None,
    };
    let relay = match fault {
        Fault::Latency => Some(stage.arena.relay(Link::A)?),
        _ => None,
    };
    if returning.is_some() {
        // How much usually comes back has to be known before it stops.
        wait::pause(TAIL)?;
    }
    let seen = stage.last_event();
    let capture = stage.capture()?;
    let flow = stage.flow()?;
    wait::pause(LEAD)?;
    let since = match (&relay, fault) {
        (Some(relay), _) => {
            relay.hold(LATER);
            traffic::now()
        }
        (None, Fault::Again) => again(stage)?,
        (None, fault) => make(fault, stage)?,
    };
    let moved = stage.moves_to(&flow, Link::B, LIMIT)?;
    if is_soft(fault) {
        wait::pause(TAIL)?;
    }
    let outcome = flow.stop(INTERVAL);
    let verdict = Verdict::of(&outcome, since);
    let mut figures = told(fault, &verdict, moved);
    if let Some(capture) = capture {
        let arrivals = capture.stop()?;
        let theirs = Verdict::of(
            &Outcome {
                arrivals,
                ..outcome
            },
            since,
        );
        figures.push((OUTAGE_BY_TCPDUMP, milliseconds(theirs.outage)));
        figures.push((LOST_BY_TCPDUMP, theirs.lost as f64));
    }
    if stage.speaker == Speaker::Bgpd {
        figures.extend(stage.last_swap().map(|took| (SWAP, took)));
        if fault == Fault::OneWay {
            let named = stage.events_since(seen)?.contains("on the way out");
            figures.push((NAMED, f64::from(u8::from(named))));
        }
    }
    if fault == Fault::Loss {
        figures.extend(told_after(stage, &verdict, since).map(|told| (TOLD_AFTER, told)));
    }
    drop(returning);
    if let Some(relay) = relay {
        stage.arena.bridge(Link::A, relay)?;
    }
    let lost = heal(fault, stage)?;
    figures.extend(lost.map(|lost| (RETURN_LOST, lost as f64)));
    Ok(Figures(figures))
}

/// How long after our traffic moved the far end had our word that the path is
/// one to avoid; negative where it had it before. `None`: it never had.
fn told_after(stage: &Stage, verdict: &Verdict, since: u64) -> Option<f64> {
    let said = stage.far.state(Link::A).last_update?.elapsed();
    let said = traffic::now().saturating_sub(u64::try_from(said.as_nanos()).ok()?);
    let moved = since + u64::try_from(verdict.moved_after?.as_nanos()).ok()?;
    (said > since).then(|| (said as f64 - moved as f64) / 1e6)
}

fn told(fault: Fault, verdict: &Verdict, moved: bool) -> Vec<(Quantity, f64)> {
    let mut figures = vec![];
    if is_soft(fault) {
        // What is lost is the fault's own rate.
    } else {
        figures.push((OUTAGE, milliseconds(verdict.outage)));
        figures.push((SPAN, milliseconds(verdict.span)));
        figures.push((LOST, verdict.lost as f64));
    }
    let moved_after = match verdict.moved_after {
        Some(after) if moved => milliseconds(after),
        // It has not moved within that.
        _ => f64::INFINITY,
    };
    figures.push((MOVED_AFTER, moved_after));
    figures.push((MOVES, verdict.moves as f64));
    figures
}

const fn is_soft(fault: Fault) -> bool {
    matches!(fault, Fault::Loss | Fault::Latency | Fault::OneWay)
}

/// Makes the fault; when, by the clock that stamps packets.
fn make(fault: Fault, stage: &Stage) -> anyhow::Result<u64> {
    let arena = &stage.arena;
    let since = traffic::now();
    match fault {
        Fault::Carrier | Fault::Dead | Fault::Flaps => arena.cut(Link::A)?,
        Fault::Silent | Fault::Idle | Fault::IdleFast => arena.lose(Link::A, 1000, Way::Both)?,
        Fault::Loss => arena.lose(Link::A, 200, Way::Both)?,
        Fault::OneWay => arena.lose(Link::A, 200, Way::Out)?,
        Fault::Notification => stage.far.act(Link::A, Act::Notify),
        Fault::Reset => stage.far.act(Link::A, Act::Reset),
        Fault::Withdrawn => stage.far.act(Link::A, Act::Withdraw),
        other => anyhow::bail!("{other:?} is no fault of this kind"),
    }
    Ok(since)
}

/// The kernel tells of a change of carrier up to a second late when there was
/// another one just before, on any link.
fn again(stage: &Stage) -> anyhow::Result<u64> {
    stage.arena.change_another_link()?;
    wait::pause(Duration::from_millis(200))?;
    let since = traffic::now();
    stage.arena.cut(Link::A)?;
    Ok(since)
}

/// Ends the fault and waits until traffic is back; how many packets that lost.
fn heal(fault: Fault, stage: &mut Stage) -> anyhow::Result<Option<u64>> {
    let flow = stage.flow()?;
    wait::pause(LEAD)?;
    match fault {
        Fault::Carrier | Fault::Again | Fault::Dead => {
            stage.far.act(Link::A, Act::Abandon);
            stage.arena.mend(Link::A)?;
        }
        Fault::Silent | Fault::Idle | Fault::IdleFast => {
            stage.far.act(Link::A, Act::Abandon);
            stage.arena.lose_nothing(Link::A)?;
        }
        Fault::Loss | Fault::OneWay => stage.arena.lose_nothing(Link::A)?,
        Fault::Withdrawn => stage.far.act(Link::A, Act::Announce),
        Fault::Notification | Fault::Reset => stage.far.act(Link::A, Act::Abandon),
        _ => {}
    }
    let back = stage.moves_to(&flow, Link::A, RETURN)?;
    let verdict = Verdict::of(&flow.stop(INTERVAL), 0);
    ensure!(
        back,
        "traffic is not back after {} s: {verdict:?}",
        RETURN.as_secs()
    );
    // Where it never moved, what was lost until the healing is no return's.
    Ok((verdict.moves > 0).then_some(verdict.lost))
}

/// Nothing of the path fails: it is taken out of use, and back.
fn drain(stage: &mut Stage) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let mut figures = vec![];
    for (link, what) in [(Link::B, LOST), (Link::A, RETURN_LOST)] {
        let flow = stage.flow()?;
        wait::pause(LEAD)?;
        let since = traffic::now();
        stage.drain(link)?;
        let moved = stage.moves_to(&flow, link, RETURN)?;
        wait::pause(LEAD)?;
        let verdict = Verdict::of(&flow.stop(INTERVAL), since);
        ensure!(moved, "traffic has not moved: {verdict:?}");
        figures.push((what, verdict.lost as f64));
        if link == Link::B {
            let after = verdict.moved_after.map_or(f64::INFINITY, milliseconds);
            figures.push((MOVED_AFTER, after));
        }
    }
    Ok(Figures(figures))
}

/// How much later than ours BIRD's traffic moves, for each way of telling it that
/// is used while the session is up.
fn direction(stage: &mut Stage) -> anyhow::Result<Figures> {
    let mut figures = vec![];
    for (cause, quantity) in [
        (Fault::Drain, FAR_DRAINED),
        (Fault::Latency, FAR_LATE),
        (Fault::Loss, FAR_LOSSY),
    ] {
        stage.settle(Link::A, RETURN)?;
        for link in Link::BOTH {
            let control = stage.control();
            wait::until("BIRD's session", RETURN, || {
                control.established(link.name())
            })?;
        }
        let told = stage.told_to_bird(cause);
        figures.push((quantity, told.with_context(|| format!("{cause:?}"))?));
    }
    Ok(Figures(figures))
}

fn flaps(stage: &mut Stage) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let flow = stage.flow_every(SPARSE)?;
    wait::pause(LEAD)?;
    for _ in 0..20 {
        stage.arena.cut(Link::A)?;
        stage.far.act(Link::A, Act::Abandon);
        wait::pause(Duration::from_secs(2))?;
        stage.arena.mend(Link::A)?;
        wait::pause(Duration::from_secs(3))?;
    }
    let verdict = Verdict::of(&flow.stop(SPARSE), 0);
    Ok(Figures(vec![
        (MOVES, verdict.moves as f64),
        (LOST, verdict.lost as f64),
    ]))
}

/// Half a percent is lost all the time; of every two seconds there are 50 ms in
/// which a third is; the return traffic stops every other second.
fn nothing_moves(stage: &mut Stage, how_long: Duration) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let _hogs = stage.hogs(HOGS)?;
    let flow = stage.flow_every(SPARSE)?;
    let until = std::time::Instant::now() + how_long;
    stage.arena.lose_with_bursts(Link::A, 5, 300)?;
    while std::time::Instant::now() < until {
        let returning = Returning::start(&stage.arena, Link::A, RETURN_INTERVAL)?;
        wait::pause(Duration::from_secs(1))?;
        drop(returning);
        wait::pause(Duration::from_secs(1))?;
        stage.arena.burst(Link::A, BURST)?;
    }
    stage.arena.lose_nothing(Link::A)?;
    let verdict = Verdict::of(&flow.stop(SPARSE), 0);
    Ok(Figures(vec![
        (MOVES, verdict.moves as f64),
        (MINUTES, how_long.as_secs_f64() / 60.0),
    ]))
}

/// The other link is worse, or down: nothing is gained by moving.
fn worse(stage: &mut Stage) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let seen = stage.last_event();
    let flow = stage.flow()?;
    stage.arena.lose(Link::B, 330, Way::Both)?;
    wait::pause(TAIL)?;
    stage.arena.lose(Link::A, 200, Way::Both)?;
    wait::pause(2 * TAIL)?;
    stage.arena.cut(Link::B)?;
    wait::pause(TAIL)?;
    let verdict = Verdict::of(&flow.stop(INTERVAL), 0);
    let said = stage.events_since(seen)?.contains("no other way out is");
    stage.arena.lose_nothing(Link::A)?;
    stage.arena.lose_nothing(Link::B)?;
    stage.far.act(Link::B, Act::Abandon);
    stage.arena.mend(Link::B)?;
    Ok(Figures(vec![
        (MOVES, verdict.moves as f64),
        (NAMED, f64::from(u8::from(said))),
    ]))
}

/// What is on the link for an instant is 200 ms late.
fn spike(stage: &mut Stage) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let relay = stage.arena.relay(Link::A)?;
    let flow = stage.flow()?;
    wait::pause(LEAD)?;
    relay.hold(Duration::from_millis(200));
    wait::pause(Duration::from_millis(20))?;
    relay.hold(Duration::ZERO);
    wait::pause(TAIL)?;
    let verdict = Verdict::of(&flow.stop(INTERVAL), 0);
    stage.arena.bridge(Link::A, relay)?;
    Ok(Figures(vec![
        (MOVES, verdict.moves as f64),
        (LOST, verdict.lost as f64),
    ]))
}

/// Killed, and then the carrier goes; it comes back to what it finds.
fn dead(stage: &mut Stage) -> anyhow::Result<Figures> {
    stage.settle(Link::A, RETURN)?;
    let flow = stage.flow()?;
    wait::pause(LEAD)?;
    stage.kill();
    wait::pause(LEAD)?;
    let since = make(Fault::Dead, stage)?;
    let moved = stage.moves_to(&flow, Link::B, LIMIT)?;
    let verdict = Verdict::of(&flow.stop(INTERVAL), since);
    let mut figures = told(Fault::Dead, &verdict, moved);
    let flow: Flow = stage.flow()?;
    stage.far.act(Link::B, Act::Abandon);
    stage.restart_bgpd()?;
    wait::until("bgpd has its second session back", RETURN, || {
        let state = stage.far.state(Link::B);
        wait::ensure(state.up, "a session", "none").map_err(|unmet| unmet.seen)
    })?;
    wait::pause(TAIL)?;
    let restart = Verdict::of(&flow.stop(INTERVAL), 0);
    figures.push((RESTART_LOST, restart.lost as f64));
    let lost = heal(Fault::Dead, stage)?;
    figures.extend(lost.map(|lost| (RETURN_LOST, lost as f64)));
    Ok(Figures(figures))
}

/// No traffic: what the speaker's watching costs by itself.
fn overhead(stage: &mut Stage) -> anyhow::Result<Figures> {
    wait::pause(LEAD)?;
    let before = stage.usage()?;
    wait::pause(OVERHEAD)?;
    let after = stage.usage()?;
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    Ok(Figures(vec![
        (CPU_SHARE, cpu / OVERHEAD.as_secs_f64() * 100.0),
        (MEMORY, after.memory as f64 / 1e6),
    ]))
}

impl Stage {
    /// Milliseconds of the last swap that moved traffic.
    fn last_swap(&self) -> Option<f64> {
        let status = self.control().status().ok()?;
        let path = status
            .paths
            .into_iter()
            .find(|path| path.name == Link::A.name())?;
        Some(path.last_swap?.took as f64 / 1000.0)
    }

    fn last_event(&self) -> u64 {
        let events = self.events(0).unwrap_or_default().events;
        events.last().map_or(0, |event| event.sequence)
    }

    fn events(&self, after: u64) -> anyhow::Result<Events> {
        let text = self
            .control()
            .text("GET", &format!("/v1/events?after={after}"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Milliseconds from the first of our packets that goes the other way to BIRD's
    /// change of its route.
    fn told_to_bird(&mut self, cause: Fault) -> anyhow::Result<f64> {
        let relay = match cause {
            Fault::Latency => Some(self.arena.relay(Link::A)?),
            _ => None,
        };
        wait::until("BIRD prefers the first link", RETURN, || {
            Router::sends_by(&self.arena, Link::A)
        })?;
        let flow = self.flow()?;
        wait::pause(LEAD)?;
        let since = traffic::now();
        match (cause, &relay) {
            (_, Some(relay)) => relay.hold(LATER),
            (Fault::Drain, _) => self.drain(Link::B)?,
            _ => self.arena.lose(Link::A, 200, Way::Both)?,
        }
        let moved = self.moves_to(&flow, Link::B, LIMIT)?;
        let router = self.router.as_ref().context("invariant: BIRD is there")?;
        let theirs = wait::until("BIRD's traffic moves", LIMIT, || router.moved_after(since))?;
        Router::sends_by(&self.arena, Link::B).map_err(anyhow::Error::msg)?;
        let verdict = Verdict::of(&flow.stop(INTERVAL), 0);
        let ours = verdict.moved_after.filter(|_| moved);
        let ours = ours.context("our traffic has not moved")?.as_nanos() as f64;
        match (cause, relay) {
            (_, Some(relay)) => self.arena.bridge(Link::A, relay)?,
            (Fault::Drain, _) => self.drain(Link::A)?,
            _ => self.arena.lose_nothing(Link::A)?,
        }
        Ok((theirs as f64 - ours) / 1e6)
    }

    /// All that bgpd has logged since, as text.
    fn events_since(&self, after: u64) -> anyhow::Result<String> {
        Ok(serde_json::to_string(&self.events(after)?)?)
    }

    /// Takes the preferred path out of use, so that traffic goes to `B`, or back.
    fn drain(&self, to: Link) -> anyhow::Result<()> {
        let directory = self.directory.path().join("edge");
        match self.speaker {
            Speaker::Bgpd => {
                let verb = match to {
                    Link::A => "undrain",
                    Link::B => "drain",
                };
                self.control()
                    .post(&format!("/v1/{verb}"), "{\"name\":\"link_a\"}")?;
            }
            Speaker::Bird => {
                let verb = match to {
                    Link::A => "enable",
                    Link::B => "disable",
                };
                let socket = directory.join("bird.ctl").display().to_string();
                self.arena
                    .edge
                    .exec("birdc", &["-s", &socket, verb, Link::A.name()])?;
            }
            Speaker::Frr | Speaker::Openbgpd => {
                let no = match to {
                    Link::A => "no ",
                    Link::B => "",
                };
                let socket = directory.display().to_string();
                let router = format!("router bgp {EDGE_ASN}");
                let line = format!("{no}neighbor {} shutdown", Link::A.at_far());
                let words = [
                    "--vty_socket",
                    &socket,
                    "-c",
                    "configure terminal",
                    "-c",
                    &router,
                    "-c",
                    &line,
                ];
                self.arena.edge.exec("vtysh", &words)?;
            }
        }
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

const OUTAGE_BY_TCPDUMP: Quantity = Quantity::milliseconds("outage by tcpdump");
const LOST_BY_TCPDUMP: Quantity = Quantity::count("lost by tcpdump");
const FAR_DRAINED: Quantity = Quantity::milliseconds("BIRD after ours, drained");
const FAR_LATE: Quantity = Quantity::milliseconds("30 ms late");
const FAR_LOSSY: Quantity = Quantity::milliseconds("20 % lost");
const MINUTES: Quantity = Quantity {
    name: "watched",
    unit: "min",
    digits: 1,
};
/// Packets lost while bgpd comes back.
const RESTART_LOST: Quantity = Quantity::count("lost by the restart");
/// Of steady traffic before something happens.
const LEAD: Duration = Duration::from_millis(300);
/// How long a speaker has until it has not moved.
const LIMIT: Duration = Duration::from_secs(15);
/// Until it is sure that nothing moves back and forth.
const TAIL: Duration = Duration::from_secs(3);
const RETURN: Duration = Duration::from_secs(120);
/// 2,000 packets a second.
const RETURN_INTERVAL: Duration = Duration::from_micros(500);
/// For minutes of traffic.
const SPARSE: Duration = Duration::from_millis(1);
const LATER: Duration = Duration::from_millis(30);
const HOGS: u8 = 8;
const BURST: Duration = Duration::from_millis(50);
const OVERHEAD: Duration = Duration::from_secs(10);
