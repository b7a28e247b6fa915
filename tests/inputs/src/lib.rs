//! What a hostile or broken peer may send, and what the RFCs let it cost: rows
//! made by rule (kind × position × length), and the recorded ones of
//! `tests/data`. Whoever has a speaker, in memory or a daemon, judges it by them.
//!
//! Nothing here knows how the speaker under test is written: what is permitted
//! comes from the RFC that a row names.
//!
//! The stage is always the same: the speaker is AS 65010 at 169.254.255.2, the
//! peer AS 7224 at 169.254.255.1 (or AS 65010 too, in [`Session::Internal`]).

mod attributes;
mod bytes;
mod dice;
mod framing;
mod given;
mod header;
mod multiprotocol;
mod mutation;
mod nlri;
mod open;
mod row;
mod rows;
mod states;

use std::path::PathBuf;

pub use bytes::{NEXT_HOP, PEER_AS, SPEAKER_AS, announcement, message};
pub use dice::Dice;
pub use given::{captured, recorded, seeds, table};
pub use mutation::{Attribute, Parted, mutate};
pub use row::{End, MED_BEFORE, Observed, Outcome, Route, Row, Session, Stage};

/// Every row made by rule, the same in every run.
pub fn by_rule() -> Vec<Row> {
    let mut rows = rows::Rows::default();
    header::add(&mut rows);
    open::add(&mut rows);
    states::add(&mut rows);
    framing::add(&mut rows);
    attributes::add(&mut rows);
    nlri::add(&mut rows);
    multiprotocol::add(&mut rows);
    rows.finish()
}

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "data", name]
        .iter()
        .collect()
}
