//! /api/v1/gateways and /api/v1/commands.

mod commands;
mod configs;
mod fleet;
mod health;
mod quarantine;
mod setup;

pub use setup::module;
