//! A small world on one machine, to try and test Direct Connect in.

pub mod aws;
pub mod world;
