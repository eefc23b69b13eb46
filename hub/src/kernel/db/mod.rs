//! The hub's data layer: one SQL text for SQLite and PostgreSQL, called by every `store.rs`.
//! Parameters are `$1`, rows come out by serde from column names, broken constraints come out by name.
//! SQL never stands outside a `store.rs`; a value never becomes part of a statement's text.

mod claim;
mod deadline;
mod error;
mod handle;
mod lite;
mod migrate;
mod pg;
mod row;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod tx;
mod url;
mod value;

pub use claim::Claim;
pub use error::DbError;
pub use handle::Db;
pub use migrate::{Migration, check, migrate};
pub use tx::Tx;
pub use url::DatabaseUrl;
pub use value::{Blob, V};
