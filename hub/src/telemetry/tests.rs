//! The module through its face and over HTTP, on both databases.

mod compaction;
mod ingest;
mod live;
mod plant;
mod series;
