//! Routes in the kernel: written in batches, read in dumps.

use std::io;

use bgp_core::{Family, config};
use ipnet::IpNet;

use crate::fastpath::{GroupId, is_group};
use crate::netlink::route::{self, Place, Put, Seen};
use crate::netlink::{Batch, Refusal, Socket};

pub(super) struct Kernel {
    pub(super) socket: Socket,
    batch: Batch,
    place: Place,
    /// What each request of the batch is about.
    asked: Vec<Request>,
    /// What the kernel has refused since this was last looked at.
    pub(super) refused: Vec<(Request, Refusal)>,
    pub(super) failures: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) prefix: IpNet,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Put,
    Delete,
}

impl Kernel {
    pub(super) fn open(kernel: &config::Kernel) -> io::Result<Self> {
        let place = Place {
            table: kernel.table,
            protocol: kernel.protocol,
            priority: kernel.metric,
        };
        Ok(Self {
            socket: Socket::new()?,
            batch: Batch::new(),
            place,
            asked: Vec::with_capacity(BATCH),
            refused: Vec::new(),
            failures: 0,
        })
    }

    /// Where our routes of a family are. IPv6 has no priority 0: the kernel
    /// takes it for its default.
    pub(super) fn place(&self, family: Family) -> Place {
        match family {
            Family::Ipv6 if self.place.priority == 0 => Place {
                priority: IPV6_DEFAULT_PRIORITY,
                ..self.place
            },
            Family::Ipv4 | Family::Ipv6 => self.place,
        }
    }

    pub(super) fn put(&mut self, prefix: &IpNet, group: GroupId, how: Put) {
        let place = self.place(Family::of(prefix.network()));
        route::put(&mut self.batch, &place, prefix, group.0, how);
        self.asked(prefix, What::Put);
    }

    /// Deletes the route, if it still points at this group.
    pub(super) fn delete(&mut self, prefix: &IpNet, group: GroupId) {
        let place = self.place(Family::of(prefix.network()));
        self.delete_at(prefix, &place, group);
    }

    pub(super) fn delete_at(&mut self, prefix: &IpNet, place: &Place, group: GroupId) {
        route::delete(&mut self.batch, place, prefix, group.0);
        self.asked(prefix, What::Delete);
    }

    fn asked(&mut self, prefix: &IpNet, what: What) {
        self.asked.push(Request {
            prefix: *prefix,
            what,
        });
        if self.asked.len() == BATCH {
            self.flush();
        }
    }

    /// Sends what is not sent yet, and waits until the kernel has done it.
    pub(super) fn flush(&mut self) {
        let (asked, refused) = (&self.asked, &mut self.refused);
        let done = self.socket.execute(&mut self.batch, |refusal| {
            let Some(request) = asked.get(refusal.index) else {
                return;
            };
            // Gone already is as good as deleted.
            if request.what != What::Delete || refusal.errno != libc::ESRCH {
                refused.push((*request, refusal));
            }
        });
        if let Err(error) = done {
            tracing::error!(
                "up to {} routes may not be in the kernel: {error}",
                self.asked.len()
            );
            self.failures += 1;
        }
        self.asked.clear();
    }

    /// Nothing was refused or has failed since this was last looked at.
    pub(super) fn is_obeyed(&self) -> bool {
        self.refused.is_empty() && self.failures == 0
    }

    /// Shows each route of ours that the kernel holds: of our table and
    /// protocol, and pointing at a group with an id of ours (another daemon may
    /// use the same protocol number). `Ok(false)`: the answer may be torn.
    pub(super) fn dump(&mut self, mut visit: impl FnMut(&Seen, GroupId)) -> io::Result<bool> {
        let mut whole = true;
        for family in Family::ALL {
            let place = self.place(family);
            route::dump(&mut self.batch, &place, family);
            let dumped = self.socket.dump(&mut self.batch, |message| {
                let Some(seen) = Seen::read(&message) else {
                    return;
                };
                let ours = seen.place.table == place.table && seen.place.protocol == place.protocol;
                match seen.nexthop {
                    Some(id) if ours && is_group(id) => visit(&seen, GroupId(id)),
                    _ => {}
                }
            });
            match dumped {
                Ok(consistent) => whole &= consistent,
                // A table that nothing was ever put into, or no such family.
                Err(error) if is_absence(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(whole)
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EAFNOSUPPORT)
    ) || matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported
    )
}

/// 512 messages a send cost 2.9 µs a route, 64 cost 3.3 µs, one costs 5.3 µs.
const BATCH: usize = 512;
/// IP6_RT_PRIO_USER.
const IPV6_DEFAULT_PRIORITY: u32 = 1024;

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Put => "take the route",
            Self::Delete => "delete the route",
        })
    }
}
