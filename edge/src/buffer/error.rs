//! Why the buffer cannot do what was asked.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    #[error("the folder {0} cannot be made; check who owns the folder above it")]
    Folder(PathBuf, #[source] std::io::Error),
    #[error("{0} is held by another steward-edge; stop that one, or give this one its own data folder")]
    InUse(PathBuf),
    #[error("{0} was written by a newer steward-edge (schema {1}); update this program")]
    NewerSchema(PathBuf, i64),
    #[error("sqlite {0} has a known fault in its write-ahead log; build with 3.51.3 or newer")]
    OldSqlite(&'static str),
    #[error("the disk is full: nothing is left that may be dropped")]
    DiskFull,
    #[error("the buffer's database failed")]
    Database(#[from] rusqlite::Error),
    #[error("readings could not be encoded")]
    Columns(#[from] steward_shared::wire::columns::ColumnsError),
    #[error("a stored message could not be written or read")]
    Message(#[from] steward_shared::wire::frame::FrameError),
    #[error("a file of the buffer could not be used")]
    File(#[source] std::io::Error),
    #[error("the buffer did not answer in time; the disk may be failing")]
    Slow,
    #[error("the buffer is closed")]
    Closed,
}

impl BufferError {
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull)
            || matches!(self, Self::Database(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
            || matches!(self, Self::File(e) if e.kind() == std::io::ErrorKind::StorageFull)
    }

    /// The disk refuses: what was to be written may be on it in part, and the kernel may take it for written.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Database(e) if matches!(
            e.sqlite_error_code(),
            Some(
                rusqlite::ErrorCode::SystemIoFailure
                    | rusqlite::ErrorCode::ReadOnly
                    | rusqlite::ErrorCode::CannotOpen
                    | rusqlite::ErrorCode::PermissionDenied
            )
        ))
    }

    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Database(e) if matches!(
            e.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
        ))
    }
}
