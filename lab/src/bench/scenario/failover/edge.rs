//! The edge as each speaker is told to be it: both far ends are external peers,
//! the first is preferred, each link has BFD, all best routes go into the kernel.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::arena::{Arena, EDGE_ASN, EDGE_LAN, LAN, Link};
use super::far::neighbor;
use super::{Bfd, Hold, Needs};
use crate::bench::speaker::{Programs, Speaker};
use crate::foreign::frr::{self, Zebra};
use crate::foreign::{self, write_private};
use crate::world::{self, Process};

/// What a speaker is to be.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    pub bfd: Bfd,
    /// Only bgpd has anything for these.
    pub needs: Needs,
    pub directory: &'a Path,
}

pub fn start(
    speaker: Speaker,
    programs: &Programs,
    arena: &Arena,
    setup: Setup<'_>,
) -> anyhow::Result<Vec<Process>> {
    match speaker {
        Speaker::Bgpd => Ok(vec![start_bgpd(&programs.bgpd, arena, setup)?]),
        Speaker::Bird => {
            let text = bird(setup.bfd);
            let directory = setup.directory;
            let bird = foreign::bird::start(&programs.bird, &arena.edge, directory, &text, &[])?;
            Ok(vec![bird])
        }
        Speaker::Frr => {
            let zebra = Zebra::With { options: &[] };
            let frr = frr::start(&arena.edge, setup.directory, &frr_bgpd(), zebra)?;
            let bfdd = frr::start_bfdd(&arena.edge, setup.directory, &frr_bfdd(setup.bfd))?;
            Ok([frr.bgpd, bfdd].into_iter().chain(frr.zebra).collect())
        }
        Speaker::Openbgpd => bail!("OpenBGPD has no BFD"),
    }
}

/// Starts it again with the configuration that it had.
pub fn start_bgpd(program: &Path, arena: &Arena, setup: Setup<'_>) -> anyhow::Result<Process> {
    let file = write_private(
        setup.directory.join("bgpd.toml"),
        &bgpd(setup.bfd, setup.needs, setup.directory),
    )?;
    let mut command = arena.edge.command(program);
    command.arg("run").arg(file).args(["--log", "info"]);
    let log = setup.directory.join("bgpd.log");
    Ok(arena.edge.spawn("bgpd", &mut command, &log)?)
}

/// Why this bgpd can't be configured so.
pub fn lacks(program: &Path, bfd: Bfd, needs: Needs) -> anyhow::Result<Option<String>> {
    let directory = tempfile::tempdir()?;
    let text = bgpd(bfd, needs, directory.path());
    let file = write_private(directory.path().join("bgpd.toml"), &text)?;
    let checked = world::run(Command::new(program).arg("check").arg(file), None);
    Ok(checked.err().map(|error| error.to_string()))
}

pub fn control(directory: &Path) -> std::path::PathBuf {
    directory.join("bgpd.sock")
}

fn bgpd(bfd: Bfd, needs: Needs, directory: &Path) -> String {
    let [a, b] = Link::BOTH.map(|link| format!("\"{}:179\"", link.at_edge()));
    let mut text = format!(
        "[bgpd]\nrouter_id = \"{EDGE_LAN}\"\nasn = {EDGE_ASN}\nlisten = [{a}, {b}]\ncontrol = \"{}\"\n",
        control(directory).display()
    );
    for link in Link::BOTH {
        let far = neighbor(link);
        let _ = write!(
            text,
            "\n[[peer]]\nname = \"{}\"\naddress = \"{}\"\nasn = {}\nlocal = \"{}/24\"\ninterface = \"{}\"\n\
             passive = true\nhold_time = \"90s\"\nlocal_preference = {}\naccept = [\"any\"]\nadvertise = [\"{LAN}\"]\n",
            link.name(),
            far.address,
            far.asn,
            link.at_edge(),
            link.name(),
            preference(link),
        );
        if needs.bfd {
            let _ = writeln!(
                text,
                "bfd = {{ interval = \"{}ms\", multiplier = {}{} }}",
                bfd.interval.as_millis(),
                bfd.multiplier,
                match needs.hold {
                    Hold::Default => "",
                    Hold::Short => ", damping = \"0s\"",
                }
            );
        }
        if needs.hold == Hold::Short {
            text.push_str("hold = \"500ms\"\nhold_max = \"1s\"\n");
        }
        if needs.probes {
            let _ = writeln!(
                text,
                "probe = {{ icmp = [\"{}\"], stamp = [\"{}\"], interval = \"50ms\" }}",
                far.address, far.address
            );
        }
    }
    text
}

fn bird(bfd: Bfd) -> String {
    let mut text = format!(
        "router id {EDGE_LAN};\nprotocol device {{}}\nprotocol kernel {{ ipv4 {{ export all; }}; }}\n\
         protocol static lan {{ ipv4; route {LAN} unreachable; }}\n\
         protocol bfd {{ interface \"*\" {{ interval {} ms; multiplier {}; }}; }}\n",
        bfd.interval.as_millis(),
        bfd.multiplier
    );
    for link in Link::BOTH {
        let far = neighbor(link);
        let _ = write!(
            text,
            "protocol bgp {} {{\n  local {} as {EDGE_ASN};\n  neighbor {} as {};\n  passive yes;\n  bfd yes;\n  error wait time 1, 2;\n  error forget time 1;\n  hold time 90;\n  \
             ipv4 {{ import filter {{ bgp_local_pref = {}; accept; }}; export where proto = \"lan\"; }};\n}}\n",
            link.name(),
            link.at_edge(),
            far.address,
            far.asn,
            preference(link),
        );
    }
    // The route is there to be announced, not to be followed.
    text.replace(
        "ipv4 { export all; }",
        "ipv4 { export where proto != \"lan\"; }",
    )
}

fn frr_bgpd() -> String {
    let mut text = format!(
        "hostname measured\nrouter bgp {EDGE_ASN}\n bgp router-id {EDGE_LAN}\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n timers bgp 30 90\n"
    );
    for link in Link::BOTH {
        let far = neighbor(link);
        let address = far.address;
        let _ = write!(
            text,
            " neighbor {address} remote-as {}\n neighbor {address} passive\n neighbor {address} bfd\n \
             neighbor {address} bfd profile measured\n",
            far.asn
        );
    }
    let _ = writeln!(text, " address-family ipv4 unicast\n  network {LAN}");
    for link in Link::BOTH {
        let address = neighbor(link).address;
        let _ = write!(
            text,
            "  neighbor {address} activate\n  neighbor {address} route-map from-{} in\n  \
             neighbor {address} route-map to out\n",
            link.name()
        );
    }
    text.push_str(" exit-address-family\n");
    for link in Link::BOTH {
        let _ = write!(
            text,
            "route-map from-{} permit 1\n set local-preference {}\n",
            link.name(),
            preference(link)
        );
    }
    let _ = write!(
        text,
        "ip prefix-list lan permit {LAN}\nroute-map to permit 1\n match ip address prefix-list lan\n"
    );
    text
}

fn frr_bfdd(bfd: Bfd) -> String {
    let interval = bfd.interval.as_millis();
    format!(
        "bfd\n profile measured\n  detect-multiplier {}\n  receive-interval {interval}\n  transmit-interval {interval}\n",
        bfd.multiplier
    )
}

const fn preference(link: Link) -> u32 {
    match link {
        Link::A => 200,
        Link::B => 100,
    }
}
