//! `masquerade`, `masquerade_from` and `conntrack` of a `[[path]]`.

use ipnet::IpNet;

use super::table::Table;
use super::{Conntrack, value};
use crate::{Family, aws};

/// What becomes of flows on a path: whose source address it replaces, and whether
/// connection tracking forgets those that are moved.
pub(super) fn read(table: &Table<'_>, families: &[Family]) -> (Vec<IpNet>, Conntrack) {
    let from = sources(table, families);
    let conntrack = table.parsed("conntrack", |text| match text {
        "flush" => Ok(Conntrack::Flush),
        "keep" => Ok(Conntrack::Keep),
        _ => Err(format!(
            "{text:?} is neither \"flush\" (flows that are moved begin anew, with the source address of their new path) nor \"keep\""
        )),
    });
    let by_default = match from.is_empty() {
        true => Conntrack::Keep,
        false => Conntrack::Flush,
    };
    (from, conntrack.map_or(by_default, |at| at.value))
}

fn sources(table: &Table<'_>, families: &[Family]) -> Vec<IpNet> {
    let is_on = table.flag("masquerade").is_some_and(|at| at.value);
    if !table.has("masquerade_from") {
        // What the far side of this path could not answer.
        let private = aws::PRIVATE_SPACE.iter().map(|range| range.net);
        return private
            .filter(|net| is_on && families.contains(&Family::of(net.addr())))
            .collect();
    }
    if !is_on {
        table.mistake(
            table.place("masquerade_from"),
            "`masquerade_from` does nothing without `masquerade = true`",
        );
    }
    let from = table.list("masquerade_from", value::prefix);
    if from.is_empty() && table.place("masquerade_from") != table.offset {
        table.mistake(
            table.place("masquerade_from"),
            "`masquerade_from` is empty: name the sources, or leave it out for all private addresses",
        );
    }
    for at in &from {
        let family = Family::of(at.value.addr());
        if !families.contains(&family) {
            table.mistake(
                at.offset,
                format_args!(
                    "`masquerade_from` {} is {family}, and this path has no gateway for that",
                    at.value
                ),
            );
        }
    }
    from.into_iter().map(|at| at.value).collect()
}
