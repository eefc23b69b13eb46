//! What the hub itself has to tell of a gateway; what a gateway tells is `shared::alarm::Event`. Pages translate `kind`
//! and put the facts into the sentence; its `Display` is the same in English, for logs and for programs.

use serde::{Serialize, Serializer};
use steward_shared::id::GatewayId;
use steward_shared::wire::message::Lane;

use super::model::{EpochReason, NotAdmitted, kind};

/// Why batches are not at the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingWhy {
    /// By the gateway, before the hub got them.
    Dropped,
    /// By the hub, which was restored from a copy of before it acknowledged them.
    Forgotten,
}

/// The names and values of its fields are the facts in the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Happening {
    /// Away for longer than the off-delay.
    FellSilent {},
    CameBack {},
    Enrolled {
        host: String,
        address: String,
    },
    Revoked {
        by: String,
    },
    EpochBegan {
        epoch: u32,
        reason: EpochReason,
    },
    /// These sequences will not come any more.
    DataMissing {
        #[serde(serialize_with = "word")]
        lane: Lane,
        from: u64,
        to: u64,
        why: MissingWhy,
    },
    BatchQuarantined {
        #[serde(serialize_with = "word")]
        lane: Lane,
        /// Not known any more of a batch that was stored before.
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
        reason: String,
    },
    BatchForked {
        #[serde(serialize_with = "word")]
        lane: Lane,
        sequence: u64,
    },
    ReadingsTooLate {
        readings: usize,
    },
    /// The first batch in an hour of which so many were left out; `first` is an RFC 3339 instant.
    ReadingsOutOfTime {
        #[serde(serialize_with = "word")]
        lane: Lane,
        readings: usize,
        first: String,
    },
    /// Behind the hub's where it is negative.
    ClockDiffers {
        ahead_ms: i64,
    },
    LanePaused {
        #[serde(serialize_with = "word")]
        lane: Lane,
    },
    IdentityMismatch {
        claimed: GatewayId,
    },
    ClonedGateway {
        address: String,
    },
    RefusedCertificate {
        why: NotAdmitted,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn word<S: Serializer>(lane: &Lane, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(lane.word())
}

impl Happening {
    /// Its word in the API, in logs and in translations.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FellSilent {} | Self::CameBack {} => kind::GATEWAY_SILENT,
            Self::Enrolled { .. } => kind::ENROLLED,
            Self::Revoked { .. } => kind::REVOKED,
            Self::EpochBegan { .. } => kind::EPOCH_BEGAN,
            Self::DataMissing { .. } => kind::DATA_MISSING,
            Self::BatchQuarantined { .. } => kind::BATCH_QUARANTINED,
            Self::BatchForked { .. } => kind::BATCH_FORKED,
            Self::ReadingsTooLate { .. } => kind::READINGS_TOO_LATE,
            Self::ReadingsOutOfTime { .. } => kind::READINGS_OUT_OF_TIME,
            Self::ClockDiffers { .. } => kind::CLOCK_DIFFERS,
            Self::LanePaused { .. } => kind::LANE_PAUSED,
            Self::IdentityMismatch { .. } => kind::IDENTITY_MISMATCH,
            Self::ClonedGateway { .. } => kind::CLONED_GATEWAY,
            Self::RefusedCertificate { .. } => kind::REFUSED_CERTIFICATE,
        }
    }

    /// False for the end of what lasts.
    pub const fn is_active(&self) -> bool {
        !matches!(self, Self::CameBack {})
    }

    /// Whether somebody should look if this is an attack.
    pub const fn is_security(&self) -> bool {
        matches!(
            self,
            Self::BatchForked { .. }
                | Self::IdentityMismatch { .. }
                | Self::ClonedGateway { .. }
                | Self::RefusedCertificate { .. }
        )
    }

    /// A JSON object.
    pub fn facts(&self) -> String {
        serde_json::to_string(self).expect("words and numbers are JSON")
    }
}

impl std::fmt::Display for Happening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FellSilent {} => f.write_str("no connection for longer than the off-delay"),
            Self::CameBack {} => f.write_str("connected again"),
            Self::Enrolled { host, address } => write!(f, "by {host} from {address}"),
            Self::Revoked { by } => write!(f, "revoked by {by}"),
            Self::EpochBegan { epoch, reason } => write!(f, "epoch {epoch}: {}", reason.word()),
            Self::DataMissing { lane, from, to, why } => {
                let why = match why {
                    MissingWhy::Dropped => "were dropped by the gateway",
                    MissingWhy::Forgotten => {
                        "are missing at the hub, which acknowledged them before it was restored from a copy"
                    }
                };
                write!(f, "{} lane: {from} to {to} {why}", lane.word())
            }
            Self::BatchQuarantined { lane, sequence: Some(sequence), reason } => {
                write!(f, "{} lane, sequence {sequence}: {reason}", lane.word())
            }
            Self::BatchQuarantined { lane, sequence: None, reason } => {
                write!(f, "{} lane, a batch that was stored: {reason}", lane.word())
            }
            Self::BatchForked { lane, sequence } => {
                let lane = lane.word();
                write!(f, "{lane} lane, sequence {sequence}: it was received before with other content")
            }
            Self::ReadingsTooLate { readings } => {
                write!(f, "{readings} readings came after the samples of their hours were forgotten")
            }
            Self::ReadingsOutOfTime { lane, readings, first } => {
                let lane = lane.word();
                write!(
                    f,
                    "{lane} lane: {readings} readings of one batch, the first of {first}, and more are outside of any plant's time and were left out"
                )
            }
            Self::ClockDiffers { ahead_ms } => {
                let word = if *ahead_ms > 0 { "ahead of" } else { "behind" };
                let seconds = ahead_ms.unsigned_abs() / 1000;
                let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                write!(
                    f,
                    "its clock is {hours} h {minutes} min {seconds} s {word} the hub's; set the one that is wrong"
                )
            }
            Self::LanePaused { lane } => {
                let lane = lane.word();
                write!(
                    f,
                    "{lane} lane: nothing of what came last could be used; the gateway keeps the rest, one is tried each hour"
                )
            }
            Self::IdentityMismatch { claimed } => write!(f, "its hello claims to be {claimed}"),
            Self::ClonedGateway { address } => write!(f, "a second connection came from {address}"),
            Self::RefusedCertificate { why } => write!(f, "{why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_clocks_that_differ_says_by_how_much_and_which_one_is_ahead() {
        let words = "its clock is 1 h 2 min 3 s behind the hub's; set the one that is wrong";
        assert_eq!(Happening::ClockDiffers { ahead_ms: -3_723_999 }.to_string(), words);
        assert!(Happening::ClockDiffers { ahead_ms: 60_000 }.to_string().contains("0 h 1 min 0 s ahead of"));
    }

    #[test]
    fn the_facts_of_a_happening_are_an_object_of_words_and_numbers() {
        assert_eq!(Happening::FellSilent {}.facts(), "{}");
        let missing = Happening::DataMissing { lane: Lane::Live, from: 4, to: 9, why: MissingWhy::Dropped };
        assert_eq!(missing.facts(), r#"{"lane":"live","from":4,"to":9,"why":"dropped"}"#);
        let began = Happening::EpochBegan { epoch: 2, reason: EpochReason::NewBuffer };
        assert_eq!(began.facts(), r#"{"epoch":2,"reason":"new_buffer"}"#);
        let refused = Happening::RefusedCertificate { why: NotAdmitted::Superseded };
        assert_eq!(refused.facts(), r#"{"why":"superseded"}"#);
    }
}
