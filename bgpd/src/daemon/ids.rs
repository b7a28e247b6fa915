//! Names to [`PathId`]s, the same name always the same id.

use std::collections::HashMap;
use std::sync::Arc;

use bgp_core::PathId;

#[derive(Default)]
pub(super) struct Ids {
    by_name: HashMap<Arc<str>, PathId>,
    names: Vec<Arc<str>>,
}

impl Ids {
    /// The id of a name, given out now if it is new.
    pub(super) fn assign(&mut self, name: &Arc<str>) -> PathId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let next =
            u32::try_from(self.names.len()).expect("invariant: nobody configures 2^32 names");
        let id = PathId(next);
        self.names.push(name.clone());
        self.by_name.insert(name.clone(), id);
        id
    }

    pub(super) fn of(&self, name: &str) -> Option<PathId> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, id: PathId) -> Arc<str> {
        let known = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.names.get(index));
        known
            .cloned()
            .unwrap_or_else(|| format!("path {}", id.0).into())
    }
}
