//! How much of a line one device of a profile takes, by the planner's own questions and their cost.

use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::question::questions;
use steward_shared::profile::{PeriodClass, Profile};

use crate::config::Periods;

/// What a device of the profile takes of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Questions, and how long all of them take once.
    pub questions: usize,
    pub round: Duration,
    /// Share of the line's time, 1.0 all of it.
    pub share: f64,
    /// The longest question.
    pub longest: Duration,
}

/// `cost` is that of the line with this device.
pub fn load(profile: &Profile, cost: &Cost, periods: &Periods) -> Load {
    let mut load = Load { questions: 0, round: Duration::ZERO, share: 0.0, longest: Duration::ZERO };
    for class in PeriodClass::ALL {
        let wanted = profile.points.iter().enumerate().filter(|(_, p)| p.class == class).map(|(i, _)| i);
        for question in questions(profile, wanted, cost, &[]) {
            let took = cost.of(question.contents_len()) + profile.pace.pause;
            load.questions += 1;
            load.round += took;
            load.longest = load.longest.max(took);
            load.share += took.as_secs_f64() / periods.of(class).as_secs_f64();
        }
    }
    load
}

#[cfg(test)]
mod tests {
    use steward_protocols::character::{Character, Parity};
    use steward_protocols::modbus::frame_gap;

    use super::*;

    #[test]
    fn one_question_takes_the_time_that_the_formula_gives() {
        // 9600 8E1, T at most t3.5, two registers: 17 characters of 1.1458 ms and two silences of 4.01 ms.
        let text = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"made up\"]\n\
                    [[point]]\nkey = \"power\"\ntitle = { zh = \"功率\", en = \"Power\" }\ntable = \"holding\"\naddress = 0\n\
                    type = \"f32\"\nunit = \"kW\"\nclass = \"fast\"\n";
        let profile = Profile::parse("acme/m1.toml", text).unwrap();
        let second = Duration::from_secs(1);
        let periods = Periods { fast: second, normal: second, slow: second, static_: second };
        let cost = Cost::serial(Character::new(9600, 8, Parity::Even, 1), frame_gap(9600), Duration::ZERO);
        let load = load(&profile, &cost, &periods);
        assert_eq!(load.questions, 1);
        assert!((load.share - 0.027_5).abs() < 2e-4, "{load:?}");
        assert_eq!(load.round, load.longest);
    }
}
