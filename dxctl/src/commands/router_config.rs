//! `dxctl router-config`: the virtual interface as text for another router.

use std::io::IsTerminal;

use bgp_core::config::VifKind;
use serde_json::json;
use vendor_configs::{
    KeyText, Part, Platform, Router, RouterLink, RouterPlan, Session, SessionKey, Templates, Wanted,
};

use super::find_vif;
use super::view::known_kind;
use crate::aws::{BgpPeer, PeerKey, VirtualInterface};
use crate::cli::{Global, Preference, RouterConfigArgs};
use crate::output::{Listing, note};
use crate::{Refused, Verdict};

pub(super) async fn run(args: RouterConfigArgs, global: &Global) -> anyhow::Result<Verdict> {
    if args.list_platforms {
        return list_platforms(global);
    }
    let (Some(wanted), Some(platform)) = (&args.vif, &args.platform) else {
        return Err(Refused::new("give a virtual interface and --platform").into());
    };
    let platform: Platform = platform
        .parse()
        .map_err(|error| Refused::new(format!("{error}")))?;
    let vif = find_vif(&global.aws().await?, wanted).await?;
    let link = link(&vif, &args)?;
    let keys = if args.reveal {
        KeyText::Reveal
    } else {
        KeyText::Redact
    };
    let refused = |error: String| Refused::new(format!("{} ({}): {error}", vif.id, vif.name));
    let router = Router::new(RouterPlan {
        hostname: None,
        router_id: None,
        links: vec![link.clone()],
        backup: None,
    })
    .map_err(|error| refused(error.to_string()))?;
    let wanted = Wanted {
        part: Part::Whole,
        form: None,
        keys,
    };
    let text = vendor_configs::render(&router, platform, &Templates::built_in(), wanted)
        .map_err(|error| refused(error.to_string()))?;
    tell(&link, &args);
    let answer = json!({
        "vif": vif.id,
        "platform": platform.name(),
        "key": if args.reveal { "in the text" } else { "redacted" },
        "text": text,
    });
    global.reader().show(&answer, |_| text)?;
    Ok(Verdict::Fine)
}

fn list_platforms(global: &Global) -> anyhow::Result<Verdict> {
    let platforms: Vec<_> = Platform::all()
        .map(|platform| json!({ "platform": platform.name(), "title": platform.title() }))
        .collect();
    global.reader().show(&platforms, |_| {
        let mut table = Listing::new(&["PLATFORM", "FOR"]);
        for platform in Platform::all() {
            table.row(vec![
                platform.name().to_owned(),
                platform.title().to_owned(),
            ]);
        }
        table.text()
    })?;
    Ok(Verdict::Fine)
}

fn link(vif: &VirtualInterface, args: &RouterConfigArgs) -> Result<RouterLink, Refused> {
    let lacks = |what: &str| {
        Refused::new(format!(
            "{} ({}) has no {what} yet (state {}): try again when AWS has provisioned it (dxctl vif wait {})",
            vif.id, vif.name, vif.state, vif.id
        ))
    };
    let kind = known_kind(vif)?;
    let peers: Vec<&BgpPeer> = vif.peers.iter().filter(|peer| !peer.is_gone()).collect();
    let sessions = peers
        .into_iter()
        .map(|peer| session(vif, peer))
        .collect::<Option<Vec<_>>>();
    let advertise = match kind {
        VifKind::Public if args.advertise.is_empty() => vif.route_filter_prefixes.clone(),
        _ => args.advertise.clone(),
    };
    let word = |error: vendor_configs::Mistake| Refused::new(error.to_string());
    let mut link = RouterLink::new(
        vif.name.parse().map_err(word)?,
        kind,
        vif.vlan.ok_or_else(|| lacks("VLAN"))?,
        vif.asn.ok_or_else(|| lacks("AS number of ours"))?,
        sessions
            .filter(|all| !all.is_empty())
            .ok_or_else(|| lacks("session with addresses"))?,
    );
    link.vif_id = Some(vif.id.parse().map_err(word)?);
    link.parent = match &args.parent {
        Some(parent) => Some(parent.parse().map_err(word)?),
        None => None,
    };
    link.mtu = vif.mtu.unwrap_or(1500);
    link.advertise = advertise;
    link.preference = args.preference.map(preference);
    Ok(link)
}

fn session(vif: &VirtualInterface, peer: &BgpPeer) -> Option<Session> {
    Some(Session {
        local: peer.customer_address?,
        peer: peer.amazon_address?.addr(),
        peer_asn: vif.amazon_asn?,
        key: match &peer.key {
            PeerKey::Known(key) => SessionKey::Md5(key.clone()),
            PeerKey::Hidden | PeerKey::Unusable(_) => SessionKey::LeftOut,
        },
    })
}

fn preference(preference: Preference) -> bgp_core::config::Preference {
    match preference {
        Preference::Low => bgp_core::config::Preference::Low,
        Preference::Medium => bgp_core::config::Preference::Medium,
        Preference::High => bgp_core::config::Preference::High,
    }
}

/// What the reader of the text has to know, away from the text.
fn tell(link: &RouterLink, args: &RouterConfigArgs) {
    if link
        .sessions
        .iter()
        .any(|session| session.key == SessionKey::LeftOut)
    {
        note(
            "note: AWS did not return a usable MD5 key; the session needs one (dxctl vif show says why)",
        );
    } else if !args.reveal {
        note("note: the MD5 key is left out of the text: replace <auth-key>, or give --reveal");
    } else if std::io::stdout().is_terminal() {
        note("note: the text holds the MD5 key in clear");
    }
    if link.advertise.is_empty() {
        note("note: nothing is announced to AWS: give --advertise PREFIX");
    }
    if link.parent.is_none() {
        note("note: the physical interface is the platform's usual first one: give --parent");
    }
}
