//! `DescribeRouterConfiguration`, and the XML that it and every VIF carry.
//! Both hold keys: never log them.

use std::fmt::Write;

use bgp_core::Family;
use bgp_core::config::VifKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bgp_peer::BgpPeer;
use super::error::ApiError;
use super::simulator::{Account, Simulator};
use super::vif::{Vif, host};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeRouterConfiguration {
    virtual_interface_id: String,
    router_type_identifier: Option<String>,
}

/// A router that AWS has sample text for.
struct RouterType {
    identifier: &'static str,
    vendor: &'static str,
    platform: &'static str,
    software: &'static str,
    template: &'static str,
    syntax: Syntax,
}

#[derive(Clone, Copy)]
enum Syntax {
    Ios,
    Nxos,
    Junos,
    PanOs,
}

const CISCO: &str = "Cisco Systems, Inc.";
const JUNIPER: &str = "Juniper Networks, Inc.";
const PALO_ALTO: &str = "Palo Alto Networks";

/// The nine that AWS knows; no call lists them.
const ROUTER_TYPES: [RouterType; 9] = {
    const fn of(
        identifier: &'static str,
        vendor: &'static str,
        platform: &'static str,
        software: &'static str,
        template: &'static str,
        syntax: Syntax,
    ) -> RouterType {
        RouterType {
            identifier,
            vendor,
            platform,
            software,
            template,
            syntax,
        }
    }
    use Syntax::{Ios, Junos, Nxos, PanOs};
    let (ios, nxos) = (
        "customer-router-cisco-generic.xslt",
        "customer-router-cisco-nexus.xslt",
    );
    let (junos, pan) = (
        "customer-router-juniper-generic.xslt",
        "customer-router-palo-alto.xslt",
    );
    [
        of(
            "CiscoSystemsInc-2900SeriesRouters-IOS124",
            CISCO,
            "2900 Series Routers",
            "IOS 12.4+",
            ios,
            Ios,
        ),
        of(
            "CiscoSystemsInc-3700SeriesRouters-IOS124",
            CISCO,
            "3700 Series Routers",
            "IOS 12.4+",
            ios,
            Ios,
        ),
        of(
            "CiscoSystemsInc-7200SeriesRouters-IOS124",
            CISCO,
            "7200 Series Routers",
            "IOS 12.4+",
            ios,
            Ios,
        ),
        of(
            "CiscoSystemsInc-Nexus7000SeriesSwitches-NXOS51",
            CISCO,
            "Nexus 7000 Series Switches",
            "NX-OS 5.1+",
            nxos,
            Nxos,
        ),
        of(
            "CiscoSystemsInc-Nexus9KSeriesSwitches-NXOS93",
            CISCO,
            "Nexus 9K Series Switches",
            "NX-OS 9.3+",
            nxos,
            Nxos,
        ),
        of(
            "JuniperNetworksInc-MMXSeriesRouters-JunOS95",
            JUNIPER,
            "M/MX Series Routers",
            "JunOS 9.5+",
            junos,
            Junos,
        ),
        of(
            "JuniperNetworksInc-SRXSeriesRouters-JunOS95",
            JUNIPER,
            "SRX Series Routers",
            "JunOS 9.5+",
            junos,
            Junos,
        ),
        of(
            "JuniperNetworksInc-TSeriesRouters-JunOS95",
            JUNIPER,
            "T Series Routers",
            "JunOS 9.5+",
            junos,
            Junos,
        ),
        of(
            "PaloAltoNetworks-PANOS803",
            PALO_ALTO,
            "PA Series Firewalls",
            "PAN-OS 8.0.3+",
            pan,
            PanOs,
        ),
    ]
};

impl Simulator {
    pub(super) fn describe_router_configuration(
        &self,
        caller: &Account,
        request: &DescribeRouterConfiguration,
    ) -> Result<Value, ApiError> {
        let vif = &self.vifs[self.vif_index(caller, &request.virtual_interface_id)?];
        let (text, router) = match &request.router_type_identifier {
            None => (self.logical_connection(vif), None),
            Some(identifier) => {
                let known = ROUTER_TYPES
                    .iter()
                    .find(|router| router.identifier == identifier);
                let router = known.ok_or_else(|| {
                    ApiError::client(format!("Router type {identifier} is not supported."))
                })?;
                (self.sample(vif, router), Some(router))
            }
        };
        let router = router.map(|router| {
            json!({
                "vendor": router.vendor,
                "platform": router.platform,
                "software": router.software,
                "xsltTemplateName": router.template,
                "xsltTemplateNameForMacSec": "",
                "routerTypeIdentifier": router.identifier,
            })
        });
        Ok(json!({
            "customerRouterConfig": text,
            "router": router,
            "virtualInterfaceId": vif.id,
            "virtualInterfaceName": vif.name,
        }))
    }

    /// `customerRouterConfig` of a VIF: the facts as XML.
    pub(super) fn logical_connection(&self, vif: &Vif) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let mut line = |text: String| xml.push_str(&text);
        line(format!("<logical_connection id=\"{}\">\n", vif.id));
        line(format!("  <vlan>{}</vlan>\n", vif.vlan));
        for peer in &vif.peers {
            let prefix = if peer.family == Family::Ipv6 {
                "ipv6_"
            } else {
                ""
            };
            let mut element = |name: &str, value: &str| {
                line(format!(
                    "  <{prefix}{name}>{}</{prefix}{name}>\n",
                    escape(value)
                ));
            };
            element("customer_address", &peer.customer.to_string());
            element("amazon_address", &peer.amazon.to_string());
            element("bgp_asn", &peer.asn.to_string());
            element("bgp_auth_key", peer.key.expose());
        }
        if let Some(asn) = vif
            .attachment
            .as_ref()
            .and_then(|a| self.amazon_side_asn(a))
        {
            line(format!("  <amazon_bgp_asn>{asn}</amazon_bgp_asn>\n"));
        }
        let kind = match vif.kind {
            VifKind::Private => "private",
            VifKind::Transit => "transit",
            VifKind::Public => "public",
        };
        line(format!(
            "  <connection_type>{kind}</connection_type>\n</logical_connection>\n"
        ));
        xml
    }

    /// Sample text for a router: like AWS's, IPv4 only.
    fn sample(&self, vif: &Vif, router: &RouterType) -> String {
        let Some(peer) = vif.peers.iter().find(|peer| peer.family == Family::Ipv4) else {
            return "! This virtual interface has no IPv4 BGP peer.\n".into();
        };
        let asn = vif
            .attachment
            .as_ref()
            .and_then(|a| self.amazon_side_asn(a));
        let asn = asn.map_or_else(|| "AMAZON_ASN".to_owned(), |asn| asn.to_string());
        match router.syntax {
            Syntax::Ios => ios(vif, peer, &asn),
            Syntax::Nxos => nxos(vif, peer, &asn),
            Syntax::Junos => junos(vif, peer, &asn),
            Syntax::PanOs => pan_os(vif, peer, &asn),
        }
    }
}

fn ios(vif: &Vif, peer: &BgpPeer, amazon_asn: &str) -> String {
    let (vlan, amazon, customer) = (vif.vlan, host(peer.amazon), host(peer.customer));
    let (mask, key) = (peer.customer.netmask(), peer.key.expose());
    format!(
        "interface GigabitEthernet0/1.{vlan}\n description \"{}\"\n encapsulation dot1Q {vlan}\n \
         ip address {customer} {mask}\n!\nrouter bgp {}\n neighbor {amazon} remote-as {amazon_asn}\n \
         neighbor {amazon} password {key}\n network 0.0.0.0\n!\n",
        vif.name, peer.asn
    )
}

fn nxos(vif: &Vif, peer: &BgpPeer, amazon_asn: &str) -> String {
    let (vlan, amazon) = (vif.vlan, host(peer.amazon));
    format!(
        "feature bgp\ninterface Vlan{vlan}\n  description \"{}\"\n  ip address {}\n  no shutdown\n\
         router bgp {}\n  address-family ipv4 unicast\n    network 0.0.0.0/0\n  neighbor {amazon} \
         remote-as {amazon_asn}\n    password 0 {}\n    address-family ipv4 unicast\n",
        vif.name,
        peer.customer,
        peer.asn,
        peer.key.expose()
    )
}

fn junos(vif: &Vif, peer: &BgpPeer, amazon_asn: &str) -> String {
    let (vlan, amazon) = (vif.vlan, host(peer.amazon));
    let mut text = String::from("configure exclusive\n");
    let unit = format!("set interfaces ge-0/0/1 unit {vlan}");
    let neighbor = format!("set protocols bgp group ebgp neighbor {amazon}");
    for line in [
        format!("{unit} description \"{}\"", vif.name),
        format!("{unit} vlan-id {vlan}"),
        format!("{unit} family inet mtu {}", vif.mtu),
        format!("{unit} family inet address {}", peer.customer),
        "set protocols bgp group ebgp type external".into(),
        format!("{neighbor} local-as {}", peer.asn),
        format!("{neighbor} peer-as {amazon_asn}"),
        format!("{neighbor} authentication-key \"{}\"", peer.key.expose()),
    ] {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn pan_os(vif: &Vif, peer: &BgpPeer, amazon_asn: &str) -> String {
    let (vlan, amazon) = (vif.vlan, host(peer.amazon));
    let mut text = String::new();
    let unit =
        format!("set network interface ethernet ethernet1/1 layer3 units ethernet1/1.{vlan}");
    let bgp = "set network virtual-router default protocol bgp";
    let key = peer.key.expose();
    for line in [
        format!("{unit} tag {vlan}"),
        format!("{unit} ip {}", peer.customer),
        format!("{bgp} local-as {}", peer.asn),
        format!("{bgp} auth-profile AWS secret {key}"),
        format!("{bgp} peer-group AWS peer {} peer-as {amazon_asn}", vif.id),
        format!(
            "{bgp} peer-group AWS peer {} peer-address ip {amazon}",
            vif.id
        ),
    ] {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
