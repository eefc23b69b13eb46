//! Why columns cannot be written or read. The hub answers a body that fails here by setting it aside, so the
//! words stand in an operator's log.

/// The most readings in one body or chunk: what a decoder will at most allocate follows from it.
pub const MAX_READINGS: usize = 200_000;

#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("{0} readings in one body; the limit is {MAX_READINGS}, split them")]
    TooMany(usize),
    #[error("schema {0} of the columns is newer than this program; update it")]
    UnknownSchema(u32),
    #[error("the envelope of the columns is no valid CBOR")]
    Envelope(#[source] crate::wire::frame::FrameError),
    #[error("column {0} is damaged")]
    Damaged(&'static str),
}
