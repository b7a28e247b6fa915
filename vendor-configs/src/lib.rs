//! One router's share of Direct Connect, written for the routers people have.
//!
//! A [`RouterPlan`] says what is asked for; [`Router::new`] checks it once;
//! [`render`] writes it for a [`Platform`], from the [`Templates`] in the
//! platform's folder, beside which its golden outputs stand. The texts filter in
//! both directions, limit prefixes, run BFD and set AWS's preference
//! communities; they announce exactly what was asked for.

pub mod indented;
pub mod junos;

mod check;
mod diff;
mod filters;
mod header;
mod lint;
mod plan;
mod platform;
mod quoting;
mod render;
mod template;
mod view;
mod words;

mod arista_eos;
mod bird;
mod cisco_ios;
mod cisco_ios_xe;
mod cisco_ios_xr;
mod cisco_nxos;
mod fortinet_fortios;
mod frr;
mod gobgp;
mod juniper_junos;
mod juniper_srx;
mod linux;
mod mikrotik_routeros;
mod openbgpd;
mod paloalto_panos;
mod vyos;

pub use check::{Mistake, Mistakes, Router, check_pair};
pub use diff::{Difference, DifferenceKind, Weight, diff};
pub use lint::{Finding, LintError, Severity, lint};
pub use plan::{Backup, Bfd, Limits, RouterLink, RouterPlan, Scope, Session, SessionKey, Timers};
pub use platform::{Platform, UnknownPlatform};
pub use render::{KeyText, Part, RenderError, Wanted, render};
pub use template::{TemplateError, Templates};
pub use words::{Description, HostName, InterfaceName, Name, VifId, VrfName};
