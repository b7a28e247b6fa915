//! What AWS's prose forbids and its model allows: names, VLANs, keys, MTUs,
//! ASNs and addresses. Texts follow AWS's where public reports quote them.

use std::net::{IpAddr, Ipv4Addr};

use bgp_core::config::{AuthKey, AuthKeyError, VifKind};
use bgp_core::{Asn, Family, VlanId, aws};
use ipnet::IpNet;

use super::error::ApiError;

/// User Guide: at most 100 of a–z, 0–9 and hyphen.
pub fn vif_name(name: &str) -> Result<String, ApiError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 100 || !name.chars().all(allowed) {
        let text =
            "The virtual interface name must have 1 to 100 characters of a-z, 0-9 and hyphen (-).";
        return Err(ApiError::client(text));
    }
    Ok(name.to_owned())
}

pub fn vlan(number: i64) -> Result<VlanId, ApiError> {
    u16::try_from(number)
        .ok()
        .and_then(VlanId::new)
        .ok_or_else(|| {
            ApiError::client(format!(
                "VLAN {number} is not valid. Valid VLANs are 1 to 4094."
            ))
        })
}

/// Checks a key without ever quoting it.
pub fn auth_key(key: String) -> Result<AuthKey, ApiError> {
    if key.contains(['\n', '\r']) {
        return Err(key_error(AuthKeyError::Character));
    }
    AuthKey::from_file_content(key.into()).map_err(key_error)
}

fn key_error(error: AuthKeyError) -> ApiError {
    ApiError::client(format!("The BGP authentication key is not valid: {error}."))
}

pub fn mtu(kind: VifKind, mtu: Option<i64>) -> Result<u32, ApiError> {
    let Some(wanted) = mtu else { return Ok(1500) };
    let valid = aws::mtus(kind);
    u32::try_from(wanted)
        .ok()
        .filter(|mtu| valid.contains(mtu))
        .ok_or_else(|| {
            let valid: Vec<String> = valid.iter().map(u32::to_string).collect();
            ApiError::client(format!(
                "MTU {wanted} is not valid. Valid values are {}.",
                valid.join(", ")
            ))
        })
}

/// `asn` and `asnLong` say the same in two widths; one of them has to be there.
pub fn customer_asn(asn: Option<i64>, asn_long: Option<i64>) -> Result<Asn, ApiError> {
    let number = match (asn, asn_long) {
        (Some(asn), Some(long)) if asn != long => {
            return Err(ApiError::client(
                "asn and asnLong differ: send one of them.",
            ));
        }
        (_, Some(number)) | (Some(number), None) => number,
        (None, None) => return Err(ApiError::client("A customer ASN is required.")),
    };
    // 1–4294967294; AWS's own and AS_TRANS are nobody's (RFC 6793 §9).
    match u32::try_from(number) {
        Ok(number @ 1..=0xffff_fffe)
            if Asn(number) != aws::PUBLIC_ASN && Asn(number) != Asn::TRANS =>
        {
            Ok(Asn(number))
        }
        _ => Err(ApiError::client(format!("ASN {number} is not valid."))),
    }
}

/// The Amazon side of a Direct Connect gateway: private ASNs only.
pub fn amazon_asn(number: Option<i64>) -> Result<Asn, ApiError> {
    let Some(number) = number else {
        return Ok(aws::GATEWAY_ASN);
    };
    u32::try_from(number)
        .ok()
        .map(Asn)
        .filter(|asn| asn.is_private())
        .ok_or_else(|| {
            ApiError::client(format!(
                "Amazon side ASN {number} is not valid. Valid ASNs are 64512 to 65534 and \
             4200000000 to 4294967294."
            ))
        })
}

/// Both ends' addresses as a request gives them: both or neither.
pub fn addresses(
    kind: VifKind,
    family: Family,
    amazon: Option<&str>,
    customer: Option<&str>,
) -> Result<Option<(IpNet, IpNet)>, ApiError> {
    let (amazon, customer) = match (amazon, customer) {
        (None, None) if family == Family::Ipv4 && kind == VifKind::Public => {
            let text =
                "Amazon Address and Customer Address are required for a public virtual interface.";
            return Err(ApiError::client(text));
        }
        (None, None) => return Ok(None),
        _ if family == Family::Ipv6 => {
            let text =
                "IPv6 addresses are assigned by Amazon: omit Amazon Address and Customer Address.";
            return Err(ApiError::client(text));
        }
        (Some(amazon), Some(customer)) => (amazon, customer),
        _ => {
            return Err(ApiError::client(
                "Amazon Address and Customer Address go together.",
            ));
        }
    };
    let amazon = address("Amazon Address", kind, amazon)?;
    let customer = address("Customer Address", kind, customer)?;
    if amazon.trunc() != customer.trunc() {
        let text = "Amazon Address and Customer Address must be in the same CIDR";
        return Err(ApiError::client(text));
    }
    if amazon == customer {
        return Err(ApiError::client(
            "Amazon Address and Customer Address must differ.",
        ));
    }
    Ok(Some((amazon, customer)))
}

fn address(which: &str, kind: VifKind, text: &str) -> Result<IpNet, ApiError> {
    let refuse = |why: &str| Err(ApiError::client(format!("{which} {why}")));
    let Ok(IpNet::V4(net)) = text.parse::<IpNet>() else {
        return refuse("is not an IPv4 address with a prefix length, such as 169.254.10.1/30.");
    };
    match net.prefix_len() {
        32 => return refuse("has no room for two: the longest prefix is /31."),
        31 => {}
        _ if net.addr() == net.network() => return refuse("is address 0 on its subnet."),
        _ if net.addr() == net.broadcast() => {
            return refuse("is the broadcast address on its subnet.");
        }
        _ => {}
    }
    if kind == VifKind::Public && is_private(net.addr()) {
        return refuse("is not allowed to contain a private IP");
    }
    Ok(IpNet::V4(net))
}

fn is_private(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_link_local() || address.is_loopback()
}

/// Prefixes of a public VIF (1–1,000; IPv4 /1–/32, IPv6 /1–/64) or those
/// allowed through a gateway.
pub fn prefix(cidr: Option<&str>) -> Result<IpNet, ApiError> {
    let text = cidr.ok_or_else(|| ApiError::client("A prefix without a cidr."))?;
    let valid = |net: &IpNet| {
        let lengths = if net.addr().is_ipv4() { 1..=32 } else { 1..=64 };
        lengths.contains(&net.prefix_len()) && net.trunc() == *net
    };
    text.parse().ok().filter(valid).ok_or_else(|| {
        ApiError::client(format!(
            "{text} is not a CIDR of /1 to /32 (IPv4) or /1 to /64 (IPv6)."
        ))
    })
}

/// The next free /30 of 169.254.0.0/16, Amazon's end first. The /24 with the
/// metadata address and those at the edges stay free (RFC 3927 §2.1).
pub fn link_local_pair(taken: &[IpNet]) -> Option<(IpNet, IpNet)> {
    (0x0100_u32..0xfe00)
        .step_by(4)
        .map(|offset| 0xa9fe_0000 | offset)
        .filter(|base| base >> 8 & 0xff != 169)
        .map(|base| (v4(base + 1, 30), v4(base + 2, 30)))
        .find(|(amazon, _)| free(amazon, taken))
}

/// The next free /125 of a documentation prefix that stands in for Amazon's.
pub fn ipv6_pair(taken: &[IpNet]) -> Option<(IpNet, IpNet)> {
    let pool: u128 = 0x2001_0db8_1100_02f0_0000_0001_0000_0000;
    (0_u128..0x1_0000)
        .map(|n| pool | n << 3)
        .map(|base| (v6(base + 1, 125), v6(base + 6, 125)))
        .find(|(amazon, _)| free(amazon, taken))
}

fn free(candidate: &IpNet, taken: &[IpNet]) -> bool {
    let overlaps =
        |net: &IpNet| net.contains(&candidate.trunc()) || candidate.contains(&net.trunc());
    !taken.iter().any(overlaps)
}

fn v4(bits: u32, length: u8) -> IpNet {
    IpNet::new(IpAddr::V4(bits.into()), length).expect("invariant: a literal length")
}

fn v6(bits: u128, length: u8) -> IpNet {
    IpNet::new(IpAddr::V6(bits.into()), length).expect("invariant: a literal length")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal(kind: VifKind, amazon: &str, customer: &str) -> String {
        addresses(kind, Family::Ipv4, Some(amazon), Some(customer))
            .unwrap_err()
            .message
    }

    #[test]
    fn addresses_share_a_subnet_and_are_hosts_in_it() {
        let private = VifKind::Private;
        assert!(refusal(private, "10.0.0.1/30", "10.0.0.6/30").contains("same CIDR"));
        assert!(refusal(private, "10.0.0.0/30", "10.0.0.2/30").contains("address 0"));
        assert!(refusal(private, "10.0.0.1/30", "10.0.0.3/30").contains("broadcast"));
        assert!(refusal(private, "10.0.0.1/30", "10.0.0.1/30").contains("must differ"));
        assert!(refusal(private, "10.0.0.1", "10.0.0.2/30").contains("prefix length"));
        assert!(refusal(private, "10.0.0.1/32", "10.0.0.2/32").contains("/31"));
        assert!(refusal(VifKind::Public, "10.0.0.1/30", "10.0.0.2/30").contains("private IP"));
        let given = addresses(
            private,
            Family::Ipv4,
            Some("10.0.0.0/31"),
            Some("10.0.0.1/31"),
        );
        assert!(given.unwrap().is_some());
    }

    #[test]
    fn own_ipv6_addresses_are_refused_and_none_is_fine() {
        let own = addresses(
            VifKind::Private,
            Family::Ipv6,
            Some("fd00::1/125"),
            Some("fd00::2/125"),
        );
        assert!(own.unwrap_err().message.contains("assigned by Amazon"));
        assert_eq!(
            addresses(VifKind::Public, Family::Ipv6, None, None).unwrap(),
            None
        );
    }

    #[test]
    fn asn_and_asn_long_must_agree_and_be_somebodys() {
        assert_eq!(
            customer_asn(None, Some(4_294_967_294)).unwrap(),
            Asn(4_294_967_294)
        );
        assert_eq!(customer_asn(Some(65010), Some(65010)).unwrap(), Asn(65010));
        let refused = [
            (Some(1), Some(2)),
            (None, None),
            (Some(0), None),
            (None, Some(4_294_967_295)),
            (Some(7224), None),
            (Some(23456), None),
            (Some(-5), None),
        ];
        for (asn, long) in refused {
            assert!(customer_asn(asn, long).is_err(), "{asn:?} {long:?}");
        }
    }

    #[test]
    fn assigned_pairs_are_free_and_end_somewhere() {
        let (amazon, customer) = link_local_pair(&[]).unwrap();
        assert_eq!(amazon.to_string(), "169.254.1.1/30");
        assert_eq!(customer.to_string(), "169.254.1.2/30");
        let (next, _) = link_local_pair(&[amazon]).unwrap();
        assert_eq!(next.to_string(), "169.254.1.5/30");
        assert_eq!(link_local_pair(&["169.254.0.0/16".parse().unwrap()]), None);
        let (amazon, customer) = ipv6_pair(&[]).unwrap();
        assert_eq!(amazon.trunc(), customer.trunc());
        assert_ne!(ipv6_pair(&[amazon]).unwrap().0, amazon);
    }

    #[test]
    fn a_key_error_never_quotes_the_key() {
        let wrong = ["s3cr ", "s3", "s3cr\u{e9}tkey", "s3cret\n"];
        for key in wrong {
            let message = auth_key(key.into()).unwrap_err().message;
            assert!(!message.contains("s3"), "{message}");
        }
        assert_eq!(auth_key("sixsix".into()).unwrap().expose(), "sixsix");
    }
}
