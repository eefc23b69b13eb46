//! The module through its face and over HTTP, on both databases.

mod compaction;
mod fleet;
mod plant;
mod series;
