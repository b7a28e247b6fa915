//! Virtual interfaces: their states, sessions and rules.

use lab::aws::error::ErrorKind;
use lab::aws::router::Admin;
use lab::aws::seed::Seed;
use lab::aws::simulator::PARTNER;
use serde_json::{Value, json};

use super::{CONNECTION, PARTNERS_VGW, VGW, World};

#[test]
fn a_private_vif_goes_from_pending_to_down_and_available_with_its_session() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    let (id, peer) = (&vif["virtualInterfaceId"], &vif["bgpPeers"][0]["bgpPeerId"]);
    assert_eq!(vif["virtualInterfaceState"], "pending");
    assert!(world.aws.intents().is_empty());
    world.pass(20);
    assert_eq!(world.state(id), "down");
    assert_eq!(world.vif(id)["bgpPeers"][0]["bgpPeerState"], "available");
    assert_eq!(world.aws.intents().len(), 1);
    world.bring_up(&[peer]);
    assert_eq!(world.state(id), "available");
    assert_eq!(world.vif(id)["bgpPeers"][0]["bgpStatus"], "up");
    world.bring_up(&[]);
    assert_eq!(world.state(id), "down");
}

#[test]
fn what_is_left_out_aws_adds() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    assert_eq!(vif["amazonAddress"], "169.254.1.1/30");
    assert_eq!(vif["customerAddress"], "169.254.1.2/30");
    assert_eq!(vif["mtu"], 1500);
    assert_eq!(vif["amazonSideAsn"], 64512);
    let key = vif["authKey"].as_str().unwrap();
    assert!((6..=80).contains(&key.len()));
    assert!(vif["customerRouterConfig"].as_str().unwrap().contains(key));
    let other = world.private(json!({ "vlan": 102 })).unwrap();
    assert_eq!(other["amazonAddress"], "169.254.1.5/30");
    assert_ne!(other["authKey"], vif["authKey"]);
}

#[test]
fn asn_is_zero_above_31_bits_and_asn_long_is_always_there() {
    let mut world = World::new();
    let long = world
        .private(json!({ "asn": null, "asnLong": 4_200_000_001_u32 }))
        .unwrap();
    assert_eq!(
        (&long["asn"], &long["asnLong"]),
        (&json!(0), &json!(4_200_000_001_u32))
    );
    let short = world.private(json!({ "vlan": 102 })).unwrap();
    assert_eq!(
        (&short["asn"], &short["asnLong"]),
        (&json!(65010), &json!(65010))
    );
}

#[test]
fn what_only_prose_forbids_is_refused_and_changes_nothing() {
    let mut world = World::new();
    world.private(json!({})).unwrap();
    let cases = [
        (json!({}), "VLAN 101 is already in use"),
        (json!({ "vlan": 0 }), "1 to 4094"),
        (json!({ "vlan": 4095 }), "1 to 4094"),
        (
            json!({ "vlan": 7, "virtualInterfaceName": "Prod_1" }),
            "a-z, 0-9",
        ),
        (json!({ "vlan": 7, "mtu": 9000 }), "MTU 9000"),
        (json!({ "vlan": 7, "asn": 7224 }), "ASN 7224"),
        (json!({ "vlan": 7, "asn": null }), "ASN is required"),
        (json!({ "vlan": 7, "authKey": "short" }), "6 to 80"),
        (json!({ "vlan": 7, "authKey": "trailing " }), "white space"),
        (
            json!({ "vlan": 7, "amazonAddress": "10.0.0.1/30" }),
            "go together",
        ),
        (
            json!({ "vlan": 7, "addressFamily": "ipv6", "amazonAddress": "fd00::1/125",
            "customerAddress": "fd00::2/125" }),
            "assigned by Amazon",
        ),
        (
            json!({ "vlan": 7, "virtualGatewayId": "vgw-none" }),
            "does not exist",
        ),
        (
            json!({ "vlan": 7, "directConnectGatewayId": "none" }),
            "does not exist",
        ),
        (
            json!({ "vlan": 7, "virtualGatewayId": "" }),
            "either a virtual private gateway",
        ),
        (
            json!({ "vlan": 7, "prefixPoolAllocatedCountIpv4": 1001 }),
            "at most 1000",
        ),
    ];
    for (members, expected) in cases {
        let error = world.private(members.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Client, "{members}");
        assert!(
            error.message.contains(expected),
            "{members}: {}",
            error.message
        );
    }
    let listed = world.ok("DescribeVirtualInterfaces", json!({}));
    assert_eq!(listed["virtualInterfaces"].as_array().unwrap().len(), 1);
}

#[test]
fn a_vif_needs_a_connection_that_is_available() {
    let mut world = World::new();
    let input = json!({ "location": "EqFA5", "bandwidth": "10Gbps", "connectionName": "new" });
    let connection = world.ok("CreateConnection", input);
    let id = &connection["connectionId"];
    assert_eq!(connection["connectionState"], "requested");
    let vif = json!({ "connectionId": id, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "a", "vlan": 5, "asn": 65010, "virtualGatewayId": VGW } });
    assert!(
        world
            .refused("CreatePrivateVirtualInterface", vif.clone())
            .contains("not available")
    );
    world.pass(60);
    let describe = json!({ "connectionId": id });
    let listed = world.ok("DescribeConnections", describe.clone());
    assert_eq!(listed["connections"][0]["connectionState"], "pending");
    world.pass(60);
    world.ok("CreatePrivateVirtualInterface", vif);
    let text = world.refused("DeleteConnection", describe.clone());
    assert!(text.contains("has virtual interfaces"), "{text}");
    let text = world.refused(
        "DescribeConnections",
        json!({ "connectionId": "dxcon-none" }),
    );
    assert_eq!(text, "Could not find Connection with ID dxcon-none");
}

#[test]
fn a_deleted_vif_is_listed_for_a_quarter_of_an_hour_and_gives_its_vlan_back() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    let id = &vif["virtualInterfaceId"];
    world.pass(30);
    let delete = json!({ "virtualInterfaceId": id });
    let answer = world.ok("DeleteVirtualInterface", delete.clone());
    assert_eq!(answer, json!({ "virtualInterfaceState": "deleting" }));
    assert!(world.aws.intents().is_empty());
    assert!(
        world.private(json!({})).is_err(),
        "the VLAN is in use while it is being deleted"
    );
    world.pass(20);
    assert_eq!(world.state(id), "deleted");
    assert!(
        world
            .refused("DeleteVirtualInterface", delete)
            .contains("does not exist")
    );
    world.private(json!({})).unwrap();
    world.pass(14 * 60);
    assert_eq!(world.state(id), "deleted");
    world.pass(60);
    assert_eq!(world.state(id), Value::Null);
}

#[test]
fn a_public_vif_is_verified_first_and_leads_to_aws_prefixes() {
    let mut world = World::new();
    let new = json!({ "virtualInterfaceName": "public", "vlan": 200, "asn": 65010,
        "amazonAddress": "203.0.113.1/30", "customerAddress": "203.0.113.2/30",
        "routeFilterPrefixes": [{ "cidr": "198.51.100.0/24" }] });
    let request =
        |new: &Value| json!({ "connectionId": CONNECTION, "newPublicVirtualInterface": new });
    let mut bare = new.clone();
    bare["routeFilterPrefixes"] = Value::Null;
    let text = world.refused("CreatePublicVirtualInterface", request(&bare));
    assert!(text.contains("1 to 1,000"), "{text}");
    let vif = world.ok("CreatePublicVirtualInterface", request(&new));
    assert_eq!(vif["virtualInterfaceState"], "verifying");
    assert_eq!(vif["bgpPeers"][0]["bgpPeerState"], "verifying");
    assert_eq!(vif["amazonSideAsn"], 7224);
    world.pass(140);
    assert_eq!(world.state(&vif["virtualInterfaceId"]), "down");
    let intent = world.aws.intents().remove(0);
    assert_eq!(intent.peers[0].prefix_limit, 1000);
    assert_eq!(
        intent.advertise.len(),
        Seed::default().public_prefixes.len()
    );
}

#[test]
fn a_hosted_vif_waits_for_its_owner_to_confirm() {
    let mut world = World::new();
    let input = json!({ "connectionId": CONNECTION, "ownerAccount": PARTNER,
        "newPrivateVirtualInterfaceAllocation":
            { "virtualInterfaceName": "hosted", "vlan": 50, "asn": 65020 } });
    let vif = world.ok("AllocatePrivateVirtualInterface", input);
    let id = &vif["virtualInterfaceId"];
    assert_eq!(
        (&vif["virtualInterfaceState"], &vif["ownerAccount"]),
        (&json!("confirming"), &json!(PARTNER))
    );
    world.pass(3600);
    assert_eq!(world.state(id), "confirming");
    let confirm = json!({ "virtualInterfaceId": id, "virtualGatewayId": VGW });
    let text = world.refused("ConfirmPrivateVirtualInterface", confirm.clone());
    assert!(text.contains(PARTNER), "{text}");
    let confirm = json!({ "virtualInterfaceId": id, "virtualGatewayId": PARTNERS_VGW });
    let mut by_partner =
        |operation, input: &Value| world.call_as(PARTNER, operation, input.clone());
    assert!(by_partner("ConfirmPublicVirtualInterface", &confirm).is_err());
    let answer = by_partner("ConfirmPrivateVirtualInterface", &confirm).unwrap();
    assert_eq!(answer, json!({ "virtualInterfaceState": "pending" }));
    let connections = by_partner("DescribeConnections", &json!({})).unwrap();
    assert_eq!(connections["connections"], json!([]));
}

#[test]
fn ipv6_is_a_second_peer_and_the_last_peer_stays() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    let id = &vif["virtualInterfaceId"];
    let input = json!({ "virtualInterfaceId": id,
        "newBGPPeer": { "asn": 65010, "addressFamily": "ipv6" } });
    let answer = world.ok("CreateBGPPeer", input.clone());
    let peers = answer["virtualInterface"]["bgpPeers"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(peers.len(), 2);
    assert!(
        peers[1]["amazonAddress"]
            .as_str()
            .unwrap()
            .ends_with("/125")
    );
    assert!(
        world
            .refused("CreateBGPPeer", input)
            .contains("already has a BGP peer")
    );
    world.pass(20);
    assert_eq!(world.aws.intents()[0].peers.len(), 2);
    let xml = world.vif(id)["customerRouterConfig"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(xml.contains("<ipv6_bgp_auth_key>"), "{xml}");

    let delete = |peer: &Value| json!({ "virtualInterfaceId": id, "bgpPeerId": peer["bgpPeerId"] });
    let answer = world.ok("DeleteBGPPeer", delete(&peers[0]));
    assert_eq!(
        answer["virtualInterface"]["bgpPeers"][0]["bgpPeerState"],
        "deleting"
    );
    assert!(
        world
            .refused("DeleteBGPPeer", delete(&peers[1]))
            .contains("last BGP peer")
    );
    world.pass(20);
    assert_eq!(world.vif(id)["addressFamily"], "ipv6");
}

#[test]
fn a_failover_test_holds_the_session_down_and_ends_by_itself() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    let id = &vif["virtualInterfaceId"];
    let start = json!({ "virtualInterfaceId": id, "testDurationInMinutes": 5 });
    assert!(
        world
            .refused("StartBgpFailoverTest", start.clone())
            .contains("pending")
    );
    world.pass(20);
    let test = world.ok("StartBgpFailoverTest", start);
    assert_eq!(test["virtualInterfaceTest"]["status"], "in_progress");
    assert_eq!(world.state(id), "testing");
    assert_eq!(world.aws.intents()[0].peers[0].admin, Admin::Disabled);
    world.pass(300);
    assert_eq!(world.state(id), "down");
    assert_eq!(world.aws.intents()[0].peers[0].admin, Admin::Enabled);
    let history = world.ok("ListVirtualInterfaceTestHistory", json!({}));
    assert_eq!(
        history["virtualInterfaceTestHistory"][0]["status"],
        "completed"
    );
    let stop = json!({ "virtualInterfaceId": id });
    assert!(
        world
            .refused("StopBgpFailoverTest", stop)
            .contains("not being tested")
    );
    let long = json!({ "virtualInterfaceId": id, "testDurationInMinutes": 4321 });
    assert!(world.refused("StartBgpFailoverTest", long).contains("4320"));
}

#[test]
fn the_prefix_pool_of_a_connection_runs_out() {
    let mut world = World::new();
    for vlan in 1..=5 {
        world
            .private(json!({ "vlan": vlan, "prefixPoolAllocatedCountIpv4": 1000 }))
            .unwrap();
    }
    let connection = world.ok("DescribeConnections", json!({ "connectionId": CONNECTION }));
    let connection = &connection["connections"][0];
    assert_eq!(connection["prefixPoolUnallocatedCountIpv4"], 0);
    assert_eq!(connection["prefixPoolUnallocatedCountIpv6"], 4500);
    assert_eq!(
        world.private(json!({ "vlan": 6 })).unwrap_err().kind,
        ErrorKind::LimitExceeded
    );
    let vifs = world.ok("DescribeVirtualInterfaces", json!({}));
    let update = json!({ "virtualInterfaceId": vifs["virtualInterfaces"][0]["virtualInterfaceId"],
        "mtu": 9001, "prefixPoolAllocatedCountIpv4": 900, "virtualInterfaceName": "renamed" });
    let vif = world.ok("UpdateVirtualInterfaceAttributes", update);
    assert_eq!(
        (&vif["mtu"], &vif["virtualInterfaceName"]),
        (&json!(9001), &json!("renamed"))
    );
    world.private(json!({ "vlan": 6 })).unwrap();
}

#[test]
fn quotas_hold() {
    let mut world = World::new();
    for vlan in 1..=50 {
        world.private(json!({ "vlan": vlan })).unwrap();
    }
    assert_eq!(
        world.private(json!({ "vlan": 51 })).unwrap_err().kind,
        ErrorKind::LimitExceeded
    );
    let hosted = |vlan: u16| {
        json!({ "connectionId": "dxcon-fghosted", "newPrivateVirtualInterface": {
            "virtualInterfaceName": "h", "vlan": vlan, "asn": 65010, "virtualGatewayId": VGW } })
    };
    let text = world.refused("CreatePrivateVirtualInterface", hosted(301));
    assert!(text.contains("has VLAN 300"), "{text}");
    world.ok("CreatePrivateVirtualInterface", hosted(300));
}

#[test]
fn a_route_tells_since_when_it_is_there() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    let (id, peer) = (&vif["virtualInterfaceId"], &vif["bgpPeers"][0]["bgpPeerId"]);
    world.pass(20);
    let first = world.now.as_secs_f64();
    world.learn(peer, &["10.0.0.0/8"]);
    world.pass(30);
    world.learn(peer, &["10.0.0.0/8", "10.1.0.0/16"]);
    let list = json!({ "virtualInterfaceId": id });
    let answer = world.ok("ListVirtualInterfaceRoutes", list.clone());
    let since = |number: usize| {
        answer["routes"][number]["routeInstalledAt"]
            .as_f64()
            .unwrap()
    };
    assert_eq!((since(0), since(1)), (first, first + 30.0));
    // One that comes back is new.
    world.learn(peer, &[]);
    world.pass(30);
    world.learn(peer, &["10.0.0.0/8"]);
    let again = world.ok("ListVirtualInterfaceRoutes", list);
    assert_eq!(again["routes"][0]["routeInstalledAt"], first + 60.0);
}
