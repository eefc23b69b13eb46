//! A message in words, for payloads that are kept longer than they are heard: under which topic it came, of which device,
//! and how. `question` calls this, and whoever keeps messages.

use steward_shared::profile::{PointDef, mqtt::Mqtt};
use steward_shared::time::Timestamp;

use super::payload::{Heard, hear, place};
use crate::question::{Part, PointValue, Said};

/// Most bytes of a payload that are kept.
pub const LONGEST: usize = 16 * 1024;

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Told,
    /// The broker had kept it: it is news only with an instant of its own, or as a state.
    Retained,
    /// It was too long to be kept: how many bytes it had stands there instead, as text.
    TooLong,
}

const MANNERS: [(&str, Manner); 3] =
    [("told", Manner::Told), ("retained", Manner::Retained), ("too-long", Manner::TooLong)];

/// What a device tells under one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub topic: String,
    /// The device's own topic.
    pub device: String,
    pub manner: Manner,
    /// Indices into the profile's points.
    pub points: Vec<usize>,
    partial: bool,
}

/// How it came, its topic and, in a second line, the device's own: no topic has lines.
pub fn words(manner: Manner, topic: &str, device: &str) -> String {
    let word = MANNERS.iter().find(|(_, known)| *known == manner).map_or("", |(word, _)| word);
    format!("{word} {topic}\n{device}")
}

/// The subject of such words, with every point of the profile that is told under its topic.
pub fn subject(words: &str, points: &[PointDef], limits: &Mqtt) -> Option<Subject> {
    let (word, rest) = words.split_once(' ')?;
    let (_, manner) = MANNERS.into_iter().find(|(known, _)| *known == word)?;
    let (topic, device) = rest.split_once('\n')?;
    let is_told = |point: &PointDef| point.told().is_some_and(|told| told.topic.of(device) == topic);
    let inside = points.iter().enumerate().filter(|(_, point)| is_told(point)).map(|(i, _)| i).collect();
    let (topic, device) = (topic.to_owned(), device.to_owned());
    Some(Subject { topic, device, manner, points: inside, partial: limits.partial })
}

impl Subject {
    /// Whether the payload is there, and not only its length.
    pub fn is_kept(&self) -> bool {
        self.manner != Manner::TooLong
    }

    pub fn words(&self) -> String {
        words(self.manner, &self.topic, &self.device)
    }

    /// What a payload says that came at that instant, if one is given.
    fn heard(&self, points: &[PointDef], payload: &[u8], came: Option<Timestamp>) -> Vec<Heard> {
        let mut heard = match self.manner {
            Manner::TooLong => Vec::new(),
            _ => hear(points, &self.points, self.partial, payload),
        };
        if let Some(came) = came {
            heard = heard.into_iter().map(|heard| heard.believed(came)).collect();
        }
        if self.manner == Manner::Retained {
            let is_state = |heard: &Heard| {
                points.get(heard.point).and_then(PointDef::told).is_some_and(|told| told.retained)
            };
            heard.retain(|heard| heard.at.is_some() || is_state(heard));
        }
        heard
    }

    /// What a payload says.
    pub fn values(&self, points: &[PointDef], payload: &[u8]) -> Vec<PointValue> {
        let value = |Heard { point, value, quality, .. }: Heard| PointValue { point, value, quality };
        self.heard(points, payload, None).into_iter().map(value).collect()
    }

    /// What one that came at `at` says, each with the instant that it bears.
    pub fn values_at(
        &self,
        points: &[PointDef],
        payload: &[u8],
        at: Timestamp,
    ) -> Vec<(PointValue, Option<Timestamp>)> {
        let value = |heard: Heard| {
            let Heard { point, value, quality, at: own, .. } = heard;
            (PointValue { point, value, quality }, own)
        };
        self.heard(points, payload, Some(at)).into_iter().map(value).collect()
    }

    /// What is said of a point: its value and its instant.
    pub fn parts(&self, point: &PointDef, payload: &[u8]) -> Vec<Part> {
        let Some(told) = point.told() else { return Vec::new() };
        let whole = |says| Part { of: String::new(), bytes: None, says };
        if self.manner == Manner::TooLong {
            let bytes = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok());
            return vec![whole(Said::TooLong { bytes: bytes.unwrap_or_default(), most: LONGEST })];
        }
        let part = |pointer: &steward_shared::profile::mqtt::Pointer| {
            let says = place(pointer, payload).map_or(Said::Nothing, Said::Words);
            Part { of: pointer.as_str().to_owned(), bytes: None, says }
        };
        told.path.iter().chain(&told.time).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Profile;
    use steward_shared::reading::{Quality, Value};

    use super::*;
    use crate::question::Question;

    const NOON: Timestamp = Timestamp(1_760_000_000_000);

    fn profile(points: &str) -> Profile {
        let head =
            "vendor = \"A\"\nmodel = \"M\"\ntitle = { zh = \"表\", en = \"M\" }\nsource = [\"s\"]\n[mqtt]\n";
        Profile::parse("a/m.toml", &format!("{head}{points}"))
            .unwrap_or_else(|f| panic!("{}", steward_shared::document::listing(&f)))
    }

    fn point(key: &str, rest: &str) -> String {
        format!("[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\n{rest}\n")
    }

    /// A value with an instant, one without, a state, and one under another topic.
    fn sensor() -> Profile {
        profile(
            &[
                point("timed", "path = \"/t\"\ntime = \"/at\"\nunit = \"Cel\"\ntopic = \"{device}/SENSOR\""),
                point("plain", "path = \"/t\"\nunit = \"Cel\"\nscale = 10\ntopic = \"SENSOR\""),
                point("door", "path = \"/door\"\ntype = \"flag\"\nretained = true\ntopic = \"SENSOR\""),
                point("other", "unit = \"1\"\ntopic = \"tele/{device}/STATE\""),
            ]
            .concat(),
        )
    }

    fn question(manner: Manner) -> Question {
        let words = words(manner, "hall 2/SENSOR", "hall 2");
        let question = Question::of(&sensor(), &words).unwrap();
        assert_eq!(question.words(), words);
        question
    }

    #[test]
    fn a_message_goes_through_its_words_with_the_points_of_its_topic() {
        let profile = sensor();
        assert_eq!(question(Manner::Told).points(), [0, 1, 2]);
        for words in ["", "told", "told hall/SENSOR", "heard hall/SENSOR\nhall", "properties 0:1.85"] {
            assert_eq!(Question::of(&profile, words), None, "{words}");
        }
    }

    #[test]
    fn each_value_has_the_instant_that_the_message_says_of_it() {
        let (profile, payload) = (sensor(), b"{\"t\":2.5,\"at\":1759999990,\"door\":true}");
        let of = |manner| question(manner).values_at(&profile.points, payload, NOON);
        let good =
            |point, number| PointValue { point, value: Some(Value::Number(number)), quality: Quality::Good };
        let said = Some(Timestamp(1_759_999_990_000));
        assert_eq!(of(Manner::Told), [(good(0, 2.5), said), (good(1, 25.0), None), (good(2, 1.0), None)]);
        assert_eq!(
            of(Manner::Retained),
            [(good(0, 2.5), said), (good(2, 1.0), None)],
            "as it was taken then"
        );
        let ahead = question(Manner::Told).values_at(&profile.points, payload, Timestamp(1_759_999_000_000));
        let wrong = PointValue { point: 0, value: None, quality: Quality::BadReply };
        assert_eq!(ahead.first(), Some(&(wrong, None)), "its clock is wrong");
    }

    #[test]
    fn what_a_message_says_of_a_point_is_shown_by_its_places() {
        let (profile, payload) = (sensor(), b"{\"t\":2.5,\"at\":1759999990}");
        let parts = |manner, i: usize, payload: &[u8]| question(manner).parts(&profile.points[i], payload);
        let part = |of: &str, says| Part { of: of.to_owned(), bytes: None, says };
        let told = [part("/t", Said::Words("2.5".into())), part("/at", Said::Words("1759999990".into()))];
        assert_eq!(parts(Manner::Told, 0, payload), told);
        assert_eq!(parts(Manner::Told, 2, payload), [part("/door", Said::Nothing)]);
        let too_long = Said::TooLong { bytes: 20_000, most: LONGEST };
        assert_eq!(parts(Manner::TooLong, 0, b"20000"), [part("", too_long)]);
        assert!(question(Manner::TooLong).values_at(&profile.points, b"20000", NOON).is_empty());
    }
}
