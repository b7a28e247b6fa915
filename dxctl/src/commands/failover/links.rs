//! What the kernel knows of interfaces: how fast they are, and how much went
//! through them.

use std::collections::BTreeMap;
use std::fs;

use nix::net::if_::if_nametoindex;

/// Octets since the interface was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Octets {
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// Of every interface.
pub(super) fn octets() -> BTreeMap<String, Octets> {
    // Of this process's own network namespace, unlike what is mounted on /sys.
    parsed(&fs::read_to_string("/proc/self/net/dev").unwrap_or_default())
}

fn parsed(text: &str) -> BTreeMap<String, Octets> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        let octets = Octets {
            received: *numbers.first()?,
            sent: *numbers.get(8)?,
        };
        Some((name.trim().to_owned(), octets))
    };
    text.lines().filter_map(line).collect()
}

/// Bits per second; `None` where the interface doesn't say, as tunnels don't.
pub(super) fn speed(interface: &str) -> Option<u64> {
    let of = |what: &str| fs::read_to_string(format!("/sys/class/net/{interface}/{what}")).ok();
    // A /sys from another network namespace speaks of another interface.
    let index: u32 = of("ifindex")?.trim().parse().ok()?;
    if if_nametoindex(interface).ok()? != index {
        return None;
    }
    let megabits: i64 = of("speed")?.trim().parse().ok()?;
    u64::try_from(megabits)
        .ok()
        .filter(|megabits| *megabits > 0)?
        .checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n\
            \x20   lo:  100 1 0 0 0 0 0 0  200 2 0 0 0 0 0 0\n\
            eth1.101:70000000000 9 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n junk: 1 2\n";
        let found = parsed(text);
        assert_eq!(found.len(), 2);
        let vif = Octets {
            received: 70_000_000_000,
            sent: 5,
        };
        assert_eq!(found.get("eth1.101"), Some(&vif));
    }

    #[test]
    fn this_host_has_a_loopback_interface_of_no_known_speed() {
        assert!(octets().contains_key("lo"));
        assert_eq!(speed("lo"), None);
        assert_eq!(speed("no-such-one"), None);
    }
}
