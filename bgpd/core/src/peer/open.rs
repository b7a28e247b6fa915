//! What we offer in our OPEN, and what both OPENs come to.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Negotiated, PeerSettings, RemoteRestart};
use crate::wire::iana::{afi, capability, error, open_error, safi};
use crate::wire::{Capabilities, Codec, GracefulRestart, Notification, Open};
use crate::{Family, RouterId};

/// What our OPEN says of this daemon's own restart (RFC 4724 §3).
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnRestart {
    /// Waits for End-of-RIB, and asks that nobody waits for its.
    pub(super) restarting: bool,
    /// The kernel has had our routes all the time since the last session.
    pub(super) forwarding_kept: bool,
}

impl PeerSettings {
    /// Our OPEN. Offered to every peer: four-octet AS numbers, route refresh
    /// and extended messages; the families and graceful restart as configured.
    pub(super) fn open(&self, restart: OwnRestart) -> Open {
        Open {
            asn: self.local_asn,
            hold_time: seconds(self.hold_time),
            router_id: self.router_id,
            capabilities: Capabilities {
                families: self.families.clone(),
                four_octet_as: true,
                route_refresh: true,
                enhanced_route_refresh: false,
                extended_messages: true,
                graceful_restart: self.graceful_restart.map(|time| GracefulRestart {
                    restarting: restart.restarting,
                    notification: true,
                    restart_time: seconds(time).min(GRACEFUL_RESTART_TIME_MAX),
                    families: self
                        .families
                        .iter()
                        .map(|family| (*family, restart.forwarding_kept))
                        .collect(),
                }),
                unknown: Vec::new(),
            },
        }
    }

    /// What this OPEN and ours come to, or the NOTIFICATION that refuses it
    /// (RFC 4271 §6.2).
    pub(super) fn negotiate(&self, open: &Open) -> Result<Negotiated, Notification> {
        if open.asn != self.remote_asn {
            // RFC 4271 §6.2 leaves the data open; the number tells both ends' operators.
            let data = open.asn.0.to_be_bytes().to_vec();
            return Err(open_error(open_error::BAD_PEER_AS, data));
        }
        // RFC 6286 §2.2: not zero, and unlike ours within one AS.
        if open.router_id.0.is_unspecified()
            || self.is_internal() && open.router_id == self.router_id
        {
            return Err(open_error(
                open_error::BAD_BGP_IDENTIFIER,
                open.router_id.0.octets().to_vec(),
            ));
        }
        // RFC 4271 §4.2: one or two seconds are forbidden.
        if matches!(open.hold_time, 1 | 2) || open.hold_time == 0 && self.refuse_zero_hold_time {
            return Err(open_error(open_error::UNACCEPTABLE_HOLD_TIME, Vec::new()));
        }
        let families = self.common_families(&open.capabilities);
        if families.is_empty() {
            return Err(open_error(
                open_error::UNSUPPORTED_CAPABILITY,
                multiprotocol(&self.families),
            ));
        }
        let hold_time = seconds(self.hold_time).min(open.hold_time);
        Ok(Negotiated {
            remote_asn: open.asn,
            remote_router_id: open.router_id,
            hold_time: Duration::from_secs(hold_time.into()),
            // RFC 4271 §10: a third of the hold time.
            keepalive: Duration::from_secs(hold_time.into()) / 3,
            restart: self.remote_restart(&open.capabilities, &families),
            route_refresh: open.capabilities.route_refresh,
            codec: Codec {
                four_octet_as: open.capabilities.four_octet_as,
                extended_messages: open.capabilities.extended_messages,
                families,
                internal: self.is_internal(),
            },
        })
    }

    fn common_families(&self, theirs: &Capabilities) -> SmallVec<[Family; 2]> {
        let named_none = theirs.families.is_empty()
            && !theirs
                .unknown
                .iter()
                .any(|(code, _)| *code == capability::MULTIPROTOCOL);
        self.families
            .iter()
            .copied()
            // RFC 4760 §8: without the capability a peer carries IPv4 unicast.
            .filter(|family| {
                theirs.families.contains(family) || named_none && *family == Family::Ipv4
            })
            .collect()
    }

    /// RFC 4724 §3: graceful restart holds only where both ends offer it.
    fn remote_restart(&self, theirs: &Capabilities, families: &[Family]) -> Option<RemoteRestart> {
        self.graceful_restart?;
        let theirs = theirs.graceful_restart.as_ref()?;
        let common = theirs
            .families
            .iter()
            .filter(|(family, _)| families.contains(family));
        Some(RemoteRestart {
            restarting: theirs.restarting,
            time: Duration::from_secs(theirs.restart_time.into()),
            families: common.clone().map(|(family, _)| *family).collect(),
            kept: common
                .filter(|(_, kept)| *kept)
                .map(|(family, _)| *family)
                .collect(),
            notification: theirs.notification,
        })
    }

    /// RFC 4271 §6.8 with RFC 6286 §2.3: whether the connection that we made
    /// wins over the one that the peer made.
    pub(super) fn ours_wins(&self, remote: RouterId) -> bool {
        (self.router_id, self.local_asn) > (remote, self.remote_asn)
    }
}

fn open_error(subcode: u8, data: Vec<u8>) -> Notification {
    Notification {
        code: error::OPEN,
        subcode,
        data,
    }
}

/// RFC 5492 §5: the capabilities that are missed, as in an OPEN.
fn multiprotocol(families: &[Family]) -> Vec<u8> {
    families
        .iter()
        .flat_map(|family| {
            let [high, low] = afi::of(*family).to_be_bytes();
            [capability::MULTIPROTOCOL, 4, high, low, 0, safi::UNICAST]
        })
        .collect()
}

/// Whole seconds in two octets.
fn seconds(time: Duration) -> u16 {
    u16::try_from(time.as_secs()).unwrap_or(u16::MAX)
}

/// RFC 4724 §3: 12 bits.
const GRACEFUL_RESTART_TIME_MAX: u16 = 0x0fff;
