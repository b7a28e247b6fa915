//! One Direct Connect link, written for the routers people have.
//!
//! A [`RouterLink`] says what the link is; [`render`] writes it for a
//! [`Platform`], from the template in the platform's folder, beside which
//! its golden outputs stand. The texts filter in both directions, limit
//! prefixes, run BFD and set AWS's preference communities; they announce
//! exactly what was asked for.

mod filters;
mod link;
mod platform;
mod render;

pub use link::{Mistake, Preference, RouterLink, Session};
pub use platform::{Platform, UnknownPlatform};
pub use render::{KeyText, RenderError, render};
