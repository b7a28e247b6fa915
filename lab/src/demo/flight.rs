//! The mission, step by step. Each step asserts what it says it observed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::cloud::{CONNECTION, Cloud, GATEWAY};
use super::edge::{Edge, Said, shown};
use super::measured::{
    AT_ONCE, Way, carriers, expect_all, expect_end, expect_move, say_move, start_flow, traffic,
};
use super::narrator::{Narrator, milliseconds};
use super::{PATIENCE, Stage};
use crate::wait::{self, Unmet, ensure};
use crate::world::{
    EDGE_GATEWAY, EDGE_GATEWAY6, ONPREM, ONPREM_HOST, ONPREM6, VPC, VPC_HOST, World,
};

/// The virtual interface's name, and its IPv4 session's.
pub(super) const VIF: &str = "prod";
pub(super) const BACKUP: &str = "internet";

pub(super) struct Flight {
    pub(super) world: World,
    cloud: Cloud,
    pub(super) edge: Edge,
    vlan: u16,
}

impl Flight {
    /// The world and AWS, before anything is ordered.
    pub(super) fn prepare(stage: &Stage, narrator: &mut Narrator) -> anyhow::Result<Self> {
        narrator.step("A small world");
        let world = World::create()?;
        for (place, what) in world.places() {
            narrator.say(&format!("{:<20} {what}", place.name()));
        }
        wait::until("the trunk has carrier at both ends", PATIENCE, || {
            carriers(&world, '1')
        })?;
        narrator.observed("the fibre's two ends, eth1 and dx0, have carrier");
        let outcome = traffic(&world, Duration::from_millis(300))?;
        expect_all(&outcome, Way::Internet)?;
        narrator.observed(
            "the on-premises host reaches the VPC host over the internet path, and only so",
        );

        narrator.step("A simulated AWS");
        let cloud = Cloud::start(&world, stage)?;
        let edge = Edge::new(stage)?;
        let flight = Self {
            world,
            cloud,
            edge,
            vlan: 0,
        };
        flight.say_dxctl(narrator, &["vif", "list"])?;
        narrator.observed(&format!("its API answers at {}", Cloud::url()));
        Ok(flight)
    }

    pub(super) fn fly(&mut self, narrator: &mut Narrator) -> anyhow::Result<()> {
        self.order(narrator)?;
        self.connect(narrator)?;
        self.other_routers(narrator)?;
        self.carry(narrator)?;
        self.cut(narrator)?;
        self.mend(narrator)?;
        self.silence(narrator)?;
        self.loss(narrator)?;
        self.drain(narrator)?;
        self.wrong_key(narrator)
    }

    /// Everything goes, and is seen to be gone.
    pub(super) fn land(mut self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("Everything is taken down");
        self.edge.stop_bgpd()?;
        narrator.observed("bgpd ended on SIGTERM with status 0");
        let interface = self.interface();
        let config = shown(&self.edge.config());
        self.world
            .edge
            .exec(self.edge.bgpd(), &["clean", &config, "--yes"])?;
        let left = self.world.edge.show("-brief link")?;
        ensure(
            !left.contains(&interface),
            format!("bgpd clean removes {interface}"),
            left,
        )?;
        narrator.observed(&format!(
            "bgpd clean removed {interface} and every route and nexthop of bgpd's"
        ));
        self.say_dxctl(narrator, &["vif", "delete", VIF, "--yes", "--wait", "30"])?;
        narrator.observed("AWS has deleted the virtual interface");
        self.cloud.stop();
        let names: Vec<String> = self
            .world
            .places()
            .iter()
            .map(|(place, _)| place.name().to_owned())
            .collect();
        drop(self);
        let left: Vec<&String> = names
            .iter()
            .filter(|name| fs::exists(format!("/run/netns/{name}")).unwrap_or(true))
            .collect();
        ensure(
            left.is_empty(),
            "no namespace of the flight is left",
            format!("{left:?}"),
        )?;
        narrator.observed("no namespace and no process of the flight is left");
        narrator.end_step();
        Ok(())
    }

    fn order(&mut self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("dxctl picks an ASN, a VLAN and addresses, and creates a private VIF");
        let asn = self.pick(narrator, &["asn", "pick"])?;
        let vlan = self.pick(
            narrator,
            &["vlan", "pick", "--connection", CONNECTION, "--from", "101"],
        )?;
        let addresses = self.pick(narrator, &["address", "pick"])?;
        let create = [
            "vif",
            "create",
            "--kind",
            "private",
            "--connection",
            CONNECTION,
            "--name",
            VIF,
            "--asn",
            &asn,
            "--vlan",
            &vlan,
            "--addresses",
            &addresses,
            "--mtu",
            "9001",
            "--gateway",
            GATEWAY,
            "--wait",
            "60",
        ];
        self.say_dxctl(narrator, &create)?;
        let vif = self.vif()?;
        for (field, wanted) in [
            ("vlan", vlan.as_str()),
            ("customer_asn", &asn),
            ("mtu", "9001"),
        ] {
            let seen = vif[field].to_string();
            ensure(seen == wanted, format!("AWS has {field} {wanted}"), seen)?;
        }
        self.vlan = vlan.parse().context("dxctl vlan pick prints a number")?;
        narrator.observed(&format!(
            "AWS has VIF {} on {CONNECTION}: VLAN {vlan}, AS {asn}, {addresses}, state {}",
            vif["id"].as_str().unwrap_or("?"),
            vif["state"].as_str().unwrap_or("?"),
        ));
        self.say_dxctl(narrator, &["vif", "add-peer", VIF, "--family", "ipv6"])?;
        let peers = self.vif()?["peers"].as_array().map_or(0, Vec::len);
        ensure(
            peers == 2,
            "AWS has an IPv4 and an IPv6 peer",
            format!("{peers} peers"),
        )?;
        narrator.observed("AWS has an IPv6 peer beside it");
        Ok(())
    }

    fn connect(&mut self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("dxctl writes bgpd's configuration; bgpd brings the VIF up");
        let out_dir = shown(&self.edge.directory);
        let control = shown(self.edge.control.socket());
        let advertise = format!("{ONPREM},{ONPREM6}");
        let (gateway, gateway6) = (EDGE_GATEWAY.to_string(), EDGE_GATEWAY6.to_string());
        self.say_dxctl(
            narrator,
            &[
                "bgpd-config",
                VIF,
                "--parent",
                "eth1",
                "--advertise",
                &advertise,
                "--preference",
                "high",
                "--backup-interface",
                "eth0",
                "--backup-gateway",
                &gateway,
                "--backup-gateway",
                &gateway6,
                "--backup-name",
                BACKUP,
                "--control",
                &control,
                "--out-dir",
                &out_dir,
                "--yes",
            ],
        )?;
        let mode = fs::metadata(self.edge.key_file())
            .context("the key file")?
            .permissions()
            .mode()
            & 0o777;
        ensure(
            mode == 0o600,
            "the key file has mode 600",
            format!("{mode:o}"),
        )?;
        narrator.observed(&format!(
            "{} holds the key as AWS gave it, mode 600",
            shown(&self.edge.key_file())
        ));

        self.hold_for_a_moment()?;
        narrator.say("(added: `on_degraded = \"withdraw\"`, and `hold = \"500ms\"`: the usual 5 s are long for a flight)");
        narrator.command(&format!("bgpd run {} &", shown(&self.edge.config())));
        let started = Instant::now();
        self.edge.start_bgpd(&self.world)?;
        for session in [VIF.to_owned(), format!("{VIF}-v6")] {
            let peer = wait::until(
                &format!("BGP session {session} is Established"),
                PATIENCE,
                || self.edge.established(&session),
            )?;
            ensure(
                peer.md5,
                format!("session {session} uses MD5"),
                "it doesn't",
            )?;
            narrator.observed(&format!(
                "session {session} with {} (AS {}) is Established with MD5, {} after bgpd's start",
                peer.remote,
                peer.remote_asn,
                milliseconds(started.elapsed()),
            ));
        }
        self.expect_bfd(narrator)?;
        self.expect_interface(narrator)?;
        self.expect_routes(narrator)?;
        self.say_dxctl(
            narrator,
            &["vif", "wait", VIF, "--for", "up", "--timeout", "30"],
        )?;
        narrator.observed("AWS's API says that BGP is up");
        self.say_dxctl(narrator, &["status"])?;
        Ok(())
    }

    fn expect_interface(&self, narrator: &Narrator) -> anyhow::Result<()> {
        let interface = self.interface();
        let link = self
            .world
            .edge
            .show(&format!("-details link show dev {interface}"))?;
        for wanted in [
            format!("vlan protocol 802.1Q id {}", self.vlan),
            "mtu 9001".to_owned(),
        ] {
            ensure(
                link.contains(&wanted),
                format!("{interface} has {wanted}"),
                link.clone(),
            )?;
        }
        let addresses = self
            .world
            .edge
            .show(&format!("-brief address show dev {interface}"))?;
        let words: Vec<&str> = addresses
            .split_whitespace()
            .skip(2)
            .filter(|word| !word.starts_with("fe80"))
            .collect();
        ensure(
            words.len() == 2,
            "an IPv4 and an IPv6 address",
            addresses.clone(),
        )?;
        narrator.observed(&format!(
            "interface {interface}: 802.1Q id {}, MTU 9001, {}",
            self.vlan,
            words.join(" ")
        ));
        Ok(())
    }

    /// Ours at AWS, AWS's here: in the kernels, where packets look.
    fn expect_routes(&self, narrator: &Narrator) -> anyhow::Result<()> {
        let both = [
            (&self.world.edge, VPC, VPC_HOST, "eth1", "edge"),
            (&self.world.aws, ONPREM, ONPREM_HOST, "dx0", "AWS's router"),
        ];
        for (router, prefix, host, trunk, name) in both {
            let interface = format!("dev {trunk}.{}", self.vlan);
            let way = wait::until(
                &format!("{name} has a BGP route to {prefix} by {interface}"),
                PATIENCE,
                || {
                    let show =
                        |words: String| router.show(&words).map_err(|error| error.to_string());
                    let route = show(format!("route show {prefix} proto bgp"))?;
                    let way = show(format!("route get {host}"))?;
                    let is_there = route.contains(prefix) && way.contains(&interface);
                    if is_there {
                        Ok(way)
                    } else {
                        Err(format!("`{}`, and {host}: `{}`", route.trim(), way.trim()))
                    }
                },
            )?;
            let way = way.lines().next().unwrap_or("").trim();
            narrator.observed(&format!("kernel of {name}: BGP route to {prefix}; {way}"));
        }
        Ok(())
    }

    fn other_routers(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("dxctl writes the same VIF for other makers' routers");
        let peer = self.vif()?["peers"][0]["amazon_address"]
            .as_str()
            .unwrap_or("?")
            .to_owned();
        let neighbor = peer.split('/').next().unwrap_or("?").to_owned();
        for (platform, parent) in [
            ("cisco_ios_xe", "TenGigabitEthernet0/0/0"),
            ("juniper_junos", "xe-0/0/0"),
        ] {
            let said = self.say_dxctl(
                narrator,
                &[
                    "router-config",
                    VIF,
                    "--platform",
                    platform,
                    "--parent",
                    parent,
                    "--advertise",
                    ONPREM,
                ],
            )?;
            for wanted in [&neighbor, &self.vlan.to_string()] {
                ensure(
                    said.out.contains(wanted.as_str()),
                    format!("{platform} text with {wanted}"),
                    said.out.clone(),
                )?;
            }
        }
        narrator.observed(&format!(
            "both texts have VLAN {} and neighbor {neighbor}",
            self.vlan
        ));
        Ok(())
    }

    fn carry(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("Traffic takes Direct Connect");
        self.expect_carrying(VIF)?;
        let outcome = traffic(&self.world, Duration::from_secs(2))?;
        expect_all(&outcome, Way::DirectConnect)?;
        let times = outcome.round_trips;
        narrator.observed(&format!(
            "{} of {} packets came to the VPC host over Direct Connect, and {} of their answers back",
            outcome.forth.received, outcome.sent, outcome.back.received,
        ));
        narrator.observed(&format!(
            "round trips: min {}, avg {}, p99 {}, max {}",
            milliseconds(times.min),
            milliseconds(times.avg),
            milliseconds(times.p99),
            milliseconds(times.max),
        ));
        Ok(())
    }

    fn cut(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("The fibre is cut under traffic, a packet every millisecond");
        let flow = start_flow(&self.world)?;
        wait::pause(Duration::from_secs(1))?;
        self.world.cut()?;
        carriers(&self.world, '0').map_err(|seen| Unmet::new("both ends lose carrier", seen))?;
        narrator.observed("both ends lost carrier");
        wait::pause(Duration::from_secs(2))?;
        let outcome = flow.stop();
        expect_move(&outcome, Way::Internet, AT_ONCE)?;
        say_move(narrator, &outcome, Way::Internet);
        let path = wait::until("the Direct Connect path is down at bgpd", PATIENCE, || {
            let path = self.edge.path(VIF)?;
            if path.up {
                Err("it is up".to_owned())
            } else {
                Ok(path)
            }
        })?;
        narrator.observed(&format!(
            "bgpd on path {VIF}: {}",
            path.reason.as_deref().unwrap_or("down")
        ));
        if let Some(swap) = path.last_swap {
            narrator.observed(&format!(
                "bgpd moved {} group(s) in {} µs: {}",
                swap.groups, swap.took, swap.reason
            ));
        }
        Ok(())
    }

    fn mend(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("The fibre is mended under traffic");
        let flow = start_flow(&self.world)?;
        wait::pause(Duration::from_millis(500))?;
        let mended = Instant::now();
        self.world.mend()?;
        for session in [VIF.to_owned(), format!("{VIF}-v6")] {
            wait::until(
                &format!("session {session} is Established again"),
                PATIENCE,
                || self.edge.established(&session),
            )?;
        }
        narrator.observed(&format!(
            "both sessions are Established again after {}",
            milliseconds(mended.elapsed())
        ));
        self.expect_carrying(VIF)?;
        self.expect_routes(narrator)?;
        wait::pause(Duration::from_secs(2))?;
        let outcome = flow.stop();
        expect_move(&outcome, Way::DirectConnect, AT_ONCE)?;
        say_move(narrator, &outcome, Way::DirectConnect);
        Ok(())
    }

    fn wrong_key(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("A wrong MD5 key is tried");
        let file = self.edge.key_file();
        let right = fs::read(&file).context("reading the key file")?;
        fs::write(&file, "not-the-key-that-aws-has\n").context("writing the key file")?;
        let changes = self.edge.control.reload()?.changes;
        narrator.say(&format!("bgpd reloaded: {}", changes.join("; ")));
        let reason = wait::until(
            "the session is down and bgpd names the MD5 key",
            PATIENCE,
            || {
                let peer = self.edge.peer(VIF)?;
                let reason = peer.last_error.unwrap_or_default();
                let named = reason.to_uppercase().contains("MD5");
                if peer.state != "Established" && named {
                    Ok(reason)
                } else {
                    Err(format!("{}: {reason}", peer.state))
                }
            },
        )?;
        wait::while_holding(
            "the session does not come up",
            Duration::from_secs(3),
            || match self.edge.established(VIF) {
                Ok(_) => Err("it is Established".to_owned()),
                Err(_) => Ok(()),
            },
        )?;
        narrator.observed("the session does not come up");
        narrator.observed(&format!("bgpd's reason: {reason}"));
        let said = self.edge.dxctl(&self.world, &["status", VIF])?;
        ensure(
            said.out.to_uppercase().contains("MD5"),
            "dxctl status names MD5",
            said.out.clone(),
        )?;
        narrator.command(&format!("dxctl status {VIF}"));
        narrator.output(&said.out);
        expect_end(
            &traffic(&self.world, Duration::from_millis(500))?,
            Way::Internet,
        )?;
        narrator.observed("meanwhile traffic takes the internet path");
        fs::write(&file, right).context("writing the key file")?;
        self.edge.control.reload()?;
        wait::until("the session is Established again", PATIENCE, || {
            self.edge.established(VIF)
        })?;
        self.expect_carrying(VIF)?;
        narrator.observed("with the right key the session is Established again");
        Ok(())
    }

    /// Waits until bgpd says that a path carries traffic.
    pub(super) fn expect_carrying(&self, name: &str) -> anyhow::Result<()> {
        wait::until(&format!("path {name} carries prefixes"), PATIENCE, || {
            let path = self.edge.path(name)?;
            if path.up && path.carries > 0 {
                Ok(())
            } else {
                Err(format!("up: {}, carries {}", path.up, path.carries))
            }
        })
    }

    fn vif(&self) -> anyhow::Result<Value> {
        let said = self
            .edge
            .dxctl(&self.world, &["vif", "show", VIF, "--json"])?;
        serde_json::from_str(&said.out)
            .with_context(|| format!("dxctl vif show prints JSON, not: {}{}", said.out, said.err))
    }

    fn interface(&self) -> String {
        format!("eth1.{}", self.vlan)
    }

    /// Runs `dxctl` in view; it has to succeed.
    pub(super) fn say_dxctl(&self, narrator: &Narrator, words: &[&str]) -> anyhow::Result<Said> {
        let line = format!("dxctl {}", words.join(" "));
        narrator.command(&line);
        let said = self.edge.dxctl(&self.world, words)?;
        narrator.output(&said.err);
        narrator.output(&said.out);
        ensure(
            said.success,
            format!("`{line}` succeeds"),
            format!("{}{}", said.err, said.out),
        )?;
        Ok(said)
    }

    fn pick(&self, narrator: &Narrator, words: &[&str]) -> anyhow::Result<String> {
        Ok(self.say_dxctl(narrator, words)?.out.trim().to_owned())
    }
}
