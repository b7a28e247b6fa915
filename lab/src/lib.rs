//! A small world on one machine, to try and test Direct Connect in.

pub mod aws;
pub mod bench;
pub mod control;
pub mod demo;
pub mod foreign;
pub mod interrupt;
pub mod wait;
pub mod world;
