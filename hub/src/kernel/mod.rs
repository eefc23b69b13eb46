//! What every module of the hub stands on, and which knows no module.

pub mod caller;
pub mod ctx;
pub mod db;
pub mod events;
pub mod jobs;
pub mod module;
pub mod page;
pub mod problem;
pub mod settings;
