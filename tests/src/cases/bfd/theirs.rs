//! BIRD or FRR with BGP and BFD, and our side of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bgp_core::Family;
use bgp_core::api::{BfdStatus, PeerStatus};
use lab::foreign::{bird, frr, write_private};
use lab::wait;
use lab::world::{Namespace, Process};

use crate::Bench;
use crate::ours::{Ours, PATIENCE};
use crate::pair::{OUR_ASN, THEIR_ASN, WIRE, our_address, their_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bird,
    Frr,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bird => "bird",
            Self::Frr => "frr",
        }
    }
}

/// Dropping it ends it.
pub(super) struct Theirs<'n> {
    namespace: &'n Namespace,
    directory: PathBuf,
    kind: Kind,
    _daemons: Daemons,
}

#[expect(dead_code, reason = "they run for as long as they are held")]
enum Daemons {
    Bird(Process),
    Frr(frr::Frr, Process),
}

impl<'n> Theirs<'n> {
    /// BIRD with this in its `protocol bfd`.
    pub(super) fn bird(
        bench: &Bench,
        namespace: &'n Namespace,
        text: &str,
    ) -> anyhow::Result<Self> {
        let directory = directory(bench, Kind::Bird)?;
        let process = bird::start(Path::new("bird"), namespace, &directory, text, &[])?;
        let theirs = Self {
            namespace,
            directory,
            kind: Kind::Bird,
            _daemons: Daemons::Bird(process),
        };
        wait::until("bird answers", PATIENCE, || {
            theirs
                .ask(&["show", "status"])
                .map_err(|error| format!("{error:#}"))
        })?;
        Ok(theirs)
    }

    pub(super) fn frr(
        bench: &Bench,
        namespace: &'n Namespace,
        family: Family,
    ) -> anyhow::Result<Self> {
        let directory = directory(bench, Kind::Frr)?;
        let (remote, local) = (our_address(family), their_address(family));
        // Quick to notice and, by BGP's own means, slow.
        let bgp = format!(
            "router bgp {THEIR_ASN}\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
             no bgp default ipv4-unicast\n timers bgp 30 90\n neighbor {remote} remote-as {OUR_ASN}\n \
             neighbor {remote} timers connect 1\n neighbor {remote} update-source {local}\n \
             neighbor {remote} bfd profile fast\n \
             address-family {family} unicast\n  neighbor {remote} activate\n exit-address-family\n"
        );
        let options = frr::Zebra::With { options: &[] };
        let daemons = frr::start(namespace, &directory, &bgp, options)?;
        let profile =
            "bfd\n profile fast\n  receive-interval 100\n  transmit-interval 100\n exit\nexit\n";
        let bfdd = frr::start_bfdd(namespace, &directory, profile)?;
        let theirs = Self {
            namespace,
            directory,
            kind: Kind::Frr,
            _daemons: Daemons::Frr(daemons, bfdd),
        };
        wait::until("bfdd answers", PATIENCE, || {
            theirs
                .ask(&["show bfd peers"])
                .map_err(|error| format!("{error:#}"))
        })?;
        Ok(theirs)
    }

    /// birdc's words, or commands of vtysh for bfdd.
    pub(super) fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let path = |path: &Path| path.to_str().map(str::to_owned).context("UTF-8");
        let (program, mut line) = match self.kind {
            Kind::Bird => {
                let socket = path(&bird::socket(&self.directory))?;
                ("birdc", vec!["-s".to_owned(), socket])
            }
            Kind::Frr => {
                let socket = path(&self.directory)?;
                let options = ["--vty_socket", &socket, "-d", "bfdd"];
                ("vtysh", options.map(str::to_owned).to_vec())
            }
        };
        for word in words {
            if self.kind == Kind::Frr {
                line.push("-c".to_owned());
            }
            line.push((*word).to_owned());
        }
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        Ok(self.namespace.exec(program, &line)?)
    }

    pub(super) fn configure_bird(&self, text: &str) -> anyhow::Result<()> {
        write_private(bird::config(&self.directory), text)?;
        let said = self.ask(&["configure"])?;
        anyhow::ensure!(said.contains("Reconfigur"), "birdc configure: {said}");
        Ok(())
    }

    /// The other end thinks so too.
    pub(super) fn is_up(&self) -> Result<(), String> {
        let (words, sign): (&[&str], _) = match self.kind {
            Kind::Bird => (&["show", "bfd", "sessions"], "Up"),
            Kind::Frr => (&["show bfd peers"], "Status: up"),
        };
        let said = self.ask(words).map_err(|error| format!("{error:#}"))?;
        if said.contains(sign) {
            Ok(())
        } else {
            Err(format!("they say: {said}"))
        }
    }
}

fn directory(bench: &Bench, kind: Kind) -> anyhow::Result<PathBuf> {
    let directory = bench.directory.join(kind.name());
    fs::create_dir_all(&directory).context("the daemon's directory")?;
    Ok(directory)
}

/// `bfd`: what `protocol bfd` says of interfaces. `bgp`: more of the session.
pub(super) fn bird_text(family: Family, bfd: &str, bgp: &str) -> String {
    let (remote, local) = (our_address(family), their_address(family));
    let channel = match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    format!(
        "router id 10.9.0.2;\nprotocol device {{}}\nprotocol bfd {{\n{bfd}\n}}\n\
         protocol bgp them {{\n local {local} as {THEIR_ASN};\n neighbor {remote} as {OUR_ASN};\n bfd on;\n \
         connect retry time 1;\n connect delay time 1;\n error wait time 1, 2;\n hold time 90;\n{bgp}\n \
         {channel} {{ import all; export none; }};\n}}\n"
    )
}

/// Our side, with a hold time that leaves it to BFD to notice anything.
pub(super) fn our_text(family: Family, bfd: &str) -> String {
    format!(
        "[[peer]]\nname = \"them\"\naddress = \"{}\"\nlocal = \"{}/{}\"\ninterface = \"{WIRE}\"\nasn = {THEIR_ASN}\n\
         connect_retry = \"1s\"\nhold_time = \"90s\"\naccept = [\"any\"]\nbfd = {bfd}\n",
        their_address(family),
        our_address(family),
        if family == Family::Ipv4 { 24 } else { 64 },
    )
}

pub(super) fn bfd(peer: &PeerStatus) -> Result<&BfdStatus, String> {
    peer.bfd.as_ref().ok_or_else(|| "no BFD".to_owned())
}

/// BGP Established and BFD Up, at both ends.
pub(super) fn all_up(ours: &Ours, theirs: &Theirs<'_>) -> anyhow::Result<PeerStatus> {
    wait::until("BGP and BFD are up at both ends", PATIENCE, || {
        let peer = ours.established("them")?;
        let seen = bfd(&peer)?;
        if seen.state != "Up" || seen.remote_state != "Up" {
            return Err(format!("{seen:?}"));
        }
        theirs.is_up()?;
        Ok(peer)
    })
}
