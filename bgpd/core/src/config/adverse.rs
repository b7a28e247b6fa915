//! `on_degraded` and `adverse`: how the far end is told that a path is one to avoid,
//! when it is bad and when it is drained.

use super::table::{At, Keys, Table};
use super::{Preference, VifKind, value};
use crate::policy::{Adverse, Changes, Discouraged};
use crate::wire::Community;
use crate::{Asn, aws};

/// What a session is told, valid for its kind.
pub(super) struct Told {
    pub(super) on_degraded: Adverse,
    pub(super) on_drain: Discouraged,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Preference,
    Prepend,
    Withdraw,
    Nothing,
}

const VIF_KEYS: Keys = Keys {
    known: &["prepend"],
    refused: &[(
        "communities",
        "on a VIF they are AWS's own, and follow from its kind",
    )],
};
const PEER_KEYS: Keys = Keys {
    known: &["prepend", "communities", "med"],
    refused: &[],
};
/// So often is our ASN prepended unless said otherwise: more than the one hop that
/// usual second ways are longer by.
const PREPEND: u32 = 3;
/// RFC 4271 §4.3 (d): the least attractive.
const WORST_MED: u32 = u32::MAX;

/// What a `[[vif]]` tells AWS.
pub(super) fn of_vif(
    table: &Table<'_>,
    kind: Option<VifKind>,
    preference: Option<Preference>,
    local_asn: Option<Asn>,
) -> Told {
    let way = way(table);
    let prepend = table
        .table("adverse", &VIF_KEYS)
        .and_then(|table| table.integer("prepend", 0..=16));
    let is_public = kind == Some(VifKind::Public);
    let strips = is_public && local_asn.is_some_and(Asn::is_private);
    check(table, way, prepend, is_public, strips);
    let way = way.map_or_else(
        || default_way(is_public, strips, table.has("backup")),
        |at| at.value,
    );
    // "Low" already: nothing lower is left to say but a longer path.
    let prepends = way == Way::Prepend || preference == Some(Preference::Low);
    let by_default = if prepends && !strips { PREPEND } else { 0 };
    let lowers = !is_public && way != Way::Prepend;
    let discouraged = Discouraged {
        instead_of: match lowers {
            true => vec![aws::PREFERENCE_MEDIUM, aws::PREFERENCE_HIGH],
            false => Vec::new(),
        },
        changes: Changes {
            add_communities: lowers.then_some(aws::PREFERENCE_LOW).into_iter().collect(),
            prepend: times(prepend, by_default),
            ..Changes::default()
        },
    };
    Told {
        on_drain: shutting_down(&discouraged),
        on_degraded: adverse(way, discouraged),
    }
}

/// What a `[[peer]]` is told.
pub(super) fn of_peer(table: &Table<'_>) -> Told {
    let way = way(table).map_or(Way::Preference, |at| at.value);
    let adverse_table = table.table("adverse", &PEER_KEYS);
    let number = |key, range| adverse_table.as_ref()?.integer(key, range);
    let communities = adverse_table
        .iter()
        .flat_map(|table| table.list("communities", value::community))
        .map(|at| at.value);
    let by_default = if way == Way::Prepend { PREPEND } else { 0 };
    let discouraged = Discouraged {
        instead_of: Vec::new(),
        changes: Changes {
            // RFC 8326 §4.1; only internal peers are sent it.
            local_pref: Some(0),
            med: Some(number("med", 0..=u32::MAX).map_or(WORST_MED, |at| at.value)),
            add_communities: communities.collect(),
            prepend: times(number("prepend", 0..=16), by_default),
        },
    };
    let on_drain = shutting_down(&discouraged);
    Told {
        on_degraded: match way {
            // What a peer makes of a path that is to be shut down is what is wanted
            // of one that is bad.
            Way::Preference => Adverse::Change(on_drain.clone()),
            way => adverse(way, discouraged),
        },
        on_drain,
    }
}

fn way(table: &Table<'_>) -> Option<At<Way>> {
    table.parsed("on_degraded", |text| match text {
        "preference" => Ok(Way::Preference),
        "prepend" => Ok(Way::Prepend),
        "withdraw" => Ok(Way::Withdraw),
        "nothing" => Ok(Way::Nothing),
        _ => Err(format!(
            "{text:?} is no way to tell the far end of a bad path; use \"preference\", \"prepend\", \"withdraw\" or \"nothing\""
        )),
    })
}

/// What the VIF's kind allows: preference communities are for private and transit
/// ones; on public ones the AS_PATH counts, unless AWS strips it. What has no second
/// way is not withdrawn unasked.
const fn default_way(is_public: bool, strips: bool, has_backup: bool) -> Way {
    match (is_public, strips, has_backup) {
        (false, ..) => Way::Preference,
        (true, false, _) => Way::Prepend,
        (true, true, true) => Way::Withdraw,
        (true, true, false) => Way::Nothing,
    }
}

fn check(
    table: &Table<'_>,
    way: Option<At<Way>>,
    prepend: Option<At<u32>>,
    is_public: bool,
    strips: bool,
) {
    const STRIPPED: &str = "is useless with a private ASN on a public VIF: AWS replaces it by 7224 and strips prepends; use a public ASN, or `on_degraded = \"withdraw\"`";
    match way {
        Some(way) if is_public && way.value == Way::Preference => table.mistake(
            way.offset,
            "`on_degraded` \"preference\" works on private and transit VIFs only: AWS ignores 7224:7100 on public ones; use \"prepend\" or \"withdraw\"",
        ),
        Some(way) if strips && way.value == Way::Prepend => {
            table.mistake(way.offset, format_args!("`on_degraded` \"prepend\" {STRIPPED}"));
        }
        _ => {}
    }
    if let Some(prepend) = prepend.filter(|at| strips && at.value > 0) {
        table.mistake(prepend.offset, format_args!("`prepend` {STRIPPED}"));
    }
}

fn adverse(way: Way, discouraged: Discouraged) -> Adverse {
    match way {
        Way::Preference | Way::Prepend => Adverse::Change(discouraged),
        Way::Withdraw => Adverse::Withdraw,
        Way::Nothing => Adverse::Nothing,
    }
}

/// RFC 8326 §4.1. AWS documents no meaning of GRACEFUL_SHUTDOWN: there its own
/// communities do the work.
fn shutting_down(discouraged: &Discouraged) -> Discouraged {
    let mut told = discouraged.clone();
    told.changes
        .add_communities
        .push(Community::GRACEFUL_SHUTDOWN);
    told
}

fn times(prepend: Option<At<u32>>, by_default: u32) -> u8 {
    let times = prepend.map_or(by_default, |at| at.value);
    u8::try_from(times).unwrap_or(u8::MAX)
}
