//! Steward on the gateway, as a library: the daemon's parts, for `main.rs` and for the product's tests.

pub mod alarm;
pub mod buffer;
mod chinese;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod configure;
pub mod control;
pub mod doctor;
pub mod evidence;
pub mod health;
pub mod hold;
pub mod lab;
pub mod lend;
pub mod line;
pub mod lint;
mod numbered;
mod owner;
pub mod poll;
pub mod publish;
pub mod refine;
pub mod supervisor;
mod texts;
pub mod uplink;
