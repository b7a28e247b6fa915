//! Every fact about Direct Connect that the code relies on, each with its
//! source. Checked against AWS's User Guide and API model of 2026-11.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::Asn;
use crate::config::VifKind;
use crate::wire::Community;

/// AWS proposes this hold time (User Guide, "Routing policies and BGP communities").
pub const HOLD_TIME: Duration = Duration::from_secs(90);
/// The AWS side's ASN of a public VIF.
pub const PUBLIC_ASN: Asn = Asn(7224);
/// The AWS side's ASN of a Direct Connect gateway unless set otherwise.
pub const GATEWAY_ASN: Asn = Asn(64512);
/// Length of a VIF's `authKey`, in characters.
pub const AUTH_KEY_LENGTH: RangeInclusive<usize> = 6..=80;
/// The AWS side answers on the link-local metadata address; never use it on a VIF.
pub const METADATA_ADDRESS: std::net::Ipv4Addr = std::net::Ipv4Addr::new(169, 254, 169, 254);

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
