//! The people who may log in: first administrator, log in and out, sessions, lockout, roles.
//!
//! Passwords are kept as argon2id, session tokens as hashes. Nothing here tells a stranger whether a name exists.

mod common;
mod error;
mod log_in;
mod manage;
mod model;
mod password;
mod routes;
mod sessions;
mod set_up;
mod store;
#[cfg(test)]
mod tests;

pub use error::AccountError;
pub use manage::{may_command, reset_password};
pub use model::User;
pub use routes::module;
