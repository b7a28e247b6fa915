//! The real table and mutations of it, octet for octet the same into bgpd and into
//! BIRD: equal tables, or an RFC for each difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use bgp_core::wire::{self, Codec, Message};
use bytes::BytesMut;
use hostile_inputs::{Dice, End, NEXT_HOP, PEER_AS, Parted, SPEAKER_AS, Session, Stage};
use ipnet::{IpNet, Ipv4Net};
use lab::wait;
use lab::world::{Namespace, Process, join};

use super::Case;
use crate::Bench;
use crate::ours::PATIENCE;
use crate::pair::WIRE;
use crate::stand::{SPEAKER, Stand};
use crate::talker::Talker;

pub(super) fn all() -> Vec<Case> {
    vec![Case::new(
        "the real table and mutations of it, in bgpd and in BIRD",
        differential,
    )]
}

fn differential(bench: &Bench) -> anyhow::Result<()> {
    let stream = Stream::new(bench.thorough)?;
    let stand = Stand::build(bench, 1)?;
    let bird = Judge::start(bench)?;
    let (ours, theirs) = thread::scope(|scope| {
        let theirs = scope.spawn(|| bird.take(&stream));
        (take(&stand, &stream), theirs.join())
    });
    let (ours, theirs) = (
        ours.context("bgpd")?,
        theirs
            .map_err(|_| anyhow::anyhow!("BIRD's feeder panicked"))?
            .context("BIRD")?,
    );
    anyhow::ensure!(
        theirs.len() > stream.prefixes() / 2,
        "BIRD has only {} of {} routes",
        theirs.len(),
        stream.prefixes()
    );
    compare(&stream, &ours, &theirs)?;
    stand.healthy()?;
    stand.nothing_panicked()
}

/// What both get.
struct Stream {
    updates: Vec<Update>,
    /// The last UPDATE that names a prefix.
    last: BTreeMap<IpNet, usize>,
}

struct Update {
    octets: Vec<u8>,
    parted: Parted,
    /// What was done to it.
    mutation: Option<&'static str>,
}

impl Stream {
    fn new(thorough: bool) -> anyhow::Result<Self> {
        let mut table = hostile_inputs::table()?;
        let mut dice = Dice::new(2015);
        if !thorough {
            // From all over the table.
            table = dice.sample(table, SLICE);
        }
        let mut stream = Self {
            updates: vec![],
            last: BTreeMap::new(),
        };
        for octets in &table {
            let mut parted = Parted::of(octets).context("an UPDATE of the table")?;
            parted.set(NEXT_HOP_ATTRIBUTE, &NEXT_HOP);
            stream.push(parted.clone(), None);
        }
        // The same routes again, each with something changed.
        let mutations = if thorough { table.len() } else { MUTATIONS };
        for _ in 0..mutations {
            let Some(update) = stream.updates.get(dice.below(table.len())) else {
                continue;
            };
            let mut parted = update.parted.clone();
            let what = hostile_inputs::mutate(&mut parted, &mut dice);
            stream.push(parted, Some(what));
        }
        Ok(stream)
    }

    /// What ends a session, or may (RFC 4760 §7: multiprotocol attributes of a family
    /// that was not negotiated), is left out; the rows by rule have those.
    fn push(&mut self, parted: Parted, mutation: Option<&'static str>) {
        if MULTIPROTOCOL
            .iter()
            .any(|code| parted.value_of(*code).is_some())
        {
            return;
        }
        let octets = parted.message();
        let Some(prefixes) = prefixes(&octets) else {
            return;
        };
        for prefix in prefixes {
            self.last.insert(prefix, self.updates.len());
        }
        self.updates.push(Update {
            octets,
            parted,
            mutation,
        });
    }

    fn prefixes(&self) -> usize {
        self.last.len()
    }
}

/// Announced and withdrawn ones; `None` if the message costs the session.
fn prefixes(octets: &[u8]) -> Option<Vec<IpNet>> {
    let codec = Codec {
        four_octet_as: true,
        families: Family::ALL.into_iter().collect(),
        ..Codec::initial()
    };
    let frame = wire::frame(&mut BytesMut::from(octets), &codec).ok()??;
    let Message::Update(update) = wire::decode(&frame, &codec).ok()?.message else {
        return None;
    };
    let announced = update.announced.iter().map(|it| &it.prefixes);
    Some(
        announced
            .chain(&update.withdrawn)
            .flat_map(|prefixes| prefixes.iter())
            .collect(),
    )
}

/// One route as both can show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    origin: String,
    as_path: String,
    next_hop: String,
    med: Option<u32>,
    communities: BTreeSet<String>,
    large_communities: BTreeSet<String>,
}

type Table = BTreeMap<IpNet, Seen>;

/// Sends all of it on a session, and one route more.
fn feed(stream: &Stream) -> anyhow::Result<Talker> {
    let from = Ipv4Addr::from(NEXT_HOP);
    let mut talker = Talker::at(from, SPEAKER, Session::External, Stage::Established)?;
    for update in &stream.updates {
        if talker.send(&update.octets).is_err() {
            break;
        }
    }
    let _cut_off = talker.send(&hostile_inputs::announcement(last(), Session::External, 1));
    Ok(talker)
}

/// Arrives after all others.
fn last() -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 255), 32))
}

/// Waits until `has_last` says so, while the session is kept.
fn until_last(
    talker: &mut Talker,
    mut has_last: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    wait::until("the last route arrives", PATIENCE * 3, || {
        let heard = talker.listen(Duration::from_millis(5));
        heard.map_err(|error| format!("{error:#}"))?;
        if talker.end() != End::Alive {
            return Ok(Err(format!("the session has ended: {:?}", talker.end())));
        }
        match has_last() {
            Ok(true) => Ok(Ok(())),
            Ok(false) => Err("not yet".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    })?
    .map_err(anyhow::Error::msg)
}

/// bgpd's table.
fn take(stand: &Stand, stream: &Stream) -> anyhow::Result<Table> {
    let mut talker = stand.pair.theirs.enter(|| feed(stream))??;
    let peer = Ipv4Addr::from(NEXT_HOP).to_string();
    let control = &stand.ours.control;
    until_last(&mut talker, || {
        let query = format!("peer={peer}&within={}", last());
        Ok(!control.routes(&query)?.is_empty())
    })?;
    let mut routes = control.routes(&format!("peer={peer}&limit={LIMIT}"))?;
    if routes.len() == LIMIT {
        routes.clear();
        for first in 0..=u8::MAX {
            let query = format!("peer={peer}&limit={LIMIT}&within={first}.0.0.0/8");
            routes.extend(control.routes(&query)?);
        }
    }
    let mut table = Table::new();
    for route in routes {
        let path = route.paths.iter().find(|path| path.peer == peer);
        let path = path.context("a route without its path")?;
        // Kept to be told of, and not used: BIRD has no such thing.
        if (path.why_not_best.as_ref()).is_some_and(|why| why.starts_with("refused")) {
            continue;
        }
        table.insert(
            route.prefix,
            Seen {
                origin: path.origin.to_lowercase(),
                as_path: path.as_path.replace(',', " "),
                next_hop: path.next_hop.context("a next hop")?.to_string(),
                med: path.med,
                communities: path.communities.iter().cloned().collect(),
                large_communities: path.large_communities.iter().cloned().collect(),
            },
        );
    }
    Ok(table)
}

/// A BIRD in the place of bgpd.
struct Judge {
    _process: Process,
    speaker: Namespace,
    feeder: Namespace,
    socket: PathBuf,
    log: PathBuf,
}

impl Judge {
    fn start(bench: &Bench) -> anyhow::Result<Self> {
        let speaker = Namespace::create(&format!("{}-judge", bench.number))?;
        let feeder = Namespace::create(&format!("{}-feeder", bench.number))?;
        join((&speaker, WIRE), (&feeder, WIRE))?;
        speaker.ip(&format!("address add {SPEAKER}/16 dev {WIRE}"))?;
        let address = Ipv4Addr::from(NEXT_HOP);
        feeder.ip(&format!("address add {address}/16 dev {WIRE}"))?;
        let directory = bench.directory.join("judge");
        fs::create_dir_all(&directory).context("BIRD's directory")?;
        let config = directory.join("bird.conf");
        let (socket, log) = (directory.join("bird.ctl"), directory.join("bird.log"));
        fs::write(&config, bird_config(address, &directory.join("said.log")))
            .context("BIRD's configuration")?;
        let mut command = speaker.command("bird");
        command
            .arg("-f")
            .arg("-c")
            .arg(&config)
            .arg("-s")
            .arg(&socket);
        let process = speaker.spawn("bird", &mut command, &log)?;
        let judge = Self {
            _process: process,
            speaker,
            feeder,
            socket,
            log: directory.join("said.log"),
        };
        wait::until("BIRD answers", PATIENCE, || {
            judge.ask("status").map_err(|error| format!("{error:#}"))
        })?;
        Ok(judge)
    }

    fn ask(&self, what: &str) -> anyhow::Result<String> {
        let socket = self.socket.to_str().context("a path in UTF-8")?;
        let mut words = vec!["-s", socket, "show"];
        words.extend(what.split(' '));
        Ok(self.speaker.exec("birdc", &words)?)
    }

    fn take(&self, stream: &Stream) -> anyhow::Result<Table> {
        let mut talker = self.feeder.enter(|| feed(stream))??;
        let arrived = until_last(&mut talker, || {
            Ok(self.ask(&format!("route for {}", last()))?.contains("/32"))
        });
        arrived.with_context(|| format!("BIRD's last words:\n{}", tail(&self.log)))?;
        Ok(routes(&self.ask("route all protocol them")?))
    }
}

fn bird_config(peer: Ipv4Addr, log: &Path) -> String {
    format!(
        "log \"{}\" all;\nrouter id {SPEAKER};\nprotocol device {{}}\n\
         protocol bgp them {{\n local {SPEAKER} as {SPEAKER_AS};\n neighbor {peer} as {PEER_AS};\n passive;\n\
         hold time 90;\n ipv4 {{ import all; export none; }};\n ipv6 {{ import all; export none; }};\n}}\n",
        log.display()
    )
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// `birdc show route all`: a prefix at a line's beginning, its attributes after it.
fn routes(text: &str) -> Table {
    let mut table = Table::new();
    let mut prefix: Option<IpNet> = None;
    for line in text.lines() {
        if !line.starts_with(char::is_whitespace) {
            prefix = line
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            if let Some(prefix) = prefix {
                table.insert(prefix, Seen::default());
            }
            continue;
        }
        let Some(seen) = prefix.and_then(|prefix| table.get_mut(&prefix)) else {
            continue;
        };
        let Some((name, value)) = line.trim().split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name {
            "BGP.origin" => seen.origin = value.to_lowercase(),
            "BGP.as_path" => value.clone_into(&mut seen.as_path),
            // A second one is link-local.
            "BGP.next_hop" => seen.next_hop = value.split(' ').next().unwrap_or("").to_owned(),
            "BGP.med" => seen.med = value.parse().ok(),
            "BGP.community" => seen.communities = tuples(value),
            "BGP.large_community" => seen.large_communities = tuples(value),
            _ => {}
        }
    }
    table
}

/// `(1,2) (3,4)` as `1:2` and `3:4`.
fn tuples(text: &str) -> BTreeSet<String> {
    text.split(')')
        .map(|tuple| {
            tuple
                .trim()
                .trim_start_matches('(')
                .replace(", ", ":")
                .replace(',', ":")
        })
        .filter(|tuple| !tuple.is_empty())
        .collect()
}

fn compare(stream: &Stream, ours: &Table, theirs: &Table) -> anyhow::Result<()> {
    let mut unexplained = vec![];
    let mut explained: BTreeMap<&str, usize> = BTreeMap::new();
    let all: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for prefix in all {
        let (we, they) = (ours.get(prefix), theirs.get(prefix));
        if same(we, they) {
            continue;
        }
        let update = stream
            .last
            .get(prefix)
            .and_then(|last| stream.updates.get(*last));
        match update.and_then(|update| explain(prefix, &update.parted, we, they)) {
            Some(clause) => *explained.entry(clause).or_default() += 1,
            None => unexplained.push((prefix, update, we, they)),
        }
    }
    for (clause, count) in &explained {
        println!("    {count} routes differ: {clause}");
    }
    let shown: Vec<String> = unexplained
        .iter()
        .take(12)
        .map(|(prefix, update, we, they)| {
            let (we, they) = (format!("{we:?}"), format!("{they:?}"));
            let update = update.map_or(String::new(), |it| {
                let attributes = it.parted.attributes.iter().map(|it| {
                    let value = it.value.get(..it.value.len().min(12));
                    format!(
                        "{:02x} {} {:02x?}",
                        it.flags,
                        it.code,
                        value.unwrap_or_default()
                    )
                });
                let attributes: Vec<String> = attributes.collect();
                format!("{:?}: {}", it.mutation, attributes.join("; "))
            });
            format!("{prefix}\n  bgpd {we:.300}\n  BIRD {they:.300}\n  {update:.700}")
        })
        .collect();
    anyhow::ensure!(
        unexplained.is_empty(),
        "{} of {} routes differ:\n{}",
        unexplained.len(),
        theirs.len(),
        shown.join("\n")
    );
    Ok(())
}

/// BIRD shows the beginning of a long path.
fn same(we: Option<&Seen>, they: Option<&Seen>) -> bool {
    let (Some(we), Some(they)) = (we, they) else {
        return we == they;
    };
    match they.as_path.strip_suffix("...") {
        Some(beginning) if we.as_path.starts_with(beginning) => {
            let as_path = we.as_path.clone();
            *we == Seen {
                as_path,
                ..they.clone()
            }
        }
        _ => we == they,
    }
}

/// The RFC that makes, or allows, the difference.
fn explain(
    prefix: &IpNet,
    update: &Parted,
    we: Option<&Seen>,
    they: Option<&Seen>,
) -> Option<&'static str> {
    let has = |code| update.attributes.iter().any(|it| it.code == code);
    match (we, they) {
        (None, Some(they)) if they.as_path.is_empty() => {
            Some("RFC 4271 §5.1.2: an external peer has put its own AS into AS_PATH")
        }
        (None, Some(they)) if they.as_path.split([' ', '{', '}']).any(|asn| asn == "0") => {
            Some("RFC 7607 §2: a path with AS 0 is malformed")
        }
        (None, Some(_)) if is_this_network(prefix) => {
            Some("RFC 4271 §6.3: a prefix of no host is ignored (RFC 6890: 0.0.0.0/8)")
        }
        (None, Some(_)) if has(25) => {
            Some("RFC 7606 §7.15, §3 (c): BIRD does not read IPv6 extended communities")
        }
        // RFC 6793 §6, RFC 7311 §3, RFC 8669 §6, RFC 9552 §8.2.2.
        (Some(_), None) if DISCARDED.iter().any(|code| has(*code)) => Some(
            "RFC 6793 §6 and others: their attributes are discarded whatever is wrong with them",
        ),
        (Some(_), None) if has(0) => {
            Some("RFC 4271 §4.3: attribute 0 is nobody's, and is left out whatever its flags")
        }
        _ => None,
    }
}

fn is_this_network(prefix: &IpNet) -> bool {
    matches!(prefix, IpNet::V4(prefix) if prefix.addr().octets()[0] == 0 && prefix.prefix_len() >= 8)
}

/// Routes that bgpd shows at once.
const LIMIT: usize = 100_000;
const NEXT_HOP_ATTRIBUTE: u8 = 3;
/// AS4_PATH, AS4_AGGREGATOR, AIGP, BGP-LS, PREFIX-SID.
const DISCARDED: [u8; 5] = [17, 18, 26, 29, 40];
const MULTIPROTOCOL: [u8; 2] = [14, 15];
/// UPDATEs of the table.
const SLICE: usize = 6000;
const MUTATIONS: usize = 6000;
