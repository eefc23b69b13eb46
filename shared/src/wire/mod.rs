//! The way between a gateway and the hub: messages, frames on a stream, and readings in columns.

pub mod catalogue;
pub mod code;
pub mod columns;
pub mod command;
pub mod config;
mod depth;
pub mod frame;
pub mod message;
pub mod mux;
