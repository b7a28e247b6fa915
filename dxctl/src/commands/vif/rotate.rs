//! `dxctl vif rotate-key`: AWS changes no key, so its end of the session is
//! deleted and made anew with the new one, and bgpd's key file follows.
//!
//! The new key lies beside the old one before anything is cut, and a record says
//! what AWS's end was like. With both a killed run is gone on with: what AWS has
//! tells how far it came.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::api::{EventKind, EventsQuery, LoggedEvent};
use bgp_core::{Asn, Family};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::find_vif;
use super::delete::confirm;
use super::key;
use crate::apply::session;
use crate::aws::{DirectConnect, NewPeer, PeerAddresses, Refusal, VirtualInterface};
use crate::cli::{Global, VifRotateKeyArgs};
use crate::control::{Control, ControlError};
use crate::key_file::{self, Other, Written};
use crate::output::note;
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifRotateKeyArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let vif = find_vif(&aws, &args.vif).await?;
    let families = args.family.map_or(FAMILIES.to_vec(), |one| vec![one]);
    let begun = families
        .iter()
        .map(|family| record_path(&args, &vif, *family));
    let (path, record) = match begun.into_iter().find(|path| path.exists()) {
        Some(path) => {
            note("going on with the rotation that was begun, with its key");
            let record = Record::read(&path)?;
            (path, record)
        }
        None => begin(&args, &aws, &vif).await?,
    };
    let control = Control::at(&global.socket);
    let mark = last_event(&control).await;
    record.rotate(&path, &aws, args.timeout).await?;
    let new = key_file::read(&record.next())?;
    let written = key_file::write(&record.key_file, &new, Other::Replace)?;
    let asked = Instant::now();
    let up = match control.reload().await {
        Ok(()) => {
            // One that was up before bgpd had the key is the old one.
            let since = (written != Written::Unchanged).then_some(asked);
            established(&control, &record.session, since, args.timeout).await?
        }
        Err(ControlError::Absent(_)) => {
            note("note: bgpd is not running here: it takes the new key when it starts");
            None
        }
        Err(error) => return Err(error).context(
            "AWS has the new key and the key file too, but bgpd has not read it: run this again",
        ),
    };
    record.end_stand_in(&aws, args.timeout).await?;
    finish(&path, &record)?;
    let outage = match (&up, mark) {
        (Some(()), Some(mark)) => outage(&control, mark, &record.session).await,
        _ => None,
    };
    let answer = json!({ "vif": record.vif, "session": record.session, "family": record.family,
        "key_file": record.key_file, "established": up.is_some(), "outage_seconds": outage });
    global.reader().show(&answer, |_| {
        let state = match (up, outage) {
            (Some(()), Some(seconds)) => format!("up again, down for {seconds:.1} s"),
            (Some(()), None) => "up; how long it was down is not known".to_owned(),
            (None, _) => "not up: see dxctl status".to_owned(),
        };
        format!("{} has a new key: {state}\n", record.session)
    })?;
    Ok(if up.is_some() {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

/// What AWS's end was like; no key is in it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    vif: String,
    family: Family,
    /// bgpd's name of the session.
    session: String,
    key_file: PathBuf,
    asn: Asn,
    amazon: IpNet,
    customer: IpNet,
    old_peer: String,
    /// Whether the session of the other family is there for the while only.
    stand_in: bool,
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

fn record_path(args: &VifRotateKeyArgs, vif: &VirtualInterface, family: Family) -> PathBuf {
    args.out_dir
        .join(format!("{}-{family}.rotation.json", vif.id))
}

/// Everything that is needed, before anything is cut.
async fn begin(
    args: &VifRotateKeyArgs,
    aws: &impl DirectConnect,
    vif: &VirtualInterface,
) -> anyhow::Result<(PathBuf, Record)> {
    let record = describe(args, vif)?;
    let key = match key::given(&args.key, aws).await? {
        Some(key) => key,
        None => key_file::generate()?,
    };
    if key_file::read(&record.key_file).is_ok_and(|old| old == key) {
        return Err(Refused::new(format!(
            "{} holds this key already: give another",
            record.key_file.display()
        ))
        .into());
    }
    if record.stand_in {
        note(format_args!(
            "note: AWS keeps the last session of an interface: one of {} stands in meanwhile",
            other(record.family)
        ));
    }
    if !args.yes {
        confirm(&format!(
            "Rotate the key of {}'s {} session? It restarts: no traffic over {} until it is up again (dxctl drain moves it away before). [y/N] ",
            vif.name, record.family, record.session
        ))?;
    }
    key_file::write(&record.next(), &key, Other::Replace)?;
    let path = record_path(args, vif, record.family);
    record.save(&path)?;
    Ok((path, record))
}

fn describe(args: &VifRotateKeyArgs, vif: &VirtualInterface) -> anyhow::Result<Record> {
    let live: Vec<_> = vif.peers.iter().filter(|peer| !peer.is_gone()).collect();
    let peer = match (args.family, live.as_slice()) {
        (Some(family), _) => vif.peer(family),
        (None, [one]) => Some(*one),
        (None, []) => None,
        (None, _) => {
            return Err(Refused::new(format!("{} has two sessions: give --family", vif.id)).into());
        }
    };
    let lacks = |what: &str| Refused::new(format!("{} ({}) has no {what}", vif.id, vif.name));
    let peer = peer.ok_or_else(|| lacks("such session"))?;
    let amazon = peer
        .amazon_address
        .ok_or_else(|| lacks("address of AWS's"))?;
    let (session, key_file) = of_bgpd(&args.out_dir, amazon)?;
    Ok(Record {
        vif: vif.id.clone(),
        family: peer.family,
        session,
        key_file,
        asn: peer
            .asn
            .or(vif.asn)
            .ok_or_else(|| lacks("AS number of ours"))?,
        amazon,
        customer: peer
            .customer_address
            .ok_or_else(|| lacks("address of ours"))?,
        old_peer: peer
            .id
            .clone()
            .ok_or_else(|| lacks("session with an identifier"))?,
        stand_in: live.len() == 1,
    })
}

/// The session with this far end in bgpd's configuration, and its key file.
fn of_bgpd(directory: &Path, amazon: IpNet) -> anyhow::Result<(String, PathBuf)> {
    let path = directory.join("bgpd.toml");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "{} (--out-dir says where bgpd's configuration is)",
            path.display()
        )
    })?;
    let config = bgp_core::config::parse(&text).map_err(|_| {
        Refused::new(format!(
            "{}: bgpd would not take it: bgpd check says why",
            path.display()
        ))
    })?;
    let mut peers = config.all_peers();
    let peer = peers
        .find(|peer| peer.remote == amazon.addr())
        .ok_or_else(|| {
            Refused::new(format!(
                "{} has no session with {}",
                path.display(),
                amazon.addr()
            ))
        })?;
    let key_file = peer.auth_key_file.clone().ok_or_else(|| {
        Refused::new(format!(
            "{}: session {:?} has no key file",
            path.display(),
            peer.name
        ))
    })?;
    Ok((peer.name.to_string(), key_file))
}

impl Record {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no record of a rotation", path.display()))
    }

    /// Whole or not at all.
    fn save(&self, path: &Path) -> anyhow::Result<()> {
        let beside = path.with_extension(format!("new.{}", std::process::id()));
        let text = serde_json::to_vec_pretty(self)?;
        fs::write(&beside, text)
            .and_then(|()| fs::File::open(&beside)?.sync_all())
            .and_then(|()| fs::rename(&beside, path))
            .with_context(|| path.display().to_string())
    }

    /// Where the new key lies until the session is up with it.
    fn next(&self) -> PathBuf {
        let mut name = self.key_file.file_name().unwrap_or_default().to_owned();
        name.push(".next");
        self.key_file.with_file_name(name)
    }

    /// AWS's end, with the new key; what is done already is not done again.
    async fn rotate(
        &self,
        path: &Path,
        aws: &impl DirectConnect,
        limit: Duration,
    ) -> anyhow::Result<()> {
        let new = key_file::read(&self.next()).with_context(|| {
            format!(
                "the new key is not there; {} says what AWS's end was like",
                path.display()
            )
        })?;
        let there = session::vif(aws, &self.vif).await?;
        if there.is_gone() {
            return Err(Refused::new(format!("{} is {}", self.vif, there.state)).into());
        }
        let is_old = |there: &VirtualInterface| {
            let peer = there.peer(self.family);
            peer.is_some_and(|peer| peer.id.as_deref() == Some(&self.old_peer))
        };
        if is_old(&there) {
            self.stand_in(aws, &there, limit).await?;
            note(format_args!("deleting AWS's end of {} …", self.session));
            session::delete(aws, &self.vif, &self.old_peer).await?;
        }
        if session::vif(aws, &self.vif)
            .await?
            .peer(self.family)
            .is_none()
        {
            session::gone(aws, &self.vif, self.family, limit).await?;
            let peer = NewPeer {
                asn: self.asn,
                family: self.family,
                addresses: match self.family {
                    Family::Ipv4 => Some(PeerAddresses {
                        amazon: self.amazon,
                        customer: self.customer,
                    }),
                    // AWS assigns IPv6, and takes no other.
                    Family::Ipv6 => None,
                },
                key: Some(new),
            };
            note("making it anew with the new key …");
            session::create(aws, &self.vif, &peer, Refusal::MayBeOurs).await?;
        }
        session::available(aws, &self.vif, self.family, limit).await?;
        let there = session::vif(aws, &self.vif).await?;
        let amazon = there.peer(self.family).and_then(|peer| peer.amazon_address);
        if amazon.is_some_and(|amazon| amazon != self.amazon) {
            note(format_args!(
                "note: AWS gave the session other addresses: write them into bgpd's configuration with dxctl bgpd-config"
            ));
        }
        Ok(())
    }

    async fn stand_in(
        &self,
        aws: &impl DirectConnect,
        there: &VirtualInterface,
        limit: Duration,
    ) -> anyhow::Result<()> {
        let family = other(self.family);
        if !self.stand_in {
            return Ok(());
        }
        if there.peer(family).is_none() {
            let peer = NewPeer {
                asn: self.asn,
                family,
                addresses: None,
                key: None,
            };
            session::create(aws, &self.vif, &peer, Refusal::MayBeOurs).await?;
        }
        session::available(aws, &self.vif, family, limit).await
    }

    async fn end_stand_in(&self, aws: &impl DirectConnect, limit: Duration) -> anyhow::Result<()> {
        let family = other(self.family);
        let there = session::vif(aws, &self.vif).await?;
        let id = there.peer(family).and_then(|peer| peer.id.clone());
        if let (true, Some(id)) = (self.stand_in, id) {
            session::delete(aws, &self.vif, &id).await?;
            session::gone(aws, &self.vif, family, limit).await?;
        }
        Ok(())
    }
}

fn other(family: Family) -> Family {
    match family {
        Family::Ipv4 => Family::Ipv6,
        Family::Ipv6 => Family::Ipv4,
    }
}

fn finish(path: &Path, record: &Record) -> anyhow::Result<()> {
    for file in [path, &record.next()] {
        fs::remove_file(file).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// `None` where it isn't in time.
async fn established(
    control: &Control,
    session: &str,
    since: Option<Instant>,
    patience: Duration,
) -> anyhow::Result<Option<()>> {
    let until = Instant::now() + patience;
    loop {
        let status = control.status().await?;
        let peer = status.peers.iter().find(|peer| peer.name == session);
        let is_new =
            |seconds: f64| since.is_none_or(|since| seconds <= since.elapsed().as_secs_f64() + 0.1);
        if peer.is_some_and(|peer| peer.state == "Established" && is_new(peer.since)) {
            return Ok(Some(()));
        }
        if Instant::now() >= until {
            let why = peer.and_then(|peer| peer.last_error.clone());
            note(format_args!(
                "{session} is not up: {}",
                why.unwrap_or_else(|| "bgpd says no reason".to_owned())
            ));
            return Ok(None);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(200);

async fn last_event(control: &Control) -> Option<u64> {
    let events = control.events(&EventsQuery::default()).await.ok()?;
    Some(events.events.last().map_or(0, |event| event.sequence))
}

/// From when the session went down until it was up again, as bgpd has it.
async fn outage(control: &Control, after: u64, session: &str) -> Option<f64> {
    let query = EventsQuery { after: Some(after) };
    let events = control.events(&query).await.ok()?.events;
    down_for(&events, session)
}

fn down_for(events: &[LoggedEvent], session: &str) -> Option<f64> {
    let own = |event: &&LoggedEvent| event.kind == EventKind::Session && event.subject == session;
    let own: Vec<&LoggedEvent> = events.iter().filter(own).collect();
    let down = own
        .iter()
        .find(|event| event.text.starts_with("session is down"))?;
    let up = own
        .iter()
        .rfind(|event| event.text.starts_with("session is Established"))?;
    (up.at >= down.at).then_some(up.at - down.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: f64, subject: &str, text: &str) -> LoggedEvent {
        LoggedEvent {
            sequence: 1,
            at,
            subject: subject.to_owned(),
            kind: EventKind::Session,
            text: text.to_owned(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn the_outage_is_from_the_first_down_to_the_last_up_of_the_session() {
        let events = [
            event(10.0, "prod", "session is down: closed"),
            event(11.0, "other", "session is Established"),
            event(14.5, "prod", "session is Established with AS 64512"),
        ];
        assert_eq!(down_for(&events, "prod"), Some(4.5));
        assert_eq!(down_for(&events[..2], "prod"), None);
    }
}
