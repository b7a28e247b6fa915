//! A table to many receivers: what a speaker makes of work that it could do
//! once for all of them.

use bgp_core::Family;

use super::{Case, Options, QUICK_SPEAKERS, Rounds};
use crate::bench::table::Table;

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let sizes = options.prefixes(&[1_000_000]).into_iter();
    let case = |size| {
        let table = Table::new(Family::Ipv4, size, options.seed)?;
        let ways = (
            options.feeders.unwrap_or(2),
            options.receivers.unwrap_or(20),
        );
        options.table_case(&table, ways, &QUICK_SPEAKERS, Rounds::One)
    };
    sizes.map(case).collect()
}
