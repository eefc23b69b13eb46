//! Steward for all buildings, as a library: the hub's parts, for `main.rs` and for the product's tests.

pub mod accounts;
pub mod app;
pub mod config;
mod document;
pub mod gateways;
pub mod kernel;
pub mod link;
pub mod measures;
pub mod modules;
pub mod sites;
pub mod telemetry;
#[cfg(test)]
pub mod testing;
pub mod web;
