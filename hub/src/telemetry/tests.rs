//! The module through its face and over HTTP, on both databases.

mod compaction;
mod ingest;
mod plant;
mod series;
