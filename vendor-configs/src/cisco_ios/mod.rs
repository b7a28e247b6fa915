//! Cisco IOS 15, before IOS-XE. Its templates are IOS-XE's, which ask for the
//! platform where the two differ.

use crate::check::{Mistake, Router};
use crate::cisco_ios_xe::{LINE, WORD};
use crate::plan::SessionKey;
use crate::platform::{Entry, dotted, templates};

pub(crate) static ENTRY: Entry = Entry {
    name: "cisco_ios",
    title: "Cisco IOS (classic)",
    default_parent: "GigabitEthernet0/0",
    interface: dotted,
    comment: "!",
    description: LINE,
    key: WORD,
    longest_policy: 48,
    templates: templates![],
    forms: &[],
    check: short_keys,
};

/// As documented of `neighbor password`; IOS-XE takes AWS's 80.
fn short_keys(router: &Router) -> Vec<Mistake> {
    let sessions = router.links().iter().flat_map(|link| &link.sessions);
    let long = sessions.filter(|session| match &session.key {
        SessionKey::Md5(key) => key.expose().len() > 25,
        SessionKey::Unknown | SessionKey::LeftOut => false,
    });
    long.map(|session| {
        Mistake::new(format!(
            "the MD5 key of peer {} is longer than the 25 characters that classic IOS takes: create the BGP peer with a shorter one",
            session.peer
        ))
    })
    .collect()
}
