//! Reasons as NOTIFICATIONs, and in words that an operator can act on.

use std::fmt;

use super::{DownReason, State, StopReason};
use crate::wire::Notification;
use crate::wire::iana::{cease, error, open_error};

/// What follows when we stop a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// Our routes go with it.
    Gone,
    /// The daemon goes, and packets are forwarded on.
    Forwarding,
    /// It may come back soon.
    Open,
}

impl StopReason {
    pub(super) fn aftermath(&self) -> Aftermath {
        match self {
            Self::MaximumPrefixes { .. }
            | Self::AdministrativeShutdown(_)
            | Self::PeerDeconfigured => Aftermath::Gone,
            Self::Restart(_) => Aftermath::Forwarding,
            Self::AdministrativeReset(_) | Self::ConfigurationChange | Self::InternalError(_) => {
                Aftermath::Open
            }
        }
    }

    /// The NOTIFICATION that tells the peer (RFC 4486).
    pub fn notification(&self) -> Notification {
        match self {
            Self::MaximumPrefixes { family, limit, .. } => {
                Notification::maximum_prefixes(*family, *limit)
            }
            Self::AdministrativeShutdown(text) | Self::Restart(text) => {
                Notification::shutdown(cease::ADMINISTRATIVE_SHUTDOWN, text)
            }
            Self::AdministrativeReset(text) => {
                Notification::shutdown(cease::ADMINISTRATIVE_RESET, text)
            }
            Self::PeerDeconfigured => Notification::cease(cease::PEER_DECONFIGURED),
            Self::ConfigurationChange => Notification::cease(cease::OTHER_CONFIGURATION_CHANGE),
            Self::InternalError(_) => Notification::cease(cease::OUT_OF_RESOURCES),
        }
    }
}

/// What a NOTIFICATION most often means, and what to do about it.
fn hint(notification: &Notification) -> &'static str {
    match (notification.code, notification.subcode) {
        (error::OPEN, open_error::BAD_PEER_AS) => {
            "; compare `asn` (of a [[peer]]) or `peer_asn` (of a [[vif]]), and our own ASN, with the other end's"
        }
        (error::OPEN, open_error::BAD_BGP_IDENTIFIER) => "; both ends may have the same router_id",
        (error::OPEN, open_error::UNACCEPTABLE_HOLD_TIME) => {
            "; give both ends a hold time of at least 3 s"
        }
        (error::OPEN, open_error::UNSUPPORTED_CAPABILITY) => {
            "; the ends may have no address family in common"
        }
        (error::HOLD_TIMER_EXPIRED, _) => "; nothing was heard for the hold time",
        (error::CEASE, cease::MAXIMUM_PREFIXES) => {
            "; announce fewer prefixes, or have the limit raised"
        }
        (error::CEASE, cease::CONNECTION_REJECTED) => {
            "; the other end does not want this connection now"
        }
        (SEND_HOLD_TIMER_EXPIRED, _) => "; nothing was read for the send hold time",
        _ => "",
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotificationReceived(notification) => {
                write!(f, "the peer sent {notification}{}", hint(notification))
            }
            Self::NotificationSent(notification) => {
                write!(f, "we sent {notification}{}", hint(notification))
            }
            Self::ConnectionClosed(words) => write!(f, "the connection closed: {words}"),
            Self::ConnectFailed(words) => f.write_str(words),
            Self::ConnectTimedOut => f.write_str("TCP has not answered within the connect time"),
            Self::LinkDown(words) => write!(f, "the link is down: {words}"),
            Self::BfdDown(words) => f.write_str(words),
            Self::Stopped(reason) => write!(f, "{reason}"),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdministrativeShutdown(text) if text.is_empty() => {
                f.write_str("shut down by the operator")
            }
            Self::AdministrativeShutdown(text) => write!(f, "shut down by the operator: {text}"),
            Self::Restart(text) if text.is_empty() => {
                f.write_str("bgpd stops and leaves its routes in place")
            }
            Self::Restart(text) => {
                write!(f, "bgpd stops and leaves its routes in place: {text}")
            }
            Self::AdministrativeReset(text) if text.is_empty() => {
                f.write_str("reset by the operator")
            }
            Self::AdministrativeReset(text) => write!(f, "reset by the operator: {text}"),
            Self::PeerDeconfigured => f.write_str("the peer was removed from the configuration"),
            Self::ConfigurationChange => f.write_str("the configuration changed"),
            Self::MaximumPrefixes {
                family,
                limit,
                retry_after,
            } => write!(
                f,
                "the peer sent more than {limit} {family} prefixes (prefix_limit); trying again after {} s",
                retry_after.as_secs()
            ),
            Self::InternalError(words) => write!(f, "internal error: {words}"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// RFC 9687 §3.
pub(super) const SEND_HOLD_TIMER_EXPIRED: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_asn_is_told_with_the_keys_that_set_it() {
        let notification = Notification {
            code: error::OPEN,
            subcode: open_error::BAD_PEER_AS,
            data: 64999_u32.to_be_bytes().to_vec(),
        };
        let words = DownReason::NotificationSent(notification).to_string();
        for wanted in [
            "64999",
            "`asn` (of a [[peer]])",
            "`peer_asn` (of a [[vif]])",
        ] {
            assert!(words.contains(wanted), "{words}");
        }
    }
}
