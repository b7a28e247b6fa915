//! Policies of `dxctl iam-policy`, enforced by the simulated AWS: each set of
//! verbs can do its work with its own, and no set has a right to change that no
//! verb of it uses. (The two operations of the
//! failover test are seen in `tests/failover.rs`.)
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use common::{Run, run_dxctl};
use lab::aws::fault::Outcome;
use lab::aws::policy::Policy;
use lab::aws::router::NoRouter;
use lab::aws::seed::Seed;
use lab::aws::server::{Server, Settings};
use lab::aws::sigv4::{CREDENTIALS, Credentials};
use lab::aws::simulator::Caller;
use serde_json::{Value, json};

struct World {
    aws: Server,
    directory: tempfile::TempDir,
}

/// `SECRET` stands in it.
const LAG: &str = r#"
[[lag]]
name = "bundle"
macsec = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:a"]
"#;
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a";

const SITE: &str = r#"
[site]
name = "fra"
[[connection]]
name = "lab"
[[gateway]]
name = "hub"
tags = { team = "net", old = "yes" }
[[gateway.association]]
gateway = "vgw-0123456789abcdef0"
allowed_prefixes = ["172.31.0.0/16"]
[[gateway]]
name = "transit"
[[vif]]
name = "prod"
kind = "private"
connection = "lab"
gateway = "hub"
mtu = 1500
[[vif]]
name = "far"
kind = "transit"
connection = "lab"
gateway = "transit"
[[vif]]
name = "pub"
kind = "public"
connection = "lab"
addresses = ["203.0.113.1/30", "203.0.113.2/30"]
route_filter_prefixes = ["203.0.113.0/24"]
"#;

impl World {
    /// Everyone has the rights of these sets.
    fn with(sets: &[&str]) -> Self {
        let settings = Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            time_scale: 100_000.0,
            random: 1,
            faults: vec![],
        };
        let aws = Server::start(settings, Box::new(NoRouter)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let world = Self { aws, directory };
        world.permit(sets);
        world.write(SITE);
        world
    }

    fn permit(&self, sets: &[&str]) {
        let policy = Policy::parse(policy(sets).as_bytes()).unwrap();
        self.aws.permit(Some(policy));
    }

    /// Made by another, and in the site file with a MACsec key.
    fn with_lag(&self) {
        let caller = Caller {
            account: CREDENTIALS[0].account.to_owned(),
            region: "eu-central-1".to_owned(),
        };
        let lag = json!({ "lagName": "bundle", "location": "EqFA5", "connectionsBandwidth": "10Gbps",
            "numberOfConnections": 1, "requestMACSec": true });
        self.aws.ask(&caller, "CreateLag", lag).unwrap();
        self.write(&format!("{SITE}{LAG}"));
    }

    fn write(&self, site: &str) {
        std::fs::write(self.directory.path().join("site.toml"), site).unwrap();
    }

    fn run_as(&self, who: &Credentials, words: &str) -> Run {
        let site = self.directory.path().join("site.toml");
        let words: Vec<&str> = words.split_whitespace().collect();
        let words: Vec<&str> = words
            .into_iter()
            .map(|word| match word {
                "SITE" => common::text(&site),
                other => other,
            })
            .collect();
        let url = self.aws.url();
        let variables = [
            ("AWS_ENDPOINT_URL_DIRECT_CONNECT", url.as_str()),
            ("AWS_ACCESS_KEY_ID", who.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", who.secret_access_key),
        ];
        run_dxctl(&words, &variables)
    }

    fn run(&self, words: &str) -> Run {
        self.run_as(&CREDENTIALS[0], words)
    }

    fn fine(&self, words: &str) {
        let run = self.run(words);
        assert_eq!(run.code, 0, "{words}: {run:?}");
    }

    /// What was called, of which nothing was denied.
    fn called(&self) -> BTreeSet<String> {
        let calls = self.aws.faults().calls();
        for call in &calls {
            let denied = Outcome::Refused("AccessDeniedException".to_owned());
            assert_ne!(call.outcome, denied, "{call:?}");
        }
        calls.into_iter().map(|call| call.operation).collect()
    }
}

fn policy(sets: &[&str]) -> String {
    let run = run_dxctl(&[&["iam-policy"], sets].concat(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    run.out
}

/// What a set allows to be changed at Direct Connect.
fn changes(set: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(&policy(&[set])).unwrap();
    let actions = policy["Statement"][0]["Action"].as_array().unwrap();
    let own = actions
        .iter()
        .filter_map(|action| action.as_str()?.strip_prefix("directconnect:"));
    let reads = |name: &&str| {
        !["Describe", "List", "Get"]
            .iter()
            .any(|verb| name.starts_with(verb))
    };
    own.filter(reads).map(str::to_owned).collect()
}

fn uses_all_of(called: &BTreeSet<String>, set: &str) {
    let unused: Vec<_> = changes(set).difference(called).cloned().collect();
    assert_eq!(
        unused,
        Vec::<String>::new(),
        "{set} allows what it doesn't use"
    );
}

const ARN: &str = "arn:aws:directconnect:eu-central-1:123456789012:dxcon/dxcon-fglab001";

#[test]
fn who_reads_needs_no_more_than_read() {
    let world = World::with(&["read"]);
    assert_eq!(world.run("plan SITE").code, 1);
    for words in [
        "asn pick",
        "vlan pick --connection dxcon-fglab001",
        "address pick",
        "vif list",
        "import",
        "export terraform",
        "connection list",
        "lag list",
    ] {
        world.fine(words);
    }
    // These have nothing to show: that they may ask is what counts.
    for words in [
        "status",
        "cost SITE",
        "vif show prod",
        "vif wait dxvif-1 --timeout 1",
        "vlan pick --connection dxlag-1",
        "router-config dxvif-1 --platform frr --parent eth1",
        &format!("tag list {ARN}"),
    ] {
        world.run(words);
    }
    world.called();
    let refused = world.run("apply SITE --yes");
    refused.fails(1, "dxctl iam-policy");
    assert!(changes("read").is_empty());
}

#[test]
fn apply_needs_read_and_apply_and_uses_all_of_it() {
    let world = World::with(&["read", "apply"]);
    world.with_lag();
    world.fine("apply SITE --yes");
    let changed = SITE
        .replace("mtu = 1500", "mtu = 9001\nipv6 = true")
        .replace("[\"172.31.0.0/16\"]", "[\"172.31.0.0/16\", \"10.0.0.0/8\"]")
        .replace("old = \"yes\"", "new = \"yes\"");
    world.write(&format!("{changed}{LAG}"));
    world.fine("apply SITE --yes --allow cut:prod,cut:hub,cut:far,cut:pub");
    world.write(&format!("{}{LAG}", changed.replace("ipv6 = true", "")));
    world.fine("apply SITE --yes --allow cut:prod");
    world.fine("plan SITE");
    uses_all_of(&world.called(), "apply");
}

#[test]
fn destroy_needs_read_and_destroy_and_uses_all_of_it() {
    let world = World::with(&["read", "apply"]);
    world.with_lag();
    world.fine("apply SITE --yes");
    world.permit(&["read", "destroy"]);
    world.write(&format!(
        "{SITE}{}",
        LAG.replace(&format!("{SECRET:?}"), "")
    ));
    world.fine("apply SITE --yes --allow cut:bundle");
    world.fine("destroy SITE --yes --allow cut:prod,cut:hub,cut:far,cut:pub,cut:transit");
    uses_all_of(&world.called(), "destroy");
}

#[test]
fn hosted_verbs_need_read_and_hosted_and_use_all_of_it() {
    let world = World::with(&["read", "hosted"]);
    let group = "dxrg-0123456789abcdef0";
    for words in [
        "connection list --hosted-on dxcon-fglab001",
        "connection confirm dxcon-1",
        "connection host --on dxcon-1 --account 111122223333 --name a --vlan 7 --bandwidth 1Gbps",
        "connection loa dxcon-1 --out /nonexistent/loa.pdf",
        "connection delete dxcon-1 --yes",
        "lag create --name a --location EqFA5 --bandwidth 10Gbps --connections 2",
        "lag add dxlag-1 dxcon-1 --yes",
        "lag remove dxlag-1 dxcon-1 --yes",
        "lag update dxlag-1 --name b",
        "lag delete dxlag-1 --yes",
        &format!("macsec add dxcon-1 --secret {SECRET}"),
        &format!("macsec remove dxcon-1 --secret {SECRET} --yes"),
        "macsec mode dxcon-1 must-encrypt --yes",
        "proposal list",
        "proposal create --gateway g --owner 111122223333 --target vgw-1",
        "proposal accept p --gateway g --owner 111122223333",
        "proposal delete p --yes",
        "resiliency list",
        &format!("resiliency show {group}"),
        "resiliency create --name a --model maximum-resiliency",
        &format!("resiliency add {group} dxcon-1"),
        &format!("resiliency remove {group} dxcon-1"),
        &format!("resiliency delete {group} --yes"),
    ] {
        world.run(words);
    }
    let partner = &CREDENTIALS[1];
    let allocate = format!(
        "vif allocate --to-account {} --connection dxcon-fglab001",
        partner.account
    );
    let own = "--addresses 203.0.113.1/30,203.0.113.2/30 --route-filter-prefix 203.0.113.0/24";
    world.fine(&format!("{allocate} --kind private --name a"));
    world.fine(&format!("{allocate} --kind transit --name b"));
    world.fine(&format!("{allocate} --kind public --name c {own}"));
    let gateway = "00000000-0000-0000-0000-000000000000";
    world.run_as(partner, &format!("vif confirm a --gateway {gateway}"));
    world.run_as(partner, &format!("vif confirm b --gateway {gateway}"));
    world.run_as(partner, "vif confirm c");
    uses_all_of(&world.called(), "hosted");
}
