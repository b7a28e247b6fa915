//! The simulated Direct Connect as its callers see it: request in, answer out,
//! with time that only the test moves.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use dx_model::MODEL;
use lab::aws::error::{ApiError, ErrorKind};
use lab::aws::router::{Admin, Session};
use lab::aws::seed::{Seed, SeedConnection};
use lab::aws::simulator::{Caller, Delays, OWNER, PARTNER, Simulator};
use serde_json::{Value, json};

const CONNECTION: &str = "dxcon-fglab001";
const VGW: &str = "vgw-0123456789abcdef0";
const PARTNERS_VGW: &str = "vgw-0fedcba9876543210";
const TGW: &str = "tgw-0123456789abcdef0";

struct World {
    aws: Simulator,
    now: Duration,
}

impl World {
    fn new() -> Self {
        let now = Duration::from_secs(1_795_438_233);
        let mut seed = Seed::default();
        seed.connections[0].trunk = Some("dx0".into());
        seed.connections.push(SeedConnection {
            id: "dxcon-fghosted".into(),
            name: "hosted".into(),
            location: "EqFA5".into(),
            bandwidth: "500Mbps".into(),
            trunk: None,
            vlan: Some(300),
            owner: None,
            region: None,
        });
        Self {
            aws: Simulator::new(seed, Delays::default(), now, 7),
            now,
        }
    }

    fn call(&mut self, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.call_as(OWNER, operation, input)
    }

    fn call_as(&mut self, account: &str, operation: &str, input: Value) -> Result<Value, ApiError> {
        let caller = Caller {
            account: account.into(),
            region: "eu-central-1".into(),
        };
        self.aws.call(&caller, operation, input, self.now)
    }

    fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input)
            .unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The refusal's text, which must be a `DirectConnectClientException`.
    fn refused(&mut self, operation: &str, input: Value) -> String {
        let error = self.call(operation, input).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Client, "{error}");
        error.message
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.aws.advance(self.now);
    }

    fn private(&mut self, members: Value) -> Result<Value, ApiError> {
        let mut new = json!({ "virtualInterfaceName": "prod", "vlan": 101, "asn": 65010 });
        for (name, value) in members.as_object().unwrap() {
            new[name] = value.clone();
        }
        if new.get("directConnectGatewayId").is_none() && new.get("virtualGatewayId").is_none() {
            new["virtualGatewayId"] = json!(VGW);
        }
        let input = json!({ "connectionId": CONNECTION, "newPrivateVirtualInterface": new });
        self.call("CreatePrivateVirtualInterface", input)
    }

    fn vif(&mut self, id: &Value) -> Value {
        let answer = self.ok(
            "DescribeVirtualInterfaces",
            json!({ "virtualInterfaceId": id }),
        );
        answer["virtualInterfaces"]
            .get(0)
            .cloned()
            .unwrap_or(Value::Null)
    }

    fn state(&mut self, id: &Value) -> Value {
        self.vif(id)["virtualInterfaceState"].clone()
    }

    fn bring_up(&mut self, peers: &[&Value]) {
        let up = Session {
            established: true,
            routes: vec![],
        };
        let up = peers
            .iter()
            .map(|id| (id.as_str().unwrap().to_owned(), up.clone()));
        self.aws.observe(up.collect::<BTreeMap<_, _>>());
    }
}

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
fn tags_are_added_listed_and_removed() {
    let mut world = World::new();
    let vif = world
        .private(json!({ "tags": [{ "key": "team", "value": "net" }] }))
        .unwrap();
    assert_eq!(vif["tags"], json!([{ "key": "team", "value": "net" }]));
    let id = vif["virtualInterfaceId"].as_str().unwrap();
    let arn = format!("arn:aws:directconnect:eu-central-1:{OWNER}:dxvif/{id}");
    let tag = |tags: Value| json!({ "resourceArn": arn, "tags": tags });
    world.ok(
        "TagResource",
        tag(json!([{ "key": "empty" }, { "key": "team", "value": "core" }])),
    );
    let listed = world.ok("DescribeTags", json!({ "resourceArns": [arn] }));
    let expected = json!([{ "key": "empty" }, { "key": "team", "value": "core" }]);
    assert_eq!(listed["resourceTags"][0]["tags"], expected);
    world.ok(
        "UntagResource",
        json!({ "resourceArn": arn, "tagKeys": ["empty"] }),
    );

    let twice = tag(json!([{ "key": "a" }, { "key": "a" }]));
    assert_eq!(
        world.call("TagResource", twice).unwrap_err().kind,
        ErrorKind::DuplicateTagKeys
    );
    let many: Vec<Value> = (0..50).map(|n| json!({ "key": format!("k{n}") })).collect();
    let many = tag(json!(many));
    assert_eq!(
        world.call("TagResource", many).unwrap_err().kind,
        ErrorKind::TooManyTags
    );
    let odd = tag(json!([{ "key": "no?question" }]));
    assert_eq!(
        world.call("TagResource", odd).unwrap_err().kind,
        ErrorKind::Validation
    );
    let none = json!({ "resourceArn": "arn:aws:directconnect:x:y:z", "tags": [{ "key": "a" }] });
    assert!(
        world
            .refused("TagResource", none)
            .contains("does not exist")
    );
}

#[test]
fn lists_come_in_pages() {
    let mut world = World::new();
    for vlan in 1..=5 {
        world.private(json!({ "vlan": vlan })).unwrap();
    }
    let first = world.ok("DescribeVirtualInterfaces", json!({ "maxResults": 3 }));
    assert_eq!(first["virtualInterfaces"].as_array().unwrap().len(), 3);
    let next = json!({ "maxResults": 3, "nextToken": first["nextToken"] });
    let second = world.ok("DescribeVirtualInterfaces", next.clone());
    assert_eq!(second["virtualInterfaces"].as_array().unwrap().len(), 2);
    assert_eq!(second.get("nextToken"), None);
    assert!(
        world
            .refused("DescribeConnections", next)
            .contains("nextToken")
    );
}

#[test]
fn router_text_comes_for_nine_types_and_no_other() {
    let mut world = World::new();
    let vif = world.private(json!({ "authKey": "labkey-abc" })).unwrap();
    let ask = |router: &str| json!({ "virtualInterfaceId": vif["virtualInterfaceId"], "routerTypeIdentifier": router });
    let answer = world.ok(
        "DescribeRouterConfiguration",
        ask("CiscoSystemsInc-2900SeriesRouters-IOS124"),
    );
    assert_eq!(answer["router"]["vendor"], "Cisco Systems, Inc.");
    let text = answer["customerRouterConfig"].as_str().unwrap();
    for part in [
        "dot1Q 101",
        "169.254.1.2 255.255.255.252",
        "remote-as 64512",
        "labkey-abc",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = world.refused("DescribeRouterConfiguration", ask("CiscoSystemsInc-IOSXE"));
    assert!(text.contains("not supported"), "{text}");
}

#[test]
fn every_operation_of_the_model_is_simulated_and_no_other() {
    let mut world = World::new();
    let error = world.call("CreateLog", json!({})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownOperation);
    for operation in MODEL.operations() {
        // With every member that is required, and none of them known.
        let input = MODEL.example(operation);
        if let Err(error) = world.call(operation, input) {
            assert_ne!(error.kind, ErrorKind::Server, "{operation}: {error}");
            assert_ne!(error.kind, ErrorKind::Validation, "{operation}: {error}");
        }
    }
}

#[test]
fn a_lag_takes_over_what_is_on_its_connection() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    world.pass(20);
    let new = json!({ "numberOfConnections": 2, "location": "EqFA5", "lagName": "two",
        "connectionsBandwidth": "1Gbps", "connectionId": CONNECTION });
    let lag = world.ok("CreateLag", new);
    let id = &lag["lagId"];
    assert_eq!(lag["lagState"], "available");
    assert_eq!(world.vif(&vif["virtualInterfaceId"])["connectionId"], *id);
    let intent = world.aws.intents().remove(0);
    assert_eq!(
        intent.trunk, "dx0",
        "its traffic still ends at the same port"
    );
    let minimum = json!({ "lagId": id, "minimumLinks": 2 });
    let lag = world.ok("UpdateLag", minimum);
    assert_eq!(
        lag["lagState"], "down",
        "the second link is still being made"
    );
    world.pass(120);
    let lag = world.ok("DescribeLags", json!({ "lagId": id }));
    assert_eq!(lag["lags"][0]["lagState"], "available");
    let leave = json!({ "lagId": id, "connectionId": CONNECTION });
    let text = world.refused("DisassociateConnectionFromLag", leave);
    assert!(text.contains("minimum links"), "{text}");
}

#[test]
fn a_region_does_not_see_what_is_in_another() {
    let mut world = World::new();
    let vif = world.private(json!({})).unwrap();
    let gateway = json!({ "directConnectGatewayName": "edge" });
    world.ok("CreateDirectConnectGateway", gateway);
    let caller = Caller {
        account: OWNER.into(),
        region: "eu-west-1".into(),
    };
    let now = world.now;
    let mut ask = |operation, input| world.aws.call(&caller, operation, input, now);
    let answer = ask("DescribeVirtualInterfaces", json!({})).unwrap();
    assert_eq!(answer["virtualInterfaces"], json!([]));
    let delete = json!({ "virtualInterfaceId": vif["virtualInterfaceId"] });
    assert!(ask("DeleteVirtualInterface", delete).is_err());
    let answer = ask("DescribeDirectConnectGateways", json!({})).unwrap();
    let gateways = answer["directConnectGateways"].as_array().unwrap();
    assert_eq!(gateways.len(), 1, "a gateway is of no Region");
}
