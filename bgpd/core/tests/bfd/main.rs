//! BFD: packets of real daemons, the machine's table, and two speakers in memory
//! with a clock of their own.
#![allow(clippy::unwrap_used)]

mod captures;
mod properties;
mod table;
mod timers;
mod verdicts;
mod world;
