//! What stands before the configuration: what it is, what it assumes, and what
//! the engineer has still to fill in.

use crate::check::Router;
use crate::plan::{RouterLink, SessionKey, kind_word};
use crate::platform::Platform;
use crate::render::KeyText;

/// `assumed` is the platform's own, one a line.
pub(crate) fn header(router: &Router, platform: Platform, assumed: &str, keys: KeyText) -> String {
    let mut text = format!("AWS Direct Connect for {}", platform.title());
    if let Some(hostname) = &router.plan().hostname {
        text.push_str(&format!(", router {hostname}"));
    }
    text.push('\n');
    let links = router.links();
    push_list(&mut text, links.iter().map(|link| what(link, platform)));
    text.push_str("\nAssumed; look at these first:\n");
    let own = assumed
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let limits = links.iter().map(|link| {
        format!(
            "AWS takes {} prefixes a session from VIF {} before it drops the session",
            link.limits.advertise, link.name
        )
    });
    let mut assumed: Vec<String> = Vec::new();
    for line in own.map(str::to_owned).chain(limits) {
        if !assumed.contains(&line) {
            assumed.push(line);
        }
    }
    push_list(&mut text, assumed.into_iter());
    let missing = missing(router, platform, keys);
    if missing.is_empty() {
        text.push_str("\nStill to fill in: nothing.\n\n");
    } else {
        text.push_str("\nSTILL TO FILL IN:\n");
        push_list(&mut text, missing.into_iter());
        text.push('\n');
    }
    text
}

fn what(link: &RouterLink, platform: Platform) -> String {
    let id = link.vif_id.as_ref().map(|id| format!(" ({id})"));
    let vrf = link.vrf.as_ref().map(|vrf| format!(" in VRF {vrf}"));
    let peers: Vec<String> = link
        .sessions
        .iter()
        .map(|session| format!("{} (AS {})", session.peer, session.peer_asn))
        .collect();
    let preference = link
        .preference
        .map(|level| format!(", local preference {}", level.local_pref()));
    format!(
        "{} VIF {}{}: VLAN {} on {}{}, MTU {}, AWS is {}{}",
        kind_word(link.kind),
        link.name,
        id.unwrap_or_default(),
        link.vlan,
        platform.parent(link),
        vrf.unwrap_or_default(),
        link.mtu,
        peers.join(" and "),
        preference.unwrap_or_default(),
    )
}

/// What the input did not say.
fn missing(router: &Router, platform: Platform, keys: KeyText) -> Vec<String> {
    let mut missing = Vec::new();
    for link in router.links() {
        if link.parent.is_none() {
            missing.push(format!(
                "the port of VIF {}: {} is only the usual first one",
                link.name,
                platform.parent(link)
            ));
        }
        for session in &link.sessions {
            match (&session.key, keys) {
                (SessionKey::Md5(_), KeyText::Reveal) => {}
                (SessionKey::Md5(_), KeyText::Redact) => missing.push(format!(
                    "the MD5 key of {}, where {} stands",
                    session.peer,
                    KeyText::REDACTED
                )),
                (SessionKey::Unknown | SessionKey::LeftOut, _) => missing.push(format!(
                    "!!! NO MD5 KEY for {}: AWS requires one, the session WILL NOT COME UP without it !!!",
                    session.peer
                )),
            }
        }
        if link.advertise.is_empty() {
            missing.push(format!("what VIF {} announces: now nothing", link.name));
        }
    }
    missing
}

fn push_list(text: &mut String, lines: impl Iterator<Item = String>) {
    for line in lines {
        text.push_str(&format!("- {line}\n"));
    }
}
