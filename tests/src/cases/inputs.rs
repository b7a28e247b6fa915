//! Hostile input on the running daemon, each row judged by what the RFCs permit:
//! the session, the NOTIFICATION's code and subcode, the route afterwards. Around
//! it the daemon lives and a healthy session keeps its routes.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use hostile_inputs::{
    Dice, End, MED_BEFORE, Observed, Outcome, Route, Row, Session, Stage, announcement,
};
use ipnet::{IpNet, Ipv4Net};

use super::Case;
use crate::Bench;
use crate::stand::{SPEAKER, Stand};
use crate::talker::{KEEPALIVE, Talker};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new("recorded hostile inputs, on the running daemon", |bench| {
            judge(bench, hostile_inputs::recorded()?)
        }),
        Case::new("hostile inputs by rule, on the running daemon", |bench| {
            let (alone, together): (Vec<_>, Vec<_>) =
                hostile_inputs::by_rule().into_iter().partition(goes_alone);
            // One connection each: all of them take minutes.
            let count = if bench.thorough { usize::MAX } else { SAMPLE };
            let mut rows = Dice::new(SEED).sample(alone, count);
            rows.extend(together);
            judge(bench, rows)
        }),
    ]
}

/// Whether it needs a session of its own.
fn goes_alone(row: &Row) -> bool {
    row.stage != Stage::Established || row.may_end()
}

fn judge(bench: &Bench, rows: Vec<Row>) -> anyhow::Result<()> {
    let (alone, together): (Vec<_>, Vec<_>) = rows.into_iter().partition(goes_alone);
    let stand = Stand::build(bench, PLAYERS)?;
    let mut by_session: BTreeMap<Session, Vec<Row>> = BTreeMap::new();
    for row in together {
        by_session.entry(row.session).or_default().push(row);
    }
    let mut batches: VecDeque<Vec<Row>> = alone.into_iter().map(|row| vec![row]).collect();
    for rows in by_session.into_values() {
        batches.extend(rows.chunks(TOGETHER).map(<[Row]>::to_vec));
    }
    let batches = Mutex::new(batches);
    let wrong = Mutex::new(Vec::new());
    stand.pair.theirs.enter(|| {
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| work(&stand, &batches, &wrong));
            }
        });
    })?;
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let shown = wrong.get(..wrong.len().min(20)).unwrap_or_default();
    anyhow::ensure!(
        wrong.is_empty(),
        "{} rows are not judged as the RFCs ask:\n{}",
        wrong.len(),
        shown.join("\n")
    );
    stand.healthy()?;
    let memory = stand.memory()?;
    anyhow::ensure!(memory < MEMORY, "bgpd has {memory} MB");
    stand.nothing_panicked()
}

fn work(stand: &Stand, batches: &Mutex<VecDeque<Vec<Row>>>, wrong: &Mutex<Vec<String>>) {
    loop {
        let batch = batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(batch) = batch else { return };
        let reasons = match batch.as_slice() {
            [row] => {
                observe(stand, row).map(|observed| row.judge(&observed).err().into_iter().collect())
            }
            rows => together(stand, rows),
        };
        let reasons = reasons.unwrap_or_else(|error| {
            let name = batch.first().map_or("", |row| row.name.as_str());
            vec![format!("{name}: {error:#}")]
        });
        wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(reasons);
    }
}

/// Rows that no session may end for, one after the other on one session.
fn together(stand: &Stand, rows: &[Row]) -> anyhow::Result<Vec<String>> {
    let session = rows.first().context("a row")?.session;
    let from = stand.address(session);
    let mut talker = Talker::at(from, SPEAKER, session, Stage::Established)?;
    let sent = rows.iter().try_for_each(|row| {
        talker.send(&row.before().unwrap_or_default())?;
        talker.send(&row.bytes)
    });
    let end = match sent {
        Ok(()) => settle(stand, &mut talker, from, session)?,
        // It has been closed; why is there to be read.
        Err(_) => {
            talker.listen_until(PATIENCE, |_| false)?;
            talker.end()
        }
    };
    if end != End::Alive {
        // One of them has ended it: which?
        return rows
            .iter()
            .map(|row| Ok(row.judge(&observe(stand, row)?).err()))
            .filter_map(Result::transpose)
            .collect();
    }
    let routes = stand
        .ours
        .control
        .routes(&format!("peer={from}&limit=1000000"))?;
    let meds: BTreeMap<IpNet, Option<u32>> = routes
        .iter()
        .filter_map(|route| {
            let path = route
                .paths
                .iter()
                .find(|path| path.peer == from.to_string())?;
            Some((route.prefix, path.med))
        })
        .collect();
    let judged = rows.iter().filter_map(|row| {
        let route = row
            .prefix
            .map_or(Route::Untouched, |prefix| route_of(meds.get(&prefix)));
        row.judge(&Observed { end, route }).err()
    });
    Ok(judged.collect())
}

fn route_of(med: Option<&Option<u32>>) -> Route {
    match med {
        None => Route::Withdrawn,
        Some(Some(MED_BEFORE)) => Route::Untouched,
        Some(_) => Route::Announced(None),
    }
}

/// One row on a session of its own.
fn observe(stand: &Stand, row: &Row) -> anyhow::Result<Observed> {
    let from = stand.address(row.session);
    let mut talker = Talker::at(from, SPEAKER, row.session, row.stage)?;
    if let Some(before) = row.before() {
        talker.send(&before)?;
    }
    // Closed while it is being sent is an end like any other.
    let _cut_off = talker.send(&row.bytes);
    let only_ends = row
        .permitted
        .iter()
        .all(|outcome| matches!(outcome, Outcome::Notification(..) | Outcome::Closed));
    let end = match row.stage {
        Stage::Established if !only_ends => settle(stand, &mut talker, from, row.session)?,
        Stage::OpenExpected => {
            talker.listen_until(PATIENCE, |talker| talker.has_heard(KEEPALIVE))?;
            talker.end()
        }
        Stage::KeepaliveExpected | Stage::Established => {
            talker.listen_until(PATIENCE, |_| false)?;
            talker.end()
        }
    };
    let route = match row.prefix {
        Some(prefix) if end == End::Alive => {
            let query = format!("peer={from}&within={prefix}&limit=100");
            let routes = stand.ours.control.routes(&query)?;
            let route = routes.iter().find(|route| route.prefix == prefix);
            let path = route.and_then(|route| {
                route
                    .paths
                    .iter()
                    .find(|path| path.peer == from.to_string())
            });
            route_of(path.map(|path| &path.med))
        }
        Some(_) | None => Route::Untouched,
    };
    Ok(Observed { end, route })
}

/// Waits until what was sent has had its effect: a route sent last is there, or
/// the session has ended.
fn settle(
    stand: &Stand,
    talker: &mut Talker,
    from: Ipv4Addr,
    session: Session,
) -> anyhow::Result<End> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let address = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(198, 0, 0, 0)) | number);
    let sentinel = IpNet::V4(Ipv4Net::new(address, 32)?);
    let _cut_off = talker.send(&announcement(sentinel, session, 1));
    let began = Instant::now();
    loop {
        talker.listen(Duration::from_millis(2))?;
        if talker.end() != End::Alive {
            // A NOTIFICATION is followed by the close.
            return Ok(talker.end());
        }
        let query = format!("peer={from}&within={sentinel}");
        if !stand.ours.control.routes(&query)?.is_empty() {
            return Ok(End::Alive);
        }
        anyhow::ensure!(
            began.elapsed() < PATIENCE,
            "within {} s the session neither ended nor took another route",
            PATIENCE.as_secs()
        );
    }
}

const PLAYERS: usize = 300;
const WORKERS: usize = 4;
const SAMPLE: usize = 1500;
const SEED: u64 = 7606;
/// Rows on one session.
const TOGETHER: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(20);
/// MB.
const MEMORY: u64 = 200;
