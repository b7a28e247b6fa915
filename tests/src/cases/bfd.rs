//! BFD against BIRD's and FRR's (RFC 5880 to RFC 5883, RFC 9384).

mod frr;
mod keys;
mod story;
mod theirs;

use bgp_core::Family;

use super::Case;
use theirs::Kind;

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in [Kind::Bird, Kind::Frr] {
        for family in Family::ALL {
            cases.push(Case::new(
                format!("bfd with {} over {family}", kind.name()),
                move |bench| story::run(bench, kind, family),
            ));
        }
    }
    cases.push(Case::new("bfd over several hops", story::over_several_hops));
    cases.push(Case::new(
        "bfd is taken down by FRR's operator and BGP is not",
        frr::administrative_down,
    ));
    cases.push(Case::new(
        "bfd is authenticated as BIRD does, and strict BGP waits for it",
        keys::all_methods,
    ));
    cases
}
