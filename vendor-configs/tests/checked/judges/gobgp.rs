//! What `gobgpd -d` lets pass: addresses, AS numbers, communities, and names
//! of policies and sets that nobody defines.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Value;

use super::Complaint;
use super::slots::{Facts, is_asn, is_community};

pub(crate) fn judge(text: &str) -> Vec<Complaint> {
    let value: Value = match text.parse::<toml::Table>() {
        Ok(table) => Value::Table(table),
        Err(error) => return vec![Complaint::whole(error.to_string())],
    };
    let mut walk = Walk::default();
    walk.value(&mut Vec::new(), &value);
    let mut complaints = walk.complaints;
    complaints.extend(walk.facts.complaints().into_iter().map(|mut complaint| {
        complaint.line = None;
        complaint
    }));
    complaints
}

#[derive(Default)]
struct Walk {
    facts: Facts,
    complaints: Vec<Complaint>,
}

impl Walk {
    fn value(&mut self, path: &mut Vec<String>, value: &Value) {
        match value {
            Value::Table(table) => {
                for (key, value) in table {
                    path.push(key.clone());
                    self.value(path, value);
                    path.pop();
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.value(path, value)),
            leaf => {
                let text = leaf
                    .as_str()
                    .map_or_else(|| leaf.to_string(), str::to_owned);
                let words: Vec<&str> = path.iter().map(String::as_str).collect();
                if !fits(&words, &text) {
                    let what = format!("{}: `{text}` does not fit", path.join("."));
                    self.complaints.push(Complaint::whole(what));
                }
                self.note(&words, &text);
            }
        }
    }

    fn note(&mut self, path: &[&str], text: &str) {
        let (defines, uses) = match path {
            ["policy-definitions", "name"] => (Some("policy"), None),
            [.., "import-policy-list" | "export-policy-list"] => (None, Some("policy")),
            [.., "prefix-sets", "prefix-set-name"] => (Some("prefix set"), None),
            [.., "neighbor-sets", "neighbor-set-name"] => (Some("neighbor set"), None),
            [.., "community-sets", "community-set-name"] => (Some("community set"), None),
            [.., "match-prefix-set", "prefix-set"] => (None, Some("prefix set")),
            [.., "match-neighbor-set", "neighbor-set"] => (None, Some("neighbor set")),
            [.., "match-community-set", "community-set"] => (None, Some("community set")),
            _ => (None, None),
        };
        if let Some(kind) = defines {
            self.facts.define(1, kind, text);
        }
        if let Some(kind) = uses {
            self.facts.used(1, kind, text);
        }
    }
}

fn fits(path: &[&str], text: &str) -> bool {
    let net = || text.parse::<IpNet>().ok();
    let in_range =
        |low: f64, high: f64| text.parse::<f64>().is_ok_and(|n| (low..=high).contains(&n));
    match path {
        [.., "neighbor-address" | "local-address"] => text.parse::<IpAddr>().is_ok(),
        [.., "router-id"] => text.parse::<std::net::Ipv4Addr>().is_ok(),
        [.., "as" | "peer-as" | "local-as"] => is_asn(text),
        [.., "ip-prefix"] => net().is_some_and(|net| net.trunc() == net),
        [.., "masklength-range"] => text.split_once("..").is_some_and(|(low, high)| {
            let length = |text: &str| text.parse::<u8>().ok();
            matches!((length(low), length(high)), (Some(low), Some(high)) if low <= high && high <= 128)
        }),
        [.., "neighbor-info-list"] => text.parse::<IpAddr>().is_ok() || net().is_some(),
        [.., "communities-list" | "community-list"] => {
            // A regular expression to GoBGP.
            let plain = text.strip_prefix('^').and_then(|text| text.strip_suffix('$'));
            is_community(plain.unwrap_or(text))
        }
        [.., "hold-time"] => in_range(3.0, 65535.0),
        [.., "keepalive-interval"] => in_range(1.0, 21845.0),
        [.., "max-prefixes"] => in_range(1.0, 4_294_967_295.0),
        [.., "shutdown-threshold-pct"] => in_range(1.0, 100.0),
        [.., "ttl-min"] => in_range(1.0, 255.0),
        // 0 counts as none.
        [.., "set-local-pref"] => in_range(1.0, 4_294_967_295.0),
        _ => true,
    }
}
