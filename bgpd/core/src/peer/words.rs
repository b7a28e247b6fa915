//! NOTIFICATIONs and reasons in words that an operator can act on.

use std::fmt;

use super::{DownReason, State, StopReason};
use crate::Family;
use crate::wire::Notification;

impl StopReason {
    /// The NOTIFICATION that tells the peer (RFC 4486).
    pub fn notification(&self) -> Notification {
        match self {
            Self::MaximumPrefixes { family, limit, .. } => {
                let afi = match family {
                    Family::Ipv4 => 1,
                    Family::Ipv6 => 2,
                };
                let mut data = vec![0, afi, 1];
                data.extend(limit.to_be_bytes());
                cease(1, data)
            }
            Self::AdministrativeShutdown(text) => cease(2, communication(text)),
            Self::PeerDeconfigured => cease(3, Vec::new()),
            Self::AdministrativeReset(text) => cease(4, communication(text)),
            Self::ConfigurationChange => cease(6, Vec::new()),
            Self::InternalError(_) => cease(8, Vec::new()),
        }
    }
}

pub(super) fn cease(subcode: u8, data: Vec<u8>) -> Notification {
    Notification {
        code: CEASE,
        subcode,
        data,
    }
}

/// RFC 9003 §2: a length octet, then UTF-8, cut where a character ends.
fn communication(text: &str) -> Vec<u8> {
    let end = (0..=text.len().min(255))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let text = text.get(..end).unwrap_or_default();
    if text.is_empty() {
        return Vec::new();
    }
    let mut data = vec![end as u8];
    data.extend(text.as_bytes());
    data
}

/// The text that a peer sent with a Cease, if any, safe to print.
fn communicated(notification: &Notification) -> Option<String> {
    if notification.code != CEASE || !matches!(notification.subcode, 2 | 4) {
        return None;
    }
    let (length, rest) = notification.data.split_first()?;
    let text = std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
    (!text.is_empty()).then(|| text.escape_debug().to_string())
}

/// The name of a NOTIFICATION's code and subcode, with what it most often means.
fn name(notification: &Notification) -> &'static str {
    match (notification.code, notification.subcode) {
        (1, 1) => "message header error: connection not synchronized",
        (1, 2) => "message header error: bad message length",
        (1, 3) => "message header error: bad message type",
        (1, _) => "message header error",
        (2, 1) => "OPEN error: unsupported version",
        (2, 2) => "OPEN error: bad peer AS: compare the AS numbers configured at both ends",
        (2, 3) => "OPEN error: bad BGP identifier: both ends may have the same router_id",
        (2, 4) => "OPEN error: unsupported optional parameter",
        (2, 6) => "OPEN error: unacceptable hold time",
        (2, 7) => "OPEN error: unsupported capability: the ends have no address family in common",
        (2, 11) => "OPEN error: role mismatch",
        (2, _) => "OPEN error",
        (3, 1) => "UPDATE error: malformed attribute list",
        (3, 2) => "UPDATE error: unrecognized well-known attribute",
        (3, 3) => "UPDATE error: missing well-known attribute",
        (3, 4) => "UPDATE error: attribute flags",
        (3, 5) => "UPDATE error: attribute length",
        (3, 6) => "UPDATE error: invalid ORIGIN",
        (3, 8) => "UPDATE error: invalid NEXT_HOP",
        (3, 9) => "UPDATE error: optional attribute",
        (3, 10) => "UPDATE error: invalid network field",
        (3, 11) => "UPDATE error: malformed AS_PATH",
        (3, _) => "UPDATE error",
        (4, _) => "hold timer expired: nothing was heard for the hold time",
        (5, 1) => "state machine error: unexpected message in OpenSent",
        (5, 2) => "state machine error: unexpected message in OpenConfirm",
        (5, 3) => "state machine error: unexpected message in Established",
        (5, _) => "state machine error",
        (6, 1) => "Cease: maximum number of prefixes reached",
        (6, 2) => "Cease: administrative shutdown",
        (6, 3) => "Cease: peer de-configured",
        (6, 4) => "Cease: administrative reset",
        (6, 5) => "Cease: connection rejected",
        (6, 6) => "Cease: other configuration change",
        (6, 7) => "Cease: connection collision resolution",
        (6, 8) => "Cease: out of resources",
        (6, 9) => "Cease: hard reset",
        (6, 10) => "Cease: BFD down",
        (6, _) => "Cease",
        (7, _) => "ROUTE-REFRESH error",
        (8, _) => "send hold timer expired: nothing was read for the send hold time",
        _ => "unknown error",
    }
}

fn describe(notification: &Notification, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "{} ({}/{})",
        name(notification),
        notification.code,
        notification.subcode
    )?;
    match communicated(notification) {
        Some(text) => write!(f, ", saying \"{text}\""),
        None => Ok(()),
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotificationReceived(notification) => {
                f.write_str("the peer sent ")?;
                describe(notification, f)
            }
            Self::NotificationSent(notification) => {
                f.write_str("we sent ")?;
                describe(notification, f)
            }
            Self::ConnectionClosed(words) => write!(f, "the connection closed: {words}"),
            Self::ConnectFailed(words) => f.write_str(words),
            Self::LinkDown(words) => write!(f, "the link is down: {words}"),
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

const CEASE: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_text_is_sent_with_its_length_and_cut_between_characters() {
        let data = |text: &str| {
            StopReason::AdministrativeShutdown(text.to_owned())
                .notification()
                .data
        };
        assert_eq!(data("bye"), b"\x03bye");
        assert_eq!(data(""), b"");
        let long = data(&"é".repeat(200));
        assert_eq!(long[0], 254);
        assert_eq!(long.len(), 255);
    }

    #[test]
    fn the_peers_shutdown_text_is_quoted_without_control_characters() {
        let received = DownReason::NotificationReceived(cease(2, b"\x09a\nb\x1b[31mc".to_vec()));
        let words = received.to_string();
        assert!(
            words.contains("administrative shutdown (6/2), saying \"a\\nb\\u{1b}[31m"),
            "{words}"
        );
        // A length beyond the data is no text.
        let cut = DownReason::NotificationReceived(cease(2, b"\x09abc".to_vec()));
        assert!(!cut.to_string().contains("saying"));
    }

    #[test]
    fn a_prefix_limit_is_told_with_family_and_bound() {
        let reason = StopReason::MaximumPrefixes {
            family: Family::Ipv6,
            limit: 100,
            retry_after: std::time::Duration::ZERO,
        };
        assert_eq!(reason.notification(), cease(1, vec![0, 2, 1, 0, 0, 0, 100]));
    }
}
