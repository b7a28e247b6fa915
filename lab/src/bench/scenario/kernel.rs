//! A table into the kernel: from one feeder through a speaker, and by bare
//! netlink, which is the limit. Sessions have a short hold time meanwhile, and
//! a speaker that lets one expire has failed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bgp_core::Family;
use bgpd::netlink::{Batch, Socket, nexthop, route};
use bytes::Bytes;
use ipnet::IpNet;

use super::{Case, Entrant, Options, Rounds};
use crate::bench::course::{CPU, Feeder, PEAK_MEMORY};
use crate::bench::driver::Driver;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::kernel_table::{KernelTable, Wanted};
use crate::bench::lane::{INTERFACE, Lane, Neighbor, Takes};
use crate::bench::speaker::{Kernel, Programs, Speaker};
use crate::bench::stage::{SETUP, Stage};
use crate::bench::table::Table;

/// From the first UPDATE to the last route in the kernel.
const INSTALLED: Quantity = Quantity::seconds("installed");
/// From the first withdrawal to the last route gone.
const REMOVED: Quantity = Quantity::seconds("removed");
/// The longest that the speaker said nothing to its neighbor.
const SILENCE: Quantity = Quantity::seconds("silence");

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let sizes = options.prefixes(&[1_000_000]).into_iter();
    sizes.map(|size| case(options, size)).collect()
}

fn case(options: &Options, size: usize) -> anyhow::Result<Case> {
    let table = Table::new(Family::Ipv4, size, options.seed)?;
    let neighbor = Neighbor::new(table.family, 1, Takes::Everything);
    let load = Arc::new(Load {
        feeder: Feeder {
            neighbor,
            announcements: table.announcements(&neighbor, options.seed)?,
            withdrawals: table.withdrawals(),
        },
        prefixes: table.prefixes,
        patience: options.patience,
    });
    let limit = Arc::clone(&load);
    let by_speaker = move |speaker, programs: &Programs| load.run(speaker, programs);
    let mut entrants = options.entrants(&SPEAKERS, Rounds::One, by_speaker);
    entrants.push(Entrant {
        name: "bare netlink",
        rounds: Rounds::All,
        round: Box::new(move || limit.bare_netlink()),
    });
    let title = format!("{size} IPv4 prefixes from one feeder into the kernel");
    Ok(Case::new(title, entrants))
}

struct Load {
    feeder: Feeder,
    prefixes: Vec<IpNet>,
    patience: Duration,
}

impl Load {
    fn run(&self, speaker: Speaker, programs: &Programs) -> anyhow::Result<Figures> {
        let neighbors = vec![self.feeder.neighbor];
        let stage = Stage::set(speaker, programs, neighbors, Kernel::Filled, HOLD_TIME)?;
        stage.drive(|driver| self.measure(driver, &stage))
    }

    fn measure(&self, driver: &mut Driver, stage: &Stage) -> anyhow::Result<Figures> {
        driver.establish(1, SETUP)?;
        let mut table = KernelTable::watch(&stage.lane.speaker, &self.prefixes)?;
        let before = stage.running.usage()?;
        let installed = self.feed(driver, &mut table, &self.feeder.announcements, Wanted::All)?;
        let after = stage.running.usage()?;
        let removed = self.feed(driver, &mut table, &self.feeder.withdrawals, Wanted::None)?;
        let silences = driver
            .sessions
            .iter()
            .map(|session| session.longest_silence);
        Ok(Figures(vec![
            (INSTALLED, installed.as_secs_f64()),
            (REMOVED, removed.as_secs_f64()),
            (CPU, after.cpu.saturating_sub(before.cpu).as_secs_f64()),
            (PEAK_MEMORY, after.peak_memory as f64 / 1e6),
            (SILENCE, silences.max().unwrap_or_default().as_secs_f64()),
        ]))
    }

    /// Until the kernel has (or has none of) the routes; how long that took.
    fn feed(
        &self,
        driver: &mut Driver,
        table: &mut KernelTable,
        messages: &Bytes,
        wanted: Wanted,
    ) -> anyhow::Result<Duration> {
        let started = Instant::now();
        driver.feed(0, messages.clone())?;
        driver.until("kernel routes", self.patience, |_| table.is(wanted))?;
        Ok(started.elapsed())
    }

    /// The same routes in batches, with nothing behind them.
    fn bare_netlink(&self) -> anyhow::Result<Figures> {
        let lane = Lane::create(Family::Ipv4, &[self.feeder.neighbor])?;
        let took = lane.speaker.enter(|| self.put_all())?;
        Ok(Figures(vec![(INSTALLED, took?.as_secs_f64())]))
    }

    fn put_all(&self) -> anyhow::Result<Duration> {
        let (mut socket, mut batch) = (Socket::new()?, Batch::new());
        let gateway = nexthop::Gateway {
            ifindex: nix::net::if_::if_nametoindex(INTERFACE)?,
            address: self.feeder.neighbor.address,
        };
        nexthop::put_gateway(&mut batch, 1, PLACE.protocol, &gateway, nexthop::Put::New);
        let mut refused = 0_u32;
        socket.execute(&mut batch, |_| refused += 1)?;
        let started = Instant::now();
        for prefixes in self.prefixes.chunks(BATCH) {
            for prefix in prefixes {
                route::put(&mut batch, &PLACE, prefix, 1, route::Put::New);
            }
            socket.execute(&mut batch, |_| refused += 1)?;
        }
        ensure!(refused == 0, "the kernel refused {refused} routes");
        Ok(started.elapsed())
    }
}

const SPEAKERS: [Speaker; 3] = [Speaker::Bgpd, Speaker::Bird, Speaker::Frr];
/// Seconds; it has to hold through everything.
const HOLD_TIME: u16 = 9;
const BATCH: usize = 512;
/// As bgpd's own routes are unless it is told otherwise.
const PLACE: route::Place = route::Place {
    table: 254,
    protocol: 186,
    priority: 20,
};
