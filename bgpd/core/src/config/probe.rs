//! `probe = { … }` of a `[[vif]]`, `[[peer]]` or `[[path]]`: whom to measure it by.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::table::{At, Keys, Table};
use super::{Probe, value};
use crate::Family;
use crate::path::{Kind, Target};

pub(super) const KEY: &str = "probe";
const KEYS: Keys = Keys {
    known: &["icmp", "udp", "tcp", "stamp", "interval"],
    refused: &[],
};

/// Faster would be an attack on the target.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// A brown-out of 20 % has to be noticed within a second: every fifth probe is lost,
/// and what follows is asked faster.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(50);
/// More say nothing new about one path.
const MOST_TARGETS: usize = 16;
/// RFC 8762 §4.1.
const STAMP_PORT: u16 = 862;

/// The table as read.
pub(super) struct RawProbe {
    targets: Vec<At<Target>>,
    /// `icmp` is written, if only to be empty: no echoes to the far end.
    names_icmp: bool,
    interval: Duration,
}

impl RawProbe {
    /// `None`: nothing is said of it, or a mistake was noted.
    pub(super) fn read(outer: &Table<'_>) -> Option<Self> {
        if outer.is_flag(KEY) {
            return Self::off(outer);
        }
        let table = outer.table(KEY, &KEYS)?;
        let icmp = table.list("icmp", value::address).into_iter();
        let mut targets: Vec<_> = icmp
            .map(|at| at.map(|address| target(Kind::Icmp, SocketAddr::new(address, 0))))
            .collect();
        for (key, kind, parse) in [
            ("udp", Kind::Udp, with_port as fn(&str) -> _),
            ("tcp", Kind::Tcp, with_port),
            ("stamp", Kind::Stamp, reflector),
        ] {
            let of_kind = table.list(key, parse).into_iter();
            targets.extend(of_kind.map(|at| at.map(|address| target(kind, address))));
        }
        check(&table, &targets);
        if targets.is_empty() && table.has("icmp") {
            outer.mistake(
                outer.place(KEY),
                "`probe` has no target, so it would measure nothing; name one, or write `probe = false`",
            );
        }
        let interval = table.duration("interval", INTERVAL);
        Some(Self {
            targets,
            names_icmp: table.has("icmp"),
            interval: interval.map_or(DEFAULT_INTERVAL, |at| at.value),
        })
    }

    /// `probe = false`: not even a VIF's far end.
    fn off(outer: &Table<'_>) -> Option<Self> {
        let switch = outer.flag(KEY)?;
        if switch.value {
            outer.mistake(
                switch.offset,
                "`probe` says whom to measure the path by: write for example `probe = { icmp = [\"203.0.113.1\"] }`, or false",
            );
            return None;
        }
        Some(Self {
            targets: Vec::new(),
            names_icmp: true,
            interval: DEFAULT_INTERVAL,
        })
    }

    /// For a path without a far end of its own.
    pub(super) fn of_path(self, table: &Table<'_>) -> Probe {
        // That it names `icmp` was noted, or it is off.
        if self.targets.is_empty() && !self.names_icmp {
            table.mistake(
                table.place(KEY),
                "`probe` has no target; write for example `probe = { icmp = [\"203.0.113.1\"] }`",
            );
        }
        Probe {
            targets: self.targets.into_iter().map(|at| at.value).collect(),
            interval: self.interval,
        }
    }

    /// For a session: its far end too, unless `icmp` says otherwise.
    pub(super) fn of_session(&self, far_end: IpAddr) -> Probe {
        let far_end = (!self.names_icmp).then(|| to_far_end(far_end));
        let named = self.targets.iter().map(|at| at.value);
        Probe {
            targets: far_end.into_iter().chain(named).collect(),
            interval: self.interval,
        }
    }

    /// For one of a VIF's sessions: the targets of its family.
    pub(super) fn of_family(&self, far_end: IpAddr) -> Probe {
        let mut probe = self.of_session(far_end);
        probe
            .targets
            .retain(|target| Family::of(target.address) == Family::of(far_end));
        probe
    }

    /// Notes targets that no session of the VIF could reach.
    pub(super) fn check_families(&self, table: &Table<'_>, families: &[Family]) {
        for at in &self.targets {
            let family = Family::of(at.value.address);
            if !families.contains(&family) {
                table.mistake(
                    at.offset,
                    format_args!(
                        "`probe` {}: this VIF has no {family} session",
                        at.value.address
                    ),
                );
            }
        }
    }
}

impl Probe {
    /// A VIF's session is measured by its far end even where nothing is said.
    pub(super) fn by_default(far_end: IpAddr) -> Self {
        Self {
            targets: vec![to_far_end(far_end)],
            interval: DEFAULT_INTERVAL,
        }
    }
}

fn to_far_end(address: IpAddr) -> Target {
    target(Kind::Icmp, SocketAddr::new(address, 0))
}

fn target(kind: Kind, address: SocketAddr) -> Target {
    Target {
        kind,
        address: address.ip(),
        port: address.port(),
    }
}

fn check(table: &Table<'_>, targets: &[At<Target>]) {
    if let Some(at) = targets.get(MOST_TARGETS) {
        table.mistake(
            at.offset,
            format_args!("more than {MOST_TARGETS} targets; choose the best"),
        );
    }
    for (index, at) in targets.iter().enumerate() {
        if targets[..index].iter().any(|one| one.value == at.value) {
            table.mistake(
                at.offset,
                format_args!("target {} is there twice; remove one", at.value.address),
            );
        }
    }
}

fn with_port(text: &str) -> Result<SocketAddr, String> {
    let address = value::socket_address(text)?;
    value::address(&address.ip().to_string())?;
    if address.port() == 0 {
        return Err(format!("{text:?}: nobody listens on port 0"));
    }
    Ok(address)
}

/// With or without a port.
fn reflector(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(SocketAddr::new(value::address(text)?, STAMP_PORT)),
        Err(_) => with_port(text),
    }
}
