//! Every way of authentication that RFC 5880 has, as BIRD does them.

use bgp_core::Family;
use bgp_core::bfd::Method;
use lab::wait;

use super::theirs::{Theirs, all_up, bfd, bird_text, our_text};
use crate::Bench;
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::Pair;

const KEY: &str = "a-shared-secret";

pub(super) fn all_methods(bench: &Bench) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    let family = Family::Ipv4;
    let file = key_file(bench, "bfd-key", "another-secret")?;
    let our = |method: &str| {
        let path = file.display();
        let bfd = format!(
            "{{ interval = \"100ms\", strict = true, damping = \"0s\", auth = \"{method}\", auth_key_id = 7, auth_key_file = \"{path}\" }}"
        );
        our_text(family, &bfd)
    };
    let their = |method: Method| {
        let bfd = format!(
            "interface \"wire\" {{ interval 100 ms; multiplier 3; authentication {}; password \"{KEY}\" {{ id 7; }}; }};",
            birds_word(method)
        );
        bird_text(family, &bfd, "")
    };

    let (name, method) = Method::ALL[0];
    let ours = Ours::start(bench, &pair.ours, &our(name))?;
    let theirs = Theirs::bird(bench, &pair.theirs, &their(method))?;
    wait::until(
        "BGP waits for BFD, which believes nothing",
        PATIENCE,
        || {
            let peer = ours.peer("them")?;
            let discarded = &bfd(&peer)?.discarded_by_reason;
            let is_refused = discarded
                .get("authentication")
                .is_some_and(|count| *count > 1);
            let why = peer.last_error.as_deref().unwrap_or_default();
            match is_refused && peer.state == "Idle" && why.contains("`strict`") {
                true => Ok(()),
                false => Err(format!("{peer:?}")),
            }
        },
    )?;

    key_file(bench, "bfd-key", KEY)?;
    ours.reload(&our(name))?;
    let peer = all_up(&ours, &theirs)?;
    is_used(&peer, method)?;

    for (name, method) in &Method::ALL[1..] {
        theirs.configure_bird(&their(*method))?;
        ours.reload(&our(name))?;
        let peer = wait::until("BFD is up with another method", PATIENCE, || {
            let peer = all_up(&ours, &theirs).map_err(|error| format!("{error:#}"))?;
            is_used(&peer, *method).map_err(|error| format!("{error:#}"))?;
            Ok(peer)
        })?;
        let before = bfd(&peer).map_err(anyhow::Error::msg)?.packets_received;
        wait::until("packets go on being believed", PATIENCE, || {
            let peer = ours.established("them")?;
            let seen = bfd(&peer)?;
            match seen.state == "Up" && seen.packets_received > before + 10 {
                true => Ok(()),
                false => Err(format!("{peer:?}")),
            }
        })?;
    }
    let log = ours.process.output();
    anyhow::ensure!(!log.contains(KEY), "the log has the key");
    Ok(())
}

fn is_used(peer: &bgp_core::api::PeerStatus, method: Method) -> anyhow::Result<()> {
    let seen = bfd(peer).map_err(anyhow::Error::msg)?;
    anyhow::ensure!(
        seen.authentication == method.to_string(),
        "not {method}: {seen:?}"
    );
    Ok(())
}

const fn birds_word(method: Method) -> &'static str {
    match method {
        Method::SimplePassword => "simple",
        Method::KeyedMd5 => "keyed md5",
        Method::MeticulousKeyedMd5 => "meticulous keyed md5",
        Method::KeyedSha1 => "keyed sha1",
        Method::MeticulousKeyedSha1 => "meticulous keyed sha1",
    }
}
