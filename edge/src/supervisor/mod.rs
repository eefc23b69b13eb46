//! The owner of every task: lines, recorder, health, pages, uplink, publishers. It starts them, watches the gateway's
//! file, restarts what a change concerns and nothing else, and stops everything in order. Nothing but this
//! room spawns tasks.

mod catalogue;
mod configuring;
mod files;
mod health;
mod lines;
mod opening;
mod publishers;
mod recorder;
mod run;

pub use catalogue::read;
pub use run::{Setup, Supervisor, SupervisorError};

#[cfg(test)]
mod tests;
