//! `bfd = …` of a `[[vif]]` or `[[peer]]`.

use std::path::PathBuf;
use std::time::Duration;

use super::table::{Keys, Table};
use super::{Ttl, value};
use crate::aws;
use crate::bfd::{Damping, Key, KeyError, Method, Settings};

/// How BFD watches the way to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// What we would like to send at, and the fastest that we take.
    pub interval: Duration,
    pub multiplier: u8,
    pub wait: BgpWaits,
    pub damping: Damping,
    pub authentication: Option<Authentication>,
}

/// Whether BGP may come up before BFD has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BgpWaits {
    /// `strict = true`.
    ForBfd,
    /// A far end that doesn't speak BFD costs nothing.
    No,
}

/// The key itself is read at start and reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    pub method: Method,
    pub key_id: u8,
    pub key_file: PathBuf,
}

impl Bfd {
    /// What AWS speaks by default (User Guide, "Enable BFD": 300 ms, 3).
    pub const AWS: Self = Self {
        interval: aws::BFD_INTERVAL,
        multiplier: aws::BFD_MULTIPLIER,
        wait: BgpWaits::No,
        damping: DAMPING,
        authentication: None,
    };

    /// What the machine runs by. `key`: the content of the key file, where there is
    /// one.
    pub fn settings(&self, key: Option<&[u8]>) -> Result<Settings, KeyError> {
        let authentication = match (&self.authentication, key) {
            (Some(authentication), key) => Some(crate::bfd::Authentication {
                method: authentication.method,
                key_id: authentication.key_id,
                key: Key::from_file_content(key.unwrap_or_default(), authentication.method)?,
            }),
            (None, _) => None,
        };
        Ok(Settings {
            transmit_interval: self.interval,
            receive_interval: self.interval,
            multiplier: self.multiplier,
            authentication,
        })
    }
}

/// `None`: no BFD. `default`: where nothing is said of it.
pub(super) fn read(table: &Table<'_>, default: Option<Bfd>) -> Option<Bfd> {
    if !table.has("bfd") {
        return default;
    }
    if !table.is_table("bfd") {
        let switch = table.flag("bfd")?;
        return switch.value.then_some(Bfd::AWS);
    }
    let bfd = table.table("bfd", &KEYS)?;
    let on = bfd.flag("strict").is_some_and(|at| at.value);
    Some(Bfd {
        interval: bfd
            .duration("interval", INTERVALS)
            .map_or(Bfd::AWS.interval, |at| at.value),
        multiplier: bfd
            .integer("multiplier", 1..=255)
            .and_then(|at| u8::try_from(at.value).ok())
            .unwrap_or(Bfd::AWS.multiplier),
        wait: if on { BgpWaits::ForBfd } else { BgpWaits::No },
        damping: damping(&bfd),
        authentication: authentication(&bfd),
    })
}

/// Over several hops no interface says which session a packet is for.
pub(super) fn check_multihop(table: &Table<'_>, ttl: Ttl, bfd: Option<&Bfd>) {
    if matches!(ttl, Ttl::Multihop(_)) && bfd.is_some() && !table.has("local") {
        table.mistake(
            table.place("bfd"),
            "`bfd` over several hops (`multihop`, or a peer in our own AS) needs `local`, the address that the far end knows us by (RFC 5883 §3)",
        );
    }
}

fn damping(table: &Table<'_>) -> Damping {
    let first = table
        .duration("damping", Duration::ZERO..=LONGEST_DAMPING)
        .map_or(DAMPING.first, |at| at.value);
    let most = table.duration("damping_max", Duration::from_secs(1)..=LONGEST_DAMPING);
    let longest = most.map_or(DAMPING.longest.max(first), |at| at.value);
    if longest < first {
        table.mistake(
            table.place("damping_max"),
            format_args!("`damping_max` {longest:?} is shorter than `damping` {first:?}"),
        );
    }
    Damping { first, longest }
}

fn authentication(table: &Table<'_>) -> Option<Authentication> {
    let method = table.parsed("auth", method);
    let file = table.parsed("auth_key_file", value::absolute_path);
    let key_id = table.integer("auth_key_id", 0..=255);
    if table.has("auth") && !table.has("auth_key_file") {
        table.mistake(
            table.place("auth"),
            "`auth` needs `auth_key_file`, a file (chmod 600) with the key alone",
        );
    }
    for key in ["auth_key_file", "auth_key_id"] {
        if table.has(key) && !table.has("auth") {
            let methods = Method::ALL.map(|(name, _)| format!("\"{name}\""));
            table.mistake(
                table.place(key),
                format_args!("`{key}` needs `auth`: {}", methods.join(", ")),
            );
        }
    }
    Some(Authentication {
        method: method?.value,
        key_id: key_id.map_or(Some(1), |at| u8::try_from(at.value).ok())?,
        key_file: file?.value,
    })
}

fn method(text: &str) -> Result<Method, String> {
    let known = Method::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, method)| *method).ok_or_else(|| {
        let names = Method::ALL.map(|(name, _)| name);
        format!(
            "{text:?} is no way to authenticate; use {}",
            names.join(", ")
        )
    })
}

const KEYS: Keys = Keys {
    known: &[
        "interval",
        "multiplier",
        "strict",
        "damping",
        "damping_max",
        "auth",
        "auth_key_file",
        "auth_key_id",
    ],
    refused: &[
        (
            "auth_key",
            "keys don't belong into this file; put it into a file of its own (chmod 600) and name that in `auth_key_file`",
        ),
        ("echo", "the Echo function is not offered"),
        (
            "demand",
            "Demand mode is not asked for; a far end that asks gets it",
        ),
    ],
};
/// Faster than a loaded Linux can be trusted to send, and slower than BGP's own
/// hold time.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(60);
const DAMPING: Damping = Damping {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
};
const LONGEST_DAMPING: Duration = Duration::from_secs(3600);
