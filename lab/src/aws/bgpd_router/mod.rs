//! AWS's router played by bgpd: VLAN interfaces on the trunk, and bgpd with one
//! peer for each BGP peer of a virtual interface.

mod config;
mod vlan;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bgp_core::api;

use super::router::{AwsRouter, Route, RouteDirection, Segment, Session, VifIntent};
use crate::control::Control;
use crate::world::Process;
use vlan::Vlans;

pub use config::Backup;
pub use vlan::Place;

/// bgpd in AWS's role.
pub struct BgpdRouter {
    place: Place,
    program: PathBuf,
    /// Configuration, keys, control socket and log; nobody else may look in.
    directory: PathBuf,
    backup: Option<Backup>,
    made: Vlans,
    config: String,
    daemon: Option<Process>,
    routes: BTreeMap<String, Known>,
}

/// Routes as last asked for.
struct Known {
    asked: Instant,
    counts: api::PrefixCounts,
    routes: Vec<Route>,
}

impl BgpdRouter {
    /// Starts nothing yet. `directory` is made if it isn't there.
    pub fn new(place: Place, program: &Path, directory: &Path) -> anyhow::Result<Self> {
        let directory = std::path::absolute(directory)?;
        for wanted in [directory.clone(), directory.join("keys")] {
            (DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&wanted))
            .with_context(|| format!("making {}", wanted.display()))?;
        }
        Ok(Self {
            place,
            program: program.to_owned(),
            directory,
            backup: None,
            made: Vlans::new(),
            config: String::new(),
            daemon: None,
            routes: BTreeMap::new(),
        })
    }

    /// Gives private and transit sessions another way to the customer.
    pub fn with_backup(mut self, backup: Option<Backup>) -> Self {
        self.backup = backup;
        self
    }

    fn control(&self) -> Control {
        Control::at(self.directory.join("bgpd.sock"))
    }

    fn keys(&self) -> PathBuf {
        self.directory.join("keys")
    }

    /// Key files for these VIFs' peers and no other.
    fn write_keys(&self, vifs: &[VifIntent]) -> anyhow::Result<()> {
        let peers: BTreeMap<_, _> = vifs
            .iter()
            .flat_map(|vif| &vif.peers)
            .map(|peer| (peer.id.as_str(), peer))
            .collect();
        for entry in fs::read_dir(self.keys())? {
            let entry = entry?;
            if !peers.contains_key(entry.file_name().to_string_lossy().as_ref()) {
                fs::remove_file(entry.path())?;
            }
        }
        for (id, peer) in peers {
            let path = self.keys().join(id);
            if !path.exists() {
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path);
                file.and_then(|mut file| file.write_all(peer.key.expose().as_bytes()))
                    .with_context(|| format!("writing {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Starts bgpd, or has it read its configuration again where that changed.
    fn configure(&mut self, config: String) -> anyhow::Result<()> {
        let ended = self
            .daemon
            .as_mut()
            .is_none_or(|daemon| daemon.ended().is_some());
        if !ended && config == self.config {
            return Ok(());
        }
        let file = self.directory.join("bgpd.toml");
        fs::write(&file, &config).with_context(|| format!("writing {}", file.display()))?;
        if ended {
            let mut command = self.place.command(&self.program);
            command.arg("run").arg(&file);
            let log = self.directory.join("bgpd.log");
            self.daemon = Some(Process::spawn("bgpd (AWS)", &mut command, &log)?);
            self.wait_for_socket()?;
        } else {
            self.control().reload()?;
        }
        self.config = config;
        Ok(())
    }

    fn wait_for_socket(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let Err(error) = self.control().status() else {
                return Ok(());
            };
            self.check_daemon()?;
            if Instant::now() > deadline {
                return Err(error).context("bgpd in AWS's role does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An error with the last of what bgpd printed, if it has ended.
    fn check_daemon(&mut self) -> anyhow::Result<()> {
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let Some(status) = daemon.ended() else {
            return Ok(());
        };
        let output = daemon.output();
        let lines: Vec<&str> = output.lines().rev().take(5).collect();
        let last = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        bail!(
            "bgpd in AWS's role ended ({status}); {} ends with:\n{last}",
            daemon.log().display()
        )
    }

    fn remove_interfaces(&mut self) {
        for name in std::mem::take(&mut self.made).into_keys() {
            if let Err(error) = self.place.ip(&format!("link delete {name}\n")) {
                tracing::debug!(name, %error, "interface not removed");
            }
        }
    }

    /// A session's routes, asked for again when their numbers change or the
    /// answer has become old.
    fn routes(&mut self, peer: &api::PeerStatus) -> anyhow::Result<Vec<Route>> {
        if let Some(known) = self.routes.get(&peer.name)
            && known.counts == peer.prefixes
            && known.asked.elapsed() < Duration::from_secs(2)
        {
            return Ok(known.routes.clone());
        }
        let mut routes = vec![];
        for (direction, key) in [
            (RouteDirection::Accepted, "peer"),
            (RouteDirection::Advertised, "advertised"),
        ] {
            let answer = self.control().routes(&format!("{key}={}", peer.name))?;
            routes.extend(
                answer
                    .iter()
                    .filter_map(|route| seen(direction, route, peer)),
            );
        }
        let known = Known {
            asked: Instant::now(),
            counts: peer.prefixes,
            routes: routes.clone(),
        };
        self.routes.insert(peer.name.clone(), known);
        Ok(routes)
    }
}

impl AwsRouter for BgpdRouter {
    fn apply(&mut self, vifs: &[VifIntent]) -> anyhow::Result<()> {
        let wanted = vlan::wanted(vifs);
        let additions = vlan::additions(&wanted, &self.made);
        if !additions.is_empty()
            && let Err(error) = self.place.ip(&additions)
        {
            // Half of them may be there: the next attempt makes them all anew.
            self.made.extend(wanted);
            self.remove_interfaces();
            return Err(error.into());
        }
        let removals = vlan::removals(&wanted, &self.made);
        self.made.extend(wanted.clone());
        self.write_keys(vifs)?;
        self.configure(config::text(
            vifs,
            self.backup.as_ref(),
            self.control().socket(),
            &self.keys(),
        )?)?;
        // Last, so that a session ends with a Cease and not in silence.
        if !removals.is_empty() {
            self.place.ip(&removals)?;
        }
        self.made = wanted;
        Ok(())
    }

    fn status(&mut self) -> anyhow::Result<BTreeMap<String, Session>> {
        self.check_daemon()?;
        let status = self.control().status()?;
        self.routes
            .retain(|name, _| status.peers.iter().any(|peer| peer.name == *name));
        let mut sessions = BTreeMap::new();
        for peer in &status.peers {
            let established = peer.state == "Established";
            let routes = if established {
                self.routes(peer)?
            } else {
                vec![]
            };
            sessions.insert(
                peer.name.clone(),
                Session {
                    established,
                    routes,
                },
            );
        }
        Ok(sessions)
    }
}

impl Drop for BgpdRouter {
    fn drop(&mut self) {
        self.daemon = None;
        self.remove_interfaces();
    }
}

/// The path of a route that went over this session.
fn seen(direction: RouteDirection, route: &api::Route, peer: &api::PeerStatus) -> Option<Route> {
    let path = match direction {
        RouteDirection::Accepted => route.paths.iter().find(|path| path.peer == peer.name)?,
        RouteDirection::Advertised => route.paths.first()?,
    };
    let mut as_path = segments(&path.as_path);
    if direction == RouteDirection::Advertised && as_path.is_empty() {
        as_path.push(Segment::Sequence(vec![peer.local_asn.0]));
    }
    Some(Route {
        direction,
        prefix: route.prefix,
        as_path,
        communities: path.communities.clone(),
    })
}

/// Of a path as bgpd writes it: `64512 65010 {65020,65021}`.
fn segments(text: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for word in text.split_whitespace() {
        let numbers = word.split(|c: char| !c.is_ascii_digit());
        let asns = numbers.filter_map(|number| number.parse().ok());
        match (word.starts_with('{'), segments.last_mut()) {
            (true, _) => segments.push(Segment::Set(asns.collect())),
            (false, Some(Segment::Sequence(last))) => last.extend(asns),
            (false, _) => segments.push(Segment::Sequence(asns.collect())),
        }
    }
    segments
}

/// How long bgpd may take to answer first.
const START: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paths_sets_are_told_from_its_sequences() {
        let path = segments("64512 65010 {65020,65021} 65030");
        let wanted = [
            Segment::Sequence(vec![64512, 65010]),
            Segment::Set(vec![65020, 65021]),
            Segment::Sequence(vec![65030]),
        ];
        assert_eq!(path, wanted);
        assert_eq!(segments(""), []);
    }
}
