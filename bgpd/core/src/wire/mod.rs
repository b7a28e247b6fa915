//! Bytes to messages and back. Nobody else knows an offset.
//!
//! In: [`frame`] cuts one message off a buffer, [`decode`] makes it a
//! [`Message`] and lists what RFC 7606 had it repair. Out: [`encode`], and for
//! routes [`encode_announcement`], [`encode_withdrawal`] and
//! [`encode_end_of_rib`], which fill as many UPDATEs as it takes.
//!
//! RFC 4271 (BGP-4), 4760 (multiprotocol), 5492 and 9072 (capabilities), 6793
//! (four-octet AS), 7606 (what a malformed UPDATE costs), 8654 (extended
//! messages), 9003 (shutdown text), 2918 and 7313 (route refresh), 1997, 4360
//! and 8092 (communities), 4456 (route reflection's attributes).
//!
//! Whatever the bytes, nothing here may panic: no slice is indexed and no sum
//! is left unchecked.
#![deny(
    unsafe_code,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::exit,
    clippy::expect_used,
    clippy::get_unwrap,
    clippy::indexing_slicing,
    clippy::missing_asserts_for_indexing,
    clippy::panic,
    clippy::panic_in_result_fn,
    clippy::string_slice,
    clippy::todo,
    clippy::unchecked_time_subtraction,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_in_result,
    clippy::unwrap_used
)]

mod as_path;
mod attributes;
mod codec;
mod community;
mod frame;
pub mod iana;
mod malformed;
mod message;
mod notification;
mod open;
mod prefixes;
mod route_refresh;
mod update;

pub use as_path::{AsPath, AsPathSegment};
pub use attributes::{Aggregator, NextHop, Origin, PathAttributes, UnknownAttribute};
pub use codec::Codec;
pub use community::{Community, ExtendedCommunity, LargeCommunity, ParseCommunityError};
pub use frame::{Frame, frame};
pub use malformed::{Malformed, Treatment};
pub use message::{Decoded, EncodeError, Message, decode, encode};
pub use notification::Notification;
pub use open::{Capabilities, GracefulRestart, Open};
pub use prefixes::Prefixes;
pub use route_refresh::RouteRefresh;
pub use update::{Announcement, Update, encode_announcement, encode_end_of_rib, encode_withdrawal};

/// What a parser of one field answers: the rest, and the field. Its caller
/// knows what a failure costs, so failures carry nothing.
type Parsed<'a, T> = nom::IResult<&'a [u8], T, ()>;
