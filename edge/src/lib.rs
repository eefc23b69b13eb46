//! Steward on the gateway, as a library: the daemon's parts, for `main.rs` and for the product's tests.

pub mod line;
pub mod poll;
