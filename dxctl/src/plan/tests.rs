//! Plans as tables: a site file, what AWS has, and the steps between them.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use bgp_core::config::{AuthKey, VifKind};
use bgp_core::{Asn, Family, VlanId};

use super::*;
use crate::aws::tests::{carrier, vif};
use crate::aws::{Features, Gateway, Kind, Tag};
use crate::pick::Detail;

const SITE: &str = r#"
[site]
name = "fra"
asn = 65010

[[connection]]
name = "trunk"

[[gateway]]
name = "hub"

[[gateway.association]]
gateway = "vgw-1"
allowed_prefixes = ["10.0.0.0/16"]

[[vif]]
name = "prod"
kind = "private"
connection = "trunk"
vlan = 101
gateway = "hub"
"#;

fn owner() -> Tag {
    Tag {
        key: OWNER_TAG.into(),
        value: "fra".into(),
    }
}

/// AWS as an apply of [`SITE`] leaves it.
fn made() -> Observed {
    let mut prod = vif("prod", 101, "down");
    prod.gateway = Some(Gateway::DirectConnect("gw-1".into()));
    prod.tags = vec![owner()];
    Observed {
        region: "eu-central-1".into(),
        carriers: vec![carrier()],
        vifs: vec![prod],
        gateways: vec![DxGateway {
            id: "gw-1".into(),
            name: "hub".into(),
            amazon_asn: Some(Asn(64512)),
            state: "available".into(),
            owner: Some("111122223333".into()),
            tags: vec![owner()],
        }],
        associations: vec![Association {
            id: "assoc-1".into(),
            gateway: "gw-1".into(),
            target: "vgw-1".into(),
            state: "associated".into(),
            allowed: vec!["10.0.0.0/16".parse().unwrap()],
        }],
        host: Vec::new(),
        begun: Vec::new(),
    }
}

fn nothing() -> Observed {
    Observed {
        region: "eu-central-1".into(),
        carriers: vec![carrier()],
        ..Observed::default()
    }
}

fn planned(site: &str, observed: &Observed) -> Result<Plan, String> {
    with_keys(site, observed, &Keys::new())
}

fn with_keys(site: &str, observed: &Observed, keys: &Keys) -> Result<Plan, String> {
    let site = crate::site::read(site, Path::new("")).unwrap();
    let wanted = Wanted { site: &site, keys };
    plan(wanted, observed).map_err(|refused| refused.to_string())
}

/// Each step, with the consent that it needs.
fn steps(plan: &Plan) -> Vec<String> {
    let step = |step: &Step| match &step.cut {
        Some(cut) => format!("{} [{}]", step.label(), cut.consent()),
        None => step.label(),
    };
    plan.steps.iter().map(step).collect()
}

#[track_caller]
fn check(site: &str, observed: &Observed, expected: &[&str]) {
    assert_eq!(steps(&planned(site, observed).unwrap()), expected);
}

#[track_caller]
fn refuses(site: &str, observed: &Observed, because: &str) {
    let error = planned(site, observed).unwrap_err();
    assert!(error.contains(because), "{because}: {error}");
}

fn add(text: &str) -> String {
    format!("{SITE}{text}\n")
}

#[test]
fn an_empty_account_gets_everything_in_order() {
    let expected = [
        "create gateway hub",
        "create association hub/vgw-1",
        "create vif prod",
    ];
    check(SITE, &nothing(), &expected);
    let both = add("ipv6 = true");
    let plan = planned(&both, &nothing()).unwrap();
    assert_eq!(steps(&plan)[3], "create session prod/ipv6");
}

#[test]
fn tags_and_macsec_keys_of_a_connection_are_all_there_are_where_the_file_names_any() {
    let site = SITE.replace(
        "[[connection]]\nname = \"trunk\"\n",
        "[[connection]]\nname = \"trunk\"\ntags = { team = \"net\" }\nmacsec = [\"arn:aws:secretsmanager:r:1:secret:new\"]\n",
    );
    let mut observed = made();
    assert!(planned(SITE, &observed).unwrap().is_empty());
    observed.carriers[0].macsec = vec!["arn:aws:secretsmanager:r:1:secret:old".into()];
    let plan = planned(&site, &observed).unwrap();
    let expected = [
        "change connection trunk",
        "change connection trunk",
        "change connection trunk [cut:trunk]",
    ];
    assert_eq!(steps(&plan), expected);
    let listing = listing(&plan);
    for line in [
        "macsec: arn:aws:secretsmanager:r:1:secret:new",
        "tag: team=net",
        "secret:old goes",
    ] {
        assert!(listing.contains(line), "{listing}");
    }
}

#[test]
fn what_is_as_wanted_is_left() {
    check(SITE, &made(), &[]);
    // `down` and states that nobody knows are states of an interface that is there.
    for state in ["available", "pending", "verifying", "approving"] {
        let mut observed = made();
        observed.vifs[0].state = state.into();
        check(SITE, &observed, &[]);
    }
}

#[test]
fn every_stage_of_an_interrupted_run_leads_on() {
    let mut observed = nothing();
    observed.gateways = made().gateways;
    check(
        SITE,
        &observed,
        &["create association hub/vgw-1", "create vif prod"],
    );
    observed.associations = made().associations;
    check(SITE, &observed, &["create vif prod"]);
    let both = add("ipv6 = true");
    check(&both, &made(), &["create session prod/ipv6"]);
}

#[test]
fn a_changed_vlan_is_a_new_interface_and_a_cut() {
    let site = SITE.replace("vlan = 101", "vlan = 102");
    let expected = ["delete vif prod [cut:prod]", "create vif prod"];
    check(&site, &made(), &expected);
    // Killed after the deletion: the rest of the same plan.
    let mut observed = made();
    observed.vifs[0].state = "deleting".into();
    check(&site, &observed, &["wait for vif prod", "create vif prod"]);
    observed.vifs[0].state = "deleted".into();
    check(&site, &observed, &["create vif prod"]);
}

#[test]
fn picks_are_the_same_whenever_a_killed_run_goes_on() {
    let site = SITE.replace("vlan = 101", "vlan = 102");
    let pick = |state: &str| {
        let mut observed = made();
        observed.vifs[0].state = state.into();
        let plan = planned(&site, &observed).unwrap();
        let last = plan.steps.last().unwrap();
        let Call::CreateVif { new, .. } = &last.call else {
            panic!("{last:?}")
        };
        new.peer.addresses.unwrap().to_string()
    };
    assert_eq!(pick("down"), pick("deleting"));
    assert_eq!(pick("down"), pick("deleted"));
}

#[test]
fn what_aws_fixes_at_creation_is_made_anew() {
    let anew = ["delete vif prod [cut:prod]", "create vif prod"];
    check(&SITE.replace("asn = 65010", "asn = 65011"), &made(), &anew);
    let moved = SITE.replace("gateway = \"hub\"", "gateway = \"vgw-9\"");
    check(&moved, &made(), &anew);
}

const OTHER_ENDS: &str = "addresses = [\"169.254.9.1/30\", \"169.254.9.2/30\"]";

fn key(text: &str) -> AuthKey {
    AuthKey::from_file_content(text.to_owned().into()).unwrap()
}

fn keys(text: &str) -> Keys {
    Keys::from([(("prod".to_owned(), Family::Ipv4), key(text))])
}

fn replacements(plan: &Plan) -> Vec<&Replacement> {
    let calls = plan.steps.iter().filter_map(|step| match &step.call {
        Call::ReplaceSession { replacement, .. } => Some(replacement),
        _ => None,
    });
    calls.collect()
}

#[test]
fn the_last_session_of_an_interface_is_replaced_with_another_standing_in() {
    let plan = planned(&add(OTHER_ENDS), &made()).unwrap();
    assert_eq!(steps(&plan), ["change session prod/ipv4 [cut:prod]"]);
    let [replacement] = replacements(&plan)[..] else {
        panic!("{plan:?}")
    };
    assert!(
        replacement.stand_in
            && plan.steps[0]
                .cut
                .as_ref()
                .unwrap()
                .what
                .contains("stands in")
    );
    assert_eq!(
        replacement.addresses.unwrap().to_string(),
        "169.254.9.1/30,169.254.9.2/30"
    );
    // Beside one that is new, or that stays, nothing has to.
    let both = format!("{}\nipv6 = true", add(OTHER_ENDS));
    let plan = planned(&both, &made()).unwrap();
    let expected = [
        "create session prod/ipv6",
        "change session prod/ipv4 [cut:prod]",
    ];
    assert_eq!(steps(&plan), expected);
    assert!(!replacements(&plan)[0].stand_in);
}

#[test]
fn a_replacement_that_was_killed_goes_on_with_the_addresses_that_there_were() {
    let other = with_keys(SITE, &made(), &keys("canary-key-456")).unwrap();
    let begun = replacements(&other)[0].clone();
    assert!(begun.addresses.is_some());
    // The stand-in is all there is.
    let mut observed = made();
    observed.vifs[0].peers[0].family = Family::Ipv6;
    observed.vifs[0].peers[0].id = Some("dxpeer-6".into());
    check(
        SITE,
        &observed,
        &[
            "create session prod/ipv4",
            "delete session prod/ipv6 [cut:prod]",
        ],
    );
    observed.begun = vec![begun.clone()];
    let plan = planned(SITE, &observed).unwrap();
    let expected = [
        "change session prod/ipv4 [cut:prod]",
        "delete session prod/ipv6 [cut:prod]",
    ];
    assert_eq!(steps(&plan), expected);
    assert_eq!(replacements(&plan)[0].addresses, begun.addresses);
    // Of another interface: nothing of ours.
    observed.begun[0].vif = "dxvif-other".into();
    assert!(replacements(&planned(SITE, &observed).unwrap()).is_empty());
}

#[test]
fn nothing_can_stand_in_for_the_only_session_of_a_public_interface_over_ipv6() {
    let mut observed = made();
    observed.vifs[0].kind = Kind::Known(VifKind::Public);
    observed.vifs[0].peers[0].family = Family::Ipv6;
    let refused = Replacement::of(&observed.vifs[0], Family::Ipv6).unwrap_err();
    assert!(refused.contains("add one first"), "{refused}");
    observed.vifs[0].kind = Kind::Known(VifKind::Private);
    let fine = Replacement::of(&observed.vifs[0], Family::Ipv6).unwrap();
    assert!(fine.stand_in && fine.addresses.is_none(), "{fine:?}");
}

#[test]
fn a_session_beside_another_is_replaced_alone() {
    let mut observed = made();
    let mut six = observed.vifs[0].peers[0].clone();
    six.family = Family::Ipv6;
    six.id = Some("dxpeer-6".into());
    observed.vifs[0].peers.push(six);
    let site = format!("{}\nipv6 = true", add(OTHER_ENDS));
    let plan = planned(&site, &observed).unwrap();
    assert_eq!(steps(&plan), ["change session prod/ipv4 [cut:prod]"]);
    assert!(!replacements(&plan)[0].stand_in);
    check(SITE, &observed, &["delete session prod/ipv6 [cut:prod]"]);
}

#[test]
fn another_key_is_a_cut_and_is_not_shown() {
    let same = with_keys(SITE, &made(), &keys("canary-key-123")).unwrap();
    assert!(same.is_empty(), "{same:?}");
    let plan = with_keys(SITE, &made(), &keys("canary-key-456")).unwrap();
    assert_eq!(steps(&plan), ["change session prod/ipv4 [cut:prod]"]);
    let shown = format!(
        "{}{}{plan:?}",
        listing(&plan),
        to_json(&plan, Detail::Everything)
    );
    assert!(!shown.contains("canary"), "{shown}");
    let mut observed = made();
    observed.vifs[0].peers[0].key = crate::aws::PeerKey::Hidden;
    let plan = with_keys(SITE, &observed, &keys("canary-key-456")).unwrap();
    assert!(
        plan.is_empty() && plan.notes[0].contains("not compared"),
        "{plan:?}"
    );
}

#[test]
fn a_new_mtu_flaps_the_connection_and_other_attributes_do_not() {
    check(&add("mtu = 8500"), &made(), &["change vif prod [cut:prod]"]);
    check(&add("mtu = 1500"), &made(), &[]);
    check(&add("site_link = true"), &made(), &["change vif prod"]);
    check(&add("site_link = false"), &made(), &[]);
    check(
        &add("rate_limit = \"500Mbps\""),
        &made(),
        &["change vif prod"],
    );
    let mut observed = made();
    observed.vifs[0].features = Features {
        prefix_pool_ipv4: Some(200),
        ..Features::default()
    };
    let pool = |count| {
        add(&format!(
            "prefix_pool = {{ ipv4 = {count} }}\nadvertise = [\"10.1.0.0/16\", \"10.2.0.0/16\"]"
        ))
    };
    check(&pool(200), &observed, &[]);
    check(&pool(100), &observed, &["change vif prod"]);
    check(&pool(1), &observed, &["change vif prod [cut:prod]"]);
}

#[test]
fn allowed_prefixes_that_go_are_a_cut_only_where_something_is_lost() {
    let allow = |list: &str| SITE.replace("[\"10.0.0.0/16\"]", list);
    let cut = ["change association hub/vgw-1 [cut:hub]"];
    let fine = ["change association hub/vgw-1"];
    check(&allow("[\"10.1.0.0/16\"]"), &made(), &cut);
    check(&allow("[]"), &made(), &cut);
    check(&allow("[\"10.0.0.0/8\"]"), &made(), &fine);
    check(&allow("[\"10.0.0.0/16\", \"10.1.0.0/16\"]"), &made(), &fine);
    let mut unused = made();
    unused.vifs[0].gateway = Some(Gateway::DirectConnect("gw-2".into()));
    let direct = allow("[]").replace("gateway = \"hub\"", "gateway = \"vgw-9\"");
    let plan = planned(&direct, &unused).unwrap();
    assert_eq!(steps(&plan)[0], fine[0]);
    // Not named: as they are.
    let unnamed = SITE.replace("allowed_prefixes = [\"10.0.0.0/16\"]", "");
    check(&unnamed, &made(), &[]);
}

#[test]
fn only_what_apply_made_is_taken_away_when_the_file_names_it_no_more() {
    let empty = "[site]\nname = \"fra\"\n[[connection]]\nname = \"trunk\"\n";
    let expected = [
        "delete vif prod [cut:prod]",
        "delete association hub/vgw-1 [cut:hub]",
        "delete gateway hub [cut:hub]",
    ];
    check(empty, &made(), &expected);
    let mut foreign = made();
    foreign.vifs[0].tags.clear();
    foreign.gateways[0].tags.clear();
    let plan = planned(empty, &foreign).unwrap();
    assert!(
        plan.is_empty() && plan.notes[0].contains("left as it is"),
        "{plan:?}"
    );
    check(&empty.replace("fra", "muc"), &made(), &[]);
}

#[test]
fn tags_are_all_there_are_where_the_file_names_any() {
    let mut observed = made();
    observed.vifs[0].tags = vec![
        owner(),
        Tag {
            key: "old".into(),
            value: "x".into(),
        },
    ];
    check(SITE, &observed, &[]);
    let site = add("tags = { team = \"net\" }");
    check(&site, &observed, &["change vif prod", "change vif prod"]);
    observed.vifs[0].tags = vec![Tag {
        key: "team".into(),
        value: "net".into(),
    }];
    check(&site, &observed, &[]);
}

#[test]
fn auto_follows_what_is_there_and_avoids_what_is_taken() {
    let auto = SITE.replace("vlan = 101", "vlan = \"auto\"");
    check(&auto, &made(), &[]);
    let more = auto
        + "\n[[vif]]\nname = \"b\"\nkind = \"private\"\nconnection = \"trunk\"\nvlan = 1\ngateway = \"hub\"\n\n[[vif]]\nname = \"c\"\nkind = \"private\"\nconnection = \"trunk\"\ngateway = \"hub\"\n";
    let plan = planned(&more, &made()).unwrap();
    let vlans: Vec<VlanId> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.call {
            Call::CreateVif { new, .. } => Some(new.vlan),
            _ => None,
        })
        .collect();
    assert_eq!(vlans, [VlanId::new(1).unwrap(), VlanId::new(2).unwrap()]);
}

#[test]
fn an_automatic_as_number_is_the_sites_own_and_stays() {
    let auto = SITE.replace("asn = 65010", "asn = \"auto\"");
    check(&auto, &made(), &[]);
    let asn = |plan: &Plan| match &plan.steps.last().unwrap().call {
        Call::CreateVif { new, .. } => new.peer.asn,
        other => panic!("{other:?}"),
    };
    let first = asn(&planned(&auto, &nothing()).unwrap());
    assert_eq!(first, asn(&planned(&auto, &nothing()).unwrap()));
    // Another's is avoided.
    let mut taken = nothing();
    let mut other = vif("other", 7, "available");
    other.asn = Some(first);
    taken.vifs = vec![other];
    assert_ne!(first, asn(&planned(&auto, &taken).unwrap()));
}

#[test]
fn what_can_not_be_is_refused_with_every_reason() {
    refuses(SITE, &Observed::default(), "no trunk in this account");
    let mut twice = made();
    twice.carriers.push(carrier());
    refuses(SITE, &twice, "give `id`");
    let mut gateways = made();
    gateways.gateways.push(gateways.gateways[0].clone());
    refuses(SITE, &gateways, "2 have this name");
    let site = SITE.replace("name = \"hub\"", "name = \"hub\"\nasn = 64600");
    refuses(&site, &made(), "AWS's side is AS 64512");
    let mut transit = made();
    transit.vifs[0].kind = Kind::Known(VifKind::Transit);
    refuses(SITE, &transit, "choose another VLAN");
    let mut ordered = nothing();
    ordered.carriers[0].state = "requested".into();
    refuses(SITE, &ordered, "wait until it is available");
    let account = SITE.replace(
        "name = \"fra\"",
        "name = \"fra\"\naccount = \"999999999999\"",
    );
    refuses(&account, &made(), "is about account 999999999999");
    refuses(&SITE.replace("65010", "64512"), &nothing(), "AWS's own end");
}

#[test]
fn everything_is_destroyed_in_the_opposite_order() {
    let site = crate::site::read(SITE, Path::new("")).unwrap();
    let all = destroy(&site, &made()).unwrap();
    let expected = [
        "delete vif prod [cut:prod]",
        "delete association hub/vgw-1 [cut:hub]",
        "delete gateway hub [cut:hub]",
    ];
    assert_eq!(steps(&all), expected);
    assert_eq!(all.unconsented(&["cut:hub".to_owned()]).len(), 1);
    assert!(destroy(&site, &nothing()).unwrap().is_empty());
}
