//! /api/v1/gateways.

mod fleet;
mod health;
mod setup;

pub use setup::module;
