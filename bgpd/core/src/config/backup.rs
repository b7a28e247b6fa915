//! `backup`: which path carries a session's routes while it is down.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mistake::Mistakes;
use super::peer::RawPeer;
use super::whole::Whole;
use crate::Family;

/// `backup = "none"`: none for this session, though its VIF has one.
const NONE: &str = "none";

/// Why a session can't have the backup that it names.
enum Unfit {
    Unknown,
    Itself,
    WrongFamily,
    NotOnLink,
}

/// Notes backups that don't exist or can't serve, and circles of them.
pub(super) fn check(whole: &Whole<'_>, mistakes: &Mistakes<'_>) {
    for session in whole.sessions() {
        let Some(backup) = session
            .backup
            .as_ref()
            .filter(|backup| backup.value != NONE)
        else {
            continue;
        };
        let Err(unfit) = find(whole, session, &backup.value) else {
            continue;
        };
        let (name, title) = (&backup.value, &session.title);
        let family = session.family.unwrap_or(Family::Ipv4);
        mistakes.add(
            backup.offset,
            match unfit {
                Unfit::Unknown => format!("{title}: `backup` {name:?} is no [[path]], [[vif]] or [[peer]] of this file{}", known(whole)),
                Unfit::Itself => format!("{title}: `backup` {name:?} is this session itself; name another path"),
                Unfit::WrongFamily => format!(
                    "{title}: `backup` {name:?} has no way out for {family}, which session {:?} carries; add {} there, or write `backup = \"none\"` for that session",
                    session.name,
                    match family { Family::Ipv4 => "`gateway`", Family::Ipv6 => "`gateway6` (or `ipv6`)" },
                ),
                Unfit::NotOnLink => format!("{title}: `backup` {name:?} is several hops away (multihop), so it is no gateway; name a [[path]] with the gateway toward it"),
            },
        );
    }
    check_circles(whole, mistakes);
}

/// The session or path that each session's backup comes down to.
pub(super) fn resolve(whole: &Whole<'_>) -> BTreeMap<Arc<str>, Arc<str>> {
    let resolved = |session: &RawPeer| {
        let backup = session
            .backup
            .as_ref()
            .filter(|backup| backup.value != NONE)?;
        Some((
            session.name.clone(),
            find(whole, session, &backup.value).ok()?,
        ))
    };
    whole.sessions().filter_map(resolved).collect()
}

fn find(whole: &Whole<'_>, session: &RawPeer, name: &str) -> Result<Arc<str>, Unfit> {
    let family = session.family.unwrap_or(Family::Ipv4);
    if let Some(path) = whole.paths.iter().find(|path| &*path.name == name) {
        return if path.families.contains(&family) {
            Ok(path.name.clone())
        } else {
            Err(Unfit::WrongFamily)
        };
    }
    // A VIF's name stands for its session of the same family.
    let vif = whole.vifs.iter().find(|vif| {
        vif.sessions
            .iter()
            .any(|one| one.vif.as_deref() == Some(name))
    });
    let candidates: Vec<&RawPeer> = match vif {
        Some(vif) => vif.sessions.iter().collect(),
        None => whole.sessions().filter(|one| &*one.name == name).collect(),
    };
    if candidates.is_empty() {
        return Err(Unfit::Unknown);
    }
    let same_family = candidates
        .into_iter()
        .find(|one| one.family.is_none_or(|of| of == family));
    let found = same_family.ok_or(Unfit::WrongFamily)?;
    if found.name == session.name {
        return Err(Unfit::Itself);
    }
    if !found.on_link {
        return Err(Unfit::NotOnLink);
    }
    Ok(found.name.clone())
}

fn known(whole: &Whole<'_>) -> String {
    let names: Vec<_> = whole
        .paths
        .iter()
        .map(|path| format!("{:?}", &*path.name))
        .collect();
    if names.is_empty() {
        "; add a [[path]] with that name".to_owned()
    } else {
        format!("; paths are {}", names.join(", "))
    }
}

/// Two that back each other up would both keep their routes when both are
/// down, and hide any less specific way out.
fn check_circles(whole: &Whole<'_>, mistakes: &Mistakes<'_>) {
    let backups = resolve(whole);
    for session in whole.sessions() {
        let Some(backup) = &session.backup else {
            continue;
        };
        let mut way = vec![session.name.clone()];
        while let Some(next) = way.last().and_then(|last| backups.get(last)) {
            if way.contains(next) {
                break;
            }
            way.push(next.clone());
        }
        let closes = way.last().and_then(|last| backups.get(last)) == Some(&session.name);
        if closes && way.len() > 1 {
            mistakes.add(
                backup.offset,
                format!(
                    "{}: `backup` goes round in a circle: {} and back; end it with a [[path]] (of two VIFs that learn the same routes each takes over from the other without `backup`)",
                    session.title,
                    way.join(" → ")
                ),
            );
        }
    }
}
