//! Strings and numbers to values, each refused with words that say what would
//! do instead. The table adds where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::policy::{PrefixMatch, PrefixMatchError};
use crate::wire::{Community, ParseCommunityError};
use crate::{Asn, Family, RouterId, VlanId, aws};

/// The kernel's IFNAMSIZ, less the final zero.
const INTERFACE_NAME_LENGTH: usize = 15;
/// Long enough for AWS's names of virtual interfaces.
const NAME_LENGTH: usize = 100;

pub fn asn(number: u32) -> Result<Asn, String> {
    match number {
        0 => Err("0 is reserved (RFC 7607); use your ASN".into()),
        // RFC 6793 §9.
        23456 => {
            Err("23456 is AS_TRANS, which stands for ASNs that don't fit; use the real one".into())
        }
        // RFC 7300.
        65535 | u32::MAX => Err(format!(
            "{number} is reserved (RFC 7300); private ASNs are 64512 to 65534 and 4200000000 to 4294967294"
        )),
        _ => Ok(Asn(number)),
    }
}

pub fn vlan(number: u32) -> Result<VlanId, String> {
    u16::try_from(number).ok().and_then(VlanId::new).ok_or_else(|| {
        format!("VLAN {number} is outside 1–4094; use the one that AWS or your partner shows for this VIF")
    })
}

pub fn router_id(text: &str) -> Result<RouterId, String> {
    let address: Ipv4Addr = text
        .parse()
        .map_err(|_| format!("{text:?} is not of the form \"192.0.2.1\""))?;
    if address.is_unspecified() {
        return Err(
            "0.0.0.0 is no router ID (RFC 6286): use any other, unique among your routers".into(),
        );
    }
    Ok(RouterId(address))
}

pub fn address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is no IP address"))?;
    usable(address)?;
    Ok(address)
}

/// An address with its mask, as on an interface: `169.254.10.2/30`.
pub fn interface_address(text: &str) -> Result<IpNet, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(format!(
            "{text:?} lacks its mask; write for example \"{text}/30\""
        ));
    }
    let net: IpNet = text
        .parse()
        .map_err(|_| format!("{text:?} is not of the form \"169.254.10.2/30\""))?;
    usable(net.addr())?;
    host_of_its_subnet(net, net.addr())?;
    Ok(net)
}

/// An address with or without its mask.
pub fn address_or_interface_address(text: &str) -> Result<IpNet, String> {
    match text.parse::<IpAddr>() {
        Ok(_) => address(text).map(IpNet::from),
        Err(_) => interface_address(text),
    }
}

/// Refuses a subnet's own address and its broadcast address. A /31 has neither
/// (RFC 3021).
pub fn host_of_its_subnet(net: IpNet, address: IpAddr) -> Result<(), String> {
    let IpNet::V4(v4) = net else { return Ok(()) };
    if v4.prefix_len() >= 31 {
        return Ok(());
    }
    if address == IpAddr::V4(v4.network()) {
        return Err(format!(
            "{address} is the address of the network {} itself; use a host's",
            net.trunc()
        ));
    }
    if address == IpAddr::V4(v4.broadcast()) {
        return Err(format!(
            "{address} is the broadcast address of {}; use a host's",
            net.trunc()
        ));
    }
    Ok(())
}

pub fn prefix(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Err(format!(
            "{text:?} lacks its length; for this one address write \"{}\"",
            IpNet::from(address)
        ));
    }
    let net: IpNet = text
        .parse()
        .map_err(|_| format!("{text:?} is not of the form \"10.20.0.0/16\""))?;
    if net.trunc() != net {
        return Err(format!(
            "{net} has host bits set; did you mean {}?",
            net.trunc()
        ));
    }
    Ok(net)
}

/// What to announce: a prefix that may appear in BGP at all.
pub fn advertised_prefix(text: &str) -> Result<IpNet, String> {
    let net = prefix(text)?;
    let refused = match net {
        IpNet::V4(v4) => {
            v4.prefix_len() > 0
                && (v4.addr().is_loopback()
                    || v4.addr().is_link_local()
                    || v4.addr().octets()[0] >= 224)
        }
        IpNet::V6(v6) => {
            v6.addr().is_multicast() || v6.addr().is_loopback() || v6.addr().is_unicast_link_local()
        }
    };
    if refused {
        return Err(format!(
            "{net} is loopback, link-local or multicast space, which can't be routed to us; remove it"
        ));
    }
    Ok(net)
}

/// Which prefixes a policy line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Any,
    Match(PrefixMatch),
}

/// `any`, or a [`PrefixMatch`].
pub fn filter(text: &str) -> Result<Filter, String> {
    if text == "any" {
        return Ok(Filter::Any);
    }
    let filter: PrefixMatch = text
        .parse()
        .map_err(|error: PrefixMatchError| error.to_string())?;
    Ok(Filter::Match(filter))
}

/// RFC 1997: `65010:100`, or a well-known name.
pub fn community(text: &str) -> Result<Community, String> {
    match text {
        "no-export" => Ok(Community::NO_EXPORT),
        "no-advertise" => Ok(Community::NO_ADVERTISE),
        "graceful-shutdown" => Ok(Community::GRACEFUL_SHUTDOWN),
        "blackhole" => Ok(Community::BLACKHOLE),
        _ => text
            .parse()
            .map_err(|error: ParseCommunityError| error.to_string()),
    }
}

/// `300ms`, `90s`, `2m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || {
        format!("{text:?} is no duration; write for example \"300ms\", \"90s\", \"2m\" or \"1h\"")
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(bad)
}

pub fn name(text: &str) -> Result<&str, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > NAME_LENGTH {
        return Err(format!("a name has 1 to {NAME_LENGTH} characters"));
    }
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        return Err(format!(
            "{bad:?} can't be in a name; use letters, digits, `-`, `_` and `.`"
        ));
    }
    if text == "none" || text == "local" {
        return Err(format!(
            "{text:?} has a meaning of its own; use another name"
        ));
    }
    Ok(text)
}

pub fn interface(text: &str) -> Result<String, String> {
    if text.is_empty() || text == "." || text == ".." {
        return Err(format!("{text:?} can't be an interface's name"));
    }
    if text.len() > INTERFACE_NAME_LENGTH {
        return Err(format!(
            "{text:?} has {} characters; an interface's name has at most {INTERFACE_NAME_LENGTH}",
            text.len()
        ));
    }
    match text
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '/' | ':' | '%'))
    {
        Some(bad) => Err(format!("{bad:?} can't be in an interface's name")),
        None => Ok(text.to_owned()),
    }
}

/// Never quotes the text: someone may have put a key where its file belongs.
pub fn absolute_path(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') || text.contains('\0') {
        return Err("must be an absolute path, one that starts with `/`".into());
    }
    if text.trim_end() != text {
        return Err("ends with white space; remove it".into());
    }
    Ok(PathBuf::from(text))
}

/// A Unix socket's path has to fit into `sockaddr_un`.
pub fn socket_path(text: &str) -> Result<PathBuf, String> {
    if text.len() > 107 {
        return Err(format!(
            "has {} characters; a socket's path has at most 107",
            text.len()
        ));
    }
    absolute_path(text)
}

pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not of the form \"192.0.2.1:179\" or \"[2001:db8::1]:179\"")
    })
}

pub fn family(text: &str) -> Result<Family, String> {
    match text {
        "ipv4" => Ok(Family::Ipv4),
        "ipv6" => Ok(Family::Ipv6),
        _ => Err(format!("{text:?} is no family; use \"ipv4\" or \"ipv6\"")),
    }
}

/// RFC 9003 §2: the text of a shutdown has at most 255 octets here (RFC 9003
/// raised RFC 8203's 128).
pub fn shutdown_message(text: &str) -> Result<String, String> {
    if text.len() > 255 {
        return Err(format!(
            "has {} octets; at most 255 fit (RFC 9003)",
            text.len()
        ));
    }
    Ok(text.to_owned())
}

/// Refuses addresses that no BGP speaker can have.
fn usable(address: IpAddr) -> Result<(), String> {
    let reserved_v4 = |v4: Ipv4Addr| v4.octets()[0] == 0 || v4.octets()[0] >= 224;
    let refused = match address {
        IpAddr::V4(v4) => reserved_v4(v4),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some(),
    };
    if refused {
        return Err(format!("{address} can't be a router's address"));
    }
    if address == IpAddr::V4(aws::METADATA_ADDRESS) {
        return Err(format!(
            "{address} is the instance metadata service's address; use another"
        ));
    }
    Ok(())
}
