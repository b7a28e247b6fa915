//! A bgpd with a healthy neighbor (BIRD) and many others that are played by hand:
//! whatever those do, it lives, and the healthy session keeps its routes.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Family;
use hostile_inputs::{PEER_AS, SPEAKER_AS, Session};
use lab::wait;

use crate::Bench;
use crate::cases::sessions::their_networks;
use crate::foreign::{Bird, Connect, Neighbor};
use crate::ours::{Ours, PATIENCE};
use crate::pair::{Pair, THEIR_ASN, WIRE, our_address, their_address};

pub(crate) struct Stand {
    pub(crate) pair: Pair,
    pub(crate) ours: Ours,
    pub(crate) bird: Bird,
    players: usize,
    next: AtomicUsize,
    began: Instant,
}

/// Where bgpd listens for the played ones.
pub(crate) const SPEAKER: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 2);
/// Connections from one address, and then how often.
const AT_ONCE: u32 = 6;
const EVERY: Duration = Duration::from_millis(1100);
const INTERNAL: Ipv4Addr = Ipv4Addr::new(169, 254, 254, 1);

impl Stand {
    /// `players`: how many addresses external peers come from, 1 to 40,000.
    pub(crate) fn build(bench: &Bench, players: usize) -> anyhow::Result<Self> {
        let pair = Pair::create(bench)?;
        pair.ours
            .ip(&format!("address add {SPEAKER}/16 dev {WIRE}"))?;
        let everyone: Vec<Ipv4Addr> = (0..players).map(player).chain([INTERNAL]).collect();
        let lines: String = everyone
            .iter()
            .map(|address| format!("address add {address}/16 dev {WIRE}\n"))
            .collect();
        pair.theirs.ip(&lines)?;

        let mut config = format!(
            "[[peer]]\nname = \"healthy\"\naddress = \"{}\"\nlocal = \"{}/24\"\nasn = {THEIR_ASN}\nlocal_asn = {SPEAKER_AS}\n\
             passive = true\nhold_time = \"9s\"\naccept = [\"any\"]\nexport = [\"any\"]\nfamilies = [\"ipv4\", \"ipv6\"]\n",
            their_address(Family::Ipv4),
            our_address(Family::Ipv4),
        );
        for address in &everyone {
            let asn = if *address == INTERNAL {
                SPEAKER_AS
            } else {
                PEER_AS
            };
            config.push_str(&format!(
                "[[peer]]\nname = \"{address}\"\naddress = \"{address}\"\nlocal = \"{SPEAKER}/16\"\nasn = {asn}\n\
                 local_asn = {SPEAKER_AS}\npassive = true\naccept = [\"any\"]\nfamilies = [\"ipv4\", \"ipv6\"]\n",
            ));
        }
        let ours = Ours::start_logging(bench, &pair.ours, "warn", "", &config)?;
        let bird = Bird::start(
            &pair.theirs,
            &bench.directory,
            Neighbor {
                local: their_address(Family::Ipv4),
                remote: our_address(Family::Ipv4),
                local_asn: THEIR_ASN,
                remote_asn: SPEAKER_AS,
                key: None,
                connect: Connect::They,
                hold_time: 9,
                restart_time: None,
                networks: their_networks(Family::Ipv4),
            },
        )?;
        let stand = Self {
            pair,
            ours,
            bird,
            players,
            next: AtomicUsize::new(0),
            began: Instant::now(),
        };
        wait::until("the healthy session is up", PATIENCE, || {
            stand.healthy().map_err(|error| format!("{error:#}"))
        })?;
        Ok(stand)
    }

    /// An address that a peer of this kind comes from, each in its turn: one that
    /// connects again and again is made to wait.
    pub(crate) fn address(&self, session: Session) -> Ipv4Addr {
        match session {
            Session::Internal => INTERNAL,
            Session::External | Session::ExternalIpv4 | Session::TwoOctet | Session::Extended => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                // When the address will have been let in again.
                let round = u32::try_from(number / self.players).unwrap_or(u32::MAX);
                let due = EVERY * round.saturating_sub(AT_ONCE);
                thread::sleep(due.saturating_sub(self.began.elapsed()));
                player(number % self.players)
            }
        }
    }

    /// The healthy session has never gone down and has all its routes.
    pub(crate) fn healthy(&self) -> anyhow::Result<()> {
        let peer = self
            .ours
            .established("healthy")
            .map_err(anyhow::Error::msg)
            .context("the healthy session")?;
        let wanted = their_networks(Family::Ipv4).len() as u64;
        anyhow::ensure!(
            peer.flaps == 0 && peer.prefixes.received == wanted,
            "the healthy session has gone down {} times and has {} of {wanted} routes",
            peer.flaps,
            peer.prefixes.received,
        );
        let theirs = self.bird.ask(&["show", "protocols", "them"])?;
        anyhow::ensure!(theirs.contains("Established"), "BIRD says: {theirs}");
        Ok(())
    }

    /// Nothing of the daemon's has panicked, even where that cost one peer only.
    pub(crate) fn nothing_panicked(&self) -> anyhow::Result<()> {
        let log = self.ours.process.output();
        let panic = log.lines().find(|line| line.contains("panicked"));
        anyhow::ensure!(panic.is_none(), "bgpd's log: {panic:?}");
        Ok(())
    }

    /// The daemon's resident memory, MB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.ours.process.id());
        let text = std::fs::read_to_string(path).context("bgpd has ended")?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes: u64 = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .context("VmRSS")?;
        Ok(kilobytes / 1024)
    }
}

fn player(number: usize) -> Ipv4Addr {
    // The first one is where the recorded inputs come from.
    match u16::try_from(number) {
        Ok(0) | Err(_) => Ipv4Addr::from(hostile_inputs::NEXT_HOP),
        Ok(number) => {
            let [high, low] = (number + 256).to_be_bytes();
            Ipv4Addr::new(169, 254, high, low)
        }
    }
}
