//! Netlink for routes, nexthops and nexthop groups, by an encoder of our own:
//! batches of messages in one send, refusals matched by sequence number, the
//! kernel's own words (extended ACK) in every error.
//!
//! [`Requests`] collects messages, [`Socket`] sends them and reads answers,
//! [`route`], [`nexthop`] and [`link`] know what is inside. `rtnetlink` serves
//! the `interface` module, where speed doesn't matter.

mod mailbox;

pub use mailbox::{Mailbox, Postbox, Taken, mailbox};
