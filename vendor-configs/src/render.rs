//! From a link to a platform's text.

use bgp_core::aws;
use bgp_core::config::VifKind;
use ipnet::IpNet;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::filters::{self, Filter};
use crate::link::{self, Mistake, Preference, RouterLink, Session};
use crate::platform::Platform;

/// Whether the text holds the MD5 keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyText {
    /// For the router.
    Reveal,
    /// `<auth-key>` in their place, for eyes and tickets.
    Redact,
}

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// Our bug: the template asks for what the link doesn't have.
    #[error("template of {0}: {1}")]
    Template(Platform, minijinja::Error),
    #[error(
        "the key of peer {peer} has a character that {platform} can't take in a key (one of {refused:?}): create the BGP peer with another key"
    )]
    Key {
        peer: std::net::IpAddr,
        platform: Platform,
        refused: &'static str,
    },
}

/// What a template sees.
#[derive(Serialize)]
struct LinkView<'a> {
    name: &'a str,
    /// Stem of the names of filters and policies.
    policy: String,
    vif_id: Option<&'a str>,
    kind: &'static str,
    parent: &'a str,
    parent_assumed: bool,
    vlan: u16,
    mtu: u32,
    local_asn: u32,
    community: Option<String>,
    local_preference: Option<u32>,
    received_limit: u32,
    /// Seconds.
    hold_time: u64,
    /// Seconds.
    keepalive: u64,
    sessions: Vec<SessionView>,
}

/// What a template sees of one session.
#[derive(Serialize)]
struct SessionView {
    ipv6: bool,
    local: String,
    mask: String,
    prefix_len: u8,
    peer: String,
    peer_asn: u32,
    key: Option<String>,
    inbound: Vec<FilterView>,
    outbound: Vec<NetView>,
    advertise_limit: u32,
}

#[derive(Serialize)]
struct NetView {
    net: String,
    address: String,
    mask: String,
}

#[derive(Serialize)]
struct FilterView {
    permit: bool,
    net: String,
    le: u8,
    /// The prefix is already of the longest length: `le` would be refused.
    exact: bool,
}

/// The link's configuration for `platform`, ready to paste.
pub fn render(link: &RouterLink, platform: Platform, keys: KeyText) -> Result<String, RenderError> {
    link.check()?;
    let sessions = link
        .sessions
        .iter()
        .map(|session| view(link, session, platform, keys))
        .collect::<Result<_, _>>()?;
    let failed = |error| RenderError::Template(platform, error);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_syntax(syntax.map_err(failed)?);
    let values = Value::from(Serde(LinkView {
        name: &link.name,
        policy: format!("DX-{}", link.name.to_ascii_uppercase()),
        vif_id: link.vif_id.as_deref(),
        kind: link::kind_word(link.kind),
        parent: link.parent.as_deref().unwrap_or(platform.default_parent()),
        parent_assumed: link.parent.is_none(),
        vlan: link.vlan.id(),
        mtu: link.mtu,
        local_asn: link.local_asn.0,
        community: link
            .preference
            .map(|preference| preference.community().to_string()),
        local_preference: link.preference.map(Preference::local_preference),
        received_limit: received_limit(link.kind),
        hold_time: aws::HOLD_TIME.as_secs(),
        keepalive: aws::HOLD_TIME.as_secs() / 3,
        sessions,
    }));
    environment
        .render_named_str(platform.name(), platform.template(), values)
        .map_err(failed)
}

fn view(
    link: &RouterLink,
    session: &Session,
    platform: Platform,
    keys: KeyText,
) -> Result<SessionView, RenderError> {
    let ipv6 = session.local.addr().is_ipv6();
    let refused = platform.refused_in_keys();
    let key = session.auth_key.as_ref().map(|key| key.expose());
    if key.is_some_and(|key| key.contains(|c| refused.contains(c))) {
        return Err(RenderError::Key {
            peer: session.peer,
            platform,
            refused,
        });
    }
    let of_family = |net: &&IpNet| net.addr().is_ipv6() == ipv6;
    Ok(SessionView {
        ipv6,
        local: session.local.addr().to_string(),
        mask: session.local.netmask().to_string(),
        prefix_len: session.local.prefix_len(),
        peer: session.peer.to_string(),
        peer_asn: session.peer_asn.0,
        key: key.map(|key| {
            if keys == KeyText::Reveal {
                key.to_owned()
            } else {
                "<auth-key>".to_owned()
            }
        }),
        inbound: filters::inbound(link.kind, &link.advertise, ipv6)
            .iter()
            .map(filter_view)
            .collect(),
        outbound: link
            .advertise
            .iter()
            .filter(of_family)
            .map(net_view)
            .collect(),
        advertise_limit: aws::default_advertise_limit(link.kind),
    })
}

fn filter_view(filter: &Filter) -> FilterView {
    let exact = filter.net.prefix_len() == filter.le;
    FilterView {
        permit: filter.permit,
        net: filter.net.to_string(),
        le: filter.le,
        exact,
    }
}

fn net_view(net: &IpNet) -> NetView {
    NetView {
        net: net.to_string(),
        address: net.addr().to_string(),
        mask: net.netmask().to_string(),
    }
}

/// More than AWS sends today, less than what would hurt: a VPC's CIDRs or 200
/// prefixes for each of six transit gateways; a public VIF carries all of AWS's
/// public prefixes, several thousand.
const fn received_limit(kind: VifKind) -> u32 {
    match kind {
        VifKind::Private => 1000,
        VifKind::Transit => 1200,
        VifKind::Public => 20_000,
    }
}
