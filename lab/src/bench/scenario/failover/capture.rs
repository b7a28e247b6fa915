//! tcpdump beside the receivers: what came to the far end by another's account.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::arena::{Arena, Link};
use super::realtime;
use super::traffic::Arrival;
use crate::wait;
use crate::world::Process;

/// Running until stopped.
pub struct Capture([OfLink; 2]);

struct OfLink {
    tcpdump: Process,
    file: PathBuf,
}

impl Capture {
    pub fn start(arena: &Arena, directory: &Path) -> anyhow::Result<Self> {
        let [a, b] = Link::BOTH.map(|link| OfLink::start(arena, directory, link));
        Ok(Self([a?, b?]))
    }

    /// By each link, as they came.
    pub fn stop(self) -> anyhow::Result<[Vec<Arrival>; 2]> {
        let [a, b] = self.0.map(OfLink::stop);
        Ok([a?, b?])
    }
}

impl OfLink {
    fn start(arena: &Arena, directory: &Path, link: Link) -> anyhow::Result<Self> {
        let file = directory.join(format!("{}.pcap", link.name()));
        let log = directory.join(format!("{}.tcpdump", link.name()));
        let _none_yet = std::fs::remove_file(&log);
        let mut command = arena.far.command("tcpdump");
        command.args(["-n", "-p", "-s", "64", "-B", BUFFER, "-Z", "root"]);
        // Else it forgets what came within the last second before its end.
        command.args(["--immediate-mode", "-i"]);
        command.args([link.name(), "--time-stamp-precision=nano", "-w"]);
        command.arg(&file).args(["udp", "dst", "port", "9"]);
        let tcpdump = arena.far.spawn("tcpdump", &mut command, &log)?;
        wait::until("tcpdump listens", PATIENCE, || {
            let said = tcpdump.output();
            said.contains("listening on").then_some(()).ok_or(said)
        })?;
        realtime::ahead_of_others(tcpdump.id());
        Ok(Self { tcpdump, file })
    }

    fn stop(mut self) -> anyhow::Result<Vec<Arrival>> {
        self.tcpdump.stop(PATIENCE);
        let said = self.tcpdump.output();
        ensure!(said.contains("\n0 packets dropped by kernel"), "{said}");
        let bytes = std::fs::read(&self.file).context("tcpdump's file")?;
        packets(&bytes).context("tcpdump's file is cut off")
    }
}

/// Of a pcap file in this machine's byte order, with nanoseconds.
fn packets(bytes: &[u8]) -> Option<Vec<Arrival>> {
    let mut rest = bytes.get(FILE_HEADER..)?;
    let mut arrivals = vec![];
    while !rest.is_empty() {
        let word = |place: usize| -> Option<u64> {
            let word = rest.get(place * 4..)?.first_chunk()?;
            Some(u64::from(u32::from_ne_bytes(*word)))
        };
        let (seconds, nanos, length) = (word(0)?, word(1)?, word(2)?);
        let (packet, after) = rest
            .get(PACKET_HEADER..)?
            .split_at_checked(usize::try_from(length).ok()?)?;
        arrivals.push(Arrival {
            number: u64::from_be_bytes(*packet.get(HEADERS..)?.first_chunk()?),
            at: seconds * 1_000_000_000 + nanos,
        });
        rest = after;
    }
    Some(arrivals)
}

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// Ethernet, IPv4 without options, UDP.
const HEADERS: usize = 14 + 20 + 8;
/// KiB.
const BUFFER: &str = "32768";
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packets_number_and_time_are_read() {
        let mut file = vec![0; FILE_HEADER];
        for word in [3_u32, 5, 50, 50] {
            file.extend(word.to_ne_bytes());
        }
        file.extend([0; HEADERS]);
        file.extend(77_u64.to_be_bytes());
        let arrival = Arrival {
            number: 77,
            at: 3_000_000_005,
        };
        assert_eq!(packets(&file), Some(vec![arrival]));
        file.truncate(file.len() - 1);
        assert_eq!(packets(&file), None);
    }
}
