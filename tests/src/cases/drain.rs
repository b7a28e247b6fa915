//! A path is emptied by hand, or found to be bad: both directions move, and by hand no
//! packet is lost. The far router is BIRD or FRR, with two links to us.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use bgp_core::api::{EventKind, Events, PathStatus};
use lab::foreign::bird;
use lab::foreign::frr::{self, Zebra};
use lab::wait;
use lab::world::{self, Flow, Namespace, Process};

use super::Case;
use crate::Bench;
use crate::ours::{Ours, PATIENCE};
use crate::pair::{OUR_ASN, THEIR_ASN};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (judge, family) in [
        (Judge::Bird, Family::Ipv4),
        (Judge::Bird, Family::Ipv6),
        (Judge::Frr, Family::Ipv4),
    ] {
        let name = format!("drain and undrain lose no packet, {judge:?} over {family}");
        cases.push(Case::new(name, move |bench| drained(bench, judge, family)));
    }
    cases.push(Case::new(
        "a drain survives a restart, and needs another way unless forced",
        remembered,
    ));
    cases.push(Case::new(
        "a drill closes a session with its reason and ends by itself",
        drilled,
    ));
    cases.push(Case::new(
        "the far end's traffic leaves a bad path, too",
        degraded,
    ));
    cases
}

fn drained(bench: &Bench, judge: Judge, family: Family) -> anyhow::Result<()> {
    let stand = Stand::start(bench, judge, family, "drain_delay = \"1s\"", "")?;
    stand.both_use("left")?;
    let interval = match bench.thorough {
        true => Duration::from_micros(100),
        false => Duration::from_micros(500),
    };
    let flow = Flow::start(
        &stand.host,
        (&stand.far, (stand.destination(), 7).into()),
        interval,
    )?;
    wait::pause(Duration::from_millis(500))?;

    stand.post("drain", "left")?;
    wait::until("the far router hears of it", PATIENCE, || {
        stand.hears_of_shutdown("left")
    })?;
    stand.both_use("right")?;
    wait::until("the path is empty", PATIENCE, || {
        let path = stand.path("left")?;
        match (&path.drained, path.carries) {
            (Some(_), 0) => Ok(()),
            _ => Err(format!("{path:?}")),
        }
    })?;
    stand.ours.control.reload()?;
    wait::pause(Duration::from_millis(500))?;
    stand.both_use("right")?;

    stand.post("undrain", "left")?;
    stand.both_use("left")?;
    wait::pause(Duration::from_millis(500))?;
    let outcome = flow.stop();
    wait::ensure(
        outcome.forth.lost == 0 && outcome.back.lost == 0 && outcome.back.received > 1000,
        "no packet is lost, either way",
        format!("{outcome:?}"),
    )?;
    for name in ["left", "right"] {
        let peer = stand.ours.established(name).map_err(anyhow::Error::msg)?;
        wait::ensure(peer.flaps == 0, "the sessions stay up", format!("{peer:?}"))?;
    }
    Ok(())
}

fn remembered(bench: &Bench) -> anyhow::Result<()> {
    let daemon = "drain_delay = \"0s\"";
    let mut stand = Stand::start(bench, Judge::Bird, Family::Ipv4, daemon, "")?;
    stand.both_use("left")?;
    stand.post("drain", "left")?;
    stand.both_use("right")?;
    let refused = stand.post("drain", "right");
    let words = refused.expect_err("nothing else is left").to_string();
    wait::ensure(words.contains("nowhere to go"), "it says why not", words)?;

    stand.ours.kill();
    stand.ours.restart(bench, &stand.near)?;
    wait::until("the far router hears of it again", PATIENCE, || {
        stand.hears_of_shutdown("left")
    })?;
    stand.both_use("right")?;
    stand.post("undrain", "left")?;
    stand.both_use("left")?;
    let body = "{\"name\": \"right\", \"force\": true}";
    stand.ours.control.post("/v1/drain", body)?;
    wait::until("the far router hears of the other", PATIENCE, || {
        stand.hears_of_shutdown("right")
    })
}

fn drilled(bench: &Bench) -> anyhow::Result<()> {
    let stand = Stand::start(bench, Judge::Bird, Family::Ipv4, "", "")?;
    stand.both_use("left")?;
    let body = "{\"name\": \"left\", \"seconds\": 3}";
    stand.ours.control.post("/v1/drill", body)?;
    wait::until("BIRD is told why", PATIENCE, || {
        let said = stand.birdc(&["show", "protocols", "all", "left"])?;
        match said.contains("Administrative shutdown") {
            true => Ok(()),
            false => Err(said),
        }
    })?;
    stand.both_use("right")?;
    wait::until("the session is back by itself", PATIENCE, || {
        stand.ours.established("left")
    })?;
    stand
        .post("drill/stop", "left")
        .map_or(Ok(()), |()| anyhow::bail!("the drill is not over"))
}

/// Half of the echoes on the left link are lost.
fn degraded(bench: &Bench) -> anyhow::Result<()> {
    let family = Family::Ipv4;
    let probe = |link: &str| {
        format!(
            "probe = {{ icmp = [\"{}\"], interval = \"20ms\" }}\n",
            far_address(family, link)
        )
    };
    let stand = Stand::start(bench, Judge::Bird, family, "", &probe("left"))?;
    stand.both_use("left")?;
    let moves = stand.watch_routes(bench)?;
    stand.far.exec(
        "nft",
        &["add table inet faults; add chain inet faults input { type filter hook input priority 0; }; \
           add rule inet faults input iifname left icmp type echo-request numgen random mod 2 == 0 drop"],
    )?;
    stand.both_use("right")?;
    let path = stand.path("left").map_err(anyhow::Error::msg)?;
    wait::ensure(path.drained.is_none(), "by itself", format!("{path:?}"))?;
    let ours = stand.last_swap("left")?;
    wait::until("the far router's own log says when", PATIENCE, || {
        let log = moves.output();
        let theirs = log.lines().filter_map(stamp_of_move).next_back();
        match theirs {
            Some(theirs) => {
                let lag = (theirs - ours.rem_euclid(DAY)) * 1000.0;
                println!("  the far end's traffic moved {lag:.1} ms after ours");
                Ok(())
            }
            None => Err(log),
        }
    })
}

const DAY: f64 = 86_400.0;

/// The seconds of the day at which traffic to us was moved to the right link.
fn stamp_of_move(line: &str) -> Option<f64> {
    let (stamp, route) = line.strip_prefix('[')?.split_once(']')?;
    if !route.contains("dev right") || route.trim_start().starts_with("Deleted") {
        return None;
    }
    let (_, time) = stamp.split_once('T')?;
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
}

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    Bird,
    Frr,
}

/// A host, our router with two links, and the far router.
struct Stand {
    judge: Judge,
    family: Family,
    ours: Ours,
    _theirs: Vec<Process>,
    directory: PathBuf,
    host: Namespace,
    near: Namespace,
    far: Namespace,
}

impl Stand {
    fn start(
        bench: &Bench,
        judge: Judge,
        family: Family,
        daemon: &str,
        left: &str,
    ) -> anyhow::Result<Self> {
        let [host, near, far] = namespaces(bench, family)?;
        let peers = our_peer(family, "left", left)
            + &our_peer(family, "right", "local_preference = 50\nmed = 100\n");
        let ours = Ours::start_with(bench, &near, daemon, &peers)?;
        let directory = bench.directory.join("theirs");
        fs::create_dir_all(&directory).context("their directory")?;
        let theirs = match judge {
            Judge::Bird => {
                let (program, text) = (PathBuf::from("bird"), bird_config(family));
                vec![bird::start(&program, &far, &directory, &text, &[])?]
            }
            Judge::Frr => {
                let zebra = Zebra::With { options: &[] };
                let frr = frr::start(&far, &directory, &frr_config(family), zebra)?;
                frr.zebra.into_iter().chain([frr.bgpd]).collect()
            }
        };
        let stand = Self {
            judge,
            family,
            ours,
            _theirs: theirs,
            directory,
            host,
            near,
            far,
        };
        stand.is_ready()?;
        Ok(stand)
    }

    /// Both ways may carry traffic.
    fn is_ready(&self) -> anyhow::Result<()> {
        for name in ["left", "right"] {
            wait::until("both paths are up", PATIENCE, || {
                let path = self.path(name)?;
                match path.up {
                    true => Ok(()),
                    false => Err(format!("{path:?}")),
                }
            })?;
        }
        Ok(())
    }

    fn post(&self, what: &str, name: &str) -> anyhow::Result<()> {
        let body = format!("{{\"name\": \"{name}\"}}");
        let path = format!("/v1/{what}");
        self.ours.control.post(&path, &body).map(drop)?;
        Ok(())
    }

    fn path(&self, name: &str) -> Result<PathStatus, String> {
        let status = self.ours.status().map_err(|error| error.to_string())?;
        let mut paths = status.paths.into_iter();
        paths
            .find(|path| path.name == name)
            .ok_or_else(|| format!("no path {name}"))
    }

    fn destination(&self) -> std::net::IpAddr {
        match self.family {
            Family::Ipv4 => [172, 20, 0, 1].into(),
            Family::Ipv6 => "fd00:172::1".parse().expect("an address"),
        }
    }

    /// Both routers' kernels send over this link.
    fn both_use(&self, link: &str) -> anyhow::Result<()> {
        let host = match self.family {
            Family::Ipv4 => "10.65.0.2".to_owned(),
            Family::Ipv6 => "fd00:65::2".to_owned(),
        };
        let ways = [
            (&self.near, self.destination().to_string()),
            (&self.far, host),
        ];
        for (router, to) in ways {
            wait::until(&format!("{to} is sent to over {link}"), PATIENCE, || {
                let way = router
                    .show(&format!("route get {to}"))
                    .map_err(|error| error.to_string())?;
                match way.contains(&format!("dev {link} ")) {
                    true => Ok(()),
                    false => Err(format!("{way}{:?}", self.ours.status())),
                }
            })?;
        }
        Ok(())
    }

    /// RFC 8326: the far router has the community on what came over this link.
    fn hears_of_shutdown(&self, link: &str) -> Result<(), String> {
        let said = match self.judge {
            Judge::Bird => self.birdc(&["show", "route", "all", "protocol", link])?,
            Judge::Frr => {
                self.vtysh(&format!("show bgp ipv4 unicast {} json", lan(self.family)))?
            }
        };
        let has = match self.judge {
            Judge::Bird => said.contains("(65535,0)"),
            Judge::Frr => said.contains("graceful-shutdown"),
        };
        if has { Ok(()) } else { Err(said) }
    }

    fn birdc(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new("birdc");
        command
            .arg("-s")
            .arg(bird::socket(&self.directory))
            .args(words);
        world::run(&mut command, None).map_err(|error| error.to_string())
    }

    fn vtysh(&self, words: &str) -> Result<String, String> {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(&self.directory);
        command.args(["-d", "bgpd", "-c", words]);
        world::run(&mut command, None).map_err(|error| error.to_string())
    }

    /// The far kernel's routes as they change, with the time.
    fn watch_routes(&self, bench: &Bench) -> anyhow::Result<Process> {
        let mut command = self.far.command("ip");
        command
            .env("TZ", "UTC")
            .args(["-4", "-ts", "monitor", "route"]);
        let log = bench.directory.join("routes.log");
        Ok(self.far.spawn("ip", &mut command, &log)?)
    }

    /// When our traffic last left a path, in seconds since the epoch.
    fn last_swap(&self, path: &str) -> anyhow::Result<f64> {
        let events: Events = serde_json::from_str(&self.ours.control.text("GET", "/v1/events")?)?;
        let mut swaps = events
            .events
            .iter()
            .filter(|event| event.subject == path && event.kind == EventKind::Swap);
        Ok(swaps.next_back().context("no swap")?.at)
    }
}

fn namespaces(bench: &Bench, family: Family) -> anyhow::Result<[Namespace; 3]> {
    let create = |role: &str| Namespace::create(&format!("{}-{role}", bench.number));
    let [host, near, far] = [create("host")?, create("near")?, create("far")?];
    world::join((&host, "eth0"), (&near, "lan"))?;
    near.forward()?;
    far.forward()?;
    near.ip("address add 10.65.0.1/24 dev lan\naddress add fd00:65::1/64 dev lan nodad")?;
    host.ip(
        "address add 10.65.0.2/24 dev eth0\naddress add fd00:65::2/64 dev eth0 nodad\n\
         route add default via 10.65.0.1\nroute add default via fd00:65::1",
    )?;
    for link in ["left", "right"] {
        world::join((&near, link), (&far, link))?;
        for (router, address) in [
            (&near, our_address as fn(Family, &str) -> String),
            (&far, far_address),
        ] {
            router.ip(&format!(
                "address add {}/24 dev {link}\naddress add {}/64 dev {link} nodad",
                address(Family::Ipv4, link),
                address(Family::Ipv6, link)
            ))?;
        }
    }
    far.ip("address add 172.20.0.1/32 dev lo\naddress add fd00:172::1/128 dev lo")?;
    if family == Family::Ipv6 {
        // BIRD deletes an IPv6 route before it adds the other.
        far.ip(&format!(
            "route add fd00:65::/48 via {}",
            our_address(family, "right")
        ))?;
    }
    Ok([host, near, far])
}

fn address(family: Family, link: &str, end: u8) -> String {
    let number = if link == "left" { 1 } else { 2 };
    match family {
        Family::Ipv4 => format!("10.9.{number}.{end}"),
        Family::Ipv6 => format!("fd00:9:{number}::{end}"),
    }
}

fn our_address(family: Family, link: &str) -> String {
    address(family, link, 1)
}

fn far_address(family: Family, link: &str) -> String {
    address(family, link, 2)
}

const fn lan(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "10.65.0.0/24",
        Family::Ipv6 => "fd00:65::/64",
    }
}

const fn far_network(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "172.20.0.0/14",
        Family::Ipv6 => "fd00:172::/32",
    }
}

fn our_peer(family: Family, link: &str, more: &str) -> String {
    let length = match family {
        Family::Ipv4 => 24,
        Family::Ipv6 => 64,
    };
    format!(
        "[[peer]]\nname = \"{link}\"\naddress = \"{}\"\nlocal = \"{}/{length}\"\ninterface = \"{link}\"\nasn = {THEIR_ASN}\n\
         hold_time = \"9s\"\nconnect_retry = \"1s\"\nhold = \"1s\"\naccept = [\"any\"]\nadvertise = [\"{}\"]\n{more}",
        far_address(family, link),
        our_address(family, link),
        lan(family),
    )
}

/// As RFC 8326 §4.2 asks of who hears of a shutdown.
fn bird_config(family: Family) -> String {
    let session = |link: &str| {
        format!(
            "protocol bgp {link} {{\n local {} as {THEIR_ASN};\n neighbor {} as {OUR_ASN};\n hold time 9;\n\
             connect retry time 1;\n connect delay time 1;\n error wait time 1, 2;\n\
             {family} {{ import filter heard; export where source = RTS_STATIC; next hop self; }};\n}}\n",
            far_address(family, link),
            our_address(family, link),
        )
    };
    format!(
        "router id 10.9.0.2;\nprotocol device {{}}\n\
         protocol kernel {{ {family} {{ import none; export where source = RTS_BGP; }}; }}\n\
         protocol static {{ {family}; route {} blackhole; }}\n\
         filter heard {{ if ((65535, 0) ~ bgp_community) then bgp_local_pref = 0; accept; }}\n{}{}",
        far_network(family),
        session("left"),
        session("right"),
    )
}

/// FRR does so by itself.
fn frr_config(family: Family) -> String {
    let neighbors: Vec<String> = ["left", "right"]
        .iter()
        .map(|link| our_address(family, link))
        .collect();
    let sessions: String = neighbors
        .iter()
        .map(|remote| {
            format!(" neighbor {remote} remote-as {OUR_ASN}\n neighbor {remote} timers connect 1\n")
        })
        .collect();
    let active: String = neighbors
        .iter()
        .map(|remote| format!("  neighbor {remote} activate\n"))
        .collect();
    format!(
        "hostname theirs\nrouter bgp {THEIR_ASN}\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n no bgp default ipv4-unicast\n timers bgp 3 9\n{sessions} \
         address-family {family} unicast\n  network {}\n{active} exit-address-family\n",
        far_network(family),
    )
}
