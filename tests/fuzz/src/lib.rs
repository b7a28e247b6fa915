//! What must hold whatever the input; a target of its own for each module. An
//! input that breaks it panics.

pub mod config;
pub mod machine;
pub mod wire;
