//! What Direct Connect costs a month, and from which volume on it is cheaper
//! than the internet. Pure; the prices are a table that the user can replace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The table that comes with this program.
pub(crate) const SHIPPED: &str = include_str!("../prices.toml");

/// List prices, in one currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// Where they are from.
    pub(crate) source: String,
    pub(crate) date: String,
    pub(crate) currency: String,
    hours_per_month: f64,
    /// An hour of a port, by its bandwidth.
    dedicated: BTreeMap<String, f64>,
    hosted: BTreeMap<String, f64>,
    /// A GB out over Direct Connect, by Region.
    transfer: BTreeMap<String, f64>,
    /// A GB out to the internet; the last step has no end.
    internet: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    up_to_gb: Option<f64>,
    gb: f64,
}

/// What is paid for by the hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// For people: its name and identifier.
    pub(crate) what: String,
    pub(crate) kind: PortKind,
    /// As AWS writes it: 10Gbps.
    pub(crate) bandwidth: String,
    pub(crate) count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortKind {
    Dedicated,
    Hosted,
}

/// A month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Month {
    pub(crate) lines: Vec<Line>,
    pub(crate) total: f64,
    /// The same volume over the internet.
    pub(crate) internet: f64,
    /// GB a month from which on Direct Connect is cheaper; `None`: never, at these
    /// prices.
    pub(crate) break_even_gb: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) amount: String,
    pub(crate) price: f64,
    pub(crate) month: f64,
}

impl Prices {
    /// Mistakes are told with line and column.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let prices: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        prices.check()?;
        Ok(prices)
    }

    fn check(&self) -> Result<(), String> {
        let tables = [&self.dedicated, &self.hosted, &self.transfer];
        let listed = tables.into_iter().flat_map(BTreeMap::values);
        let mut all = listed.chain(self.internet.iter().map(|step| &step.gb));
        if !(self.hours_per_month > 0.0 && self.hours_per_month <= 744.0) {
            return Err("`hours_per_month` is more than 0 and at most 744".to_owned());
        }
        if !all.all(|price| price.is_finite() && *price >= 0.0) {
            return Err("a price is a number, 0 or more".to_owned());
        }
        let Some((last, steps)) = self.internet.split_last() else {
            return Err("`[[internet]]` has no step".to_owned());
        };
        let ends: Vec<f64> = steps.iter().filter_map(|step| step.up_to_gb).collect();
        let rising = ends.windows(2).all(|pair| pair[0] < pair[1]);
        if last.up_to_gb.is_some() || ends.len() != steps.len() || !rising {
            return Err(
                "the steps of `[[internet]]` have rising `up_to_gb`, and the last one has none"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// `Err` names the line of the table that is missing.
    pub(crate) fn month(&self, ports: &[Port], region: &str, gb: f64) -> Result<Month, String> {
        let mut lines = Vec::new();
        for port in ports {
            let price = self.of_port(port)?;
            let hours = self.hours_per_month * f64::from(port.count);
            lines.push(Line {
                what: port.what.clone(),
                amount: format!("{} × {} h", port.count, self.hours_per_month),
                price,
                month: price * hours,
            });
        }
        let fixed: f64 = lines.iter().map(|line| line.month).sum();
        let transfer = self.transfer.get(region).copied().ok_or_else(|| {
            format!("the price table has no line `{region}` under [transfer]: add it and give the table by --prices")
        })?;
        lines.push(Line {
            what: format!("transfer out of {region}"),
            amount: format!("{gb:.0} GB"),
            price: transfer,
            month: transfer * gb,
        });
        Ok(Month {
            total: fixed + transfer * gb,
            internet: self.over_internet(gb),
            break_even_gb: self.break_even(fixed, transfer),
            lines,
        })
    }

    fn of_port(&self, port: &Port) -> Result<f64, String> {
        let (table, name) = match port.kind {
            PortKind::Dedicated => (&self.dedicated, "dedicated"),
            PortKind::Hosted => (&self.hosted, "hosted"),
        };
        table.get(&port.bandwidth).copied().ok_or_else(|| {
            format!(
                "the price table has no line `{}` under [{name}], which {} needs: add it and give the table by --prices",
                port.bandwidth, port.what
            )
        })
    }

    fn over_internet(&self, gb: f64) -> f64 {
        let (mut cost, mut from) = (0.0, 0.0);
        for step in &self.internet {
            let to = step.up_to_gb.unwrap_or(f64::INFINITY).min(gb);
            cost += (to - from).max(0.0) * step.gb;
            from = to.max(from);
        }
        cost
    }

    /// Where `fixed + transfer × gb` meets the internet's rising steps.
    fn break_even(&self, fixed: f64, transfer: f64) -> Option<f64> {
        let mut from = 0.0;
        for step in &self.internet {
            let ahead = fixed + transfer * from - self.over_internet(from);
            if ahead <= 0.0 {
                return Some(from);
            }
            let saved = step.gb - transfer;
            let at = from + ahead / saved;
            if saved > 0.0 && at <= step.up_to_gb.unwrap_or(f64::INFINITY) {
                return Some(at);
            }
            from = step.up_to_gb?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn port(kind: PortKind, bandwidth: &str, count: u32) -> Port {
        Port {
            what: "fra".into(),
            kind,
            bandwidth: bandwidth.into(),
            count,
        }
    }

    #[test]
    fn a_month_is_port_hours_and_transfer() {
        let prices = Prices::read(SHIPPED).unwrap();
        let ports = [
            port(PortKind::Dedicated, "10Gbps", 2),
            port(PortKind::Hosted, "1Gbps", 1),
        ];
        let month = prices.month(&ports, "eu-central-1", 50_000.0).unwrap();
        let fixed = 2.0 * 2.25 * 730.0 + 0.33 * 730.0;
        assert!((month.total - (fixed + 1000.0)).abs() < 1e-6, "{month:?}");
        let internet = 10_140.0 * 0.09 + 39_760.0 * 0.085;
        assert!((month.internet - internet).abs() < 1e-6, "{month:?}");
    }

    #[test]
    fn at_the_break_even_both_ways_cost_the_same() {
        let prices = Prices::read(SHIPPED).unwrap();
        for (bandwidth, count) in [("1Gbps", 1), ("10Gbps", 1), ("10Gbps", 4), ("100Gbps", 2)] {
            let ports = [port(PortKind::Dedicated, bandwidth, count)];
            let month = prices.month(&ports, "eu-central-1", 0.0).unwrap();
            let at = month.break_even_gb.unwrap();
            let there = prices.month(&ports, "eu-central-1", at).unwrap();
            assert!((there.total - there.internet).abs() < 1e-3, "{there:?}");
            let before = prices.month(&ports, "eu-central-1", at - 1.0).unwrap();
            assert!(before.total > before.internet, "{before:?}");
        }
    }

    #[test]
    fn where_the_internet_is_never_dearer_there_is_no_break_even() {
        let text = SHIPPED.replace("eu-central-1 = 0.02", "eu-central-1 = 0.09");
        let prices = Prices::read(&text).unwrap();
        let ports = [port(PortKind::Dedicated, "1Gbps", 1)];
        let month = prices.month(&ports, "eu-central-1", 1000.0).unwrap();
        assert_eq!(month.break_even_gb, None);
    }

    #[test]
    fn what_the_table_lacks_is_named_and_never_guessed() {
        let prices = Prices::read(SHIPPED).unwrap();
        let unknown = [port(PortKind::Dedicated, "40Gbps", 1)];
        let text = prices.month(&unknown, "eu-central-1", 1.0).unwrap_err();
        assert!(text.contains("`40Gbps` under [dedicated]"), "{text}");
        let text = prices.month(&[], "ap-south-1", 1.0).unwrap_err();
        assert!(text.contains("`ap-south-1` under [transfer]"), "{text}");
    }

    #[test]
    fn a_mistake_in_the_table_is_told_with_its_place() {
        for (from, to, says) in [
            (
                "hours_per_month = 730",
                "hours_per_month = 0",
                "at most 744",
            ),
            ("\"1Gbps\" = 0.30", "\"1Gbps\" = -1", "0 or more"),
            ("up_to_gb = 51_200", "up_to_gb = 5", "rising"),
            ("currency", "curency", "line 5"),
        ] {
            let text = Prices::read(&SHIPPED.replacen(from, to, 1)).unwrap_err();
            assert!(text.contains(says), "{text}");
        }
    }
}
