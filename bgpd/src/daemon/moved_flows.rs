//! Source addresses: which paths replace them, and what became of flows that were
//! moved.

use bgp_core::api::{EventKind, EvidenceItem};

use super::Daemon;
use super::journal::Weight;
use crate::nat::{self, Event};

impl Daemon {
    /// As the configuration has it.
    pub(super) fn set_nat(&mut self) {
        let Some(nat) = &self.parts.nat else { return };
        let ids = &mut self.ids;
        nat.configure(nat::Plan::of(&self.config, |name| ids.assign(name)));
    }

    pub(super) fn look_for_moved_flows(&self) {
        if let Some(nat) = &self.parts.nat {
            nat.look();
        }
    }

    pub(super) fn on_nat(&mut self, event: Event) {
        match event {
            Event::Refused(why) => self.journal.error("bgpd", why),
            Event::Restored(table) => self.journal.warn(
                "bgpd",
                format!("another program has removed nftables table inet {table}, as `nft flush ruleset` does: masquerading is made again"),
            ),
            Event::Flushed { flushed, .. } if flushed.deleted == 0 => {}
            Event::Flushed {
                from,
                to,
                flushed,
                took,
            } => {
                let name = self.ids.name(to);
                let text = format!(
                    "{} flows that came over from {} begin anew here, with another source address",
                    flushed.deleted,
                    self.ids.name(from)
                );
                let evidence = vec![
                    EvidenceItem {
                        what: "flows known".to_owned(),
                        value: flushed.seen.to_string(),
                    },
                    EvidenceItem {
                        what: "took".to_owned(),
                        value: format!("{took:?}"),
                    },
                ];
                self.journal
                    .tell(Weight::Info, EventKind::Swap, &name, text, evidence);
            }
        }
    }
}
