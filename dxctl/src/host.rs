//! What this host's interfaces use.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// An address on an interface of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) interface: String,
    pub(crate) net: IpNet,
}

/// Every address of every interface, with its mask.
pub(crate) fn addresses() -> Result<Vec<Used>, std::io::Error> {
    let all = getifaddrs().map_err(std::io::Error::from)?;
    Ok(all
        .filter_map(|entry| {
            let address = ip(entry.address.as_ref()?)?;
            let mask = entry.netmask.as_ref().and_then(ip);
            let net = mask
                .and_then(|mask| IpNet::with_netmask(address, mask).ok())
                .unwrap_or_else(|| IpNet::from(address));
            Some(Used {
                interface: entry.interface_name,
                net,
            })
        })
        .collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_loopback_address_is_found_with_its_mask() {
        let all = addresses().unwrap();
        assert!(all.iter().any(|used| used.net.to_string() == "127.0.0.1/8"));
    }
}
