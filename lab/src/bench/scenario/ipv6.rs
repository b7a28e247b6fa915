//! IPv6 prefixes from two feeders to one receiver.

use bgp_core::Family;

use super::{ALL_SPEAKERS, Case, Options, Rounds};
use crate::bench::table::Table;

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let sizes = options.prefixes(&[200_000]).into_iter();
    let case = |size| {
        let table = Table::new(Family::Ipv6, size, options.seed)?;
        let ways = (options.feeders.unwrap_or(2), options.receivers.unwrap_or(1));
        options.table_case(&table, ways, &ALL_SPEAKERS, Rounds::All)
    };
    sizes.map(case).collect()
}
