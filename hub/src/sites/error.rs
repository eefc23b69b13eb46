//! What a verb of this module answers when it does not do what was asked.

use super::model::Refusal;
use crate::kernel::db::DbError;
use crate::kernel::files::FileError;

#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Database(DbError),
    #[error(transparent)]
    File(#[from] FileError),
}

/// Broken constraints are refusals.
impl From<DbError> for SiteError {
    fn from(e: DbError) -> Self {
        match e {
            e if e.broke("sites_name") => Self::Refused(Refusal::NameTaken),
            e if e.broke("sites_code") => Self::Refused(Refusal::CodeTaken),
            DbError::Reference => Self::Refused(Refusal::NotEmpty),
            e => Self::Database(e),
        }
    }
}
