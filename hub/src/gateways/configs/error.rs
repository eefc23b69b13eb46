//! Why something about a configuration is refused, or failed.

use crate::gateways::ca::CaError;
use crate::kernel::db::DbError;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no such version")]
    NoSuchVersion,
    #[error("there is no such file")]
    NoSuchFile,
    #[error(
        "the gateway has not told its configuration yet: it has not come since it was enrolled, or its program is too old"
    )]
    NotTold,
    #[error(
        "this gateway is not configured from the hub: its own file does not allow it; an engineer writes configure = true \
         below [hub] there"
    )]
    NotOpen,
    #[error("the configuration of the gateway is too long to be changed from here")]
    TooLong,
    #[error("the gateway runs another configuration by now than the one that this was made from")]
    OtherBase { digest: String },
    #[error("version {0} is under way; wait for its end, or cancel it")]
    UnderWay(u64),
    #[error("this is what the gateway runs already")]
    NothingChanged,
    #[error("the gateway is not connected; it checks its configuration itself, so wait until it is back")]
    Away,
    #[error("the gateway did not answer in time; try again")]
    NoAnswer,
    #[error("the version is {0} by now")]
    WrongState(&'static str),
    #[error("{detail}")]
    Field { pointer: &'static str, code: &'static str, detail: String },
    #[error("the configuration could not be signed")]
    Signing(#[from] CaError),
    #[error("the database failed")]
    Db(#[from] DbError),
}
