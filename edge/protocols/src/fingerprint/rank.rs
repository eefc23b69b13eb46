//! What the weights of all profiles come to: which is likeliest, and whether that is more than a guess.

/// What "none of the profiles" weighs: a few plausible values prove nothing, for there are many more models than profiles,
/// and one of many profiles has such values by chance.
const NOBODY: f64 = 7.0;
/// A profile that weighs so much more than that is likelier than all that is unknown. Of made-up devices, whose registers
/// hold chance, one in some hundred and fifty weighs so much.
const SURE: f64 = 1.0;

/// How much is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// The device is hardly any other, or one of the same registers.
    Strong,
    /// Something speaks for it, and another device would say the same.
    Weak,
}

impl Strength {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Weak => "weak",
        }
    }
}

/// A profile and all that speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    pub profile: usize,
    pub score: f64,
    /// 0 to 1, among all profiles and none of them.
    pub likelihood: f64,
    pub strength: Strength,
}

/// What so much weight is worth, whatever others weigh.
pub fn strength(score: f64) -> Strength {
    if score >= NOBODY + SURE { Strength::Strong } else { Strength::Weak }
}

/// Best first. `scores` are the sums of all weights, by profile; profiles that were not tried have none.
pub fn rank(scores: &[(usize, f64)]) -> Vec<Match> {
    let highest = scores.iter().map(|(_, s)| *s).fold(NOBODY, f64::max);
    let share = |score: f64| (score - highest).exp();
    let all: f64 = scores.iter().map(|(_, s)| share(*s)).sum::<f64>() + share(NOBODY);
    let one = |(profile, score): &(usize, f64)| Match {
        profile: *profile,
        score: *score,
        likelihood: share(*score) / all,
        strength: strength(*score),
    };
    let mut matches: Vec<Match> = scores.iter().map(one).collect();
    matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.profile.cmp(&b.profile)));
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_plausible_values_are_no_proof() {
        let weak = rank(&[(0, 1.0), (1, -20.0)]);
        assert!(weak[0].likelihood < 0.1 && weak[0].strength == Strength::Weak, "{weak:?}");
        let strong = rank(&[(0, 15.0), (1, 5.0), (2, -3.0)]);
        assert!(strong[0].profile == 0 && strong[0].likelihood > 0.99, "{strong:?}");
        assert_eq!((strong[0].strength, strong[1].strength), (Strength::Strong, Strength::Weak));
    }

    #[test]
    fn two_models_of_one_map_share_what_is_known_and_are_both_strong() {
        let equal = rank(&[(0, 15.0), (1, 15.0)]);
        assert!((equal[0].likelihood - 0.5).abs() < 0.01, "both are told: {equal:?}");
        assert!(equal.iter().all(|m| m.strength == Strength::Strong));
    }
}
