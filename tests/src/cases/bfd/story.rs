//! A session's life: up, other timers, a far end that falls silent, packets that
//! have come too far.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use lab::wait;
use lab::world::Namespace;

use super::theirs::{Kind, Theirs, all_up, bfd, bird_text, our_text};
use crate::Bench;
use crate::ours::{Ours, PATIENCE};
use crate::pair::{OUR_ASN, Pair, THEIR_ASN, WIRE, our_address, their_address};

const FAST: &str = "{ interval = \"100ms\", damping = \"0s\" }";
const BIRD_FAST: &str = "interface \"wire\" { interval 100 ms; multiplier 3; };";

pub(super) fn run(bench: &Bench, kind: Kind, family: Family) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    let ours = Ours::start(bench, &pair.ours, &our_text(family, FAST))?;
    let theirs = match kind {
        Kind::Bird => Theirs::bird(bench, &pair.theirs, &bird_text(family, BIRD_FAST, ""))?,
        Kind::Frr => Theirs::frr(bench, &pair.theirs, family)?,
    };
    let before = all_up(&ours, &theirs)?;
    // FRR drops its BFD session at the moment that BGP is up: no reason to flap.
    anyhow::ensure!(
        before.flaps == 0 && bfd(&before).is_ok_and(|seen| seen.flaps == 0),
        "flaps while coming up: {before:?}"
    );
    tshark_is_content(&pair, family)?;

    ours.reload(&our_text(
        family,
        "{ interval = \"200ms\", damping = \"0s\" }",
    ))?;
    wait::until("both ends have negotiated 200 ms", PATIENCE, || {
        let peer = ours.established("them")?;
        let seen = bfd(&peer)?;
        match (seen.transmit_interval, seen.detection_time) {
            (200_000, 600_000) => theirs.is_up(),
            _ => Err(format!("{seen:?}")),
        }
    })?;
    let after = all_up(&ours, &theirs)?;
    anyhow::ensure!(
        after.flaps == 0 && bfd(&after).is_ok_and(|seen| seen.flaps == 0),
        "other timers made it flap: {after:?}"
    );

    a_flood_changes_nothing(&pair.theirs, &ours, family)?;

    falls_silent(&pair.theirs, &ours)?;
    let again = all_up(&ours, &theirs)?;
    anyhow::ensure!(again.flaps == 1, "not one flap: {again:?}");

    drops_what_came_far(&pair.theirs, &ours, family)?;
    all_up(&ours, &theirs).map(drop)
}

/// What the far end sends is lost: BFD says so first. Then all comes back.
fn falls_silent(theirs: &Namespace, ours: &Ours) -> anyhow::Result<()> {
    let fault = Fault::on(theirs, "drop")?;
    wait::until("BFD has taken BGP down", PATIENCE, || {
        let peer = ours.peer("them")?;
        let why = peer.last_error.clone().unwrap_or_default();
        match peer.state == "Established" || !why.contains("BFD") {
            true => Err(format!("{peer:?}")),
            false => Ok(()),
        }
    })?;
    drop(fault);
    let events = ours.control.text("GET", "/v1/events")?;
    anyhow::ensure!(
        events.contains("BFD: nothing heard") && events.contains("\"bfd\""),
        "no event says why: {events}"
    );
    Ok(())
}

/// Packets that are none, and packets of sessions that are not there.
fn a_flood_changes_nothing(theirs: &Namespace, ours: &Ours, family: Family) -> anyhow::Result<()> {
    let (from, to) = (their_address(family), our_address(family));
    let sent = theirs.enter(|| -> std::io::Result<()> {
        let socket = UdpSocket::bind((from, 0))?;
        match family {
            Family::Ipv4 => socket2::SockRef::from(&socket).set_ttl_v4(255)?,
            Family::Ipv6 => socket2::SockRef::from(&socket).set_unicast_hops_v6(255)?,
        }
        let mut packet = *b"\x20\xc0\x03\x18a session nobody has";
        for number in 0..50_000_u32 {
            packet[2] = number.to_be_bytes()[3];
            // Where there is no room the flood is large enough.
            let _ = socket.send_to(&packet, (to, bgp_core::bfd::PORT));
        }
        Ok(())
    })?;
    sent.context("the flood")?;
    let peer = ours.established("them").map_err(anyhow::Error::msg)?;
    let seen = bfd(&peer).map_err(anyhow::Error::msg)?;
    let count = |reason: &str| seen.discarded_by_reason.get(reason).copied();
    anyhow::ensure!(
        seen.state == "Up" && seen.flaps == 0 && peer.flaps == 0,
        "the flood has ended the session: {seen:?}"
    );
    anyhow::ensure!(
        count("malformed") > Some(0) && count("discriminator") > Some(0),
        "the flood was not noticed: {seen:?}"
    );
    Ok(())
}

/// RFC 5881 §5: another TTL than 255 was not sent by a neighbor.
fn drops_what_came_far(theirs: &Namespace, ours: &Ours, family: Family) -> anyhow::Result<()> {
    let _fault = Fault::on(
        theirs,
        match family {
            Family::Ipv4 => "udp dport 3784 ip ttl set 254",
            Family::Ipv6 => "udp dport 3784 ip6 hoplimit set 254",
        },
    )?;
    wait::until("packets with TTL 254 are none", PATIENCE, || {
        let peer = ours.peer("them")?;
        let seen = bfd(&peer)?;
        let discarded = seen.discarded_by_reason.get("ttl").copied();
        match seen.state == "Down" && discarded.unwrap_or(0) > 2 {
            true => Ok(()),
            false => Err(format!("{seen:?}")),
        }
    })
}

/// A rule on what the namespace sends; dropping it mends it.
struct Fault<'n>(&'n Namespace);

impl<'n> Fault<'n> {
    fn on(namespace: &'n Namespace, rule: &str) -> anyhow::Result<Self> {
        let fault = Self(namespace);
        let chain = "add table inet fault; add chain inet fault out { type filter hook output priority 0; }";
        namespace.exec("nft", &[chain])?;
        namespace.exec("nft", &[&format!("add rule inet fault out {rule}")])?;
        Ok(fault)
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        // With the namespace it goes anyway.
        let _ = self.0.exec("nft", &["delete table inet fault"]);
    }
}

/// It knows every field of what we send.
fn tshark_is_content(pair: &Pair, family: Family) -> anyhow::Result<()> {
    let source = match family {
        Family::Ipv4 => format!("ip.src == {}", our_address(family)),
        Family::Ipv6 => format!("ipv6.src == {}", our_address(family)),
    };
    let filter = format!("bfd && {source}");
    let words = [
        "-Q",
        "-i",
        WIRE,
        "-f",
        "udp port 3784",
        "-a",
        "duration:2",
        "-Y",
        &filter,
        "-T",
        "fields",
        "-e",
        "bfd.version",
        "-e",
        "bfd.sta",
        "-e",
        "_ws.malformed",
        "-e",
        "_ws.expert.message",
    ];
    let said = pair.theirs.exec("tshark", &words)?;
    let lines: Vec<&str> = said.lines().collect();
    anyhow::ensure!(lines.len() > 3, "tshark has seen only {lines:?}");
    for line in lines {
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        anyhow::ensure!(
            matches!(
                fields[..],
                ["1", "0x03" | "3"] | ["1", "0x03" | "3", "", ""]
            ),
            "tshark complains: {fields:?}"
        );
    }
    Ok(())
}

/// RFC 5883: between loopback addresses.
pub(super) fn over_several_hops(bench: &Bench) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    pair.ours
        .ip("address add 10.99.0.1/32 dev lo\nroute add 10.99.0.2/32 via 10.9.0.2")?;
    pair.theirs
        .ip("address add 10.99.0.2/32 dev lo\nroute add 10.99.0.1/32 via 10.9.0.1")?;
    let text = format!(
        "[[peer]]\nname = \"them\"\naddress = \"10.99.0.2\"\nlocal = \"10.99.0.1\"\nasn = {THEIR_ASN}\nmultihop = 4\n\
         connect_retry = \"1s\"\nhold_time = \"90s\"\naccept = [\"any\"]\nbfd = {FAST}\n"
    );
    let ours = Ours::start(bench, &pair.ours, &text)?;
    let bird = format!(
        "router id 10.9.0.2;\nprotocol device {{}}\n\
         protocol bfd {{ multihop {{ interval 100 ms; multiplier 3; }}; }}\n\
         protocol bgp them {{ local 10.99.0.2 as {THEIR_ASN}; neighbor 10.99.0.1 as {OUR_ASN}; multihop 4; bfd on;\n \
         connect retry time 1; connect delay time 1; error wait time 1, 2; hold time 90;\n ipv4 {{ import all; export none; }};\n}}\n"
    );
    let theirs = Theirs::bird(bench, &pair.theirs, &bird)?;
    let before = all_up(&ours, &theirs)?;
    anyhow::ensure!(before.flaps == 0, "flaps while coming up: {before:?}");
    falls_silent(&pair.theirs, &ours)?;
    all_up(&ours, &theirs)
        .map(drop)
        .context("after the silence")?;
    wait::while_holding("BGP and BFD stay up", Duration::from_secs(1), || {
        ours.established("them").map(drop)
    })
}
