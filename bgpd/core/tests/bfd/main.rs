//! BFD: packets of real daemons, the machine's table, and two speakers in memory
//! with a clock of their own.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test's time has to begin somewhere"
)]

mod captures;
mod properties;
mod table;
mod timers;
mod verdicts;
mod world;
