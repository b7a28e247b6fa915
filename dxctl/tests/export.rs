//! What AWS has, written for Terraform.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Answer, Api, CANARY, run_dxctl, vif};
use serde_json::{Value, json};

/// An account with one of each: names that are hostile, keys wherever AWS puts them.
fn world(operation: &str, _: &Value, _: usize) -> Answer {
    let mut private = vif("dxvif-1", "prod ${var.x}\n\"%{if}", 101, "available");
    private["siteLinkEnabled"] = json!(true);
    private["bgpPeers"].as_array_mut().unwrap().push(json!({
        "bgpPeerId": "dxpeer-2", "asn": 65010, "authKey": CANARY, "addressFamily": "ipv6",
        "amazonAddress": "2001:db8::1/125", "customerAddress": "2001:db8::2/125", "bgpPeerState": "available",
    }));
    let mut transit = vif("dxvif-2", "hub", 102, "down");
    transit["virtualInterfaceType"] = json!("transit");
    transit["connectionId"] = json!("dxlag-1");
    transit["asnLong"] = json!(65010);
    transit["directConnectGatewayId"] = json!("5f294f92");
    transit.as_object_mut().unwrap().remove("virtualGatewayId");
    let mut public = vif("dxvif-3", "hub", 103, "available");
    public["virtualInterfaceType"] = json!("public");
    public["routeFilterPrefixes"] = json!([{ "cidr": "203.0.113.0/24" }]);
    let gone = vif("dxvif-4", "gone", 104, "deleted");
    Answer::Json(match operation {
        "DescribeConnections" => json!({ "connections": [
            { "connectionId": "dxcon-2", "connectionName": "trunk", "connectionState": "available", "bandwidth": "10Gbps",
              "location": "EqFA5", "lagId": "dxlag-1", "macSecKeys": [{ "secretARN": "arn:aws:secretsmanager:x", "ckn": "ab" }] },
            { "connectionId": "dxcon-1", "connectionName": "trunk", "connectionState": "available", "bandwidth": "1Gbps",
              "location": "EqFA5", "tags": [{ "key": "dxctl:site", "value": "a" }, { "key": "team", "value": "n${e}t" }] },
        ] }),
        "DescribeLags" => {
            json!({ "lags": [{ "lagId": "dxlag-1", "lagName": "bundle", "lagState": "available",
            "connectionsBandwidth": "10Gbps", "location": "EqFA5" }] })
        }
        "DescribeVirtualInterfaces" => {
            json!({ "virtualInterfaces": [public, gone, transit, private] })
        }
        "DescribeDirectConnectGateways" => {
            json!({ "directConnectGateways": [{ "directConnectGatewayId": "5f294f92",
            "directConnectGatewayName": "1st", "amazonSideAsn": 64513, "directConnectGatewayState": "available" }] })
        }
        "DescribeDirectConnectGatewayAssociations" => {
            json!({ "directConnectGatewayAssociations": [{
            "associationId": "as-1", "directConnectGatewayId": "5f294f92", "associationState": "associated",
            "associatedGateway": { "id": "tgw-1", "type": "transitGateway" },
            "allowedPrefixesToDirectConnectGateway": [{ "cidr": "10.2.0.0/16" }, { "cidr": "10.1.0.0/16" }] }] })
        }
        other => {
            return Answer::Error(
                400,
                "DirectConnectClientException",
                Box::leak(other.to_owned().into_boxed_str()),
            );
        }
    })
}

#[test]
fn what_exists_is_terraform_configuration_without_a_key() {
    let api = Api::start(world);
    let run = api.dxctl(&["export", "terraform"]);
    assert_eq!(run.code, 0, "{run:?}");
    insta::assert_snapshot!(run.out);
    let traced = run_dxctl(
        &["export", "terraform"],
        &[
            ("AWS_ENDPOINT_URL_DIRECT_CONNECT", api.url.as_str()),
            ("RUST_LOG", "trace"),
        ],
    );
    assert_eq!(traced.out, run.out);
    for text in [run.out, run.err, traced.err] {
        assert!(!text.contains(CANARY), "a key is shown");
    }
}

#[test]
fn one_connection_is_exported_with_what_is_on_it_and_no_file_is_replaced() {
    let api = Api::start(world);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("tf");
    let arguments = [
        "export",
        "terraform",
        "--connection",
        "dxlag-1",
        "--out",
        out.to_str().unwrap(),
    ];
    let run = api.dxctl(&arguments);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    let text = std::fs::read_to_string(out.join("directconnect.tf")).unwrap();
    assert!(
        text.contains("aws_dx_transit_virtual_interface.hub"),
        "{text}"
    );
    assert!(
        !text.contains("dxvif-1") && !text.contains("dxcon-1"),
        "{text}"
    );
    api.dxctl(&arguments)
        .fails(2, "an existing file is never replaced");
    api.dxctl(&["export", "terraform", "--connection", "dxcon-9"])
        .fails(1, "no dxcon-9 in this account");
}
