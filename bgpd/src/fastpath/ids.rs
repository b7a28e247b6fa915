//! Nexthop ids. Ours lie in ranges of their own, groups in 0x6000_0000 and
//! nexthops in 0x7000_0000 and the 2²⁸ ids from there on, and follow from what
//! the object stands for: after a restart the same pair of hops gets the same
//! group id, and a route that points at it needs no message at all. An id that
//! is in use by something else is passed over.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::netlink::nexthop::{Gateway, Object};

/// Which ids are in use, and by whom.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// This run's.
    own: HashSet<u32>,
    /// An earlier run's that this one has not taken over.
    leftovers: HashMap<u32, Object>,
    /// Leftover groups that the kernel has no more.
    lost: HashSet<u32>,
    /// Someone else's.
    foreign: HashSet<u32>,
}

/// An id that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The kernel has no such object yet.
    New(u32),
    /// The kernel has it from an earlier run.
    TakenOver(u32, Object),
}

impl Ids {
    /// Takes in an object found in the kernel at start.
    pub(super) fn found(&mut self, id: u32, ours: bool, object: Object) {
        if ours && is_ours(id) {
            self.leftovers.insert(id, object);
        } else {
            self.foreign.insert(id);
        }
    }

    /// Of the leftovers only these are there still, and so. The groups that are not.
    pub(super) fn look_at_leftovers(&mut self, found: &HashMap<u32, Object>) -> Vec<u32> {
        let gone = self.leftovers.extract_if(|id, object| {
            let now = found.get(id).cloned();
            now.map(|now| *object = now).is_none()
        });
        let gone: Vec<u32> = gone.map(|(id, _)| id).filter(|id| is_group(*id)).collect();
        self.lost.extend(&gone);
        gone
    }

    /// Whether the group was a leftover that is gone, once.
    pub(super) fn take_lost(&mut self, id: u32) -> bool {
        self.lost.remove(&id)
    }

    pub(super) fn has_leftovers(&self) -> bool {
        !self.leftovers.is_empty()
    }

    pub(super) fn leftover(&self, id: u32) -> Option<&Object> {
        self.leftovers.get(&id)
    }

    pub(super) fn for_gateway(&mut self, gateway: &Gateway) -> Chosen {
        let wanted = Object::Gateway(*gateway);
        self.choose(NEXTHOPS, hash(&[*gateway]), |object| *object == wanted)
    }

    /// `fits` says whether a leftover group may serve for these gateways.
    pub(super) fn for_group(
        &mut self,
        gateways: &[Gateway],
        fits: impl Fn(&Object) -> bool,
    ) -> Chosen {
        self.choose(GROUPS, hash(gateways), fits)
    }

    fn choose(&mut self, range: u32, hash: u32, fits: impl Fn(&Object) -> bool) -> Chosen {
        for probe in 0..=MASK {
            let id = range | (hash.wrapping_add(probe) & MASK);
            if self.own.contains(&id) || self.foreign.contains(&id) {
                continue;
            }
            match self.leftovers.get(&id) {
                Some(object) if !fits(object) => {}
                Some(_) => {
                    self.own.insert(id);
                    let object = self.leftovers.remove(&id).expect("invariant: just seen");
                    return Chosen::TakenOver(id, object);
                }
                None => {
                    self.own.insert(id);
                    return Chosen::New(id);
                }
            }
        }
        unreachable!("2^28 nexthop ids are in use")
    }

    /// An id that was chosen proves to be in use.
    pub(super) fn is_foreign(&mut self, id: u32) {
        self.own.remove(&id);
        self.foreign.insert(id);
    }

    pub(super) fn free(&mut self, id: u32) {
        self.own.remove(&id);
    }

    /// Forgets the leftovers and names them, groups first.
    pub(super) fn take_leftovers(&mut self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.leftovers.drain().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }
}

/// Whether an id lies in a range of ours.
pub const fn is_ours(id: u32) -> bool {
    is_group(id) || id & !MASK == NEXTHOPS
}

/// Whether an id lies in the range of our groups.
pub const fn is_group(id: u32) -> bool {
    id & !MASK == GROUPS
}

/// FNV-1a: the same in every run and version.
fn hash(gateways: &[Gateway]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |octets: &[u8]| {
        for octet in octets {
            hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for gateway in gateways {
        add(&gateway.ifindex.to_le_bytes());
        match gateway.address {
            IpAddr::V4(address) => add(&address.octets()),
            IpAddr::V6(address) => add(&address.octets()),
        }
    }
    (hash ^ (hash >> 32)) as u32
}

const GROUPS: u32 = 0x6000_0000;
const NEXTHOPS: u32 = 0x7000_0000;
const MASK: u32 = 0x0fff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(last: u8) -> Gateway {
        Gateway {
            ifindex: 3,
            address: [192, 0, 2, last].into(),
        }
    }

    #[test]
    fn the_same_gateway_gets_the_same_id_in_every_run() {
        let first = Ids::default().for_gateway(&gateway(1));
        assert_eq!(first, Ids::default().for_gateway(&gateway(1)));
        assert_ne!(first, Ids::default().for_gateway(&gateway(2)));
        let Chosen::New(id) = first else {
            panic!("nothing was there")
        };
        assert!(is_ours(id) && !is_group(id));
    }

    #[test]
    fn a_leftover_that_fits_is_taken_over_and_any_other_id_in_use_is_passed_over() {
        let Chosen::New(id) = Ids::default().for_gateway(&gateway(1)) else {
            panic!("nothing was there")
        };
        let mut ids = Ids::default();
        ids.found(id, true, Object::Gateway(gateway(1)));
        assert_eq!(
            ids.for_gateway(&gateway(1)),
            Chosen::TakenOver(id, Object::Gateway(gateway(1)))
        );

        let mut ids = Ids::default();
        ids.found(id, true, Object::Gateway(gateway(9)));
        ids.found(id + 1, false, Object::Other);
        assert_eq!(ids.for_gateway(&gateway(1)), Chosen::New(id + 2));
        assert_eq!(ids.take_leftovers(), [id]);
    }
}
