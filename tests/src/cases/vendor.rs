//! The texts of `vendor-configs`, run by the software that they are for, with
//! bgpd in AWS's place.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bgp_core::config::{AuthKey, Preference, VifKind};
use bgp_core::{Asn, VlanId};
use ipnet::IpNet;
use lab::foreign::{bird, openbgpd, write_private};
use lab::wait;
use lab::world::{Namespace, Process, run};
use serde_json::Value;
use vendor_configs::{
    KeyText, Part, Platform, Router, RouterLink, RouterPlan, Session, SessionKey, Templates,
    Wanted, render,
};

use super::Case;
use super::sessions::{KEY, networks};
use crate::Bench;
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{OUR_ASN, Pair, WIRE};

pub(super) fn all() -> Vec<Case> {
    let daemons = [Daemon::Bird, Daemon::Frr, Daemon::GoBgp, Daemon::OpenBgpd];
    let started = daemons.into_iter().map(|daemon| {
        let name = format!(
            "vendor text for {}: the session is up, exactly the intended prefixes pass",
            daemon.platform()
        );
        Case::new(name, move |bench| session(bench, daemon))
    });
    let linux = Case::with_vlan(
        "vendor text for linux: its commands make the link, and take it out",
        commands,
    );
    started.chain([linux]).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Daemon {
    Bird,
    Frr,
    GoBgp,
    OpenBgpd,
}

impl Daemon {
    const fn platform(self) -> &'static str {
        match self {
            Self::Bird => "bird",
            Self::Frr => "frr",
            Self::GoBgp => "gobgp",
            Self::OpenBgpd => "openbgpd",
        }
    }
}

const AWS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 10, 1));
const CUSTOMER: &str = "169.254.10.2/30";
const CUSTOMER_ASN: u32 = 65010;
/// What the text names the VLAN's interface.
const INTERFACE: &str = "eth1.101";

fn router() -> anyhow::Result<Router> {
    let session = Session {
        local: CUSTOMER.parse()?,
        peer: AWS,
        peer_asn: Asn(OUR_ASN),
        key: SessionKey::Md5(AuthKey::from_file_content(KEY.to_owned().into())?),
    };
    let vlan = VlanId::new(101).context("a VLAN")?;
    let mut link = RouterLink::new(
        "prod".parse()?,
        VifKind::Private,
        vlan,
        Asn(CUSTOMER_ASN),
        vec![session],
    );
    link.advertise = networks(&["10.20.0.0/16", "10.21.4.0/22"]);
    link.preference = Some(Preference::High);
    link.parent = Some("eth1".parse()?);
    let plan = RouterPlan {
        hostname: None,
        router_id: None,
        links: vec![link],
        backup: None,
    };
    Ok(Router::new(plan)?)
}

fn text(platform: &str, part: Part) -> anyhow::Result<String> {
    let platform: Platform = platform.parse()?;
    let wanted = Wanted {
        part,
        form: None,
        keys: KeyText::Reveal,
    };
    Ok(render(
        &router()?,
        platform,
        &Templates::built_in(),
        wanted,
    )?)
}

/// A router as AWS's: MD5, TTL 1, and it announces more than it should.
fn aws(bench: &Bench, pair: &Pair) -> anyhow::Result<Ours> {
    let key = key_file(bench, "key", KEY)?;
    let peer = format!(
        "[[peer]]\nname = \"them\"\naddress = \"169.254.10.2\"\nlocal = \"{AWS}/30\"\nasn = {CUSTOMER_ASN}\n\
         auth_key_file = \"{}\"\nconnect_retry = \"1s\"\naccept = [\"any\"]\n\
         advertise = [\"172.31.0.0/16\", \"10.128.0.0/9\", \"10.20.0.0/16\", \"198.18.5.0/24\"]\n",
        key.display()
    );
    Ours::start(bench, &pair.ours, &peer)
}

fn session(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    pair.ours.ip(&format!("address add {AWS}/30 dev {WIRE}"))?;
    // The VLAN's interface stands ready, as the text for Linux makes it.
    pair.theirs.ip(&format!(
        "address flush dev {WIRE}\nlink set dev {WIRE} down\nlink set dev {WIRE} name {INTERFACE}\n\
         address add {CUSTOMER} dev {INTERFACE}\nlink set dev {INTERFACE} up"
    ))?;
    let ours = aws(bench, &pair)?;
    let theirs = Theirs::start(bench, &pair.theirs, daemon)?;
    let peer = wait::until("the session is Established", PATIENCE, || {
        ours.established("them")
    })
    .map_err(|error| anyhow::anyhow!("{error}\nits log:\n{}", theirs.processes[0].output()))?;
    wait::ensure(peer.md5, "the session uses MD5", "it doesn't")?;
    let wanted: BTreeSet<IpNet> = networks(&["10.20.0.0/16", "10.21.4.0/22"])
        .into_iter()
        .collect();
    wait::until(
        "AWS's side has exactly what is to be announced",
        PATIENCE,
        || announced(&ours, &wanted),
    )?;
    let accepted: BTreeSet<IpNet> = networks(&["172.31.0.0/16", "10.128.0.0/9"])
        .into_iter()
        .collect();
    wait::until(
        "the router takes exactly what AWS may send",
        PATIENCE,
        || theirs.accepts(&accepted),
    )?;
    // What is wrong would come a moment later.
    wait::while_holding("both stay so", Duration::from_secs(2), || {
        announced(&ours, &wanted)?;
        theirs.accepts(&accepted)
    })?;
    Ok(())
}

/// The prefixes with the community that asks AWS to prefer this link.
fn announced(ours: &Ours, wanted: &BTreeSet<IpNet>) -> Result<(), String> {
    let routes = ours
        .control
        .routes("peer=them")
        .map_err(|error| error.to_string())?;
    let mut found = BTreeSet::new();
    for route in routes {
        let path = route.paths.iter().find(|path| path.peer == "them");
        let path = path.ok_or("a route without its path")?;
        // FRR sends back what it got; the AS_PATH loop is refused.
        if path
            .why_not_best
            .as_ref()
            .is_some_and(|why| why.starts_with("refused"))
        {
            continue;
        }
        if path.communities != ["7224:7300"] {
            return Err(format!(
                "{} has the communities {:?}",
                route.prefix, path.communities
            ));
        }
        found.insert(route.prefix);
    }
    (found == *wanted)
        .then_some(())
        .ok_or_else(|| format!("{found:?}"))
}

/// The customer's router.
struct Theirs<'a> {
    namespace: &'a Namespace,
    directory: PathBuf,
    daemon: Daemon,
    processes: Vec<Process>,
}

impl<'a> Theirs<'a> {
    fn start(bench: &Bench, namespace: &'a Namespace, daemon: Daemon) -> anyhow::Result<Self> {
        let directory = bench.directory.join(daemon.platform());
        std::fs::create_dir_all(&directory).context("the daemon's directory")?;
        let text = text(daemon.platform(), Part::Whole)?;
        let processes = match daemon {
            Daemon::Bird => vec![bird::start(
                Path::new("bird"),
                namespace,
                &directory,
                &text,
                &[],
            )?],
            Daemon::OpenBgpd => {
                // Where it can be asked is not the text's to say.
                let text = format!(
                    "socket \"{}\"\n{text}",
                    openbgpd::socket(&directory).display()
                );
                vec![openbgpd::start(namespace, &directory, &text)?]
            }
            Daemon::GoBgp => {
                let config = write_private(directory.join("gobgp.toml"), &text)?;
                let mut command = namespace.command("gobgpd");
                command.arg("-f").arg(config).args([
                    "--api-hosts",
                    "127.0.0.1:50051",
                    "--pprof-disable",
                ]);
                let log = directory.join("gobgpd.log");
                let process = namespace.spawn("gobgpd", &mut command, &log)?;
                wait::until("gobgpd answers", PATIENCE, || {
                    let answer = namespace.exec("gobgp", &["global"]);
                    answer.map(drop).map_err(|error| error.to_string())
                })?;
                // What its file can't say, the text asks for in its comments.
                for line in text.lines() {
                    let words = line.trim_start_matches(['#', ' ']);
                    if let Some(words) = words.strip_prefix("gobgp global rib add") {
                        let words = ["global", "rib", "add"]
                            .into_iter()
                            .chain(words.split_whitespace());
                        namespace.exec("gobgp", &words.collect::<Vec<_>>())?;
                    }
                }
                vec![process]
            }
            Daemon::Frr => frr(namespace, &directory, &text)?,
        };
        Ok(Self {
            namespace,
            directory,
            daemon,
            processes,
        })
    }

    fn accepts(&self, wanted: &BTreeSet<IpNet>) -> Result<(), String> {
        let found = self.accepted().map_err(|error| format!("{error:#}"))?;
        (found == *wanted)
            .then_some(())
            .ok_or_else(|| format!("{found:?}"))
    }

    /// The prefixes that it has taken from AWS.
    fn accepted(&self) -> anyhow::Result<BTreeSet<IpNet>> {
        let ask = |program: &str, words: &[&str]| self.namespace.exec(program, words);
        match self.daemon {
            Daemon::Bird => {
                let socket = bird::socket(&self.directory);
                let socket = socket.to_str().context("a path in UTF-8")?;
                let said = ask(
                    "birdc",
                    &["-s", socket, "show", "route", "protocol", "DX_PROD"],
                )?;
                Ok(said
                    .lines()
                    .filter_map(|line| line.split_whitespace().next()?.parse().ok())
                    .collect())
            }
            Daemon::OpenBgpd => {
                let socket = openbgpd::socket(&self.directory);
                let socket = socket.to_str().context("a path in UTF-8")?;
                let said = ask(
                    "bgpctl",
                    &["-s", socket, "show", "rib", "neighbor", &AWS.to_string()],
                )?;
                Ok(said
                    .lines()
                    .flat_map(str::split_whitespace)
                    .filter(|word| word.contains('/'))
                    .filter_map(|word| word.parse().ok())
                    .collect())
            }
            Daemon::GoBgp => {
                let said = ask("gobgp", &["-j", "global", "rib"])?;
                let from_aws = format!("\"asns\":[{OUR_ASN}]");
                prefixes(&serde_json::from_str(&said)?, |paths| {
                    paths.to_string().contains(&from_aws)
                })
            }
            Daemon::Frr => {
                let said = vtysh(&self.directory, &["show bgp ipv4 unicast json"])?;
                let answer: Value = serde_json::from_str(&said)?;
                prefixes(&answer["routes"], |paths| {
                    paths.to_string().contains(&AWS.to_string())
                })
            }
        }
    }
}

fn prefixes(routes: &Value, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<BTreeSet<IpNet>> {
    let routes = routes.as_object().context("an object of routes")?.iter();
    let wanted = routes.filter(|(_, paths)| wanted(paths));
    Ok(wanted
        .map(|(prefix, _)| prefix.parse())
        .collect::<Result<_, _>>()?)
}

/// All of the daemons that the text speaks to, told it by vtysh as on a router.
fn frr(namespace: &Namespace, directory: &Path, text: &str) -> anyhow::Result<Vec<Process>> {
    let config = write_private(directory.join("frr.conf"), text)?;
    run(
        std::process::Command::new("chown")
            .args(["-R", "frr:frr"])
            .arg(directory),
        None,
    )?;
    let mut processes = Vec::new();
    for name in ["zebra", "staticd", "bfdd", "bgpd"] {
        let mut command = namespace.command(format!("/usr/lib/frr/{name}"));
        command
            .arg("-z")
            .arg(directory.join("zserv.api"))
            .arg("--vty_socket")
            .arg(directory);
        command
            .arg("-i")
            .arg(directory.join(format!("{name}.pid")))
            .args(["-f", "/dev/null", "-P", "0", "--log", "stdout"]);
        if name == "bfdd" {
            command.arg("--bfdctl").arg(directory.join("bfdd.sock"));
        }
        let process =
            namespace.spawn(name, &mut command, &directory.join(format!("{name}.log")))?;
        wait::until(&format!("{name} listens"), PATIENCE, || {
            let listens = directory.join(format!("{name}.vty")).exists();
            listens.then_some(()).ok_or_else(|| process.output())
        })?;
        processes.push(process);
    }
    let config = config.to_str().context("a path in UTF-8")?;
    let socket = directory.to_str().context("a path in UTF-8")?;
    namespace.exec("vtysh", &["--vty_socket", socket, "-f", config])?;
    // bgpd first: its log is what a failure shows.
    processes.reverse();
    Ok(processes)
}

fn vtysh(directory: &Path, commands: &[&str]) -> anyhow::Result<String> {
    let mut command = std::process::Command::new("vtysh");
    command.arg("--vty_socket").arg(directory);
    for one in commands {
        command.args(["-c", one]);
    }
    Ok(run(&mut command, None)?)
}

/// The text for Linux is a script.
fn commands(bench: &Bench) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    pair.theirs.ip(&format!(
        "link set dev {WIRE} down\nlink set dev {WIRE} name eth1"
    ))?;
    let script = |part| -> anyhow::Result<()> {
        let path = write_private(bench.directory.join("script"), &text("linux", part)?)?;
        let path = path.to_str().context("a path in UTF-8")?.to_owned();
        pair.theirs.exec("sh", &["-e", &path]).map(drop)?;
        Ok(())
    };
    script(Part::Whole)?;
    let link = pair
        .theirs
        .show(&format!("-details link show dev {INTERFACE}"))?;
    for wanted in ["802.1Q id 101", "mtu 1500", "UP"] {
        wait::ensure(
            link.contains(wanted),
            &format!("the link says {wanted}"),
            link.clone(),
        )?;
    }
    let address = pair.theirs.show(&format!("address show dev {INTERFACE}"))?;
    wait::ensure(address.contains(CUSTOMER), "it has our address", address)?;
    // Packets pass.
    pair.ours.ip(&format!(
        "link add link {WIRE} name aws type vlan id 101\nlink set dev aws up\naddress add {AWS}/30 dev aws"
    ))?;
    wait::until("AWS's end answers", PATIENCE, || {
        let answer = pair
            .theirs
            .exec("ping", &["-c", "1", "-W", "1", &AWS.to_string()]);
        answer.map(drop).map_err(|error| error.to_string())
    })?;
    script(Part::Rollback)?;
    let gone = pair.theirs.show(&format!("link show dev {INTERFACE}"));
    wait::ensure(
        gone.is_err(),
        "the link is gone after the rollback",
        format!("{gone:?}"),
    )?;
    Ok(())
}
