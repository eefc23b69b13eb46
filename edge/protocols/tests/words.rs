//! A question becomes words and a question again, in every language: of the repository's own profiles each question
//! that is planned reads the same points from the same contents when it has gone through its words.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::Duration;

use steward_protocols::bacnet::{self, Batch, Bits, Content, PropertyRef, Value, held};
use steward_protocols::cost::Cost;
use steward_protocols::question::{PointValue, Question, questions};
use steward_shared::profile::{Library, PointDef, Profile};
use steward_shared::reading::Value as Shown;

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 37 % 10) as u8).collect()
}

/// Each point with its raw value, and no object in alarm.
fn properties(batch: &Batch, profile: &Profile) -> Vec<u8> {
    let content = |target: &PropertyRef| {
        let is_it = |def: &&PointDef| def.bacnet().is_some_and(|place| bacnet::target(place) == *target);
        let value = match profile.points.iter().find(is_it) {
            Some(def) => held(def, Some(&Shown::Number(1.0))).unwrap(),
            None => Value::Bits(Bits::from_bools(&[false; 4])),
        };
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        Ok(Content { values: vec![value], bytes })
    };
    bacnet::contents(&batch.targets.iter().map(content).collect::<Vec<_>>())
}

fn by_point(mut values: Vec<PointValue>, wanted: &[usize]) -> Vec<PointValue> {
    values.retain(|v| wanted.contains(&v.point));
    values.sort_by_key(|v| v.point);
    values
}

fn tried(profile: &Profile) -> usize {
    let planned = questions(profile, 0..profile.points.len(), &Cost::tcp(Duration::from_millis(5)), &[]);
    for question in &planned {
        let words = question.words();
        let again = Question::of(profile, &words).unwrap();
        assert_eq!(again.words(), words, "{}", profile.id);
        let contents = match question {
            Question::Bacnet(batch) => properties(batch, profile),
            other => contents(other.contents_len().ceil() as usize),
        };
        let wanted = question.points();
        assert_eq!(
            by_point(question.values(&profile.points, &contents), wanted),
            by_point(again.values(&profile.points, &contents), wanted),
            "{}: {}",
            profile.id,
            words
        );
        for point in wanted.iter().map(|i| &profile.points[*i]) {
            let bytes = again.bytes(point, &contents);
            let is_inside = |b: &std::ops::Range<usize>| b.start < b.end && b.end <= contents.len();
            // Where a value of a readout stands, only a meter's answer shows.
            let is_readout = words == "readout" && bytes.is_none();
            assert!(is_readout || bytes.as_ref().is_some_and(is_inside), "{} {}", profile.id, point.key);
        }
    }
    planned.len()
}

#[test]
fn every_question_of_the_library_goes_through_words_unharmed() {
    let library =
        Library::compiled_in().unwrap_or_else(|f| panic!("{}", steward_shared::document::listing(&f)));
    let tried: usize = library.iter().map(|profile| tried(profile)).sum();
    assert!(tried > 60, "{tried}");
}

#[test]
fn words_that_are_none_are_no_question() {
    let library = Library::compiled_in().unwrap();
    let profile = library.iter().next().unwrap();
    for words in
        ["", "holding", "holding x 1", "holding 65535", "item zz", "item", "nowhere 1 1", "properties"]
    {
        assert_eq!(Question::of(profile, words), None, "{words}");
    }
}
