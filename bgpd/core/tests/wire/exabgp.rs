//! ExaBGP's own tests: what was to be announced, and the bytes it became.

use std::net::IpAddr;

use bgp_core::wire::{self, Aggregator, AsPath, Codec, Decoded, Message, Origin, PathAttributes};
use bgp_core::wire::{Prefixes, Treatment, Update};
use bgp_core::{Asn, Family, RouterId};
use bytes::BytesMut;
use ipnet::IpNet;

use crate::support;

/// Next hops that these tests use although no packet could be sent to them.
const MARTIAN: &[&str] = &["255.255.255.255", "127.0.0.1", "::1"];

#[test]
fn commands_and_bytes_mean_the_same_both_ways() {
    let mut compared = 0;
    for (name, text) in support::files("exabgp-qa/encoding") {
        let text = String::from_utf8(text).unwrap();
        let codec = session(&name);
        let mut command = None;
        for line in text.lines() {
            if let Some((_, wanted)) = line.split_once(":cmd:") {
                command = Some(wanted.to_owned());
            } else if let (Some((_, raw)), Some(command)) = (line.split_once(":raw:"), &command) {
                check(&name, command, &support::hex(raw), &codec);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 88);
}

#[test]
fn opens_name_the_speaker_and_its_capabilities() {
    let text = support::text("exabgp-qa/encoding/conf-hostname.ci");
    let raw = text
        .lines()
        .find_map(|line| line.split_once(":raw:"))
        .unwrap()
        .1;
    let Message::Open(open) = support::decode(&support::hex(raw), &Codec::initial())
        .unwrap()
        .message
    else {
        panic!("not an OPEN")
    };
    assert_eq!((open.asn, open.hold_time), (Asn(65533), 180));
    assert_eq!(open.router_id, RouterId("10.0.0.2".parse().unwrap()));
    assert_eq!(open.capabilities.families, [Family::Ipv4]);
    assert!(open.capabilities.four_octet_as && open.capabilities.extended_messages);
    // FQDN (code 73), which is no business of ours.
    let host = b"\x0cmy-host-name\x12my-domain-name.com".to_vec();
    assert_eq!(open.capabilities.unknown, [(73, host)]);
}

#[test]
fn updates_of_its_decoder_tests_decode() {
    let raw = |name: &str| {
        let text = support::text(&format!("exabgp-qa/decoding/{name}"));
        support::hex(text.lines().nth(1).unwrap())
    };
    // Four default routes and a host: repeated prefixes are the router's affair.
    let update = support::clean_update(&raw("ipv4-unicast-1"), &support::internal());
    let prefixes: Vec<_> = update.announced[0]
        .prefixes
        .iter()
        .map(|it| it.to_string())
        .collect();
    let default = "0.0.0.0/0";
    assert_eq!(prefixes, [default, default, default, default, "1.1.1.1/32"]);

    // Attributes without a prefix.
    let update = support::clean_update(&raw("ipv4-unicast-2"), &support::internal());
    assert_eq!(update, Update::default());
}

/// Internal, four-octet, both families, but where the file's name says more.
fn session(name: &str) -> Codec {
    match name {
        "conf-ebgp.ci" => support::external(),
        "conf-no-asn4.ci" => Codec {
            four_octet_as: false,
            ..support::internal()
        },
        _ => support::internal(),
    }
}

fn check(name: &str, command: &str, raw: &[u8], codec: &Codec) {
    let context = format!("{name}: {command}");
    if command.contains(" attribute ") {
        // It claims to be well-known and isn't (RFC 4271 §6.3).
        let fault = support::decode(raw, codec).unwrap_err();
        assert_eq!((fault.code, fault.subcode), (3, 2), "{context}");
        return;
    }
    let Decoded {
        message: Message::Update(update),
        malformed,
    } = support::decode(raw, codec).unwrap_or_else(|error| panic!("{context}: {error}"))
    else {
        panic!("{context}: not an UPDATE")
    };
    let words: Vec<&str> = command
        .split([' ', '[', ']'])
        .filter(|word| !word.is_empty())
        .collect();
    match words[..] {
        ["announce", "eor", family, "unicast"] => {
            let family = if family == "ipv4" {
                Family::Ipv4
            } else {
                Family::Ipv6
            };
            let wanted = Update {
                end_of_rib: Some(family),
                ..Update::default()
            };
            assert_eq!(update, wanted, "{context}");
            // The bytes differ for IPv6: ExaBGP writes a two-octet length there.
            let again = support::encode(&Message::Update(update), codec);
            assert_eq!(support::clean_update(&again, codec), wanted, "{context}");
        }
        ["withdraw", "route", prefix] => {
            assert_eq!(update.withdrawn[..], [prefixes(&[prefix])], "{context}");
            assert_eq!(
                support::encode(&Message::Update(update), codec),
                raw,
                "{context}"
            );
        }
        ["announce", "attributes", ..] => {
            let nlri = words.iter().position(|word| *word == "nlri").unwrap();
            let wanted = prefixes(&words[nlri + 1..]);
            check_route(&context, &words[2..nlri], wanted, &update, raw, codec);
        }
        ["announce", "route", prefix, ..] => {
            assert_faults(&context, &words, &malformed);
            check_route(
                &context,
                &words[3..],
                prefixes(&[prefix]),
                &update,
                raw,
                codec,
            );
        }
        ["announce", "ipv6", "unicast", prefix, ..] => {
            assert_faults(&context, &words, &malformed);
            check_route(
                &context,
                &words[4..],
                prefixes(&[prefix]),
                &update,
                raw,
                codec,
            );
        }
        _ => panic!("{context}: an unknown command"),
    }
}

fn assert_faults(context: &str, words: &[&str], malformed: &[wire::Malformed]) {
    let withdraws = malformed
        .iter()
        .any(|it| it.treatment == Treatment::TreatAsWithdraw);
    let expected = words.iter().any(|word| MARTIAN.contains(word));
    assert_eq!(withdraws, expected, "{context}: {malformed:?}");
}

fn check_route(
    context: &str,
    words: &[&str],
    wanted: Prefixes,
    update: &Update,
    raw: &[u8],
    codec: &Codec,
) {
    let mut attributes = attributes(words);
    let mut out = BytesMut::new();
    if let (Prefixes::V6(_), Some(announcement)) = (&wanted, update.announced.first()) {
        // The command doesn't name the link-local address.
        attributes.next_hop.link_local = announcement.attributes.next_hop.link_local;
    }
    if !words.iter().any(|word| MARTIAN.contains(word)) {
        let announced = &update.announced[0];
        assert_eq!(
            (&*announced.attributes, &announced.prefixes),
            (&attributes, &wanted),
            "{context}"
        );
    }
    let messages = wire::encode_announcement(&attributes, &wanted, codec, &mut out).unwrap();
    assert_eq!(messages, 1, "{context}");
    match wanted {
        Prefixes::V4(_) => assert_eq!(out[..], raw[..], "{context}"),
        // ExaBGP puts MP_REACH_NLRI last, RFC 7606 §5.1 first.
        Prefixes::V6(_) => {
            assert_eq!(out.len(), raw.len(), "{context}");
            assert_eq!(
                support::decode(&out, codec),
                support::decode(raw, codec),
                "{context}"
            );
        }
    }
}

fn prefixes(texts: &[&str]) -> Prefixes {
    let nets: Vec<IpNet> = texts.iter().map(|text| text.parse().unwrap()).collect();
    if nets.iter().all(|net| net.addr().is_ipv4()) {
        Prefixes::V4(texts.iter().map(|text| text.parse().unwrap()).collect())
    } else {
        Prefixes::V6(texts.iter().map(|text| text.parse().unwrap()).collect())
    }
}

/// `next-hop 192.0.2.1 origin igp as-path 1 2 community 1:2`; numbers and
/// communities go on until the next word.
fn attributes(words: &[&str]) -> PathAttributes {
    let address: IpAddr = words[1].parse().unwrap();
    let mut attributes = PathAttributes::new(Origin::Igp, AsPath::default(), address);
    let mut path = Vec::new();
    let mut key = "";
    for word in words {
        if !word.starts_with(|letter: char| letter.is_ascii_digit() || letter == ':')
            && !["target:", "origin:", "redirect:", "l2info:"]
                .iter()
                .any(|it| word.starts_with(it))
        {
            key = word;
            attributes.atomic_aggregate |= key == "atomic-aggregate";
            continue;
        }
        match key {
            "as-path" => path.push(Asn(word.parse().unwrap())),
            "med" => attributes.med = Some(word.parse().unwrap()),
            "local-preference" => attributes.local_pref = Some(word.parse().unwrap()),
            "community" => attributes.communities.push(word.parse().unwrap()),
            "large-community" => attributes.large_communities.push(word.parse().unwrap()),
            "extended-community" => attributes
                .extended_communities
                .push(extended_community(word)),
            "aggregator" => attributes.aggregator = Some(aggregator(word)),
            _ => {}
        }
    }
    attributes.as_path = AsPath::sequence(path);
    attributes
}

fn aggregator(text: &str) -> Aggregator {
    let (asn, address) = text.split_once(':').unwrap();
    Aggregator {
        asn: Asn(asn.parse().unwrap()),
        router_id: RouterId(address.parse().unwrap()),
    }
}

/// `target:200:2000`, `origin:7.7.7.7:7000`, `origin:100:0.0.3.232`.
fn extended_community(text: &str) -> wire::ExtendedCommunity {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |text: &str| text.parse::<u32>().unwrap().to_be_bytes();
    let octets = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().octets();
    let short = |text: &str| text.parse::<u16>().unwrap().to_be_bytes();
    let any = |text: &str| {
        if text.contains('.') {
            octets(text)
        } else {
            number(text)
        }
    };
    let subkind = match parts[0] {
        "target" => 2,
        "origin" => 3,
        "redirect" => 8,
        _ => 10,
    };
    let octets = match parts[..] {
        // RFC 4761 §3.2.4: encapsulation, flags, MTU, reserved.
        ["l2info", encapsulation, flags, mtu, reserved] => {
            let octet = |text: &str| text.parse::<u8>().unwrap();
            let (mtu, reserved) = (short(mtu), short(reserved));
            [
                0x80,
                10,
                octet(encapsulation),
                octet(flags),
                mtu[0],
                mtu[1],
                reserved[0],
                reserved[1],
            ]
        }
        [_, address, value] if address.contains('.') => {
            let ([a, b, c, d], [e, f]) = (octets(address), short(value));
            [1, subkind, a, b, c, d, e, f]
        }
        [kind, asn, value] => {
            let ([a, b], [c, d, e, f]) = (short(asn), any(value));
            [
                if kind == "redirect" { 0x80 } else { 0 },
                subkind,
                a,
                b,
                c,
                d,
                e,
                f,
            ]
        }
        _ => panic!("{text}"),
    };
    wire::ExtendedCommunity(octets)
}
