//! Why a request has no answer that can be used. A device that says no is told apart from one that says nothing.

use steward_shared::reading::Quality;

use crate::bacnet::apdu::{abort, reject};
use crate::bacnet::object::ServiceError;
use crate::bacnet::tag::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no reply to {0} requests")]
    NoReply(u8),
    #[error("the device refuses: {0}")]
    Refused(ServiceError),
    #[error("the device rejects the request: {}", reject::word(*.0))]
    Rejected(u8),
    #[error("the device aborts: {}", abort::word(*.0))]
    Aborted(u8),
    #[error("the answer breaks off between two segments")]
    Stalled,
    #[error("the answer is longer than {0} bytes; ask for less at once")]
    TooMuch(usize),
    #[error("the reply cannot be believed: {0}")]
    BadReply(Fault),
    #[error("the request is longer than the {0} bytes that the device takes")]
    TooLong(u16),
    #[error("too many requests wait for the device; ask again later")]
    Busy,
    #[error("the request waited too long for its turn")]
    Expired,
    #[error("the router cannot reach network {network} (reason {reason})")]
    NoRoute { network: u16, reason: u8 },
}

impl Failure {
    /// Whether less at once may be answered where this was not.
    pub const fn is_too_long(self) -> bool {
        match self {
            Self::Refused(error) => error.is_too_long(),
            Self::Rejected(reason) => matches!(reason, reject::BUFFER_OVERFLOW | reject::TOO_MANY_ARGUMENTS),
            Self::Aborted(reason) => matches!(
                reason,
                abort::BUFFER_OVERFLOW
                    | abort::SEGMENTATION_NOT_SUPPORTED
                    | abort::APDU_TOO_LONG
                    | abort::TSM_TIMEOUT
            ),
            Self::Stalled | Self::TooMuch(_) | Self::TooLong(_) => true,
            _ => false,
        }
    }

    /// Whether the device itself has said something.
    pub const fn was_answered(self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Rejected(_) | Self::Aborted(_) | Self::BadReply(_) | Self::TooMuch(_)
        )
    }

    /// What a reading is worth that was to come of it.
    pub const fn quality(self) -> Quality {
        match self {
            Self::NoReply(_) | Self::Expired | Self::Busy => Quality::NoReply,
            Self::Refused(_) | Self::Rejected(_) | Self::Aborted(_) => Quality::Refused(0),
            Self::NoRoute { .. } => Quality::LineDown,
            Self::Stalled | Self::TooMuch(_) | Self::BadReply(_) | Self::TooLong(_) => Quality::BadReply,
        }
    }
}
