//! What the refinery says of a point or a device: in English for the log and for whoever reads it, and as the facts of
//! which a page makes a sentence in its reader's language (`how` chooses the sentence). Pure; the refinery tells it.

use std::collections::BTreeMap;

use super::book::Known;
use super::ledger::{Entry, What};
use super::plausible::{Doubt, power_of_ten};

/// A sentence and its facts. What is over needs none: its kind says it all.
pub(super) struct Said {
    pub detail: String,
    pub facts: BTreeMap<String, String>,
}

impl Said {
    pub fn over(detail: String) -> Self {
        Self { detail, facts: BTreeMap::new() }
    }

    fn of(detail: String, how: &str, facts: &[(&str, String)]) -> Self {
        let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone()));
        let how = (!how.is_empty()).then(|| ("how".to_owned(), how.to_owned()));
        Self { detail, facts: facts.chain(how).collect() }
    }
}

/// Why a value is doubted.
pub(super) fn doubted(known: &Known, value: f64, doubt: Doubt) -> Said {
    let (name, shown) = (known.name(), known.shown(value));
    let point = ("point", known.key.to_string());
    let what = ("shows", shown.clone());
    match doubt {
        Doubt::OutOfRange => {
            let limit = |limit: Option<f64>| limit.map_or("any".to_owned(), |limit| known.shown(limit));
            let (min, max) = (limit(known.rules.min), limit(known.rules.max));
            let detail = format!(
                "{name} shows {shown}, which it cannot be (least {min}, most {max}); are its profile and wiring right?"
            );
            let is_below = known.rules.min.is_some_and(|min| value < min);
            let (how, limit) = if is_below { ("below", min) } else { ("above", max) };
            Said::of(detail, how, &[point, what, ("limit", limit)])
        }
        Doubt::TooFast { from } => {
            let before = ("from", known.shown(from));
            let jumped = format!("{name} jumped from {} to {shown}", before.1);
            if let Some(times) = power_of_ten(from, value) {
                let detail =
                    format!("{jumped}: about {times} times apart: were its unit or its ratios changed?");
                Said::of(detail, "factor", &[point, what, before, ("times", times.to_string())])
            } else {
                let detail = format!("{jumped}: it cannot change so fast; check the sensor and its profile");
                Said::of(detail, "jump", &[point, what, before])
            }
        }
        Doubt::Stuck { since } => {
            let detail = format!("{name} has been exactly {shown} since {since}; is it still measured?");
            Said::of(detail, "stuck", &[point, what, ("since", since.to_string())])
        }
    }
}

/// A counter's value is held back. `total`: what was counted until then.
pub(super) fn held(known: &Known, value: f64, total: Option<f64>) -> Said {
    let (name, shown) = (known.name(), known.shown(value));
    let (point, what) = (("point", known.key.to_string()), ("shows", shown.clone()));
    match total.map(|total| known.shown(total)) {
        Some(total) => {
            let detail = format!(
                "{name} shows {shown}, which does not go on from a total of {total}; it is held back until its next \
                 values or a person say why (steward-edge ledger)"
            );
            Said::of(detail, "jump", &[point, what, ("total", total)])
        }
        None => Said::of(format!("{name} shows {shown}; it is held back"), "first", &[point, what]),
    }
}

/// A clock is this many seconds ahead of ours.
pub(super) fn clock_is_off(known: &Known, ahead: f64) -> Said {
    let (which, how) = if ahead > 0.0 { ("ahead of", "ahead") } else { ("behind", "behind") };
    let seconds = format!("{:.0}", ahead.abs());
    let detail = format!("the clock of {} is {seconds} s {which} this gateway's", known.device);
    Said::of(detail, how, &[("seconds", seconds)])
}

/// The ratio itself is another.
pub(super) fn ratio(known: &Known, factor: f64) -> Said {
    let times = format!("{factor:.4}");
    let detail = format!("{} is {times} times what it was", known.name());
    Said::of(detail, "ratio", &[("point", known.key.to_string()), ("times", times)])
}

/// What happened to a counter.
pub(super) fn entry(known: &Known, entry: &Entry) -> Said {
    let (name, before, after) = (known.name(), known.shown(entry.before), known.shown(entry.after));
    let (how, detail) = match entry.what {
        What::RolledOver => ("", format!("{name} went from {before} to {after}, past its last digit")),
        What::Replaced => (
            "values",
            format!("{name} ended with {before} and goes on from {after}; its values have gone on since"),
        ),
        What::Confirmed => {
            ("person", format!("{name} ended with {before} and goes on from {after}, as a person said"))
        }
        What::Ratio => ("counter", format!("{name} went from {before} to {after} with the ratio")),
    };
    Said::of(detail, how, &[("point", known.key.to_string()), ("from", before), ("to", after)])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use steward_shared::profile::Rules;

    use super::*;

    fn known() -> Known {
        Known {
            line: "l".into(),
            device: "main".into(),
            key: "power-factor".into(),
            unit: "",
            decimals: 2,
            period: Duration::from_secs(1),
            rules: Arc::new(Rules { min: Some(-1.0), max: Some(1.0), ..Rules::default() }),
            counter: None,
            role: None,
            derived: None,
        }
    }

    fn facts(said: &Said) -> Vec<(&str, &str)> {
        said.facts.iter().map(|(name, fact)| (name.as_str(), fact.as_str())).collect()
    }

    #[test]
    fn what_a_value_cannot_be_is_told_with_the_limit_that_it_breaks() {
        let (above, below) =
            (doubted(&known(), 2.36, Doubt::OutOfRange), doubted(&known(), -1.5, Doubt::OutOfRange));
        let wanted = [("how", "above"), ("limit", "1.00"), ("point", "power-factor"), ("shows", "2.36")];
        assert_eq!(facts(&above), wanted);
        assert_eq!(facts(&below)[..2], [("how", "below"), ("limit", "-1.00")]);
    }

    #[test]
    fn a_jump_by_ten_is_told_as_one_and_another_jump_is_not() {
        let ten = doubted(&known(), 0.9, Doubt::TooFast { from: 0.09 });
        assert!(facts(&ten).contains(&("how", "factor")) && facts(&ten).contains(&("times", "10")));
        assert!(facts(&doubted(&known(), 0.9, Doubt::TooFast { from: 0.5 })).contains(&("how", "jump")));
    }

    #[test]
    fn a_counter_that_is_held_back_is_told_with_what_was_counted() {
        let said = held(&known(), 99.5, Some(11.0));
        let wanted = [("how", "jump"), ("point", "power-factor"), ("shows", "99.50"), ("total", "11.00")];
        assert_eq!(facts(&said), wanted);
        assert!(said.detail.contains("steward-edge ledger"));
    }
}
