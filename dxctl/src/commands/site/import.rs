//! `dxctl import`: a site file from what AWS has. A plan of it changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use bgp_core::config::VifKind;
use bgp_core::{Asn, Family};
use ipnet::IpNet;

use crate::aws::{
    Association, Carrier, DirectConnect, DxGateway, Filter, Gateway, Tag, VirtualInterface,
    kind_name,
};
use crate::cli::{Global, ImportArgs};
use crate::output::{note, print};
use crate::site::OWNER_TAG;
use crate::{Refused, Verdict};

pub(in crate::commands) async fn run(args: ImportArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let found = gather(&aws, &args.connection).await?;
    let text = write(&args.name, aws.region(), &found);
    // What it writes has to be a site file; where AWS has what none may say, it
    // is told here.
    if let Err(mistakes) = crate::site::read(&text, std::path::Path::new("")) {
        for mistake in mistakes {
            note(format_args!("note: to be put right by hand: {mistake}"));
        }
    }
    match &args.out {
        None => print(&text)?,
        Some(file) => {
            let mut new = std::fs::File::create_new(file).with_context(|| {
                format!("{} (an existing file is never replaced)", file.display())
            })?;
            std::io::Write::write_all(&mut new, text.as_bytes())
                .with_context(|| file.display().to_string())?;
            note(format_args!("{}: written", file.display()));
        }
    }
    Ok(Verdict::Fine)
}

struct Found {
    carriers: Vec<Carrier>,
    vifs: Vec<VirtualInterface>,
    gateways: Vec<(DxGateway, Vec<Association>)>,
}

async fn gather(aws: &impl DirectConnect, only: &[String]) -> anyhow::Result<Found> {
    let vifs = aws.virtual_interfaces(Filter::All).await?;
    let mut carriers = aws.connections().await?;
    carriers.extend(aws.lags().await?);
    for id in only {
        if !carriers.iter().any(|carrier| carrier.id == *id) {
            return Err(Refused::new(format!(
                "no {id} in this account and Region: check --region and --profile"
            ))
            .into());
        }
    }
    carriers.retain(|carrier| {
        let gone = matches!(carrier.state.as_str(), "deleting" | "deleted" | "rejected");
        !gone && (only.is_empty() || only.contains(&carrier.id))
    });
    let vifs = ours(vifs, &carriers);
    let mut gateways = Vec::new();
    for gateway in aws.gateways().await? {
        let leads = |vif: &VirtualInterface| matches!(&vif.gateway, Some(Gateway::DirectConnect(id)) if *id == gateway.id);
        if !gateway.is_gone() && (only.is_empty() || vifs.iter().any(leads)) {
            let mut associations = aws.associations(&gateway.id).await?;
            associations.retain(|one| !one.is_gone());
            gateways.push((gateway, associations));
        }
    }
    Ok(Found {
        carriers,
        vifs,
        gateways,
    })
}

/// Those that are there, and that this account may change.
fn ours(vifs: Vec<VirtualInterface>, carriers: &[Carrier]) -> Vec<VirtualInterface> {
    let mut ours = Vec::new();
    for vif in vifs {
        let Some(carrier) = carriers.iter().find(|carrier| carrier.id == vif.carrier) else {
            continue;
        };
        if vif.is_gone() || vif.state == "deleting" {
            continue;
        }
        if vif.owner.is_some() && carrier.owner.is_some() && vif.owner != carrier.owner {
            note(format_args!(
                "note: {} ({}) belongs to account {}: left out",
                vif.id,
                vif.name,
                vif.owner.as_deref().unwrap_or("?")
            ));
        } else {
            ours.push(vif);
        }
    }
    ours.sort_by(|a, b| (&a.carrier, a.vlan, &a.id).cmp(&(&b.carrier, b.vlan, &b.id)));
    ours
}

fn write(name: &str, region: &str, found: &Found) -> String {
    let mut text = Text(String::new());
    text.line("# Written by dxctl import from what AWS has.");
    text.line("");
    text.line("[site]");
    text.quoted("name", name);
    text.quoted("region", region);
    if let Some(owner) = found.carriers.iter().find_map(|one| one.owner.as_ref()) {
        text.quoted("account", owner);
    }
    let asn = usual_asn(&found.vifs);
    if let Some(asn) = asn {
        text.plain("asn", asn);
    }
    let carriers = names(found.carriers.iter().map(|one| (&one.id, &one.name)));
    for carrier in &found.carriers {
        text.carrier(carrier, &carriers);
    }
    let gateways = names(found.gateways.iter().map(|(one, _)| (&one.id, &one.name)));
    for (gateway, associations) in &found.gateways {
        text.gateway(gateway, associations, &gateways);
    }
    let vifs = names(found.vifs.iter().map(|one| (&one.id, &one.name)));
    for vif in &found.vifs {
        text.vif(vif, &vifs[&vif.id], &carriers, &gateways, asn);
    }
    text.0
}

/// Names as they are at AWS, or the identifier where they don't tell apart.
fn names<'a>(
    all: impl Iterator<Item = (&'a String, &'a String)> + Clone,
) -> BTreeMap<String, String> {
    let twice = |name: &str| all.clone().filter(|(_, other)| *other == name).count() > 1;
    let named = all.clone().map(|(id, name)| {
        let own = if name.is_empty() || twice(name) {
            id
        } else {
            name
        };
        (id.clone(), own.clone())
    });
    named.collect()
}

fn usual_asn(vifs: &[VirtualInterface]) -> Option<Asn> {
    let mut counts: BTreeMap<Asn, usize> = BTreeMap::new();
    for asn in vifs.iter().filter_map(|vif| vif.asn) {
        *counts.entry(asn).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(asn, count)| (*count, std::cmp::Reverse(*asn)));
    most.map(|(asn, _)| asn)
}

struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn plain(&mut self, key: &str, value: impl std::fmt::Display) {
        writeln!(self.0, "{key} = {value}").expect("invariant: a String takes every write");
    }

    fn quoted(&mut self, key: &str, value: &str) {
        self.plain(key, quoted(value));
    }

    fn prefixes(&mut self, key: &str, prefixes: &[IpNet]) {
        let all: Vec<String> = prefixes
            .iter()
            .map(|net| quoted(&net.to_string()))
            .collect();
        self.plain(key, format_args!("[{}]", all.join(", ")));
    }

    fn tags(&mut self, tags: &[Tag]) {
        let own = |tag: &&Tag| tag.key != OWNER_TAG && !tag.key.starts_with("aws:");
        let all = tags.iter().filter(own);
        let all: Vec<String> = all
            .map(|tag| format!("{} = {}", quoted(&tag.key), quoted(&tag.value)))
            .collect();
        if !all.is_empty() {
            self.plain("tags", format_args!("{{ {} }}", all.join(", ")));
        }
    }

    fn carrier(&mut self, carrier: &Carrier, names: &BTreeMap<String, String>) {
        self.line("");
        self.line(match carrier.id.starts_with("dxlag-") {
            true => "[[lag]]",
            false => "[[connection]]",
        });
        self.quoted("name", &names[&carrier.id]);
        self.quoted("id", &carrier.id);
        if !carrier.macsec.is_empty() {
            let secrets: Vec<String> = carrier.macsec.iter().map(|arn| quoted(arn)).collect();
            self.plain("macsec", format_args!("[{}]", secrets.join(", ")));
        }
        self.tags(&carrier.tags);
    }

    fn gateway(
        &mut self,
        gateway: &DxGateway,
        associations: &[Association],
        names: &BTreeMap<String, String>,
    ) {
        self.line("");
        self.line("[[gateway]]");
        self.quoted("name", &names[&gateway.id]);
        self.quoted("id", &gateway.id);
        if let Some(asn) = gateway.amazon_asn {
            self.plain("asn", asn);
        }
        self.tags(&gateway.tags);
        for association in associations {
            self.line("");
            self.line("[[gateway.association]]");
            self.quoted("gateway", &association.target);
            self.prefixes("allowed_prefixes", &association.allowed);
        }
    }

    fn vif(
        &mut self,
        vif: &VirtualInterface,
        name: &str,
        carriers: &BTreeMap<String, String>,
        gateways: &BTreeMap<String, String>,
        asn: Option<Asn>,
    ) {
        self.line("");
        self.line(&format!("# {}", vif.id));
        self.line("[[vif]]");
        self.quoted("name", name);
        match vif.kind.known() {
            Some(kind) => self.quoted("kind", kind_name(kind)),
            None => self.quoted("kind", &vif.kind.to_string()),
        }
        self.quoted("connection", &carriers[&vif.carrier]);
        if let Some(vlan) = vif.vlan {
            self.plain("vlan", vlan);
        }
        match &vif.gateway {
            Some(Gateway::Virtual(id)) => self.quoted("gateway", id),
            Some(Gateway::DirectConnect(id)) => {
                self.quoted("gateway", gateways.get(id).unwrap_or(id));
            }
            None => {}
        }
        if let Some(own) = vif.asn.filter(|own| Some(*own) != asn) {
            self.plain("asn", own);
        }
        self.attributes(vif);
        self.sessions(vif);
        if !vif.route_filter_prefixes.is_empty() {
            self.prefixes("route_filter_prefixes", &vif.route_filter_prefixes);
        }
        self.tags(&vif.tags);
    }

    fn attributes(&mut self, vif: &VirtualInterface) {
        if vif.kind.known() == Some(VifKind::Public) {
            return;
        }
        if let Some(mtu) = vif.mtu {
            self.plain("mtu", mtu);
        }
        let features = &vif.features;
        if features.site_link == Some(true) {
            self.plain("site_link", true);
        }
        if let Some(limit) = &features.rate_limit {
            self.quoted("rate_limit", limit);
        }
        let pools = [
            ("ipv4", features.prefix_pool_ipv4),
            ("ipv6", features.prefix_pool_ipv6),
        ];
        let pools: Vec<String> = pools
            .into_iter()
            .filter_map(|(family, count)| Some(format!("{family} = {}", count?)))
            .collect();
        if !pools.is_empty() {
            self.plain("prefix_pool", format_args!("{{ {} }}", pools.join(", ")));
        }
    }

    fn sessions(&mut self, vif: &VirtualInterface) {
        match vif.peer(Family::Ipv4) {
            Some(peer) => {
                if let (Some(amazon), Some(ours)) = (peer.amazon_address, peer.customer_address) {
                    let ends = [quoted(&amazon.to_string()), quoted(&ours.to_string())];
                    self.plain("addresses", format_args!("[{}]", ends.join(", ")));
                }
            }
            None => self.plain("ipv4", false),
        }
        if vif.peer(Family::Ipv6).is_some() {
            self.plain("ipv6", true);
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
