//! Steward for all buildings, as a library: the hub's parts, for `main.rs` and for the product's tests.

pub mod gateways;
pub mod kernel;
