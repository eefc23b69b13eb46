//! Every profile of the repository: it parses, it says where it comes from, and its sample frames give the
//! values that it states. A new profile needs no test of its own.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::modbus::answer_frame;
use steward_protocols::question::{Address, Node, Question, questions};
use steward_protocols::sample::verify_samples;
use steward_shared::document::listing;
use steward_shared::profile::{Framing, Language, Library, Profile, Role, SampleValue, Table};

fn library() -> Library {
    Library::compiled_in().unwrap_or_else(|faults| panic!("{}", listing(&faults)))
}

#[test]
fn every_profile_parses_and_names_its_source() {
    let library = library();
    assert!(library.iter().count() >= 85, "the library is smaller than it was");
    for profile in library.iter() {
        assert!(!profile.source.is_empty(), "{}", profile.id);
        assert!(!profile.points.is_empty(), "{}", profile.id);
    }
}

#[test]
fn the_sample_frames_of_every_profile_give_the_values_that_it_states() {
    let mut tried = 0;
    for profile in library().iter() {
        assert!(!profile.frames.is_empty(), "{} has no sample frame", profile.id);
        let faults: Vec<String> = verify_samples(profile).iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        tried += profile.frames.len();
    }
    assert!(tried >= 500, "only {tried} frames were tried");
}

#[test]
fn a_frame_that_a_program_made_of_the_map_says_so() {
    // These examples are printed in the manuals; a program only wrapped them.
    let printed = ["is 47 %", "is 40 degC", "41 29 02 DE is 10.5632"];
    for profile in library().iter() {
        for frame in profile.frames.iter().filter(|frame| !frame.made) {
            let by_us = frame.source.contains("made with") || frame.source.contains("words by Python");
            let is_printed = printed.iter().any(|example| frame.source.contains(example));
            assert!(!by_us || is_printed, "{}: {} wants `made = true`", profile.id, frame.source);
        }
    }
}

#[test]
fn every_point_of_every_profile_has_a_value_in_a_sample_frame() {
    for profile in library().iter() {
        let tried = |key: &str| profile.frames.iter().flat_map(|f| &f.values).any(|(k, _)| k == key);
        let measured = profile.points.iter().filter(|p| p.derived().is_none());
        let untried: Vec<_> = measured.map(|p| p.key.as_str()).filter(|k| !tried(k)).collect();
        assert!(untried.is_empty(), "{}: no sample frame has {untried:?}", profile.id);
    }
}

#[test]
fn no_sample_frame_has_a_value_that_its_point_cannot_have() {
    for profile in library().iter() {
        for (key, value) in profile.frames.iter().flat_map(|frame| &frame.values) {
            let (Some(point), SampleValue::Number(value)) = (profile.point(key), value) else { continue };
            let (min, max) = (point.rules.min, point.rules.max);
            let can_be = min.is_none_or(|min| *value >= min) && max.is_none_or(|max| *value <= max);
            assert!(can_be, "{}: {key} is {value}, and lies between {min:?} and {max:?}", profile.id);
        }
    }
}

#[test]
fn what_physics_limits_has_its_limits_and_clocks_and_ratios_have_their_roles() {
    let library = library();
    let (mut clocks, mut ratios, mut reckoned) = (0, 0, 0);
    for profile in library.iter() {
        for point in &profile.points {
            let (key, unit) = (point.key.as_str(), point.unit.as_str());
            let is_limited = point.rules.min.is_some() && point.rules.max.is_some();
            let of_mains = ["frequency", "mains-frequency", "generator-frequency"].contains(&key);
            let is_bound = (unit == "Hz" && of_mains && profile.id != "grundfos/cim-magna3")
                || (unit == "1" && point.is_number() && key.contains("power-factor"));
            assert!(is_limited || !is_bound, "{}: {key} can be anything", profile.id);
            clocks += usize::from(point.role == Some(Role::Clock));
            ratios += usize::from(point.role == Some(Role::CtRatio));
            reckoned += usize::from(point.derived().is_some());
            assert!(point.role == Some(Role::Clock) || !key.contains("meter-clock"), "{}: {key}", profile.id);
        }
    }
    assert!(clocks >= 16 && ratios >= 2 && reckoned >= 15, "{clocks} {ratios} {reckoned}");
}

#[test]
fn the_frame_around_an_answers_contents_is_the_one_that_others_made() {
    let mut tried = 0;
    for profile in library().iter().filter(|p| matches!(p.language, Language::Modbus(_))) {
        for frame in profile.frames.iter().filter(|f| f.framing != Framing::Ascii) {
            let (framing, mut response) = (frame.framing, frame.response.clone());
            let (head, tail) = if framing == Framing::Tcp { (6, 0) } else { (0, 2) };
            if framing == Framing::Tcp {
                response[..2].fill(0);
            }
            let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
            let table = table.into_iter().find(|t| t.function() == response[head + 1]).unwrap();
            let contents = &response[head + 3..response.len() - tail];
            let made = answer_frame(response[head], table, contents, framing);
            assert_eq!(made.as_deref(), Some(response.as_slice()), "{}", profile.id);
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried}");
}

#[test]
fn a_sample_frame_that_does_not_hold_is_told() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../device-profiles/omron/e5cc.toml"
    ))
    .unwrap();
    let faults = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let profile = Profile::parse("omron/e5cc.toml", &text.replacen(from, to, 1)).unwrap();
        verify_samples(&profile).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told = &faults("process-value = 100.0", "process-value = 100.1")[0];
    let line = text.lines().position(|l| l == "[[frame]]").unwrap() + 1;
    assert!(told.starts_with(&format!("omron/e5cc.toml:{line}:1: frame[0]: ")), "{told}");
    assert!(told.contains("reads as"), "{told}");
    assert!(faults("B8 FA", "B8 FB")[0].contains("not whole"));
    assert!(faults("01 03 20 00 00 01 8F CA", "01 03 20 00 00 01 8F CB")[0].contains("should be"));
    assert!(faults("process-value = 100.0", "set-point = 100.0")[0].contains("not among"));
}

#[test]
fn every_profile_can_be_asked_for_and_each_point_once() {
    for profile in library().iter() {
        let cost = Cost { question: Duration::from_millis(40), byte: Duration::from_millis(1) };
        let address = match &profile.language {
            Language::Modbus(_) => Address::Modbus(1),
            Language::Dlt645(_) => Address::Dlt645("000000000161".parse().unwrap()),
            Language::Mbus(_) => Address::Mbus("5".parse().unwrap()),
            Language::Iec62056(_) => Address::Iec62056("".parse().unwrap()),
            // Nothing is asked.
            Language::Mqtt(_) => continue,
            Language::Cjt188(_) => Address::Cjt188("11110000000001".parse().unwrap()),
            Language::Bacnet(_) => Address::Bacnet(Node { instance: 1, at: None }),
        };
        let asked = questions(profile, 0..profile.points.len(), &cost, &[]);
        for question in &asked {
            if let (Question::Modbus(block), Language::Modbus(limits)) = (question, &profile.language) {
                assert!(block.count <= limits.max_registers, "{}", profile.id);
            }
            let by_its_client = matches!(question, Question::Bacnet(_));
            assert!(by_its_client || question.exchange(address, Framing::Rtu).is_ok(), "{}", profile.id);
        }
        let points = asked.iter().map(|q| q.points().len()).sum::<usize>();
        let read = profile.points.iter().filter(|p| p.derived().is_none()).count();
        assert_eq!(points, read, "{}", profile.id);
    }
}
