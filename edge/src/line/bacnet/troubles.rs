//! What is wrong with a line of MS/TP, in words, from what its node has counted. The owner looks now and then; each kind is
//! told when it begins and, while it goes on, again after a while.

use std::time::{Duration, Instant};

use steward_protocols::bacnet::mstp::Counts;

/// From one telling to the next of the same kind.
const AGAIN: Duration = Duration::from_mins(10);
/// Of so many frames one may be damaged: beyond, something is wrong with the line.
const ONE_IN: u64 = 100;
/// Fewer damaged frames than this may be a switch that was thrown.
const SOME: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Duplicate,
    Damaged,
    TokenLost,
    Unsent,
}

const KINDS: [Kind; 4] = [Kind::Duplicate, Kind::Damaged, Kind::TokenLost, Kind::Unsent];

#[derive(Debug)]
pub struct Troubles {
    mac: u8,
    before: Counts,
    told: [Option<Instant>; KINDS.len()],
}

const fn damaged(counts: &Counts) -> u64 {
    counts.bad_headers + counts.bad_data + counts.cut
}

impl Troubles {
    pub fn new(mac: u8) -> Self {
        Self { mac, before: Counts::default(), told: [None; KINDS.len()] }
    }

    /// What has gone wrong since the last look, and was not told lately.
    pub fn look(&mut self, counts: Counts, now: Instant) -> Vec<String> {
        let before = std::mem::replace(&mut self.before, counts);
        let mac = self.mac;
        let mut troubles = Vec::new();
        for (kind, told) in KINDS.into_iter().zip(&mut self.told) {
            if told.is_some_and(|at| now.saturating_duration_since(at) < AGAIN) {
                continue;
            }
            let trouble = match kind {
                Kind::Duplicate if counts.duplicates > before.duplicates => format!(
                    "somebody else speaks as station {mac}; give the gateway or the other another mac"
                ),
                Kind::Damaged => {
                    let bad = damaged(&counts) - damaged(&before);
                    let frames = counts.frames - before.frames;
                    if bad < SOME || bad * ONE_IN < frames + bad {
                        continue;
                    }
                    format!(
                        "{bad} of {} frames are damaged; check termination, shield and that all stations have one baud rate",
                        frames + bad
                    )
                }
                Kind::TokenLost if counts.lost > before.lost => {
                    "the token got lost; a station left the line, or two have one mac".to_owned()
                }
                Kind::Unsent if counts.unsent > before.unsent => {
                    "more is asked than the token lets through; raise max_info_frames, or poll more slowly"
                        .to_owned()
                }
                _ => continue,
            };
            *told = Some(now);
            troubles.push(trouble);
        }
        troubles
    }

    /// Why the token does not come to us, as far as can be told.
    pub fn shut_out(&self, counts: Counts) -> String {
        let mac = self.mac;
        if counts.frames == 0 || damaged(&counts) > counts.frames {
            "nothing on the line can be understood; check the baud rate and which wire is which".to_owned()
        } else {
            format!(
                "no master passes the token to station {mac}; raise Max_Master of the others to {mac}, or take a lower mac"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        use std::sync::OnceLock;
        static BEGINNING: OnceLock<Instant> = OnceLock::new();
        *BEGINNING.get_or_init(|| tokio::time::Instant::now().into_std()) + Duration::from_secs(seconds)
    }

    #[test]
    fn each_trouble_is_told_when_it_begins_and_not_at_every_look() {
        let mut troubles = Troubles::new(5);
        let mut counts = Counts { frames: 1000, bad_headers: 4, ..Counts::default() };
        assert!(troubles.look(counts, at(0)).is_empty());
        counts.duplicates = 3;
        let told = troubles.look(counts, at(5));
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("somebody else speaks as station 5"), "{told:?}");
        counts.duplicates = 9;
        counts.frames = 1900;
        counts.bad_data = 100;
        let told = troubles.look(counts, at(10));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("100 of 1000 frames are damaged"), "{told:?}");
        counts.duplicates = 12;
        assert_eq!(troubles.look(counts, at(700)).len(), 1);
    }
}
