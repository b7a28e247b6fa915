//! Peers and strangers at their worst: they stall, flood, connect without end, stop
//! half-way, and lie in wait in every state. Neighbors that behave, and operators,
//! notice nothing.

mod clients;
mod connections;
mod floods;
mod halves;
mod neighbourhood;
mod stalls;

use super::Case;

pub(super) fn all() -> Vec<Case> {
    let parts = [
        stalls::all(),
        floods::all(),
        halves::all(),
        connections::all(),
        clients::all(),
    ];
    parts.into_iter().flatten().collect()
}
