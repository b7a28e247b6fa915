//! What BIRD, FRR, GoBGP and OpenBGPD send. Each file has a message a line in
//! hex, and below it what it says.

use bgp_core::wire::{Capabilities, Codec, Decoded, Message, Open, PathAttributes, Prefixes};

use crate::support;

#[test]
fn bird_is_understood() {
    check("bird.txt", &support::external(), 13);
}

#[test]
fn bird_is_understood_with_two_octet_as_numbers() {
    check("bird-two-octet.txt", &support::two_octet(), 11);
}

#[test]
fn frr_is_understood() {
    check("frr.txt", &support::external(), 9);
}

#[test]
fn gobgp_is_understood() {
    check("gobgp.txt", &support::external(), 7);
}

#[test]
fn openbgpd_is_understood() {
    check("openbgpd.txt", &support::external(), 8);
}

fn check(file: &str, codec: &Codec, count: usize) {
    let text = support::text(&format!("captures/{file}"));
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut messages = 0;
    while let (Some(hex), Some(meaning)) = (lines.next(), lines.next()) {
        let decoded = support::decode(&support::hex(hex), codec).unwrap();
        assert_eq!(describe(&decoded), meaning.trim(), "{hex}");
        if decoded.malformed.is_empty() {
            check_round_trip(&decoded.message, codec);
        }
        messages += 1;
    }
    assert_eq!(messages, count, "messages in {file}");
}

/// None of them is split or changed by being written again.
fn check_round_trip(message: &Message, codec: &Codec) {
    let again = support::encode(message, codec);
    assert_eq!(support::decode(&again, codec).unwrap().message, *message);
}

fn describe(decoded: &Decoded) -> String {
    let mut text = match &decoded.message {
        Message::Open(open) => describe_open(open),
        Message::Notification(notification) => notification.to_string(),
        Message::Keepalive => "KEEPALIVE".to_owned(),
        Message::RouteRefresh(refresh) => {
            format!(
                "ROUTE-REFRESH {:?} subtype {}",
                refresh.family, refresh.subtype
            )
        }
        Message::Update(update) => {
            let mut parts = Vec::new();
            parts.extend(
                update
                    .withdrawn
                    .iter()
                    .map(|it| format!("withdraw {}", list(it))),
            );
            parts.extend(update.announced.iter().map(|it| {
                format!(
                    "announce {} {}",
                    list(&it.prefixes),
                    describe_attributes(&it.attributes)
                )
            }));
            parts.extend(
                update
                    .end_of_rib
                    .map(|family| format!("End-of-RIB {family}")),
            );
            parts.join("; ")
        }
    };
    for malformed in &decoded.malformed {
        text += &format!("; {malformed}");
    }
    text
}

fn describe_open(open: &Open) -> String {
    let Open {
        asn,
        hold_time,
        router_id,
        capabilities,
    } = open;
    let Capabilities {
        families,
        four_octet_as,
        route_refresh,
        ..
    } = capabilities;
    let codes: Vec<u8> = capabilities.unknown.iter().map(|(code, _)| *code).collect();
    format!(
        "OPEN AS {asn} hold {hold_time} id {router_id} families {families:?} as4 {four_octet_as} \
         refresh {route_refresh} enhanced {} extended {} restart {:?} others {codes:?}",
        capabilities.enhanced_route_refresh,
        capabilities.extended_messages,
        capabilities.graceful_restart.as_ref().map(|it| (
            it.restarting,
            it.restart_time,
            &it.families
        )),
    )
}

fn describe_attributes(attributes: &PathAttributes) -> String {
    let mut text = format!(
        "{} path [{}] via {}",
        attributes.origin, attributes.as_path, attributes.next_hop.address
    );
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text += &format!(" {name} {value}");
        }
    };
    add(
        "link-local",
        attributes.next_hop.link_local.map(|it| it.to_string()),
    );
    add("MED", attributes.med.map(|it| it.to_string()));
    add(
        "atomic",
        attributes.atomic_aggregate.then(|| "aggregate".to_owned()),
    );
    add(
        "aggregator",
        attributes
            .aggregator
            .map(|it| format!("{} {}", it.asn, it.router_id)),
    );
    let joined = |items: Vec<String>| (!items.is_empty()).then(|| items.join(","));
    add(
        "communities",
        joined(
            attributes
                .communities
                .iter()
                .map(|it| it.to_string())
                .collect(),
        ),
    );
    let extended = attributes
        .extended_communities
        .iter()
        .map(|it| it.to_string())
        .collect();
    add("extended", joined(extended));
    add(
        "large",
        joined(
            attributes
                .large_communities
                .iter()
                .map(|it| it.to_string())
                .collect(),
        ),
    );
    text
}

fn list(prefixes: &Prefixes) -> String {
    prefixes
        .iter()
        .map(|prefix| prefix.to_string())
        .collect::<Vec<_>>()
        .join(",")
}
