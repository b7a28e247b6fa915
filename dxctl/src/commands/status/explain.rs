//! What is wrong with a session, from what both sides say of it. Pure.

use std::fmt;

use bgp_core::aws;
use serde::Serialize;

use super::join::{AwsEnd, LocalEnd, Pair};

/// One thing to know, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "severity", content = "text", rename_all = "lowercase")]
pub(super) enum Finding {
    Problem(String),
    Note(String),
}

impl Finding {
    pub(super) fn is_problem(&self) -> bool {
        matches!(self, Self::Problem(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(text) => f.write_str(text),
            Self::Note(text) => write!(f, "(note) {text}"),
        }
    }
}

/// The causes before the symptoms.
pub(super) fn findings(pair: &Pair<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(aws) = pair.aws {
        of_state(&aws, &mut found);
    }
    match (pair.aws, pair.local) {
        (Some(aws), Some(local)) => {
            mismatches(&aws, &local, &mut found);
            of_link(&local, &mut found);
            of_both(&aws, &local, &mut found);
        }
        (Some(aws), None) => aws_alone(&aws, pair.both_asked, &mut found),
        (None, Some(local)) => {
            of_link(&local, &mut found);
            of_session(&local, &mut found);
            if pair.both_asked && local.vif.is_some() {
                problem(
                    &mut found,
                    "AWS has no such virtual interface in this account and Region: it was deleted, or --profile or --region is another's",
                );
            }
        }
        (None, None) => {}
    }
    found
}

fn problem(found: &mut Vec<Finding>, text: impl Into<String>) {
    found.push(Finding::Problem(text.into()));
}

fn remark(found: &mut Vec<Finding>, text: impl Into<String>) {
    found.push(Finding::Note(text.into()));
}

fn of_state(end: &AwsEnd<'_>, found: &mut Vec<Finding>) {
    match end.vif.state.as_str() {
        "available" | "down" => {}
        "pending" => remark(found, "AWS is still provisioning it"),
        "testing" => remark(
            found,
            "a failover test is running at AWS: BGP is down on purpose",
        ),
        "confirming" => problem(
            found,
            "AWS waits for the owner's confirmation (aws directconnect confirm-…-virtual-interface)",
        ),
        "verifying" => remark(
            found,
            "AWS is checking that the prefixes are yours; that takes up to 72 hours",
        ),
        "deleting" => problem(found, "AWS is deleting it"),
        other => remark(found, format!("AWS says `{other}`")),
    }
    if end.peer.is_none() {
        problem(found, "AWS has no BGP peer on it: dxctl vif add-peer");
    }
}

fn aws_alone(end: &AwsEnd<'_>, both_asked: bool, found: &mut Vec<Finding>) {
    let status = end.peer.and_then(|peer| peer.status.as_deref());
    if both_asked {
        problem(
            found,
            format!(
                "bgpd has no session for it: dxctl bgpd-config {} --parent INTERFACE",
                end.vif.name
            ),
        );
    } else if status == Some("down") {
        problem(found, "BGP is down at AWS");
    }
}

/// What must be the same at both ends, and isn't.
fn mismatches(end: &AwsEnd<'_>, local: &LocalEnd<'_>, found: &mut Vec<Finding>) {
    let mut differs = |what: &str, theirs: Option<String>, ours: Option<String>| {
        if let (Some(theirs), Some(ours)) = (theirs, ours)
            && theirs != ours
        {
            problem(
                found,
                format!(
                    "{what}: {theirs} at AWS, {ours} here; write the configuration again with dxctl bgpd-config"
                ),
            );
        }
    };
    let text = |value: &dyn fmt::Display| Some(value.to_string());
    let (vif, peer) = (end.vif, end.peer);
    let ours = local.peer;
    differs(
        "VLAN",
        vif.vlan.and_then(|v| text(&v)),
        local.vif.and_then(|v| text(&v.vlan)),
    );
    differs(
        "MTU",
        vif.mtu.and_then(|v| text(&v)),
        local.vif.and_then(|v| text(&v.mtu)),
    );
    differs(
        "our address",
        peer.and_then(|p| p.customer_address)
            .and_then(|net| text(&net.addr())),
        ours.local.and_then(|address| text(&address)),
    );
    differs(
        "AWS's address",
        peer.and_then(|p| p.amazon_address)
            .and_then(|net| text(&net.addr())),
        text(&ours.remote),
    );
    differs(
        "our AS number",
        vif.asn.and_then(|asn| text(&asn)),
        text(&ours.local_asn),
    );
    differs(
        "AWS's AS number",
        vif.amazon_asn.and_then(|asn| text(&asn)),
        text(&ours.remote_asn),
    );
}

fn of_link(local: &LocalEnd<'_>, found: &mut Vec<Finding>) {
    let Some(vif) = local.vif else { return };
    if let Some(error) = &vif.error {
        problem(found, format!("interface {}: {error}", vif.interface));
    } else if !vif.carrier {
        problem(
            found,
            format!(
                "{} has no carrier: look at the port, the optics and the cross connect",
                vif.parent
            ),
        );
    }
}

fn of_both(end: &AwsEnd<'_>, local: &LocalEnd<'_>, found: &mut Vec<Finding>) {
    let before = found.len();
    of_session(local, found);
    let theirs = end.peer.and_then(|peer| peer.status.as_deref());
    let established = is_established(local);
    if established && theirs == Some("down") {
        remark(
            found,
            "bgpd's session is up, AWS says down: AWS's word lags by up to some minutes",
        );
    } else if !established && theirs == Some("up") {
        problem(
            found,
            "AWS says up, bgpd's session is not: another router may hold the session, or AWS's word lags by up to some minutes",
        );
    } else if !established && found.len() == before {
        problem(found, "BGP is down at both ends");
    }
    let kind = end.vif.kind.known();
    if let Some(limit) = kind
        .map(aws::default_advertise_limit)
        .filter(|_| established)
    {
        budget(local, u64::from(limit), found);
    }
}

fn is_established(local: &LocalEnd<'_>) -> bool {
    local.peer.state == "Established"
}

fn of_session(local: &LocalEnd<'_>, found: &mut Vec<Finding>) {
    let peer = local.peer;
    if is_established(local) {
        let counts = peer.prefixes;
        if counts.received > 0 && counts.accepted == 0 {
            problem(
                found,
                format!(
                    "none of the {} prefixes received is accepted: look at `accept` in bgpd's configuration (dxctl routes --peer {})",
                    counts.received, peer.name
                ),
            );
        }
        if counts.received == 0 {
            remark(
                found,
                "the far end announces nothing; for a Direct Connect gateway with transit gateways look at its allowed prefixes",
            );
        }
        if counts.advertised == 0 {
            remark(
                found,
                "nothing is announced to the far end: add `advertise`",
            );
        }
        return;
    }
    let waits = local
        .vif
        .is_some_and(|vif| vif.error.is_some() || !vif.carrier);
    match &peer.last_error {
        Some(error) => problem(found, format!("bgpd is in {}: {error}", peer.state)),
        // The link's own finding says it all.
        None if waits => {}
        None if !peer.md5 && local.vif.is_some() => problem(
            found,
            "bgpd has no MD5 key for it, and AWS always uses one: write the configuration again with dxctl bgpd-config",
        ),
        None => problem(
            found,
            format!("bgpd is in {}: {}", peer.state, meaning(&peer.state)),
        ),
    }
}

fn meaning(state: &str) -> &'static str {
    match state {
        "Idle" => "it waits before the next attempt",
        "Connect" | "Active" => {
            "the far end's TCP does not answer; usual causes are the VLAN, the addresses, the MD5 key"
        }
        "OpenSent" | "OpenConfirm" => "TCP is up and the OPENs are being exchanged",
        _ => "not established",
    }
}

fn budget(local: &LocalEnd<'_>, limit: u64, found: &mut Vec<Finding>) {
    let announced = local.peer.prefixes.advertised;
    let held_back = local.peer.prefixes.held_back;
    if held_back > 0 {
        problem(
            found,
            format!(
                "{held_back} prefixes are held back by advertise_limit: announce fewer, or raise the limit at AWS and then here"
            ),
        );
    }
    if announced > limit {
        problem(
            found,
            format!(
                "{announced} prefixes are announced; AWS takes {limit} unless its limit was raised, and ends the session above it"
            ),
        );
    } else if announced * 10 >= limit * 9 {
        remark(
            found,
            format!("{announced} prefixes are announced of the {limit} that AWS takes by default"),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bgp_core::Asn;
    use bgp_core::api::Status;

    use super::super::join::pairs;
    use super::*;
    use crate::aws::VirtualInterface;
    use crate::aws::tests::vif;

    /// As JSON, so that fields that bgpd adds don't break this.
    fn local() -> Status {
        serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "router_id": "192.0.2.1", "asn": 65010, "uptime": 10.0,
            "vifs": [{
                "name": "prod", "interface": "eth1.101", "parent": "eth1", "vlan": 101, "mtu": 1500,
                "addresses": ["169.254.101.2/30"], "carrier": true, "sessions": ["prod"],
            }],
            "peers": [{
                "name": "prod", "vif": "prod", "local": "169.254.101.2", "remote": "169.254.101.1",
                "local_asn": 65010, "remote_asn": 64512, "state": "Established", "since": 5.0,
                "md5": true, "hold_time": 90, "families": ["ipv4"], "flaps": 0,
                "prefixes": { "received": 1, "accepted": 1, "best": 1, "advertised": 1, "stale": 0 },
                "messages": { "updates_received": 1, "updates_sent": 1, "updates_malformed": 0 },
            }],
            "paths": [], "problems": [],
            "kernel": {
                "routes": 1, "nexthops": 1, "groups": 1, "adopted": 0, "errors": 0, "fast_swap": true
            },
        }))
        .unwrap()
    }

    fn told(vifs: Option<&[VirtualInterface]>, local: Option<&Status>) -> Vec<String> {
        let pairs = pairs(vifs, local);
        pairs
            .iter()
            .flat_map(findings)
            .map(|finding| finding.to_string())
            .collect()
    }

    fn tells(vif: &VirtualInterface, local: &Status, expected: &str) {
        let told = told(Some(std::slice::from_ref(vif)), Some(local));
        assert!(
            told.iter().any(|text| text.contains(expected)),
            "{expected}: {told:?}"
        );
    }

    #[test]
    fn two_ends_that_agree_have_nothing_to_tell() {
        let vif = vif("prod", 101, "available");
        assert_eq!(told(Some(&[vif]), Some(&local())), Vec::<String>::new());
    }

    #[test]
    fn the_reason_that_bgpd_names_is_told() {
        let mut down = vif("prod", 101, "down");
        down.peers[0].status = Some("down".into());
        let mut here = local();
        here.peers[0].state = "Active".into();
        here.peers[0].last_error = Some("the MD5 keys differ".into());
        tells(&down, &here, "the MD5 keys differ");
        here.peers[0].last_error = None;
        tells(
            &down,
            &here,
            "usual causes are the VLAN, the addresses, the MD5 key",
        );
        here.peers[0].md5 = false;
        tells(&down, &here, "no MD5 key");
        here.vifs[0].carrier = false;
        tells(&down, &here, "no carrier");
    }

    #[test]
    fn what_differs_between_the_ends_is_named_with_both_values() {
        let there = vif("prod", 102, "available");
        tells(&there, &local(), "VLAN: 102 at AWS, 101 here");
        let mut here = local();
        here.peers[0].local_asn = Asn(65011);
        tells(
            &vif("prod", 101, "available"),
            &here,
            "our AS number: 65010 at AWS, 65011 here",
        );
        let mut here = local();
        here.peers[0].remote = "169.254.101.5".parse().unwrap();
        tells(
            &vif("prod", 101, "available"),
            &here,
            "AWS's address: 169.254.101.1 at AWS",
        );
    }

    #[test]
    fn equal_vlans_of_two_connections_are_told_apart_by_address() {
        let mut other = vif("other", 101, "available");
        other.peers[0].amazon_address = Some("169.254.102.1/30".parse().unwrap());
        other.peers[0].customer_address = Some("169.254.102.2/30".parse().unwrap());
        let here = local();
        let vifs = [other, vif("prod", 101, "available")];
        let pairs = pairs(Some(&vifs), Some(&here));
        assert!(pairs[0].local.is_none());
        assert_eq!(pairs[1].local.unwrap().peer.name, "prod");
    }

    #[test]
    fn a_side_that_is_missing_is_said_only_when_it_was_asked() {
        let there = [vif("prod", 101, "available")];
        assert_eq!(told(Some(&there), None), Vec::<String>::new());
        assert!(told(Some(&[]), Some(&local()))[0].contains("AWS has no such"));
        let mut empty = local();
        empty.peers.clear();
        assert!(told(Some(&there), Some(&empty))[0].contains("dxctl bgpd-config prod"));
    }

    #[test]
    fn the_prefix_budget_is_watched() {
        let mut here = local();
        here.peers[0].prefixes.advertised = 95;
        tells(
            &vif("prod", 101, "available"),
            &here,
            "95 prefixes are announced of the 100",
        );
        here.peers[0].prefixes.advertised = 101;
        tells(&vif("prod", 101, "available"), &here, "AWS takes 100");
    }

    #[test]
    fn unknown_states_are_told_as_they_are() {
        tells(&vif("prod", 101, "approving"), &local(), "`approving`");
    }
}
