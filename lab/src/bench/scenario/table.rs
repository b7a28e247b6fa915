//! IPv4 tables from two feeders to one receiver.

use bgp_core::Family;

use super::{ALL_SPEAKERS, Case, Options, Rounds};
use crate::bench::table::Table;

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let sizes = options.prefixes(&[100_000, 1_000_000]).into_iter();
    let case = |size| {
        let table = Table::new(Family::Ipv4, size, options.seed)?;
        let ways = (options.feeders.unwrap_or(2), options.receivers.unwrap_or(1));
        let rounds = if size > 300_000 {
            Rounds::One
        } else {
            Rounds::All
        };
        options.table_case(&table, ways, &ALL_SPEAKERS, rounds)
    };
    sizes.map(case).collect()
}
