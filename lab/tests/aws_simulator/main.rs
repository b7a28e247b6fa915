//! The simulated Direct Connect as its callers see it: request in, answer out,
//! with time that only the test moves.
#![allow(clippy::unwrap_used)]

mod gateway;
mod vif;

use std::collections::BTreeMap;
use std::time::Duration;

use dx_model::MODEL;
use lab::aws::error::{ApiError, ErrorKind};
use lab::aws::router::{Route, RouteDirection, Segment, Session};
use lab::aws::seed::{Seed, SeedConnection};
use lab::aws::simulator::{Caller, Delays, OWNER, Simulator};
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

    /// The customer announces these, and no others.
    fn learn(&mut self, peer: &Value, prefixes: &[&str]) {
        let route = |prefix: &&str| Route {
            direction: RouteDirection::Accepted,
            prefix: prefix.parse().unwrap(),
            as_path: vec![Segment::Sequence(vec![65010])],
            communities: vec![],
        };
        let session = Session {
            established: true,
            routes: prefixes.iter().map(route).collect(),
        };
        let peer = peer.as_str().unwrap().to_owned();
        self.aws.observe(BTreeMap::from([(peer, session)]));
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
