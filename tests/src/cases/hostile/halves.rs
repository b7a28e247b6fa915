//! Peers that stop half-way: through a message, or through the session's making.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Family;
use bgp_core::wire::iana::error;
use bgp_core::wire::{Message, Notification};
use lab::wait;

use super::neighbourhood::{Neighbourhood, Setup, hostile};
use crate::Bench;
use crate::cases::Case;
use crate::ours::{PATIENCE, key_file};
use crate::pair::our_address;
use crate::rogue::{Rogue, Wish, asn, encoded, networks};

pub(super) fn all() -> Vec<Case> {
    let halves: [(&str, Half); 3] = [
        ("after a header", header),
        ("in the middle of an UPDATE", half_an_update),
        ("and says one octet after the other", octet_by_octet),
    ];
    let mut cases: Vec<Case> = halves
        .into_iter()
        .map(|(what, half)| {
            let name = format!("a peer that stops {what} is closed at the hold time");
            Case::new(name, move |bench| stop(bench, half))
        })
        .collect();
    cases.push(Case::new(
        "a peer that resets in every state is taken back each time",
        resets,
    ));
    cases.push(Case::new(
        "connections both ways at once, silent ones among them, end in one session",
        collisions,
    ));
    cases
}

/// Says what it says, until it fails or for ever.
type Half = fn(&mut Rogue) -> anyhow::Result<()>;

fn header(rogue: &mut Rogue) -> anyhow::Result<()> {
    let update = rogue.announcing(&networks(0, 100))?;
    Ok(rogue.stream.write_all(&update[..19])?)
}

fn half_an_update(rogue: &mut Rogue) -> anyhow::Result<()> {
    let update = rogue.announcing(&networks(0, 100))?;
    Ok(rogue.stream.write_all(&update[..update.len() / 2])?)
}

fn octet_by_octet(rogue: &mut Rogue) -> anyhow::Result<()> {
    let update = rogue.announcing(&networks(0, 100))?;
    for octet in update.chunks(1) {
        if rogue.stream.write_all(octet).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

const HOLD_TIME: Duration = Duration::from_secs(3);

fn stop(bench: &Bench, half: Half) -> anyhow::Result<()> {
    const SECRET: &str = "a-key-of-a-hostile-peer";
    let key = key_file(bench, "hostile-key", SECRET)?;
    let setup = Setup {
        hostile_peers: 1,
        hostile: &format!(
            "hold_time = \"3s\"\nauth_key_file = \"{}\"\n",
            key.display()
        ),
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    let wish = Wish {
        key: Some(SECRET),
        ..Wish::default()
    };
    let mut rogue = Rogue::establish(&neighbourhood.pair.theirs, hostile(0), wish)?;
    let begin = Instant::now();
    let mut reader = rogue.another_hand()?;
    let (words, observed) = std::thread::scope(|scope| {
        scope.spawn(move || half(&mut rogue));
        let words = scope.spawn(move || reader.last_words());
        let observed = neighbourhood.observe(HOLD_TIME);
        let words = words
            .join()
            .unwrap_or_else(|_| Err(anyhow::anyhow!("panic")));
        (words, observed)
    });
    let (notification, at) = words.context("bgpd says why it closes")?;
    let after = at - begin;
    wait::ensure(
        notification == Notification::new(error::HOLD_TIMER_EXPIRED, 0)
            && after > HOLD_TIME / 2
            && after < HOLD_TIME * 3,
        "Hold Timer Expired at the hold time",
        format!("{notification} after {after:?}"),
    )?;
    observed?.ensure_calm()
}

/// A reset after each step of a session's making, and after it.
fn resets(bench: &Bench) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: 1,
        ..Setup::default()
    };
    let neighbourhood = Neighbourhood::start(bench, setup)?;
    let steps: [fn(&mut Rogue) -> anyhow::Result<()>; 6] = [
        |_| Ok(()),
        |rogue| rogue.expect(|message| matches!(message, Message::Open(_))),
        |rogue| {
            let open = encoded(&rogue.own_open())?;
            Ok(rogue.stream.write_all(&open[..open.len() / 2])?)
        },
        |rogue| {
            rogue.say(&rogue.own_open())?;
            rogue.expect(|message| *message == Message::Keepalive)
        },
        Rogue::open,
        |rogue| {
            rogue.open()?;
            let update = rogue.announcing(&networks(0, 1000))?;
            Ok(rogue.stream.write_all(&update[..update.len() - 7])?)
        },
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let mut rogue = neighbourhood.connect(hostile(0))?;
        step(&mut rogue).with_context(|| format!("step {number}"))?;
        rogue.reset()?;
    }
    let name = hostile(0).to_string();
    let _session = neighbourhood.session(hostile(0))?;
    let peer = wait::until("the peer is taken back", PATIENCE, || {
        neighbourhood.ours.established(&name)
    })?;
    wait::ensure(
        peer.prefixes.received == 0 && peer.flaps == 2,
        "what an ended session sent is gone, and both that were up are counted",
        format!("{peer:?}"),
    )?;
    neighbourhood.healthy()
}

/// bgpd dials a listener whose connections say nothing, and is dialed at the same
/// time, again and again.
fn collisions(bench: &Bench) -> anyhow::Result<()> {
    const BOTH: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 101);
    let ours = our_address(Family::Ipv4);
    let rest = format!(
        "[[peer]]\nname = \"both\"\naddress = \"{BOTH}\"\nlocal = \"{ours}/24\"\nasn = {}\nport = 1179\n\
         connect_retry = \"200ms\"\naccept = [\"any\"]\n",
        asn(BOTH).0
    );
    let setup = Setup {
        hostile_peers: 1,
        rest: &rest,
        ..Setup::default()
    };
    let neighbourhood = Neighbourhood::start(bench, setup)?;
    let theirs = &neighbourhood.pair.theirs;
    theirs.ip(&format!("address add {BOTH}/24 dev wire"))?;
    let listener = theirs.enter(|| TcpListener::bind((BOTH, 1179)))??;
    let mut silent = vec![listener.accept()?.0];
    // Two that say the same at the same time, beside one that says nothing.
    let mut pair = [neighbourhood.connect(BOTH)?, neighbourhood.connect(BOTH)?];
    for rogue in &mut pair {
        let open = rogue.own_open();
        let _closed = rogue.say(&open);
    }
    let [earlier, later] = &mut pair;
    later.expect(|message| *message == Message::Keepalive)?;
    later.say(&Message::Keepalive)?;
    let (notification, _) = earlier.last_words()?;
    wait::ensure(
        notification == Notification::cease(bgp_core::wire::iana::cease::CONNECTION_COLLISION),
        "the earlier one is given up for the later",
        format!("{notification}"),
    )?;
    wait::until("one session comes of it", PATIENCE, || {
        neighbourhood.ours.established("both")
    })?;
    // Whoever comes now is the intruder.
    let mut late = neighbourhood.connect(BOTH)?;
    late.say(&late.own_open())?;
    let (notification, _) = late.last_words()?;
    wait::ensure(
        notification == Notification::cease(bgp_core::wire::iana::cease::CONNECTION_COLLISION),
        "a third connection is refused as a collision",
        format!("{notification}"),
    )?;
    silent.clear();
    let peer = neighbourhood
        .ours
        .established("both")
        .map_err(anyhow::Error::msg)?;
    wait::ensure(peer.flaps == 0, "the session stays", format!("{peer:?}"))?;
    neighbourhood.healthy()
}
