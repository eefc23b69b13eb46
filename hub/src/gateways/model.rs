//! What a gateway is to the hub, and the rules of its sync: when an epoch begins, what becomes of a batch. Pure.
//!
//! | batch's sequence | its hash | becomes |
//! |---|---|---|
//! | watermark + 1 | - | new: stored, watermark moves in the same transaction |
//! | up to the watermark | as remembered, or too old to be remembered | duplicate: acknowledged again |
//! | up to the watermark | another | fork: kept aside, told as a security event |
//! | beyond watermark + 1 | - | gap: nothing is applied, the watermark is answered |

use steward_shared::id::{BufferId, GatewayId};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{Hello, Lane, LaneState, PointKind};

/// How many hashes of the last batches of a lane are remembered, and how much of each.
const REMEMBERED: usize = 64;
const REMEMBERED_BYTES: usize = 8;

/// Which batch of whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub gateway: GatewayId,
    pub epoch: u32,
    pub lane: Lane,
    pub seq: u64,
}

/// By which road a gateway's connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoadKind {
    Quic,
    /// UDP did not come through when it connected.
    Tcp,
}

impl RoadKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }
}

/// Letters of a text that a gateway sends.
const MAX_WORDS: usize = 500;

/// A text of a gateway as it is kept: of one line and of bounded length, whatever the gateway put into it.
pub fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    New,
    Duplicate,
    /// It was received before with other content.
    Fork,
    /// What comes before it is missing; the hub has everything up to here.
    Gap(u64),
}

/// The sequence up to which a lane is at the hub, and the hashes of its last batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub seq: u64,
    /// Beginnings of hashes, the last one that of `seq`.
    pub recent: Vec<u8>,
}

impl Mark {
    pub fn standing(&self, seq: u64, hash: &[u8]) -> Standing {
        if seq == self.seq + 1 {
            return Standing::New;
        }
        if seq > self.seq {
            return Standing::Gap(self.seq);
        }
        let back = usize::try_from(self.seq - seq).unwrap_or(usize::MAX);
        match self.recent.chunks_exact(REMEMBERED_BYTES).rev().nth(back) {
            Some(remembered) if remembered != beginning(hash) => Standing::Fork,
            _ => Standing::Duplicate,
        }
    }

    /// The beginning of the hash at the watermark; none where it is not remembered.
    pub fn newest(&self) -> Option<&[u8]> {
        self.recent.chunks_exact(REMEMBERED_BYTES).next_back()
    }

    /// With the next batch received.
    #[must_use]
    pub fn after(&self, hash: &[u8]) -> Self {
        let mut recent = self.recent.clone();
        recent.extend(beginning(hash));
        let surplus = recent.len().saturating_sub(REMEMBERED * REMEMBERED_BYTES);
        recent.drain(..surplus);
        Self { seq: self.seq + 1, recent }
    }
}

fn beginning(hash: &[u8]) -> [u8; REMEMBERED_BYTES] {
    let mut out = [0; REMEMBERED_BYTES];
    for (o, b) in out.iter_mut().zip(hash) {
        *o = *b;
    }
    out
}

/// Why an epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochReason {
    /// The gateway's first.
    First,
    /// A database that the hub has not seen: new, or the gateway was set up again.
    NewBuffer,
    /// The gateway's database is older than what the hub has of it: restored from a copy.
    Restored,
}

impl EpochReason {
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::NewBuffer => "new_buffer",
            Self::Restored => "restored",
        }
    }
}

/// Whether a new epoch begins with this hello. `known` are the marks of the last epoch of its buffer, if the hub
/// has seen that buffer; `any` tells whether it has seen any of the gateway.
pub fn begins_epoch(hello: &Hello, known: Option<&[(Lane, u64)]>, any: bool) -> Option<EpochReason> {
    match known {
        None if any => Some(EpochReason::NewBuffer),
        None => Some(EpochReason::First),
        Some(marks) => {
            let behind =
                hello.all_lanes().any(|l| marks.iter().any(|(lane, seq)| *lane == l.lane && l.last < *seq));
            behind.then_some(EpochReason::Restored)
        }
    }
}

/// The sequences that a gateway has not any more and the hub never got: from the mark's next to the first held.
pub fn missing(mark: u64, held: &LaneState) -> Option<(u64, u64)> {
    (held.first > mark + 1).then(|| (mark + 1, held.first - 1))
}

/// One life of a gateway's database at the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    pub number: u32,
    pub buffer: BufferId,
    /// Hash of the catalogue that the hub has of it.
    pub catalogue: Option<Vec<u8>>,
}

/// Stored state; whether an enrolled one is there is known by its presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolment {
    Pending,
    Enrolled,
    Revoked,
}

impl Enrolment {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Enrolled => "enrolled",
            Self::Revoked => "revoked",
        }
    }
}

/// The word of the API for a gateway's state.
pub const fn state_word(enrolment: Enrolment, online: bool) -> &'static str {
    match (enrolment, online) {
        (Enrolment::Pending, _) => "pending",
        (Enrolment::Revoked, _) => "revoked",
        (Enrolment::Enrolled, true) => "online",
        (Enrolment::Enrolled, false) => "offline",
    }
}

/// Why a certificate that the CA signed is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NotAdmitted {
    #[error("the hub has no such gateway; enrol it")]
    Unknown,
    #[error("the gateway is revoked; enrol it with a new code")]
    Revoked,
    #[error("the gateway was enrolled anew; this is the certificate of before")]
    Superseded,
}

/// Whether a certificate that goes back to the enrolment of `by` is let in. One of a later enrolment than the hub knows
/// of is: the hub was restored from a copy of before it.
pub fn admit(state: Enrolment, enrolled_at: Option<Timestamp>, by: Timestamp) -> Result<(), NotAdmitted> {
    match (state, enrolled_at) {
        (Enrolment::Revoked, _) => Err(NotAdmitted::Revoked),
        (_, None) => Err(NotAdmitted::Unknown),
        (_, Some(last)) if by < last => Err(NotAdmitted::Superseded),
        _ => Ok(()),
    }
}

/// The words of the hub's own events about a gateway; those of a gateway are `shared::alarm::EventKind`'s.
pub mod kind {
    /// The gateway is away for longer than the off-delay; `active` turns false when it is back.
    pub const GATEWAY_SILENT: &str = "gateway_silent";
    pub const ENROLLED: &str = "gateway_enrolled";
    pub const REVOKED: &str = "gateway_revoked";
    pub const EPOCH_BEGAN: &str = "epoch_began";
    /// The gateway dropped what the hub had not got yet.
    pub const DATA_MISSING: &str = "data_missing";
    pub const BATCH_QUARANTINED: &str = "batch_quarantined";
    /// Readings came after the samples of their hours were forgotten, and were left out.
    pub const READINGS_TOO_LATE: &str = "readings_too_late";
    /// Readings of instants that no clock should show were left out: the gateway's clock was wrong, and is not any more.
    pub const READINGS_OUT_OF_TIME: &str = "readings_out_of_time";
    /// The gateway's clock is ahead of the hub's or behind it.
    pub const CLOCK_DIFFERS: &str = "clock_differs";
    /// Too many batches in a row could not be used: the gateway keeps the rest.
    pub const LANE_PAUSED: &str = "lane_paused";
    /// Security: a certificate of one gateway, the claim to be another.
    pub const IDENTITY_MISMATCH: &str = "identity_mismatch";
    /// Security: two live connections with one identity.
    pub const CLONED_GATEWAY: &str = "cloned_gateway";
    /// Security: one sequence with two contents.
    pub const BATCH_FORKED: &str = "batch_forked";
    /// Security: a revoked or superseded certificate was used.
    pub const REFUSED_CERTIFICATE: &str = "refused_certificate";
}

pub const fn kind_word(kind: PointKind) -> &'static str {
    match kind {
        PointKind::Gauge => "gauge",
        PointKind::Counter => "counter",
        PointKind::Flag => "flag",
        PointKind::Enumeration => "enumeration",
        PointKind::Text => "text",
    }
}

/// The inverse of `kind_word`; a word of a newer program is shown as a gauge.
pub fn kind_of(word: &str) -> PointKind {
    match word {
        "counter" => PointKind::Counter,
        "flag" => PointKind::Flag,
        "enumeration" => PointKind::Enumeration,
        "text" => PointKind::Text,
        _ => PointKind::Gauge,
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::{BootId, RandomIds};

    use super::*;

    fn hello(last: u64) -> Hello {
        Hello {
            protocol: 1,
            gateway: GatewayId::new(&RandomIds),
            version: "0.1.0".into(),
            buffer: BufferId::new(&RandomIds),
            epoch: 1,
            lanes: vec![LaneState { lane: Lane::Live, first: 1, last, acked: 0 }],
            catalogue: vec![],
            boot: BootId::new(&RandomIds),
            now: Timestamp(0),
            more_lanes: vec![],
        }
    }

    #[test]
    fn the_next_batch_is_new_an_old_one_a_duplicate_and_a_later_one_a_gap() {
        let mark = Mark::default().after(b"hash of one").after(b"hash of two");
        assert_eq!(mark.standing(3, b"x"), Standing::New);
        assert_eq!(mark.newest(), Some(&b"hash of "[..]));
        assert_eq!(Mark::default().newest(), None);
        assert_eq!(mark.standing(2, b"hash of two"), Standing::Duplicate);
        assert_eq!(mark.standing(4, b"x"), Standing::Gap(2));
    }

    #[test]
    fn a_sequence_with_other_content_is_a_fork() {
        let mut mark = Mark::default();
        for seq in 1..=100_u64 {
            mark = mark.after(&seq.to_be_bytes());
        }
        assert_eq!(mark.standing(100, &99_u64.to_be_bytes()), Standing::Fork);
        assert_eq!(mark.standing(37, &37_u64.to_be_bytes()), Standing::Duplicate);
        assert_eq!(mark.standing(37, &0_u64.to_be_bytes()), Standing::Fork);
        assert_eq!(mark.standing(1, &0_u64.to_be_bytes()), Standing::Duplicate, "forgotten by then");
        assert_eq!(mark.recent.len(), REMEMBERED * REMEMBERED_BYTES);
    }

    #[test]
    fn fault_y4_a_restored_buffer_begins_a_new_epoch_and_a_known_one_goes_on() {
        assert_eq!(begins_epoch(&hello(9), None, false), Some(EpochReason::First));
        assert_eq!(begins_epoch(&hello(9), None, true), Some(EpochReason::NewBuffer));
        assert_eq!(begins_epoch(&hello(9), Some(&[(Lane::Live, 9)]), true), None);
        assert_eq!(begins_epoch(&hello(9), Some(&[(Lane::Live, 10)]), true), Some(EpochReason::Restored));
    }

    #[test]
    fn what_a_gateway_dropped_is_named() {
        let held = LaneState { lane: Lane::Live, first: 10, last: 12, acked: 3 };
        assert_eq!(missing(3, &held), Some((4, 9)));
        assert_eq!(missing(9, &held), None);
        assert_eq!(missing(11, &held), None);
    }

    #[test]
    fn a_certificate_of_before_the_last_enrolment_is_not_let_in() {
        let enrolled = Some(Timestamp(10_500));
        assert_eq!(admit(Enrolment::Enrolled, enrolled, Timestamp(10_500)), Ok(()));
        assert_eq!(admit(Enrolment::Enrolled, enrolled, Timestamp(10_501)), Ok(()));
        assert_eq!(admit(Enrolment::Enrolled, enrolled, Timestamp(10_499)), Err(NotAdmitted::Superseded));
        assert_eq!(admit(Enrolment::Revoked, enrolled, Timestamp(10_500)), Err(NotAdmitted::Revoked));
        assert_eq!(admit(Enrolment::Pending, None, Timestamp(10_500)), Err(NotAdmitted::Unknown));
    }
}
