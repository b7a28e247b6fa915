//! A free pair of addresses for a session's two ends.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use super::{Excluded, Picked};
use crate::Refused;
use crate::aws::PeerAddresses;

/// Addresses that may not be picked, with who has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) net: Ipv4Net,
    pub(crate) by: String,
}

impl Taken {
    /// `None` for IPv6, which is not picked from.
    pub(crate) fn new(net: IpNet, by: impl Into<String>) -> Option<Self> {
        match net {
            IpNet::V4(net) => Some(Self {
                net: net.trunc(),
                by: by.into(),
            }),
            IpNet::V6(_) => None,
        }
    }
}

/// The lowest pair of this mask (30 or 31) in the pool that meets nothing
/// taken nor reserved. AWS's end is the lower one.
pub(crate) fn address_pair(
    pool: Ipv4Net,
    length: u8,
    taken: &[Taken],
) -> Result<Picked<PeerAddresses>, Refused> {
    let too_small = || {
        Refused::new(format!(
            "the pool {pool} is smaller than a /{length}: give a larger --pool"
        ))
    };
    let pool = pool.trunc();
    let all: Vec<Taken> = reserved().chain(taken.iter().cloned()).collect();
    let holders = Holders::of(&all, length);
    let mut avoided: Vec<&Taken> = Vec::new();
    for subnet in pool.subnets(length).map_err(|_| too_small())? {
        match holders.holder(subnet) {
            // One that is wider than a pair has several in a row.
            Some(taken) if avoided.last() == Some(&taken) => {}
            Some(taken) => avoided.push(taken),
            None => {
                return Ok(Picked {
                    value: ends(subnet),
                    reason: reason(pool, length, &avoided),
                    excluded: excluded(pool, &all, subnet),
                });
            }
        }
    }
    Err(Refused::new(format!(
        "no free /{length} in {pool} ({}): give another pool",
        holders_text(&avoided)
    )))
}

/// Link-local addresses, where AWS too assigns from.
pub(crate) fn link_local_pool() -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::new(169, 254, 0, 0), 16).expect("invariant: 16 is an IPv4 mask")
}

fn ends(subnet: Ipv4Net) -> PeerAddresses {
    // RFC 3021: a /31 has no network and broadcast addresses.
    let skip = if subnet.prefix_len() == 31 { 0 } else { 1 };
    let first = u32::from(subnet.network()) + skip;
    let with_mask = |address| {
        let net = Ipv4Net::new(Ipv4Addr::from(address), subnet.prefix_len());
        IpNet::V4(net.expect("invariant: the mask comes from a network"))
    };
    PeerAddresses {
        amazon: with_mask(first),
        customer: with_mask(first + 1),
    }
}

/// Who has a pair's network, found without looking at all of them: a site can
/// have hundreds.
struct Holders<'a> {
    /// By the pair's network that they are in.
    narrow: HashMap<Ipv4Net, &'a Taken>,
    wide: Vec<&'a Taken>,
}

impl<'a> Holders<'a> {
    fn of(all: &'a [Taken], length: u8) -> Self {
        let mut holders = Self {
            narrow: HashMap::new(),
            wide: Vec::new(),
        };
        for taken in all {
            match Ipv4Net::new(taken.net.addr(), length) {
                Ok(pair) if taken.net.prefix_len() >= length => {
                    holders.narrow.entry(pair.trunc()).or_insert(taken);
                }
                _ => holders.wide.push(taken),
            }
        }
        holders
    }

    fn holder(&self, subnet: Ipv4Net) -> Option<&'a Taken> {
        let mut wide = self.wide.iter();
        let wide = wide.find(|taken| taken.net.contains(&subnet));
        wide.or_else(|| self.narrow.get(&subnet)).copied()
    }
}

fn reason(pool: Ipv4Net, length: u8, avoided: &[&Taken]) -> String {
    let how = format!("the lowest free /{length} in {pool}");
    match avoided {
        [] => how,
        some => format!("{how} ({})", holders_text(some)),
    }
}

/// The first three, and how many more.
fn holders_text(avoided: &[&Taken]) -> String {
    let first = avoided.iter().take(3);
    let first: Vec<String> = first
        .map(|taken| format!("{} is {}", taken.net, taken.by))
        .collect();
    let first = first.join("; ");
    match avoided.len() {
        0..=3 => first,
        more => format!("{first}; and {} more", more - 3),
    }
}

/// Those below the chosen one stood in its way: the lowest free one is chosen.
fn excluded(pool: Ipv4Net, all: &[Taken], chosen: Ipv4Net) -> Vec<Excluded> {
    let meets = |taken: &&Taken| pool.contains(&taken.net) || taken.net.contains(&pool);
    let mut here: Vec<&Taken> = all.iter().filter(meets).collect();
    here.sort_by(|a, b| (a.net, &a.by).cmp(&(b.net, &b.by)));
    here.dedup();
    let one = |taken: &Taken| Excluded {
        what: taken.net.to_string(),
        by: taken.by.clone(),
        passed: taken.net.network() < chosen.network(),
    };
    here.into_iter().map(one).collect()
}

/// Parts of 169.254.0.0/16 that are no good for a session: the ends that RFC
/// 3927 §2.1 reserves, those that AWS keeps for site-to-site VPN tunnels, which
/// may well be the backup of this very link, and AWS's services in every VPC
/// (metadata and credentials, DNS, time).
fn reserved() -> impl Iterator<Item = Taken> {
    const RFC: &str = "reserved (RFC 3927)";
    const VPN: &str = "reserved for VPN tunnels";
    const SERVICE: &str = "used by AWS inside every VPC";
    [
        ([169, 254, 0, 0], 24, RFC),
        ([169, 254, 255, 0], 24, RFC),
        ([169, 254, 1, 0], 30, VPN),
        ([169, 254, 2, 0], 30, VPN),
        ([169, 254, 3, 0], 30, VPN),
        ([169, 254, 4, 0], 30, VPN),
        ([169, 254, 5, 0], 30, VPN),
        (
            [169, 254, 169, 252],
            30,
            "used by AWS inside every VPC, and reserved for VPN tunnels",
        ),
        ([169, 254, 169, 123], 32, SERVICE),
        ([169, 254, 170, 0], 24, SERVICE),
    ]
    .into_iter()
    .filter_map(|(address, length, by)| {
        let net = Ipv4Net::new(Ipv4Addr::from(address), length).ok()?;
        Some(Taken {
            net,
            by: by.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pool(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn taken(text: &str) -> Taken {
        Taken {
            net: pool(text).trunc(),
            by: "eth0".into(),
        }
    }

    #[test]
    fn reserved_ends_and_vpn_tunnels_are_avoided() {
        let picked = address_pair(pool("169.254.0.0/16"), 30, &[]).unwrap();
        assert_eq!(picked.value.to_string(), "169.254.1.5/30,169.254.1.6/30");
        assert!(picked.reason.contains("RFC 3927"), "{}", picked.reason);
    }

    #[test]
    fn what_is_in_use_is_avoided_whatever_its_mask() {
        let used = [taken("169.254.1.5/29"), taken("169.254.1.8/32")];
        let picked = address_pair(pool("169.254.1.0/24"), 30, &used).unwrap();
        assert_eq!(picked.value.to_string(), "169.254.1.13/30,169.254.1.14/30");
    }

    #[test]
    fn the_metadata_address_is_never_in_a_pair() {
        assert!(address_pair(pool("169.254.169.252/30"), 30, &[]).is_err());
        let picked = address_pair(pool("169.254.169.252/29"), 31, &[]).unwrap();
        assert_eq!(
            picked.value.to_string(),
            "169.254.169.248/31,169.254.169.249/31"
        );
    }

    #[test]
    fn a_pair_of_31_has_no_gap() {
        let picked = address_pair(pool("10.0.0.0/24"), 31, &[taken("10.0.0.0/31")]).unwrap();
        assert_eq!(picked.value.to_string(), "10.0.0.2/31,10.0.0.3/31");
    }

    #[test]
    fn what_was_not_free_is_told_in_order_and_what_stood_in_the_way() {
        let used = [
            taken("169.254.1.64/30"),
            taken("169.254.1.4/30"),
            taken("10.0.0.0/8"),
        ];
        let picked = address_pair(pool("169.254.1.0/24"), 30, &used).unwrap();
        let told: Vec<_> = picked
            .excluded
            .iter()
            .map(|one| (one.what.as_str(), one.passed))
            .collect();
        let expected = [
            ("169.254.1.0/30", true),
            ("169.254.1.4/30", true),
            ("169.254.1.64/30", false),
        ];
        assert_eq!(told, expected);
        assert_eq!(picked.excluded[0].by, "reserved for VPN tunnels");
        let everywhere = address_pair(pool("169.254.0.0/16"), 30, &[]).unwrap();
        let metadata = everywhere
            .excluded
            .iter()
            .find(|one| one.what == "169.254.169.252/30");
        assert!(metadata.unwrap().by.contains("AWS inside every VPC"));
    }

    #[test]
    fn a_full_or_small_pool_is_refused() {
        assert!(address_pair(pool("10.0.0.0/30"), 30, &[taken("10.0.0.0/8")]).is_err());
        let error = address_pair(pool("10.0.0.0/32"), 30, &[]).unwrap_err();
        assert!(error.to_string().contains("--pool"), "{error}");
    }
}
