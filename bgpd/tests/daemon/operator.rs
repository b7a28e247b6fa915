//! What an operator has asked for holds, whatever a reload changes.

use std::time::Duration;

use bgp_core::api::Concerned;

use super::world::{Daemon, wait};
use super::{EDGE, Three};

#[test]
fn a_reload_does_not_end_a_drill_early() {
    let three = Three::up();
    order(&three.edge, "drill", r#"{"name": "east", "seconds": 6}"#).unwrap();
    let is_down = |daemon: &Daemon| daemon.peer("east").state != "Established";
    wait(|| is_down(&three.edge).then_some(()), || three.edge.log());
    let changed = EDGE.replacen("connect_retry = \"200ms\"", "connect_retry = \"300ms\"", 1);
    three.edge.write(&three.config(&changed));
    let changes = three.edge.reload().unwrap().join("; ");
    assert!(changes.contains("east: session restarted"), "{changes}");
    // Long enough for a session that may to come up, and shorter than the drill.
    std::thread::sleep(Duration::from_secs(3));
    assert!(is_down(&three.edge), "{}", three.edge.log());
    let path = three.path("east");
    assert!(
        path.drained.is_some_and(|who| who.contains("a drill")),
        "{}",
        three.edge.log()
    );
    three.edge.wait_until_up("east");
    let refused = order(&three.edge, "drill/stop", r#"{"name": "east"}"#).unwrap_err();
    assert!(refused.contains("there is no drill of east"), "{refused}");
}

#[test]
fn a_session_that_is_added_to_a_drained_vif_is_drained_too() {
    let three = Three::started(&(EDGE.to_owned() + VIF));
    order(&three.edge, "drain", r#"{"name": "prod", "force": true}"#).unwrap();
    let both =
        VIF.to_owned() + "ipv6 = { local = \"2001:db8:10::2/125\", peer = \"2001:db8:10::1\" }\n";
    three.edge.write(&three.config(&(EDGE.to_owned() + &both)));
    three.edge.reload().unwrap();
    let who = || three.path("prod-v6").drained;
    assert_eq!(
        who().as_deref(),
        Some("the operator"),
        "{}",
        three.edge.log()
    );
    order(&three.edge, "undrain", r#"{"name": "prod"}"#).unwrap();
    assert_eq!(who(), None);
}

/// Its interface can't be made, which is not what is asked here.
const VIF: &str = r#"
[[vif]]
name = "prod"
kind = "private"
parent = "nowhere"
vlan = 7
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64512
"#;

fn order(daemon: &Daemon, what: &str, body: &str) -> Result<Concerned, String> {
    daemon.try_order("POST", &format!("/v1/{what}"), body)
}
