//! Netlink for routes, nexthops and nexthop groups, by an encoder of our own:
//! batches of messages in one send, refusals matched by sequence number, the
//! kernel's own words (extended ACK) in every error.
//!
//! [`Batch`] collects requests, [`Socket`] sends them and reads the answers;
//! [`route`], [`nexthop`], [`link`], [`nftables`] and [`conntrack`] know what is inside. `rtnetlink` serves
//! the `interface` module, where speed doesn't matter. [`mailbox`] lets a
//! thread wait for its own queue and its sockets at once.

pub mod conntrack;
pub mod link;
pub mod nexthop;
pub mod nftables;
pub mod route;

mod mailbox;
mod message;
mod socket;

pub use mailbox::{Mailbox, Postbox, Taken, mailbox};
pub use message::{Attributes, Batch, Message, Messages};
pub use socket::{Notifications, Refusal, Socket};
