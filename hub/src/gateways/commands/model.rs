//! What a command is to the hub and how it goes on. Pure.
//!
//! | state | becomes |
//! |---|---|
//! | awaiting_approval | queued (approved by another), rejected, cancelled, expired |
//! | queued | received, refused, expired, cancelled (before it was sent) |
//! | received | written, refused, expired, not_effective |
//! | written | confirmed, not_effective, relinquished |
//! | confirmed, not_effective | relinquished |
//! | refused, expired, rejected, cancelled, relinquished | - |
//!
//! From queued on, only the gateway's reports move it: what a gateway says has happened, whatever was thought here.

use serde::{Deserialize, Serialize};
use steward_shared::wire::command::{MAX_WHY, PRIORITIES, Stage};
use steward_shared::wire::message::CatalogueWrite;

use super::error::CommandError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A second person has to agree.
    AwaitingApproval,
    /// Signed, and not yet known to have arrived.
    Queued,
    Received,
    Written,
    Confirmed,
    /// It was written, and the point shows something else.
    NotEffective,
    /// By the gateway, with a reason.
    Refused,
    Expired,
    /// By the second person.
    Rejected,
    /// By a person, before it was sent.
    Cancelled,
    /// What stood before stands again, or somebody else has written since.
    Relinquished,
}

impl State {
    pub const ALL: [Self; 11] = [
        Self::AwaitingApproval,
        Self::Queued,
        Self::Received,
        Self::Written,
        Self::Confirmed,
        Self::NotEffective,
        Self::Refused,
        Self::Expired,
        Self::Rejected,
        Self::Cancelled,
        Self::Relinquished,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued => "queued",
            Self::Received => "received",
            Self::Written => "written",
            Self::Confirmed => "confirmed",
            Self::NotEffective => "not_effective",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Relinquished => "relinquished",
        }
    }

    /// Nothing of it stands at the device, and nothing will.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Refused | Self::Expired | Self::Rejected | Self::Cancelled | Self::Relinquished)
    }

    /// What a gateway's report makes of it; none where it stays as it is.
    pub const fn after(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Received => Some(Self::Received),
            Stage::Refused => Some(Self::Refused),
            Stage::Expired => Some(Self::Expired),
            Stage::Written => Some(Self::Written),
            Stage::Confirmed => Some(Self::Confirmed),
            Stage::NotEffective => Some(Self::NotEffective),
            Stage::Relinquished => Some(Self::Relinquished),
            Stage::NotRelinquished => None,
        }
    }
}

fn field(pointer: &'static str, code: &'static str, detail: impl Into<String>) -> CommandError {
    CommandError::Field { pointer, code, detail: detail.into() }
}

/// Words of a person, as they are kept and shown to others.
pub fn check_why(why: &str) -> Result<(), CommandError> {
    let fits = !why.trim().is_empty() && why.len() <= MAX_WHY && !why.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(field("/why", "bad_length", "say why, in up to 500 bytes of one line")) }
}

/// `codes` are those of a flag or an enumeration; a number has its range.
pub fn check_value(write: &CatalogueWrite, codes: &[i64], value: f64) -> Result<(), CommandError> {
    let in_range = |(min, max): (f64, f64)| (min..=max).contains(&value);
    let code = (value.fract() == 0.0).then_some(value as i64);
    let fits = match write.min.zip(write.max) {
        Some(range) => in_range(range),
        None if codes.is_empty() => matches!(code, Some(0 | 1)),
        None => code.is_some_and(|code| codes.contains(&code)),
    };
    if fits && value.is_finite() {
        return Ok(());
    }
    let detail = match write.min.zip(write.max) {
        Some((min, max)) => format!("write a value from {min} to {max}"),
        None => "choose one of the point's states".to_owned(),
    };
    Err(field("/value", "out_of_range", detail))
}

/// The priority of BACnet with which it is written; none for other languages.
pub fn check_priority(write: &CatalogueWrite, given: Option<u8>) -> Result<Option<u8>, CommandError> {
    match (write.priority, given) {
        (_, Some(given)) if !PRIORITIES.contains(&given) => {
            let detail = "commands have the priorities 7 to 16; 1 to 6 are for life safety and equipment";
            Err(field("/priority", "out_of_range", detail))
        }
        (None, Some(_)) => Err(field("/priority", "not_known", "only BACnet has priorities; leave it out")),
        (usual, given) => Ok(given.or(usual)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range() -> CatalogueWrite {
        CatalogueWrite {
            min: Some(16.0),
            max: Some(30.0),
            step: 0.1,
            time_boxed: false,
            two_persons: false,
            priority: None,
        }
    }

    #[test]
    fn a_value_is_in_its_range_or_among_its_states() {
        assert!(check_value(&range(), &[], 16.0).is_ok());
        assert!(check_value(&range(), &[], 30.1).is_err());
        assert!(check_value(&range(), &[], f64::NAN).is_err());
        let states = CatalogueWrite { min: None, max: None, ..range() };
        assert!(check_value(&states, &[], 1.0).is_ok() && check_value(&states, &[], 2.0).is_err());
        assert!(check_value(&states, &[3, 5], 5.0).is_ok() && check_value(&states, &[3, 5], 1.0).is_err());
    }

    #[test]
    fn fault_w1_a_priority_for_life_safety_is_nobodys_to_take() {
        let bacnet = CatalogueWrite { priority: Some(8), ..range() };
        assert_eq!(check_priority(&bacnet, None).unwrap(), Some(8));
        assert_eq!(check_priority(&bacnet, Some(16)).unwrap(), Some(16));
        for priority in [0, 1, 6, 17] {
            assert!(check_priority(&bacnet, Some(priority)).is_err(), "{priority}");
        }
        assert!(check_priority(&range(), Some(8)).is_err());
    }
}
