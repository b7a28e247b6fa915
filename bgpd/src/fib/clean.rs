//! Finds and removes what runs of bgpd have left in the kernel: for an operator
//! who takes bgpd off a machine.

use std::io;

use bgp_core::config;

use super::kernel::Kernel;
use crate::fastpath::{is_group, is_ours};
use crate::netlink::{Batch, Socket, nexthop};

/// What there is, or was, of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    pub routes: usize,
    /// Nexthops and groups.
    pub nexthops: usize,
}

/// Counts what [`clean`] would remove.
pub fn left_behind(kernel: &config::Kernel) -> io::Result<LeftBehind> {
    let mut routes = 0;
    Kernel::open(kernel)?.dump(|_, _| routes += 1)?;
    Ok(LeftBehind {
        routes,
        nexthops: nexthops(kernel.protocol)?.len(),
    })
}

/// Removes the routes, groups and nexthops that bgpd made, whether it runs or
/// not (it must not).
pub fn clean(kernel: &config::Kernel) -> io::Result<LeftBehind> {
    let mut routes = Vec::new();
    let mut requests = Kernel::open(kernel)?;
    requests.dump(|seen, group| routes.push((seen.prefix, seen.place, group)))?;
    for (prefix, place, group) in &routes {
        requests.delete_at(prefix, place, *group);
    }
    requests.flush();
    if let Some((request, refusal)) = requests.refused.first() {
        return Err(io::Error::other(format!(
            "the route to {} can't be deleted: {refusal}",
            request.prefix
        )));
    }
    let ids = nexthops(kernel.protocol)?;
    let (mut socket, mut batch) = (Socket::new()?, Batch::new());
    for id in &ids {
        nexthop::delete(&mut batch, *id);
    }
    // A group goes by itself with its last member.
    socket.execute(&mut batch, |_| {})?;
    Ok(LeftBehind {
        routes: routes.len(),
        nexthops: ids.len(),
    })
}

/// The ids of our nexthops, groups first.
fn nexthops(protocol: u8) -> io::Result<Vec<u32>> {
    let (mut socket, mut batch) = (Socket::new()?, Batch::new());
    let mut ids = Vec::new();
    nexthop::dump(&mut batch);
    socket.dump(&mut batch, |message| {
        ids.extend(
            nexthop::Seen::read(&message)
                .filter(|seen| seen.protocol == protocol && is_ours(seen.id))
                .map(|seen| seen.id),
        );
    })?;
    ids.sort_by_key(|id| (!is_group(*id), *id));
    Ok(ids)
}
