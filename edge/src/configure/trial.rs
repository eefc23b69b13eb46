//! Whether a configuration that is tried is kept or goes back. Pure: time and what is seen are handed in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a device fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub is_silent: bool,
    /// It has answered since its line was started.
    pub has_answered: bool,
    /// Some point of it is read within the trial.
    pub is_due: bool,
    /// Points of it that have a good value, of all that must have a new one within the watch.
    pub good: usize,
    pub points: usize,
}

/// What was, when it began, and how long it may take.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The hub must have let the gateway in by then, counted from when it was applied.
    pub reach: Duration,
    /// So long the devices are watched before anything is kept.
    pub watch: Duration,
    /// Of the devices whose lines were started anew, by name.
    pub before: BTreeMap<String, Seen>,
}

/// Why it goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worse {
    /// The hub was not reached in time.
    HubNotReached,
    /// These devices answered before, and now do not, or give less than half of what they gave.
    Devices(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wait,
    Keep,
    GoBack(Worse),
}

impl Trial {
    /// `since`: for how long it has been in force. `reached`: the hub has let the gateway in since then. `now`: the same
    /// devices as before; one that is configured no more is missing, and is nobody's loss.
    pub fn look(&self, since: Duration, reached: bool, now: &BTreeMap<String, Seen>) -> Verdict {
        if since >= self.watch {
            let worse: Vec<_> = now
                .iter()
                .filter(|(name, now)| self.before.get(*name).is_some_and(|before| is_worse(*before, **now)))
                .map(|(name, _)| name.clone())
                .collect();
            if !worse.is_empty() {
                return Verdict::GoBack(Worse::Devices(worse));
            }
            let mute: Vec<_> = now
                .iter()
                .filter(|(name, now)| {
                    let answered = |before: &Seen| before.has_answered && !before.is_silent;
                    now.is_due && !now.has_answered && self.before.get(*name).is_some_and(answered)
                })
                .map(|(name, _)| name.clone())
                .collect();
            if mute.is_empty() && reached {
                return Verdict::Keep;
            }
            if !mute.is_empty() && since >= self.reach {
                return Verdict::GoBack(Worse::Devices(mute));
            }
        }
        if since >= self.reach && !reached {
            return Verdict::GoBack(Worse::HubNotReached);
        }
        Verdict::Wait
    }
}

fn is_worse(before: Seen, now: Seen) -> bool {
    if before.is_silent || !before.has_answered {
        return false;
    }
    // Shares of good points, compared without fractions: less than half of the share of before.
    now.is_silent || 2 * now.good * before.points < before.good * now.points
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn seen(is_silent: bool, good: usize) -> BTreeMap<String, Seen> {
        BTreeMap::from([(
            "meter".to_owned(),
            Seen { is_silent, has_answered: good > 0, is_due: true, good, points: 10 },
        )])
    }

    fn trial(before: BTreeMap<String, Seen>) -> Trial {
        Trial { reach: 5 * MINUTE, watch: 2 * MINUTE, before }
    }

    #[test]
    fn a_configuration_that_cuts_the_network_goes_back_after_five_minutes() {
        let trial = trial(seen(false, 10));
        let almost = Duration::from_millis(5 * 60_000 - 1);
        assert_eq!(trial.look(almost, false, &seen(false, 10)), Verdict::Wait);
        let back = Verdict::GoBack(Worse::HubNotReached);
        assert_eq!(trial.look(5 * MINUTE, false, &seen(false, 10)), back);
        assert_eq!(trial.look(5 * MINUTE, true, &seen(false, 10)), Verdict::Keep);
    }

    #[test]
    fn nothing_is_kept_before_the_devices_were_watched() {
        let trial = trial(seen(false, 10));
        assert_eq!(trial.look(Duration::from_millis(2 * 60_000 - 1), true, &seen(false, 10)), Verdict::Wait);
        assert_eq!(trial.look(2 * MINUTE, true, &seen(false, 10)), Verdict::Keep);
    }

    #[test]
    fn a_device_that_is_read_seldom_has_until_the_end_of_the_trial_to_answer() {
        let slow = |has_answered, is_due| {
            BTreeMap::from([(
                "meter".to_owned(),
                Seen { is_silent: false, has_answered, is_due, good: 0, points: 0 },
            )])
        };
        let it = trial(slow(true, true));
        assert_eq!(it.look(2 * MINUTE, true, &slow(false, true)), Verdict::Wait);
        assert_eq!(it.look(3 * MINUTE, true, &slow(true, true)), Verdict::Keep);
        let back = Verdict::GoBack(Worse::Devices(vec!["meter".to_owned()]));
        assert_eq!(it.look(5 * MINUTE, true, &slow(false, true)), back);
        assert_eq!(
            it.look(2 * MINUTE, true, &slow(false, false)),
            Verdict::Keep,
            "not read within the trial"
        );
        let never = trial(slow(false, true));
        assert_eq!(never.look(2 * MINUTE, true, &slow(false, true)), Verdict::Keep, "nor before");
    }

    #[test]
    fn devices_that_answered_before_and_do_not_now_turn_it_back() {
        let (now, back) = (2 * MINUTE, Verdict::GoBack(Worse::Devices(vec!["meter".to_owned()])));
        assert_eq!(trial(seen(false, 10)).look(now, true, &seen(true, 10)), back, "silent");
        assert_eq!(trial(seen(false, 10)).look(now, true, &seen(false, 4)), back, "less than half");
        assert_eq!(trial(seen(false, 10)).look(now, true, &seen(false, 5)), Verdict::Keep, "half");
        assert_eq!(trial(seen(true, 10)).look(now, true, &seen(true, 0)), Verdict::Keep, "silent before");
        let slow = |is_silent| {
            BTreeMap::from([(
                "meter".to_owned(),
                Seen { is_silent, has_answered: true, is_due: true, good: 0, points: 0 },
            )])
        };
        assert_eq!(trial(slow(false)).look(now, true, &slow(false)), Verdict::Keep, "read too seldom");
        assert_eq!(trial(slow(false)).look(now, true, &slow(true)), back, "and silent all the same");
        assert_eq!(trial(seen(false, 0)).look(now, true, &seen(false, 0)), Verdict::Keep, "never answered");
        assert_eq!(trial(seen(false, 10)).look(now, true, &BTreeMap::new()), Verdict::Keep, "taken out");
    }
}
