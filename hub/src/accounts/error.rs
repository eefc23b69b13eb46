//! What a verb of this module answers when it does not do what was asked.

use super::model::Refusal;
use crate::kernel::db::DbError;

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Database(#[from] DbError),
}
