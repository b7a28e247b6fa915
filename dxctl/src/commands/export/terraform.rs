//! Each thing at AWS as a resource of the hashicorp/aws provider.
//!
//! What the provider can't import stands there as a comment: as a resource it
//! would be made a second time.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Found;
use super::hcl::{Block, Labels, quoted};

pub(super) fn write(region: &str, found: &Found) -> String {
    let mut text = Text {
        out: HEAD.to_owned(),
        references: BTreeMap::new(),
    };
    let mut provider = Block::new("provider \"aws\"");
    provider.text("region", region);
    text.block(&provider);
    text.carriers(&found.connections, &CONNECTION);
    text.carriers(&found.lags, &LAG);
    text.members(&found.connections);
    text.macsec(&found.connections, "connectionId");
    text.macsec(&found.lags, "lagId");
    text.gateways(&found.gateways);
    text.associations(&found.associations);
    text.vifs(found);
    text.out
}

const HEAD: &str = "\
# Written by dxctl export terraform from what AWS has.
# `terraform plan` has to show imports only; read it before you apply.

terraform {
  required_version = \">= 1.5\"
  required_providers {
    aws = {
      source = \"hashicorp/aws\"
    }
  }
}
";

/// How a connection and a LAG differ.
struct CarrierWords {
    resource: &'static str,
    id: &'static str,
    name: &'static str,
    bandwidth: &'static str,
    bandwidth_attribute: &'static str,
}

const CONNECTION: CarrierWords = CarrierWords {
    resource: "aws_dx_connection",
    id: "connectionId",
    name: "connectionName",
    bandwidth: "bandwidth",
    bandwidth_attribute: "bandwidth",
};

const LAG: CarrierWords = CarrierWords {
    resource: "aws_dx_lag",
    id: "lagId",
    name: "lagName",
    bandwidth: "connectionsBandwidth",
    bandwidth_attribute: "connections_bandwidth",
};

struct Text {
    out: String,
    /// What stands here, by its identifier at AWS: `aws_dx_lag.trunk.id`.
    references: BTreeMap<String, String>,
}

impl Text {
    fn block(&mut self, block: &Block) {
        self.out.push('\n');
        self.out.push_str(&block.write());
    }

    fn comment(&mut self, why: &str, blocks: &[&Block]) {
        self.out.push_str(&format!("\n# {why}\n"));
        for line in blocks.iter().flat_map(|block| lines(block)) {
            self.out.push_str(&format!("# {line}\n"));
        }
    }

    /// A resource, and the block that imports it.
    fn resource(&mut self, (kind, label): (&str, &str), id: &str, block: &Block) {
        let mut import = Block::new("import");
        import.plain("to", format!("{kind}.{label}")).text("id", id);
        self.block(&import);
        self.block(block);
    }

    /// A reference where the thing stands here, or else its identifier.
    fn reference(&self, id: &str) -> String {
        let here = self.references.get(id).cloned();
        here.unwrap_or_else(|| quoted(id))
    }

    fn carriers(&mut self, carriers: &[Value], words: &CarrierWords) {
        let mut labels = Labels::default();
        for carrier in sorted(carriers, words.id) {
            let id = word(carrier, words.id);
            let label = labels.label(word(carrier, words.name), id);
            let mut block = resource(words.resource, &label);
            block
                .text("name", word(carrier, words.name))
                .text(words.bandwidth_attribute, word(carrier, words.bandwidth))
                .text("location", word(carrier, "location"));
            let provider = word(carrier, "providerName");
            if !provider.is_empty() {
                block.text("provider_name", provider);
            }
            tags(&mut block, carrier);
            self.references
                .insert(id.to_owned(), format!("{}.{label}.id", words.resource));
            self.resource((words.resource, &label), id, &block);
        }
    }

    /// Connections that are part of a LAG.
    fn members(&mut self, connections: &[Value]) {
        let mut labels = Labels::default();
        for connection in sorted(connections, "connectionId") {
            let (id, lag) = (word(connection, "connectionId"), word(connection, "lagId"));
            if lag.is_empty() {
                continue;
            }
            let label = labels.label(word(connection, "connectionName"), id);
            let mut block = resource("aws_dx_connection_association", &label);
            block
                .plain("connection_id", self.reference(id))
                .plain("lag_id", self.reference(lag));
            self.comment(
                &format!("Is there, but aws_dx_connection_association can't be imported ({id}):"),
                &[&block],
            );
        }
    }

    fn macsec(&mut self, carriers: &[Value], id: &str) {
        let mut labels = Labels::default();
        for carrier in sorted(carriers, id) {
            let keys = carrier["macSecKeys"].as_array().into_iter().flatten();
            for key in keys.filter(|key| !word(key, "secretARN").is_empty()) {
                let carrier = word(carrier, id);
                let mut block =
                    resource("aws_dx_macsec_key_association", &labels.label("", carrier));
                block
                    .plain("connection_id", self.reference(carrier))
                    .text("secret_arn", word(key, "secretARN"));
                self.comment(
                    &format!(
                        "Is there, but aws_dx_macsec_key_association can't be imported ({carrier}):"
                    ),
                    &[&block],
                );
            }
        }
    }

    fn gateways(&mut self, gateways: &[Value]) {
        let mut labels = Labels::default();
        for gateway in sorted(gateways, "directConnectGatewayId") {
            let id = word(gateway, "directConnectGatewayId");
            let name = word(gateway, "directConnectGatewayName");
            let label = labels.label(name, id);
            let mut block = resource("aws_dx_gateway", &label);
            block.text("name", name);
            if let Some(asn) = gateway["amazonSideAsn"].as_u64() {
                block.text("amazon_side_asn", &asn.to_string());
            }
            tags(&mut block, gateway);
            self.references
                .insert(id.to_owned(), format!("aws_dx_gateway.{label}.id"));
            self.resource(("aws_dx_gateway", &label), id, &block);
        }
    }

    fn associations(&mut self, associations: &[Value]) {
        let mut labels = Labels::default();
        for association in sorted(associations, "associationId") {
            let gateway = word(association, "directConnectGatewayId");
            let target = word(&association["associatedGateway"], "id");
            let label = labels.label(target, word(association, "associationId"));
            let mut block = resource("aws_dx_gateway_association", &label);
            block
                .plain("dx_gateway_id", self.reference(gateway))
                .text("associated_gateway_id", target);
            let allowed = &association["allowedPrefixesToDirectConnectGateway"];
            block.plain("allowed_prefixes", prefixes(allowed));
            let kind = "aws_dx_gateway_association";
            self.resource((kind, &label), &format!("{gateway}/{target}"), &block);
        }
    }

    fn vifs(&mut self, found: &Found) {
        let carriers = || found.connections.iter().chain(&found.lags);
        let mut labels = BTreeMap::<&str, Labels>::new();
        for vif in sorted(&found.vifs, "virtualInterfaceId") {
            let id = word(vif, "virtualInterfaceId");
            let owner = word(vif, "ownerAccount");
            let on = vif["connectionId"].as_str();
            let carrier = carriers()
                .find(|one| on.is_some_and(|on| one["connectionId"] == on || one["lagId"] == on));
            let payer = carrier.map_or("", |one| word(one, "ownerAccount"));
            if !owner.is_empty() && !payer.is_empty() && owner != payer {
                self.comment(
                    &format!("{}: belongs to account {}", quoted(id), quoted(owner)),
                    &[],
                );
                continue;
            }
            let kind = match word(vif, "virtualInterfaceType") {
                kind @ ("private" | "transit" | "public") => kind,
                other => {
                    self.comment(
                        &format!("{}: no resource for the type {}", quoted(id), quoted(other)),
                        &[],
                    );
                    continue;
                }
            };
            let labels = labels.entry(kind).or_default();
            let label = labels.label(word(vif, "virtualInterfaceName"), id);
            self.vif(vif, kind, &label);
        }
    }

    fn vif(&mut self, vif: &Value, kind: &str, label: &str) {
        let resource_kind = format!("aws_dx_{kind}_virtual_interface");
        let mut block = resource(&resource_kind, label);
        block
            .plain("connection_id", self.reference(word(vif, "connectionId")))
            .text("name", word(vif, "virtualInterfaceName"))
            .plain("vlan", number(vif, "vlan"));
        let variable = session(&mut block, vif, &format!("{kind}_{label}_bgp_auth_key"));
        if kind != "public" {
            let mtu = number(vif, "mtu");
            if mtu != "null" {
                block.plain("mtu", mtu);
            }
            if vif["siteLinkEnabled"] == true {
                block.plain("sitelink_enabled", "true");
            }
            let gateway = word(vif, "directConnectGatewayId");
            if !gateway.is_empty() {
                block.plain("dx_gateway_id", self.reference(gateway));
            }
            let gateway = word(vif, "virtualGatewayId");
            if !gateway.is_empty() {
                block.text("vpn_gateway_id", gateway);
            }
        } else {
            block.plain(
                "route_filter_prefixes",
                prefixes(&vif["routeFilterPrefixes"]),
            );
        }
        tags(&mut block, vif);
        if let Some(variable) = variable {
            self.block(&variable);
        }
        let id = word(vif, "virtualInterfaceId");
        self.resource((&resource_kind, label), id, &block);
        self.further_peers(vif, kind, label);
    }

    /// The virtual interface's own resource is about the session that it was made with.
    fn further_peers(&mut self, vif: &Value, kind: &str, label: &str) {
        let own = word(vif, "addressFamily");
        let peers = vif["bgpPeers"].as_array().into_iter().flatten();
        let there = peers.filter(|peer| {
            word(peer, "addressFamily") != own && super::is_there(peer, "bgpPeerState")
        });
        for peer in there {
            let family = word(peer, "addressFamily");
            let family = if family == "ipv6" { "ipv6" } else { "ipv4" };
            let mut block = resource("aws_dx_bgp_peer", &format!("{kind}_{label}_{family}"));
            block.plain(
                "virtual_interface_id",
                format!("aws_dx_{kind}_virtual_interface.{label}.id"),
            );
            let name = format!("{family}_{kind}_{label}_bgp_auth_key");
            let variable = session(&mut block, peer, &name);
            let blocks: Vec<&Block> = variable.iter().chain([&block]).collect();
            let why = format!(
                "Is there, but aws_dx_bgp_peer can't be imported ({}):",
                quoted(word(vif, "virtualInterfaceId"))
            );
            self.comment(&why, &blocks);
        }
    }
}

/// The session's attributes; the key only as a variable, which is returned.
fn session(block: &mut Block, of: &Value, variable: &str) -> Option<Block> {
    block.text("address_family", word(of, "addressFamily"));
    let long = of["asnLong"].as_u64().filter(|asn| *asn > 0);
    match long.or_else(|| of["asn"].as_u64()) {
        // `bgp_asn` is a signed number of 32 bits.
        Some(asn) if asn > 2_147_483_646 => block.text("bgp_asn_long", &asn.to_string()),
        Some(asn) => block.plain("bgp_asn", asn.to_string()),
        None => block,
    };
    // AWS assigns IPv6 addresses: the provider takes none.
    if word(of, "addressFamily") != "ipv6" {
        for (key, attribute) in [
            ("amazonAddress", "amazon_address"),
            ("customerAddress", "customer_address"),
        ] {
            if !word(of, key).is_empty() {
                block.text(attribute, word(of, key));
            }
        }
    }
    if word(of, "authKey").is_empty() {
        return None;
    }
    block.plain("bgp_auth_key", format!("var.{variable}"));
    let mut declared = Block::new(format!("variable {}", quoted(variable)));
    declared
        .text("description", "MD5 key of the BGP session, as AWS has it")
        .plain("type", "string")
        .plain("sensitive", "true");
    Some(declared)
}

fn resource(kind: &str, label: &str) -> Block {
    Block::new(format!("resource \"{kind}\" {}", quoted(label)))
}

fn tags(block: &mut Block, of: &Value) {
    let all = of["tags"].as_array().into_iter().flatten();
    let own: BTreeMap<&str, &str> = all
        .map(|tag| (word(tag, "key"), word(tag, "value")))
        .filter(|(key, _)| !key.starts_with("aws:"))
        .collect();
    if own.is_empty() {
        return;
    }
    let own: Vec<String> = own
        .iter()
        .map(|(key, value)| format!("{} = {}", quoted(key), quoted(value)))
        .collect();
    block.plain("tags", format!("{{ {} }}", own.join(", ")));
}

fn prefixes(list: &Value) -> String {
    let all = list.as_array().into_iter().flatten();
    let mut all: Vec<String> = all.map(|prefix| quoted(word(prefix, "cidr"))).collect();
    all.sort();
    format!("[{}]", all.join(", "))
}

fn lines(block: &Block) -> Vec<String> {
    block.write().lines().map(str::to_owned).collect()
}

fn sorted<'a>(all: &'a [Value], id: &str) -> Vec<&'a Value> {
    let mut all: Vec<&Value> = all.iter().collect();
    all.sort_by_key(|one| word(one, id));
    all
}

fn word<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

fn number(of: &Value, key: &str) -> String {
    of[key]
        .as_u64()
        .map_or_else(|| "null".to_owned(), |number| number.to_string())
}
