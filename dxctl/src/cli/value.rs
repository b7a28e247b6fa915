//! Values on the command line: how they are written, and what they become.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bgp_core::api::EventKind;
use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, RouterId, VlanId};
use clap::ValueEnum;
use ipnet::IpNet;
use vendor_configs::{Bfd, Scope, Timers};

use crate::aws::{PeerAddresses, Tag};

pub(crate) fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no account: it has 12 digits")),
    }
}

/// A value, or `auto`: pick one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auto<T> {
    Auto,
    Value(T),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    Auto,
    /// AWS assigns them.
    Aws,
    Pair(PeerAddresses),
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "aws" => Ok(Self::Aws),
            pair => {
                let (amazon, customer) = pair.split_once(',').ok_or(
                    "write auto, aws, or AWS's address and ours: 169.254.10.1/30,169.254.10.2/30",
                )?;
                Ok(Self::Pair(PeerAddresses {
                    amazon: with_mask(amazon)?,
                    customer: with_mask(customer)?,
                }))
            }
        }
    }
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write a tag as KEY=VALUE")?;
        if key.is_empty() || key.chars().count() > 128 {
            return Err("a tag's key has 1 to 128 characters".into());
        }
        if value.chars().count() > 256 {
            return Err("a tag's value has at most 256 characters".into());
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

fn with_mask(text: &str) -> Result<IpNet, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no address with its mask, as 169.254.10.1/30"))
}

pub(super) fn asn(text: &str) -> Result<Asn, String> {
    let number = text.strip_prefix("AS").unwrap_or(text).parse();
    number
        .map(Asn)
        .map_err(|_| format!("`{text}` is no AS number"))
}

pub(super) fn auto_asn(text: &str) -> Result<Auto<Asn>, String> {
    if text == "auto" {
        Ok(Auto::Auto)
    } else {
        asn(text).map(Auto::Value)
    }
}

pub(super) fn vlan(text: &str) -> Result<VlanId, String> {
    text.parse::<u16>()
        .ok()
        .and_then(VlanId::new)
        .ok_or("a VLAN is 1 to 4094".to_owned())
}

pub(super) fn auto_vlan(text: &str) -> Result<Auto<VlanId>, String> {
    if text == "auto" {
        Ok(Auto::Auto)
    } else {
        vlan(text).map(Auto::Value)
    }
}

pub(super) fn family(text: &str) -> Result<Family, String> {
    match text {
        "ipv4" => Ok(Family::Ipv4),
        "ipv6" => Ok(Family::Ipv6),
        _ => Err("write ipv4 or ipv6".into()),
    }
}

pub(super) fn kind(text: &str) -> Result<VifKind, String> {
    match text {
        "private" => Ok(VifKind::Private),
        "transit" => Ok(VifKind::Transit),
        "public" => Ok(VifKind::Public),
        _ => Err("write private, transit or public".into()),
    }
}

pub(super) fn router_id(text: &str) -> Result<RouterId, String> {
    match text.parse() {
        Ok(address) if address != std::net::Ipv4Addr::UNSPECIFIED => Ok(RouterId(address)),
        _ => Err("a router identifier is written like an IPv4 address and isn't 0.0.0.0".into()),
    }
}

pub(super) fn prefix_or_address(text: &str) -> Result<String, String> {
    if let Ok(prefix) = text.parse::<IpNet>() {
        return Ok(prefix.trunc().to_string());
    }
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err("write a prefix as 10.0.0.0/16, or an address".into()),
    }
}

pub(super) fn per_vif_preference(text: &str) -> Result<PerVif<Preference>, String> {
    let (vif, value) = match text.split_once('=') {
        Some((vif, value)) => (Some(vif.to_owned()), value),
        None => (None, text),
    };
    let value = Preference::from_str(value, true).map_err(|_| "write low, medium or high")?;
    Ok(PerVif { vif, value })
}

pub(super) fn per_vif_scope(text: &str) -> Result<PerVif<Scope>, String> {
    let (vif, value) = match text.split_once('=') {
        Some((vif, value)) => (Some(vif.to_owned()), value),
        None => (None, text),
    };
    let scopes = [Scope::Region, Scope::Continent, Scope::Global];
    let value = scopes.into_iter().find(|scope| scope.name() == value);
    let value = value.ok_or("write region, continent or global")?;
    Ok(PerVif { vif, value })
}

/// `300x3`.
pub(super) fn bfd(text: &str) -> Result<Bfd, String> {
    let parts = text.split_once('x');
    let parts =
        parts.and_then(|(interval, times)| Some((interval.parse().ok()?, times.parse().ok()?)));
    parts
        .map(|(interval, multiplier)| Bfd {
            interval,
            multiplier,
        })
        .ok_or_else(|| "write milliseconds and multiplier as 300x3".into())
}

/// `30,90`.
pub(super) fn timers(text: &str) -> Result<Timers, String> {
    let parts = text.split_once(',');
    let parts =
        parts.and_then(|(keepalive, hold)| Some((keepalive.parse().ok()?, hold.parse().ok()?)));
    parts
        .map(|(keepalive, hold)| Timers { keepalive, hold })
        .ok_or_else(|| "write keepalive and hold time in seconds as 30,90".into())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .map(Duration::from_secs)
        .map_err(|_| "write a whole number of seconds".into())
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("write seconds, from 0.05 to 3600".into()),
    }
}

/// `90`, `90s`, `500ms`, `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let factor = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = factor.zip(number.parse::<f64>().ok());
    let seconds = seconds.map(|(factor, number)| factor * number);
    seconds
        .filter(|seconds| (0.0..=86_400.0 * 3.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "write a time as 500ms, 30s or 5m".into())
}

pub(super) fn event_kind(text: &str) -> Result<EventKind, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        "write carrier, session, bfd, health, swap, drain, configuration or other".into()
    })
}

/// A value for every VIF, or for the named one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerVif<T> {
    pub(crate) vif: Option<String>,
    pub(crate) value: T,
}

impl<T: FromStr> FromStr for PerVif<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text.split_once('=') {
            Some((vif, value)) => Ok(Self {
                vif: Some(vif.to_owned()),
                value: value.parse()?,
            }),
            None => Ok(Self {
                vif: None,
                value: text.parse()?,
            }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preference {
    Low,
    Medium,
    High,
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_auto_aws_or_a_pair() {
        assert_eq!("auto".parse(), Ok(Addresses::Auto));
        assert_eq!("aws".parse(), Ok(Addresses::Aws));
        let pair: Result<Addresses, _> = "169.254.10.1/30,169.254.10.2/30".parse();
        assert!(matches!(pair, Ok(Addresses::Pair(_))));
        assert!("169.254.10.1/30".parse::<Addresses>().is_err());
        assert!("169.254.10.1,169.254.10.2".parse::<Addresses>().is_err());
    }

    #[test]
    fn a_value_can_be_for_one_vif() {
        let value: Result<PerVif<String>, _> = "prod=eth1".parse();
        assert_eq!(
            value,
            Ok(PerVif {
                vif: Some("prod".into()),
                value: "eth1".into()
            })
        );
    }
}
