//! Every fact about Direct Connect that the code relies on, each with its
//! source. Checked against AWS's User Guide and API model of 2026-11.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::Asn;
use crate::config::VifKind;
use crate::wire::Community;

/// User Guide, "Bidirectional Forwarding Detection": each virtual interface speaks
/// it once the customer's router does, at 300 ms and times 3 (2026-08).
pub const BFD_INTERVAL: Duration = Duration::from_millis(300);
pub const BFD_MULTIPLIER: u8 = 3;

/// AWS proposes this hold time (User Guide, "Routing policies and BGP communities").
pub const HOLD_TIME: Duration = Duration::from_secs(90);
/// The AWS side's ASN of a public VIF.
pub const PUBLIC_ASN: Asn = Asn(7224);
/// The AWS side's ASN of a Direct Connect gateway unless set otherwise.
pub const GATEWAY_ASN: Asn = Asn(64512);
/// Length of a VIF's `authKey`, in characters.
pub const AUTH_KEY_LENGTH: RangeInclusive<usize> = 6..=80;
/// The AWS side answers on the link-local metadata address; never use it on a VIF.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Prefixes per family that AWS accepts by default; one more and the session
/// goes to idle (Quotas).
pub const fn default_advertise_limit(kind: VifKind) -> u32 {
    match kind {
        VifKind::Private | VifKind::Transit => 100,
        VifKind::Public => 1000,
    }
}

/// The MTUs that a VIF of this kind can have. The API text says 8500 for
/// private ones, the guide 9001: both are taken.
pub const fn mtus(kind: VifKind) -> &'static [u32] {
    match kind {
        VifKind::Private => &[1500, 8500, 9001],
        VifKind::Transit => &[1500, 8500],
        VifKind::Public => &[1500],
    }
}

/// Which of several paths AWS prefers for traffic to us (private and transit).
pub const PREFERENCE_LOW: Community = Community(7224 << 16 | 7100);
pub const PREFERENCE_MEDIUM: Community = Community(7224 << 16 | 7200);
pub const PREFERENCE_HIGH: Community = Community(7224 << 16 | 7300);
/// How far AWS carries our prefixes (public).
pub const SCOPE_REGION: Community = Community(7224 << 16 | 9100);
pub const SCOPE_CONTINENT: Community = Community(7224 << 16 | 9200);
pub const SCOPE_GLOBAL: Community = Community(7224 << 16 | 9300);

/// What AWS tags its prefixes with on a public VIF: of the Region of the Direct
/// Connect location, and of its continent; others have neither.
pub const FROM_REGION: Community = Community(7224 << 16 | 8100);
pub const FROM_CONTINENT: Community = Community(7224 << 16 | 8200);

/// Prefixes inside `net` that have at least this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub net: IpNet,
    pub min_len: u8,
}

/// What AWS can rightly send on a VIF of this kind: private ones carry VPCs'
/// CIDRs (RFC 1918, RFC 6598, ULA and public IPv6), public ones AWS's public
/// prefixes (and then [`BOGONS`] are refused first).
pub const fn default_accept(kind: VifKind) -> &'static [Range] {
    match kind {
        VifKind::Private | VifKind::Transit => &VPC_RANGES,
        VifKind::Public => &PUBLIC_RANGES,
    }
}

/// Never taken from AWS unless `accept` says so.
pub const DEFAULT_ROUTES: [IpNet; 2] = [v4(0, 0, 0, 0, 0).net, v6(0, 0, 0).net];

const VPC_RANGES: [Range; 6] = [
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(100, 64, 0, 0, 10),
    v6(0xfc00, 0, 7),
    v6(0x2000, 0, 3),
];

const PUBLIC_RANGES: [Range; 2] = [longer(v4(0, 0, 0, 0, 0), 8), longer(v6(0x2000, 0, 3), 16)];

/// What is not on the public internet (RFC 6890 and its registries).
pub const BOGONS: [Range; 17] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 3),
    v6(0x2001, 0, 32),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

/// RFC 1918, RFC 6598, RFC 4193.
pub const PRIVATE_SPACE: [Range; 5] = [
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(100, 64, 0, 0, 10),
    v6(0xfc00, 0, 7),
];

/// Whether a prefix lies in space that AWS takes on no public VIF.
pub fn is_private_space(net: IpNet) -> bool {
    PRIVATE_SPACE.iter().any(|range| range.net.contains(&net))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Range {
    let net = Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length);
    Range {
        net: IpNet::V4(net),
        min_len: length,
    }
}

const fn v6(first: u16, second: u16, length: u8) -> Range {
    let net = Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), length);
    Range {
        net: IpNet::V6(net),
        min_len: length,
    }
}

const fn longer(range: Range, min_len: u8) -> Range {
    Range { min_len, ..range }
}
