//! What every module of the hub stands on, and which knows no module.

pub mod audit;
pub mod base;
pub mod caller;
pub mod ctx;
pub mod db;
pub mod disk;
pub mod events;
pub mod faults;
pub mod files;
pub mod heartbeat;
pub mod http;
pub mod idempotency;
pub mod jobs;
pub mod module;
pub mod outbox;
pub mod page;
pub mod problem;
pub mod settings;
pub mod workers;

#[cfg(test)]
mod tests;
