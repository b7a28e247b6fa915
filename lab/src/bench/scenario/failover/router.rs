//! BIRD at the far end of both links, which sends its traffic as it is told: when
//! it moves that is read from its own log.

use std::fmt::Write;
use std::path::Path;

use ipnet::IpNet;

use super::Bfd;
use super::arena::{Arena, EDGE_ASN, LAN, Link, SOURCE};
use super::far;
use crate::foreign;
use crate::world::Process;

pub struct Router(Process);

impl Router {
    /// Announces the prefixes over both links, and has the way to the edge's LAN
    /// from nobody but the edge.
    pub fn start(
        program: &Path,
        arena: &Arena,
        directory: &Path,
        bfd: Bfd,
        prefixes: &[IpNet],
    ) -> anyhow::Result<Self> {
        arena.far.ip(&format!(
            "route del {LAN} metric 1\nroute del {LAN} metric 2"
        ))?;
        let text = far::bird_bfd(bfd) + &sessions(prefixes);
        let bird = foreign::bird::start(program, &arena.far, directory, &text, &[])?;
        Ok(Self(bird))
    }

    /// The first change of its way to the LAN after an instant, both in
    /// nanoseconds since the epoch.
    pub fn moved_after(&self, since: u64) -> Result<u64, String> {
        let log = self.0.output();
        let told = format!("kernel1.ipv4 < replaced {LAN}");
        let moves = log.lines().filter(|line| line.contains(&told));
        let today = since - since % DAY;
        let times = moves.filter_map(|line| Some(today + time_of_day(line)?));
        // Over midnight the time of day begins anew.
        let times = times.map(|at| if at + DAY / 2 < since { at + DAY } else { at });
        // Its clock is that of the beginning of its loop.
        let mut later = times.filter(|at| at + LOOP > since);
        later
            .next()
            .ok_or_else(|| log.lines().last().unwrap_or("nothing").to_owned())
    }

    /// Whether its kernel sends what is for the edge's LAN by this link.
    pub fn sends_by(arena: &Arena, link: Link) -> Result<(), String> {
        let said = arena.far.show(&format!("route get {SOURCE}"));
        let said = said.map_err(|error| error.to_string())?;
        if said.contains(link.name()) {
            return Ok(());
        }
        Err(said)
    }
}

/// Prefers the first link, and makes of the GRACEFUL_SHUTDOWN community what
/// RFC 8326 §4.2 asks: the least preference.
fn sessions(prefixes: &[IpNet]) -> String {
    let mut text = String::from(
        "log stderr all;\ntimeformat log iso long us;\n\
         protocol kernel { debug { routes }; ipv4 { export where source = RTS_BGP; }; }\n\
         protocol static { ipv4;\n",
    );
    for prefix in prefixes {
        let _ = writeln!(text, "  route {prefix} blackhole;");
    }
    text.push_str("}\n");
    for link in Link::BOTH {
        let preference = 300 - 100 * u32::from(link.number());
        let _ = writeln!(
            text,
            "protocol bgp {} {{\n  local {} as {};\n  neighbor {} as {EDGE_ASN};\n  bfd yes;\n  hold time 90;\n  \
             connect delay time 1;\n  error wait time 1, 2;\n  \
             ipv4 {{ next hop self; import filter {{ bgp_local_pref = {preference}; \
             if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }}; \
             export where source = RTS_STATIC; }};\n}}",
            link.name(),
            link.at_far(),
            far::neighbor(link).asn,
            link.at_edge(),
        );
    }
    text
}

/// `2026-11-23 23:45:28.074519 <TRACE> …`, in nanoseconds.
fn time_of_day(line: &str) -> Option<u64> {
    let text = line.split_whitespace().nth(1)?;
    let (clock, micros) = text.split_once('.')?;
    let mut seconds = 0;
    for part in clock.split(':') {
        seconds = seconds * 60 + part.parse::<u64>().ok()?;
    }
    Some((seconds * 1_000_000 + micros.parse::<u64>().ok()?) * 1000)
}

const DAY: u64 = 86_400 * 1_000_000_000;
const LOOP: u64 = 5_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birds_log_has_the_time_of_day() {
        let line = "2026-11-23 23:45:28.074519 <TRACE> kernel1.ipv4 < replaced 10.98.0.0/24";
        let seconds = 23 * 3600 + 45 * 60 + 28;
        assert_eq!(
            time_of_day(line),
            Some((seconds * 1_000_000 + 74_519) * 1000)
        );
        assert_eq!(time_of_day("bird: Started"), None);
    }
}
