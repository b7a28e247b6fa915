//! Nexthops in the kernel: made where a hop needs one, made again when the
//! kernel has removed it with its link, deleted when no group uses it.

use std::collections::HashMap;
use std::io;

use bgp_core::rib::Hop;

use super::ids::{Chosen, Ids};
use super::paths::is_link_local;
use crate::netlink::nexthop::{self, Gateway, Object, Put};
use crate::netlink::{Batch, Refusal, Socket, route};

/// The kernel's side of the fast path.
pub(super) struct Objects {
    pub(super) socket: Socket,
    pub(super) batch: Batch,
    pub(super) protocol: u8,
    pub(super) ids: Ids,
    nexthops: HashMap<Gateway, Nexthop>,
    /// Hops of paths without a link, as the kernel's routes resolve them.
    resolved: HashMap<Hop, Gateway>,
}

struct Nexthop {
    id: u32,
    /// The kernel has it.
    present: bool,
}

impl Objects {
    /// Finds what an earlier run has left.
    pub(super) fn open(protocol: u8) -> io::Result<Self> {
        let (mut socket, mut batch) = (Socket::new()?, Batch::new());
        let mut ids = Ids::default();
        nexthop::dump(&mut batch);
        socket.dump(&mut batch, |message| {
            if let Some(seen) = nexthop::Seen::read(&message) {
                ids.found(seen.id, seen.protocol == protocol, seen.what);
            }
        })?;
        Ok(Self {
            socket,
            batch,
            protocol,
            ids,
            nexthops: HashMap::new(),
            resolved: HashMap::new(),
        })
    }

    /// Where a hop leads, as far as is known without asking the kernel.
    pub(super) fn gateway(&self, hop: &Hop, ifindex: Option<u32>) -> Option<Gateway> {
        match ifindex {
            Some(ifindex) => Some(Gateway {
                ifindex,
                address: hop.gateway,
            }),
            None => self.resolved.get(hop).copied(),
        }
    }

    /// The nexthop's id, if the kernel has it.
    pub(super) fn present(&self, gateway: &Gateway) -> Option<u32> {
        self.nexthops
            .get(gateway)
            .filter(|nexthop| nexthop.present)
            .map(|nexthop| nexthop.id)
    }

    pub(super) fn gateway_of(&self, id: u32) -> Option<Gateway> {
        let own = self
            .nexthops
            .iter()
            .find(|(_, nexthop)| nexthop.id == id)
            .map(|(gateway, _)| *gateway);
        own.or_else(|| match self.ids.leftover(id)? {
            Object::Gateway(gateway) => Some(*gateway),
            _ => None,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.nexthops
            .values()
            .filter(|nexthop| nexthop.present)
            .count()
    }

    /// Sees that the kernel has a nexthop for the hop.
    pub(super) fn ensure(&mut self, hop: &Hop, ifindex: Option<u32>) -> io::Result<Gateway> {
        let gateway = match self.gateway(hop, ifindex) {
            Some(gateway) => gateway,
            None => self.resolve(hop)?,
        };
        if !self.nexthops.contains_key(&gateway) {
            let nexthop = match self.ids.for_gateway(&gateway) {
                Chosen::TakenOver(id, _) => Nexthop { id, present: true },
                Chosen::New(id) => Nexthop { id, present: false },
            };
            self.nexthops.insert(gateway, nexthop);
        }
        self.make(&gateway)?;
        Ok(gateway)
    }

    /// Makes a nexthop that is not there.
    fn make(&mut self, gateway: &Gateway) -> Result<(), Refusal> {
        loop {
            let Some(nexthop) = self
                .nexthops
                .get_mut(gateway)
                .filter(|nexthop| !nexthop.present)
            else {
                return Ok(());
            };
            nexthop::put_gateway(
                &mut self.batch,
                nexthop.id,
                self.protocol,
                gateway,
                Put::New,
            );
            match self.socket.execute_one(&mut self.batch) {
                Ok(()) => nexthop.present = true,
                Err(refusal) if refusal.errno == libc::EEXIST => {
                    // Ours after all (a carrier that came back before the
                    // kernel saw it go), or someone else's of the same id.
                    match find(&mut self.socket, &mut self.batch, nexthop.id)? {
                        Some(seen)
                            if seen.protocol == self.protocol
                                && seen.what == Object::Gateway(*gateway) =>
                        {
                            nexthop.present = true;
                        }
                        _ => {
                            self.ids.is_foreign(nexthop.id);
                            let (Chosen::New(id) | Chosen::TakenOver(id, _)) =
                                self.ids.for_gateway(gateway);
                            nexthop.id = id;
                        }
                    }
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Makes the nexthops of a link that is up (or of all links) that are not
    /// there. `true`: some were made.
    pub(super) fn make_missing(&mut self, links: impl Fn(u32) -> bool) -> bool {
        let missing = self
            .nexthops
            .iter()
            .filter(|(gateway, nexthop)| !nexthop.present && links(gateway.ifindex));
        let missing: Vec<Gateway> = missing.map(|(gateway, _)| *gateway).collect();
        let mut made = false;
        for gateway in missing {
            match self.make(&gateway) {
                Ok(()) => made = true,
                Err(refusal) => tracing::debug!("no nexthop {} yet: {refusal}", gateway.address),
            }
        }
        made
    }

    /// Whether a nexthop is missing on a link that is up.
    pub(super) fn is_missing(&self, links: impl Fn(u32) -> bool) -> bool {
        self.nexthops
            .iter()
            .any(|(gateway, nexthop)| !nexthop.present && links(gateway.ifindex))
    }

    /// The kernel has removed the nexthops of a link.
    pub(super) fn lost_link(&mut self, ifindex: u32) {
        for (gateway, nexthop) in &mut self.nexthops {
            nexthop.present &= gateway.ifindex != ifindex;
        }
    }

    /// A nexthop was deleted by someone. `true`: it is ours.
    pub(super) fn lost(&mut self, id: u32) -> bool {
        let nexthop = self
            .nexthops
            .values_mut()
            .find(|nexthop| nexthop.id == id && nexthop.present);
        nexthop.map(|nexthop| nexthop.present = false).is_some()
    }

    /// Deletes a nexthop that is wanted again later. `true`: it is gone.
    pub(super) fn drop_member(&mut self, gateway: &Gateway) -> bool {
        let Some(nexthop) = self.nexthops.get_mut(gateway).filter(|one| one.present) else {
            return false;
        };
        nexthop::delete(&mut self.batch, nexthop.id);
        match self.socket.execute_one(&mut self.batch) {
            Ok(()) => nexthop.present = false,
            Err(refusal) if refusal.errno == libc::ENOENT => nexthop.present = false,
            Err(refusal) => {
                tracing::warn!("nexthop {} was not deleted: {refusal}", gateway.address)
            }
        }
        !nexthop.present
    }

    /// Whether the kernel has this nexthop or group of ours now.
    pub(super) fn exists(&mut self, id: u32) -> bool {
        let found = find(&mut self.socket, &mut self.batch, id);
        found.is_ok_and(|seen| seen.is_some_and(|seen| seen.protocol == self.protocol))
    }

    /// Looks which nexthops and groups of ours the kernel really has.
    pub(super) fn look_again(&mut self) -> io::Result<Vec<u32>> {
        let found = self.find_all()?;
        for (gateway, nexthop) in &mut self.nexthops {
            let is_there = |what: &Object| *what == Object::Gateway(*gateway);
            nexthop.present = found.get(&nexthop.id).is_some_and(is_there);
        }
        let is_group = |what: &Object| !matches!(what, Object::Gateway(_));
        let groups = found.iter().filter(|(_, what)| is_group(what));
        Ok(groups.map(|(id, _)| *id).collect())
    }

    /// Looks what is left of an earlier run; the groups of its that are gone.
    pub(super) fn look_at_leftovers(&mut self) -> io::Result<Vec<u32>> {
        let found = self.find_all()?;
        Ok(self.ids.look_at_leftovers(&found))
    }

    fn find_all(&mut self) -> io::Result<HashMap<u32, Object>> {
        let mut found = HashMap::new();
        nexthop::dump(&mut self.batch);
        self.socket.dump(&mut self.batch, |message| {
            let seen = nexthop::Seen::read(&message).filter(|seen| seen.protocol == self.protocol);
            found.extend(seen.map(|seen| (seen.id, seen.what)));
        })?;
        Ok(found)
    }

    /// Asks the kernel's routes where a hop leads: its path's link is not known
    /// (a peer several hops away).
    fn resolve(&mut self, hop: &Hop) -> io::Result<Gateway> {
        if is_link_local(hop.gateway) {
            let text = format!(
                "{} is a link-local address, and its path has no interface",
                hop.gateway
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        route::look_up(&mut self.batch, hop.gateway);
        let way = self
            .socket
            .ask(&mut self.batch, |message| route::WayOut::read(&message))?;
        let way = way.ok_or_else(|| io::Error::from_raw_os_error(libc::ENETUNREACH))?;
        let gateway = Gateway {
            ifindex: way.ifindex,
            address: way.gateway.unwrap_or(hop.gateway),
        };
        self.resolved.insert(*hop, gateway);
        Ok(gateway)
    }

    /// Forgets how hops without a link resolve: routes may have changed.
    pub(super) fn forget_resolved(&mut self) {
        self.resolved.clear();
    }

    /// Deletes nexthops that no group needs.
    pub(super) fn collect(&mut self, needed: impl Fn(&Gateway) -> bool) {
        let unused = |gateway: &Gateway, _: &mut Nexthop| !needed(gateway);
        for (_, nexthop) in self.nexthops.extract_if(unused) {
            self.ids.free(nexthop.id);
            if nexthop.present {
                nexthop::delete(&mut self.batch, nexthop.id);
            }
        }
        self.delete_batch();
    }

    /// Deletes by id; what is gone already is as it should be. How many went.
    pub(super) fn delete_all(&mut self, ids: impl IntoIterator<Item = u32>) -> io::Result<usize> {
        for id in ids {
            nexthop::delete(&mut self.batch, id);
        }
        let (asked, mut refused) = (self.batch.len(), 0);
        self.socket.execute(&mut self.batch, |_| refused += 1)?;
        Ok(asked - refused)
    }

    /// Takes all nexthops out of the books, by id.
    pub(super) fn take_all(&mut self) -> Vec<u32> {
        self.nexthops
            .drain()
            .map(|(_, nexthop)| nexthop.id)
            .collect()
    }

    pub(super) fn delete_batch(&mut self) {
        let done = self.socket.execute(&mut self.batch, |refusal| {
            tracing::debug!("a nexthop was not deleted: {refusal}")
        });
        if let Err(error) = done {
            tracing::warn!("nexthops were not deleted: {error}");
        }
    }
}

fn find(socket: &mut Socket, batch: &mut Batch, id: u32) -> Result<Option<nexthop::Seen>, Refusal> {
    nexthop::ask(batch, id);
    let found = socket.ask(batch, |message| nexthop::Seen::read(&message));
    found.map_err(|error| Refusal {
        index: 0,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
        text: Some(error.to_string()),
    })
}
