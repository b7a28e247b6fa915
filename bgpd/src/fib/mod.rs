//! Makes the kernel's routes agree with the RIB: the only owner of routes in
//! the kernel. A thread of its own, with an encoder for batches of netlink
//! messages. Routes point at nexthop groups, which [`crate::fastpath`] owns.
