//! `dxctl monitor`: what is going on, once per interval.
//!
//! On a terminal `screen` shows it, out of a `model` that is pure, drawn by
//! `view`; into a pipe go `lines`.

mod lines;
mod model;
mod screen;
mod view;

use std::io::IsTerminal;
use std::time::SystemTime;

use bgp_core::api::Status;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use self::lines::{Sample, line, page};
use crate::Verdict;
use crate::cli::{Global, MonitorArgs};
use crate::control::{Control, ControlError};
use crate::output::{Reader, json, json_line, print};

pub(super) async fn run(args: MonitorArgs, global: &Global) -> anyhow::Result<Verdict> {
    let control = Control::at(&global.socket);
    if args.once {
        return once(&control, global.reader()).await;
    }
    let is_screen = global.reader() == Reader::Person
        && std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal();
    if is_screen {
        screen::run(&args, control).await
    } else {
        samples(&args, &control, global.reader()).await
    }
}

async fn once(control: &Control, reader: Reader) -> anyhow::Result<Verdict> {
    let answer = Ok(control.status().await?);
    let now = SystemTime::now();
    match reader {
        Reader::Machine => print(&json(&Sample::of(&answer, now)))?,
        Reader::Person => print(&page(&answer, now))?,
    }
    Ok(verdict(&answer))
}

/// A line each, for people or machines.
async fn samples(args: &MonitorArgs, control: &Control, reader: Reader) -> anyhow::Result<Verdict> {
    let mut ticks = tokio::time::interval(args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut taken = 0u64;
    let mut last = Verdict::Fine;
    while args.count.is_none_or(|count| taken < count) {
        tokio::select! {
            _ = ticks.tick() => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
            _ = terminated.recv() => break,
        }
        let answer = control.status().await;
        // A daemon that goes away is something to see; one that never was is a mistake.
        if taken == 0
            && let Err(error) = answer
        {
            return Err(error.into());
        }
        last = verdict(&answer);
        let now = SystemTime::now();
        match reader {
            Reader::Machine => print(&json_line(&Sample::of(&answer, now)))?,
            Reader::Person => print(&line(&answer, now))?,
        }
        taken += 1;
    }
    Ok(last)
}

/// What the last sample said decides the exit status.
fn verdict(answer: &Result<Status, ControlError>) -> Verdict {
    let is_well = answer
        .as_ref()
        .is_ok_and(|status| status.peers.iter().all(|peer| peer.state == "Established"));
    if is_well {
        Verdict::Fine
    } else {
        Verdict::Differs
    }
}
