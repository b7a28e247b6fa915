//! Direct Connect gateways: what is announced through them.

use serde_json::json;

use super::{CONNECTION, TGW, VGW, World};

#[test]
fn a_transit_gateway_is_announced_exactly_what_is_allowed() {
    let mut world = World::new();
    let gateway = json!({ "directConnectGatewayName": "edge" });
    let gateway = world.ok("CreateDirectConnectGateway", gateway);
    let gateway = &gateway["directConnectGateway"]["directConnectGatewayId"];
    let input = json!({ "connectionId": CONNECTION, "newTransitVirtualInterface": {
        "virtualInterfaceName": "transit", "vlan": 60, "asn": 65010, "mtu": 8500,
        "directConnectGatewayId": gateway } });
    let vif = world.ok("CreateTransitVirtualInterface", input)["virtualInterface"].clone();
    assert_eq!(vif["mtu"], 8500);
    let association = world.ok(
        "CreateDirectConnectGatewayAssociation",
        json!({ "directConnectGatewayId": gateway, "gatewayId": TGW }),
    );
    let association = &association["directConnectGatewayAssociation"];
    assert_eq!(association["associationState"], "associating");
    world.pass(60);
    assert!(
        world.aws.intents()[0].advertise.is_empty(),
        "an empty list announces nothing"
    );
    world.ok(
        "UpdateDirectConnectGatewayAssociation",
        json!({
        "associationId": association["associationId"],
        "addAllowedPrefixesToDirectConnectGateway": [{ "cidr": "10.0.0.0/8" }] }),
    );
    assert_eq!(
        world.aws.intents()[0].advertise,
        ["10.0.0.0/8".parse().unwrap()]
    );

    let attachments = world.ok(
        "DescribeDirectConnectGatewayAttachments",
        json!({ "directConnectGatewayId": gateway }),
    );
    let attachments = &attachments["directConnectGatewayAttachments"];
    assert_eq!(attachments[0]["attachmentType"], "TransitVirtualInterface");
    let both = json!({ "directConnectGatewayId": gateway, "gatewayId": VGW });
    let text = world.refused("CreateDirectConnectGatewayAssociation", both);
    assert!(text.contains("at once"), "{text}");
    let text = world.refused(
        "DeleteDirectConnectGateway",
        json!({ "directConnectGatewayId": gateway }),
    );
    assert!(text.contains("attached"), "{text}");
}

#[test]
fn allowed_prefixes_filter_what_a_virtual_gateway_has() {
    let mut world = World::new();
    let gateway = world.ok(
        "CreateDirectConnectGateway",
        json!({ "directConnectGatewayName": "edge", "amazonSideAsn": 64600 }),
    );
    let gateway = &gateway["directConnectGateway"]["directConnectGatewayId"];
    let vif = world
        .private(json!({ "directConnectGatewayId": gateway }))
        .unwrap();
    assert_eq!(vif["amazonSideAsn"], 64600);
    world.ok(
        "CreateDirectConnectGatewayAssociation",
        json!({
        "directConnectGatewayId": gateway, "gatewayId": VGW,
        "addAllowedPrefixesToDirectConnectGateway": [{ "cidr": "172.16.0.0/12" }] }),
    );
    world.pass(60);
    assert_eq!(
        world.aws.intents()[0].advertise,
        ["172.31.0.0/16".parse().unwrap()]
    );
    let same = json!({ "directConnectGatewayName": "x", "amazonSideAsn": 64532 });
    let same = world.ok("CreateDirectConnectGateway", same);
    let same = &same["directConnectGateway"]["directConnectGatewayId"];
    let text = world.refused(
        "CreateDirectConnectGatewayAssociation",
        json!({ "directConnectGatewayId": same, "gatewayId": TGW }),
    );
    assert!(text.contains("same ASN"), "{text}");
}
