//! The BGP sessions of an interface that exists: those to make, to replace, and to
//! take away.

use bgp_core::{Asn, Family};

use super::step::{Action, Call, Cut, Field, Step};
use super::{Replacement, Wanted};
use crate::aws::{BgpPeer, NewPeer, PeerKey, VirtualInterface};
use crate::cli::Addresses;
use crate::site::{Session, Vif};

#[derive(Default)]
pub(super) struct Sessions<'a> {
    missing: Vec<&'a Session>,
    replaced: Vec<Replaced<'a>>,
    extra: Vec<&'a BgpPeer>,
}

struct Replaced<'a> {
    session: &'a Session,
    replacement: Result<Replacement, String>,
    why: Vec<Field>,
}

impl<'a> Sessions<'a> {
    /// `begun`: what a killed run was about to replace.
    pub(super) fn compare(
        wanted: Wanted<'_>,
        vif: &'a Vif,
        there: &'a VirtualInterface,
        begun: &[Replacement],
        notes: &mut Vec<String>,
    ) -> Self {
        let mut sessions = Self::default();
        for session in &vif.sessions {
            let Some(peer) = there.peer(session.family) else {
                match begun_for(begun, there, session) {
                    Some(replaced) => sessions.replaced.push(replaced),
                    None => sessions.missing.push(session),
                }
                continue;
            };
            let why = differences(wanted, vif, session, peer, notes);
            if !why.is_empty() {
                sessions.replaced.push(Replaced {
                    session,
                    replacement: Replacement::of(there, session.family),
                    why,
                });
            }
        }
        let named = |peer: &&BgpPeer| vif.sessions.iter().any(|one| one.family == peer.family);
        sessions.extra = there.live_peers().filter(|peer| !named(peer)).collect();
        sessions
    }

    /// New ones first: what is replaced beside another needs nothing to stand in.
    pub(super) fn steps(
        self,
        vif: &Vif,
        there: &VirtualInterface,
        asn: Asn,
    ) -> Result<Vec<Step>, Vec<String>> {
        let mut steps = Vec::new();
        let mut problems = Vec::new();
        for session in &self.missing {
            steps.push(new_session(vif, session, asn, Some(&there.id)));
        }
        for one in self.replaced {
            match one.replacement {
                Ok(mut replacement) => {
                    replacement.stand_in &= self.missing.is_empty();
                    steps.push(replace(vif, one.session, replacement, one.why));
                }
                Err(problem) => problems.push(format!("vif {:?}: {problem}", vif.name)),
            }
        }
        for peer in &self.extra {
            steps.extend(ended(vif, there, peer));
        }
        match problems.is_empty() {
            true => Ok(steps),
            false => Err(problems),
        }
    }
}

/// AWS's end is deleted already: made anew with the addresses that it had. The last
/// session of an interface is never deleted, so another one is there.
fn begun_for<'a>(
    begun: &[Replacement],
    there: &VirtualInterface,
    session: &'a Session,
) -> Option<Replaced<'a>> {
    let mut own = begun.iter().filter(|one| one.vif == there.id);
    let replacement = Replacement {
        stand_in: false,
        ..own.find(|one| one.family == session.family)?.clone()
    };
    Some(Replaced {
        session,
        replacement: Ok(replacement),
        why: vec![Field::new("goes on", "a change that an earlier run began")],
    })
}

/// What AWS fixes with the session.
fn differences(
    wanted: Wanted<'_>,
    vif: &Vif,
    session: &Session,
    peer: &BgpPeer,
    notes: &mut Vec<String>,
) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Addresses::Pair(pair) = session.addresses {
        let has = peer.amazon_address.zip(peer.customer_address);
        if let Some((amazon, customer)) = has
            && (amazon, customer) != (pair.amazon, pair.customer)
        {
            let from = format!("{amazon},{customer}");
            fields.push(Field::change("addresses", from, pair));
        }
    }
    if let Some(key) = wanted.keys.get(&(vif.name.clone(), session.family)) {
        match &peer.key {
            PeerKey::Known(has) if has == key => {}
            PeerKey::Known(_) | PeerKey::Unusable(_) => {
                fields.push(Field::change(
                    "key",
                    "another (not shown)",
                    "the file's (not shown)",
                ));
            }
            PeerKey::Hidden => notes.push(format!(
                "vif {:?}: AWS doesn't show the key of its {} session, so it was not compared",
                vif.name, session.family
            )),
        }
    }
    fields
}

fn replace(vif: &Vif, session: &Session, mut replacement: Replacement, fields: Vec<Field>) -> Step {
    if let Addresses::Pair(pair) = session.addresses {
        replacement.addresses = Some(pair);
    }
    Step {
        action: Action::Change,
        kind: "session",
        name: session_name(vif, session.family),
        id: Some(replacement.old_peer.clone()),
        fields,
        cut: Some(Cut::new(&vif.name, replacement.cost())),
        call: Call::ReplaceSession {
            vif: vif.name.clone(),
            replacement,
            key: session.key.clone(),
        },
    }
}

pub(super) fn new_session(vif: &Vif, session: &Session, asn: Asn, id: Option<&str>) -> Step {
    let addresses = match session.addresses {
        Addresses::Pair(pair) => Some(pair),
        Addresses::Auto | Addresses::Aws => None,
    };
    Step {
        action: Action::Create,
        kind: "session",
        name: session_name(vif, session.family),
        id: id.map(str::to_owned),
        fields: vec![match addresses {
            Some(pair) => Field::new("addresses", pair),
            None => Field::new("addresses", "AWS's choice"),
        }],
        cut: None,
        call: Call::CreatePeer {
            vif: vif.name.clone(),
            peer: NewPeer {
                asn,
                family: session.family,
                addresses,
                key: None,
            },
            key: session.key.clone(),
        },
    }
}

/// `None` while AWS hasn't given it an identifier.
fn ended(vif: &Vif, there: &VirtualInterface, peer: &BgpPeer) -> Option<Step> {
    let id = peer.id.clone()?;
    let what = format!("its {} session ends", peer.family);
    Some(Step {
        action: Action::Delete,
        kind: "session",
        name: session_name(vif, peer.family),
        id: Some(id.clone()),
        fields: Vec::new(),
        cut: Some(Cut::new(&vif.name, what)),
        call: Call::DeletePeer {
            vif_id: there.id.clone(),
            id,
            family: peer.family,
        },
    })
}

fn session_name(vif: &Vif, family: Family) -> String {
    format!("{}/{family}", vif.name)
}
