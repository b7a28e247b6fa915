//! AWS's side: MD5, TTL 1, and it announces more than it should.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ipnet::IpNet;
use lab::foreign::bird;
use lab::wait;
use lab::world::{Namespace, Process};
use vendor_configs::{Bfd, RouterLink};

use super::super::sessions::KEY;
use super::theirs::Theirs;
use super::{Received, WIRE};
use crate::Bench;
use crate::ours::{Ours, PATIENCE, key_file};

/// A prefix and its communities.
pub(super) type Sent = (&'static str, &'static [&'static str]);

/// One peer a session, by its family.
pub(super) struct ByBgpd {
    pub(super) ours: Ours,
}

const PEERS: [&str; 2] = ["them-ipv4", "them-ipv6"];

fn peer_name(address: IpAddr) -> &'static str {
    PEERS[usize::from(address.is_ipv6())]
}

pub(super) fn with_bgpd(
    bench: &Bench,
    namespace: &Namespace,
    link: &RouterLink,
    sent: &[IpNet],
) -> anyhow::Result<ByBgpd> {
    let key = key_file(bench, "key", KEY)?;
    let mut peers = String::new();
    for session in &link.sessions {
        let own = |net: &&IpNet| net.addr().is_ipv6() == session.peer.is_ipv6();
        let advertise: Vec<String> = sent.iter().filter(own).map(IpNet::to_string).collect();
        writeln!(
            peers,
            "[[peer]]\nname = \"{}\"\naddress = \"{}\"\nlocal = \"{}/{}\"\nasn = {}\n\
             auth_key_file = \"{}\"\nconnect_retry = \"1s\"\naccept = [\"any\"]\nadvertise = {advertise:?}",
            peer_name(session.peer),
            session.local.addr(),
            session.peer,
            session.local.prefix_len(),
            link.local_asn,
            key.display()
        )?;
    }
    let ours = Ours::start(bench, namespace, &peers)?;
    Ok(ByBgpd { ours })
}

impl ByBgpd {
    pub(super) fn wait_for_sessions(&self, theirs: &Theirs<'_>) -> anyhow::Result<()> {
        for name in PEERS {
            let what = format!("the session {name} is Established");
            let peer = wait::until(&what, PATIENCE, || self.ours.established(name))
                .map_err(|error| theirs.explain(&error))?;
            wait::ensure(peer.md5, "the session uses MD5", "it doesn't")?;
        }
        Ok(())
    }

    pub(super) fn received(&self) -> anyhow::Result<Received> {
        let mut received = Received::new();
        for name in PEERS {
            for route in self.ours.control.routes(&format!("peer={name}"))? {
                let mut paths = route.paths.into_iter();
                let path = paths.find(|path| path.peer == name);
                let path = path.context("a route without its path")?;
                // FRR sends back what it got; the AS_PATH loop is refused.
                let why_not = path.why_not_best.unwrap_or_default();
                if !why_not.starts_with("refused") {
                    received.insert(route.prefix, path.communities.into_iter().collect());
                }
            }
        }
        Ok(received)
    }
}

pub(super) struct ByBird {
    _process: Process,
    directory: PathBuf,
}

pub(super) fn with_bird(
    bench: &Bench,
    namespace: &Namespace,
    link: &RouterLink,
    sent: &[Sent],
    bfd: Option<Bfd>,
) -> anyhow::Result<ByBird> {
    let directory = bench.directory.join("aws");
    std::fs::create_dir_all(&directory).context("AWS's directory")?;
    let text = config(link, sent, bfd)?;
    let process = bird::start(Path::new("bird"), namespace, &directory, &text, &[])?;
    Ok(ByBird {
        _process: process,
        directory,
    })
}

fn config(link: &RouterLink, sent: &[Sent], bfd: Option<Bfd>) -> anyhow::Result<String> {
    let mut text = "router id 1.1.1.1;\nprotocol device {}\n".to_owned();
    if let Some(bfd) = bfd {
        let Bfd {
            interval,
            multiplier,
        } = bfd;
        writeln!(
            text,
            "protocol bfd {{ interface \"{WIRE}\" {{ interval {interval} ms; multiplier {multiplier}; }}; }}"
        )?;
    }
    let bfd = if bfd.is_some() { "yes" } else { "no" };
    for session in &link.sessions {
        let (ip, ipv6) = match session.peer {
            IpAddr::V4(_) => ("ipv4", false),
            IpAddr::V6(_) => ("ipv6", true),
        };
        writeln!(text, "protocol static sent_{ip} {{ {ip};")?;
        for (net, communities) in sent.iter().filter(|(net, _)| net.contains("::") == ipv6) {
            let add = communities.iter().map(|one| {
                let pair = one.replace(':', ",");
                format!(" bgp_community.add(({pair}));")
            });
            let add: String = add.collect();
            writeln!(
                text,
                "route {net} blackhole {{ bgp_community = -empty-;{add} }};"
            )?;
        }
        // A neighbor's BFD may begin anew once BGP is up, FRR's does: a minute of
        // penance would be the test's.
        writeln!(
            text,
            "}}\nprotocol bgp {name} {{ local {ours} as {our_asn}; neighbor {theirs} as {their_asn}; direct;\n\
             password \"{KEY}\"; bfd {bfd}; interpret communities off;\n\
             connect delay time 1; connect retry time 1; error wait time 1, 2;\n\
             {ip} {{ import all; export where source = RTS_STATIC; }};\n}}",
            name = bird_name(session.peer),
            ours = session.peer,
            our_asn = session.peer_asn,
            theirs = session.local.addr(),
            their_asn = link.local_asn,
        )?;
    }
    Ok(text)
}

fn bird_name(address: IpAddr) -> String {
    peer_name(address).replace('-', "_")
}

impl ByBird {
    pub(super) fn ask(&self, words: &str) -> anyhow::Result<String> {
        super::theirs::birdc(&self.directory, words)
    }

    pub(super) fn wait_for_sessions(&self, theirs: &Theirs<'_>) -> anyhow::Result<()> {
        wait::until("both sessions are Established", PATIENCE, || {
            self.sessions_are_up()
        })
        .map_err(|error| theirs.explain(&error))
    }

    pub(super) fn sessions_are_up(&self) -> Result<(), String> {
        let said = self.ask("show protocols");
        let said = said.map_err(|error| format!("{error:#}"))?;
        (said.matches("Established").count() == PEERS.len())
            .then_some(())
            .ok_or(said)
    }

    pub(super) fn received(&self) -> anyhow::Result<Received> {
        let said = self.ask("show route all where source = RTS_BGP")?;
        let mut received = Received::new();
        let mut prefix: Option<IpNet> = None;
        for line in said.lines() {
            if !line.starts_with(char::is_whitespace) {
                let first = line.split_whitespace().next();
                prefix = first.and_then(|word| word.parse().ok());
            }
            let Some(prefix) = prefix else { continue };
            let communities = received.entry(prefix).or_default();
            if let Some(list) = line.trim().strip_prefix("BGP.community:") {
                // (7224,9200) (65535,0)
                let pairs = list.split_whitespace();
                let pairs = pairs.map(|pair| pair.trim_matches(['(', ')']).replace(',', ":"));
                communities.extend(pairs);
            }
        }
        Ok(received)
    }
}
