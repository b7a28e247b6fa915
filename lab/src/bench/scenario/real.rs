//! A real table as somebody's router sent it in 2015, from two feeders to one
//! receiver.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bgp_core::Family;
use bgp_core::wire::{Announcement, NextHop, encode_announcement, encode_withdrawal};
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

use super::{ALL_SPEAKERS, Case, Options, Rounds};
use crate::bench::course::{Course, Feeder};
use crate::bench::lane::{Neighbor, Takes};
use crate::bench::speaker::Programs;
use crate::bench::{mrt, session, table};

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let announced = mrt::announcements(Path::new(TABLE))?;
    let prefixes = distinct(&announced);
    let withdrawals = withdrawals(&prefixes);
    let feeder = |number| {
        let neighbor = Neighbor::new(Family::Ipv4, number, Takes::Everything);
        Ok(Feeder {
            neighbor,
            announcements: announcements(&announced, &neighbor)?,
            withdrawals: withdrawals.clone(),
        })
    };
    let feeders: anyhow::Result<Vec<_>> = (1..=FEEDERS).map(feeder).collect();
    let course = Course {
        feeders: feeders?,
        receivers: vec![Neighbor::new(Family::Ipv4, FEEDERS + 1, Takes::Everything)],
        prefixes: prefixes.len(),
        patience: options.patience,
    };
    let title = format!(
        "{} prefixes of AS 3856 in 2015, {FEEDERS} feeders, 1 receiver",
        prefixes.len()
    );
    let round = move |speaker, programs: &Programs| course.run(speaker, programs);
    let entrants = options.entrants(&ALL_SPEAKERS, Rounds::One, round);
    Ok(vec![Case::new(title, entrants)])
}

/// As this neighbor would have passed it on: its AS in front, itself as next hop.
fn announcements(announced: &[Announcement], neighbor: &Neighbor) -> anyhow::Result<Bytes> {
    let codec = session::codec(Family::Ipv4);
    let mut out = BytesMut::new();
    for Announcement {
        attributes,
        prefixes,
    } in announced
    {
        let mut attributes = Arc::unwrap_or_clone(Arc::clone(attributes));
        attributes.as_path.prepend(neighbor.asn, 1);
        attributes.next_hop = NextHop::from(neighbor.address);
        encode_announcement(&attributes, prefixes, &codec, &mut out)?;
    }
    Ok(out.freeze())
}

/// Each prefix once, in the order in which they came.
pub(crate) fn distinct(announced: &[Announcement]) -> Vec<IpNet> {
    let mut seen = HashSet::new();
    let all = announced.iter().flat_map(|one| one.prefixes.iter());
    all.filter(|prefix| seen.insert(*prefix)).collect()
}

fn withdrawals(prefixes: &[IpNet]) -> Bytes {
    let mut out = BytesMut::new();
    let prefixes = table::of_family(Family::Ipv4, prefixes);
    encode_withdrawal(&prefixes, &session::codec(Family::Ipv4), &mut out);
    out.freeze()
}

pub(crate) const TABLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/data/updates.et-header.2015.gz"
);
const FEEDERS: u16 = 2;
