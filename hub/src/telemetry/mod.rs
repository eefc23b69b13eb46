//! Points and their readings: what came by batch is kept in frames, compacted into hour chunks and rollups, and
//! answered as series; what somebody watches goes through at once.

mod chunk;
mod compact;
mod csv;
mod gaps;
mod hold;
mod ingest;
mod model;
mod readings;
mod rewrite;
mod rollup;
mod routes;
mod series;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod walk;
mod words;

pub use ingest::{Checked, IngestError, Opened, Receipt, check, is_in_time};
pub use model::Sample;
pub use readings::{Readings, Watching};
pub use rewrite::CompactError;
pub use routes::module;
pub use series::{Course, SeriesError, Span};
pub use store::MIGRATIONS;
