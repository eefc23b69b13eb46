//! Why something about a command is refused, or failed.

use crate::gateways::ca::CaError;
use crate::kernel::db::DbError;

/// Why something about a command is refused.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("there is no such command")]
    NoSuchCommand,
    #[error("there is no such point")]
    NoSuchPoint,
    #[error(
        "this point is not written from the hub: the gateway's file does not allow it; an engineer adds remote_write to \
         the device there"
    )]
    NotWritable,
    #[error("the gateway is not enrolled; nothing reaches it")]
    NotEnrolled,
    #[error("{detail}")]
    Field { pointer: &'static str, code: &'static str, detail: String },
    #[error("the command is {0} by now")]
    WrongState(&'static str),
    #[error("who asked for it cannot agree to it; another person must")]
    OwnRequest,
    #[error("who asked for it may not command devices any more; reject it, or ask anew")]
    RequesterMayNot,
    #[error("the order could not be signed")]
    Signing(#[from] CaError),
    #[error("the database failed")]
    Db(#[from] DbError),
}
