//! What a device said of some properties, as one string of bytes, and which properties those are, in words: for answers
//! that are kept longer than the plan that asked for them. `question` calls this, and whoever keeps answers.
//!
//! A property stands there as it does in an acknowledgement of ReadPropertyMultiple (ASHRAE 135, clause 15.7.3.1), without
//! its name: its value, byte by byte as it came, between tags 4; why it was refused between tags 5. Between tags 6, which that
//! service does not have, nothing stands where nothing is known, or the length of a value that is too long to be kept.

use std::fmt::Write as _;
use std::ops::Range;

use steward_shared::profile::{ObjectType, PointDef, PropertyId};

use super::batch::{Batch, status, target};
use super::client::{Failure, Reading};
use super::object::{ObjectId, PropertyRef, ServiceError};
use super::service::Content;
use super::tag::{
    Fault, Reader, Tag, put_application, put_closing, put_opening, shortest_unsigned, unsigned, unsigned32,
};
use crate::question::{Part, Said, part};

const ASKED: &str = "properties";
const TOLD: &str = "notice";
/// Most bytes of a property's value that are kept.
const LONGEST: usize = 1024;

const VALUE: u8 = 4;
const ERROR: u8 = 5;
const NOT_HERE: u8 = 6;

/// Each object with its properties, by their numbers: `properties 0:3.85.111 8:1001.76[2]`.
pub fn words(batch: &Batch) -> String {
    let mut words = String::from(if batch.told { TOLD } else { ASKED });
    for object in batch.targets.chunk_by(|a, b| a.object == b.object) {
        let Some(PropertyRef { object: ObjectId { kind, instance }, .. }) = object.first() else { continue };
        // Text takes whatever is written.
        let _ = write!(words, " {}:{instance}", kind.0);
        for target in object {
            let _ = write!(words, ".{}", target.property.0);
            if let Some(index) = target.index {
                let _ = write!(words, "[{index}]");
            }
        }
    }
    words
}

/// The batch of such words, with every point of the profile that its properties tell of.
pub fn batch(words: &str, points: &[PointDef]) -> Option<Batch> {
    let (first, rest) = words.split_once(' ')?;
    let told = first == TOLD;
    if !told && first != ASKED {
        return None;
    }
    let objects = rest.split(' ').map(object).collect::<Option<Vec<_>>>()?;
    let targets: Vec<PropertyRef> = objects.into_iter().flatten().collect();
    let place = |(i, def): (usize, &PointDef)| {
        let own = target(def.bacnet()?);
        Some((targets.iter().position(|target| *target == own)?, i))
    };
    let mut inside: Vec<(usize, usize)> = points.iter().enumerate().filter_map(place).collect();
    inside.sort_unstable();
    Some(Batch { points: inside.into_iter().map(|(_, point)| point).collect(), targets, told })
}

fn object(words: &str) -> Option<Vec<PropertyRef>> {
    let (kind, rest) = words.split_once(':')?;
    let mut parts = rest.split('.');
    let object = ObjectId::new(ObjectType(kind.parse().ok()?), parts.next()?.parse().ok()?);
    let one = |part: &str| {
        let (property, index) = match part.split_once('[') {
            Some((property, index)) => (property, Some(index.strip_suffix(']')?.parse().ok()?)),
            None => (part, None),
        };
        Some(PropertyRef { object, property: PropertyId(property.parse().ok()?), index })
    };
    parts.map(one).collect()
}

/// What came of each property, in their order.
pub fn contents<'r>(readings: impl IntoIterator<Item = &'r Reading>) -> Vec<u8> {
    let mut out = Vec::new();
    for reading in readings {
        put(&mut out, reading);
    }
    out
}

fn put(out: &mut Vec<u8>, reading: &Reading) {
    let number = |n: u64| n.to_be_bytes();
    match reading {
        Ok(Content { bytes, .. }) if bytes.len() <= LONGEST => {
            put_opening(out, VALUE);
            out.extend(bytes);
            put_closing(out, VALUE);
        }
        Ok(Content { bytes, .. }) => {
            put_opening(out, NOT_HERE);
            put_application(out, 2, shortest_unsigned(&number(bytes.len() as u64)));
            put_closing(out, NOT_HERE);
        }
        Err(Failure::Refused(ServiceError { class, code })) => {
            put_opening(out, ERROR);
            put_application(out, 9, shortest_unsigned(&number(u64::from(*class))));
            put_application(out, 9, shortest_unsigned(&number(u64::from(*code))));
            put_closing(out, ERROR);
        }
        // No profile makes another thing of it.
        Err(_) => {
            put_opening(out, NOT_HERE);
            put_closing(out, NOT_HERE);
        }
    }
}

/// What is kept of one property.
#[derive(Clone, Copy, Debug)]
enum Kept<'c> {
    Value(Reader<'c>),
    Refused(ServiceError),
    TooLong(usize),
    Nothing,
}

fn kept<'c>(reader: &mut Reader<'c>) -> Result<Kept<'c>, Fault> {
    match reader.peek()? {
        Tag::Opening(VALUE) => Ok(Kept::Value(reader.enclosed(VALUE)?)),
        Tag::Opening(ERROR) => {
            let mut error = reader.enclosed(ERROR)?;
            let class = unsigned32(error.application(9)?)?;
            Ok(Kept::Refused(ServiceError { class, code: unsigned32(error.application(9)?)? }))
        }
        _ => {
            let mut inside = reader.enclosed(NOT_HERE)?;
            if inside.is_empty() {
                return Ok(Kept::Nothing);
            }
            let bytes = unsigned(inside.application(2)?)?;
            Ok(Kept::TooLong(usize::try_from(bytes).unwrap_or(usize::MAX)))
        }
    }
}

/// Each property with what is kept of it; up to where the contents are none.
fn each<'b, 'c>(
    batch: &'b Batch,
    contents: &'c [u8],
) -> impl Iterator<Item = (&'b PropertyRef, Kept<'c>)> + use<'b, 'c> {
    let mut reader = Reader::new(contents);
    batch.targets.iter().map_while(move |target| Some((target, kept(&mut reader).ok()?)))
}

/// What came of the properties of which something is known.
pub fn readings(batch: &Batch, contents: &[u8]) -> Vec<(PropertyRef, Reading)> {
    let reading = |(target, kept): (&PropertyRef, Kept<'_>)| match kept {
        Kept::Value(reader) => Some((*target, Content::read(reader).map_err(Failure::BadReply))),
        Kept::Refused(error) => Some((*target, Err(Failure::Refused(error)))),
        Kept::TooLong(_) | Kept::Nothing => None,
    };
    each(batch, contents).filter_map(reading).collect()
}

/// Which bytes of the contents a point is made of.
pub fn bytes(batch: &Batch, point: &PointDef, contents: &[u8]) -> Option<Range<usize>> {
    let own = target(point.bacnet()?);
    let found = each(batch, contents).find(|(target, _)| **target == own);
    match found? {
        (_, Kept::Value(reader)) => part(contents, reader.rest()),
        _ => None,
    }
}

/// What is said of a point: of its property, and of the status of its object.
pub fn parts(batch: &Batch, point: &PointDef, contents: &[u8]) -> Vec<Part> {
    let Some(place) = point.bacnet() else { return Vec::new() };
    let wanted = [Some(target(place)), place.has_status().then(|| status(place))];
    let find = |wanted: PropertyRef| {
        let (_, kept) = each(batch, contents).find(|(target, _)| **target == wanted)?;
        let bytes = match kept {
            Kept::Value(reader) => part(contents, reader.rest()),
            _ => None,
        };
        Some(Part { of: wanted.to_string(), bytes, says: said(kept) })
    };
    wanted.into_iter().flatten().filter_map(find).collect()
}

/// In the standard's words for types and errors.
fn said(kept: Kept<'_>) -> Said {
    match kept {
        Kept::Value(reader) => Said::Words(match Content::read(reader) {
            Ok(content) => {
                let words = content.iter().map(|value| format!("{} {value}", value.kind()));
                words.collect::<Vec<_>>().join(", ")
            }
            Err(fault) => fault.to_string(),
        }),
        Kept::Refused(error) => Said::Words(error.to_string()),
        Kept::TooLong(bytes) => Said::TooLong { bytes, most: LONGEST },
        Kept::Nothing => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::{Bacnet, Profile};
    use steward_shared::reading::{Quality, Value as Shown};

    use super::*;
    use crate::bacnet::apdu::Apdu;
    use crate::bacnet::service::{Answer, Request};
    use crate::bacnet::{CovNotice, Value};
    use crate::hex::hex;
    use crate::question::Question;

    const ANNEX_F: &str = include_str!("../../frames/bacnet/annex-f.txt");

    /// The bytes of an example of the standard.
    fn frame(name: &str) -> Vec<u8> {
        let lines = ANNEX_F.lines().filter_map(|line| line.split_once(' '));
        let (_, bytes) = lines.into_iter().find(|(n, _)| *n == name).unwrap();
        let digits: Vec<u8> = bytes.trim().chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn profile(points: &[(&str, &str)]) -> Profile {
        let point = |(key, rest): &(&str, &str)| {
            format!(
                "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\nobject = \"analog-input\"\n{rest}\n"
            )
        };
        let head = "vendor = \"A\"\nmodel = \"M\"\ntitle = { zh = \"表\", en = \"M\" }\nsource = [\"s\"]\n[bacnet]\n";
        let text = format!("{head}{}", points.iter().map(point).collect::<String>());
        Profile::parse("a/m.toml", &text)
            .unwrap_or_else(|f| panic!("{}", steward_shared::document::listing(&f)))
    }

    fn asked(profile: &Profile, points: &[usize]) -> Batch {
        Batch::of(&profile.points, points.to_vec(), &Bacnet::default())
    }

    /// What the standard's example answers to this batch; of other properties nothing is known.
    fn answered(batch: &Batch, name: &str) -> Vec<u8> {
        let frame = frame(name);
        let Ok(Apdu::ComplexAck { data, .. }) = Apdu::decode(&frame) else { panic!("{name}") };
        let request = Request::ReadPropertyMultiple(batch.targets.clone());
        let Ok(Answer::Properties(list)) = request.answer(Some(data)) else { panic!("{name}") };
        let of = |target: &PropertyRef| {
            let found = list.iter().find(|property| property.target == *target);
            found.map_or(Err(Failure::Expired), |property| property.value.clone().map_err(Failure::Refused))
        };
        contents(&batch.targets.iter().map(of).collect::<Vec<_>>())
    }

    #[test]
    fn what_the_standards_example_answers_is_kept_byte_by_byte_and_told_in_its_words() {
        let unit = "unit = \"Cel\"\ninstance = ";
        let profile = profile(&[
            ("a", &format!("{unit}33")),
            ("b", &format!("{unit}50")),
            ("c", &format!("{unit}35\nscale = 10")),
        ]);
        let batch = asked(&profile, &[0, 1, 2]);
        let words = words(&batch);
        assert_eq!(words, "properties 0:33.85.111 0:50.85.111 0:35.85.111");
        let contents = answered(&batch, "read-property-multiple-ack-2");
        assert_eq!(
            hex(&contents),
            "4E 44 42 29 33 33 4F 6E 6F 5E 91 01 91 1F 5F 6E 6F 4E 44 43 D9 D9 9A 4F 6E 6F",
            "the values as they stand in F.3.7"
        );
        let question = Question::of(&profile, &words).unwrap();
        assert_eq!(question, Question::Bacnet(batch.clone()));
        let of = |i: usize| question.parts(&profile.points[i], &contents);
        let own = of(2).remove(0);
        assert_eq!(own.of, "analog-input 35 present-value");
        assert_eq!(hex(&contents[own.bytes.unwrap()]), "44 43 D9 D9 9A");
        assert_eq!(own.says, Said::Words("REAL 435.7".into()));
        assert_eq!(of(1)[0].says, Said::Words("object: unknown-object".into()));
        assert_eq!((of(2).len(), &of(2)[1].says), (2, &Said::Nothing), "its status was not told");
        let values = question.values(&profile.points, &contents);
        let shown: Vec<_> = values.into_iter().map(|v| (v.point, v.value, v.quality)).collect();
        let tenfold = Shown::Number(f64::from(435.7_f32) * 10.0);
        let first = (0, Some(Shown::Number(f64::from(42.3_f32))), Quality::Good);
        assert_eq!(shown, [first, (1, None, Quality::Refused(0)), (2, Some(tenfold), Quality::Good)]);
    }

    #[test]
    fn a_notice_is_kept_with_the_status_that_it_bears() {
        let profile = profile(&[("a", "unit = \"Cel\"\ninstance = 10")]);
        let frame = frame("cov-confirmed");
        let Ok(Apdu::Confirmed { data, .. }) = Apdu::decode(&frame) else { panic!() };
        let notice = CovNotice::decode(data).unwrap();
        let batch = Batch { told: true, ..asked(&profile, &[0]) };
        let told: Vec<Reading> =
            notice.values.iter().map(|p| p.value.clone().map_err(Failure::Refused)).collect();
        let contents = contents(&told);
        assert_eq!(hex(&contents), "4E 44 42 82 00 00 4F 4E 82 04 00 4F");
        let question = Question::of(&profile, &words(&batch)).unwrap();
        let parts = question.parts(&profile.points[0], &contents);
        let says: Vec<_> = parts.iter().map(|part| (part.of.as_str(), &part.says)).collect();
        let (value, status) = (Said::Words("REAL 65".into()), Said::Words("BIT STRING 0000".into()));
        let (of_value, of_status) = ("analog-input 10 present-value", "analog-input 10 status-flags");
        assert_eq!(says, [(of_value, &value), (of_status, &status)]);
        assert_eq!(question.words(), "notice 0:10.85.111");
    }

    #[test]
    fn another_profile_finds_its_points_in_what_was_asked_for_the_first() {
        let first =
            profile(&[("a", "instance = 7\nproperty = \"event-state\"\ntype = \"whole\"\nunit = \"1\"")]);
        let reading = Ok(Content { values: vec![Value::Enumerated(3)], bytes: vec![0x91, 3] });
        let contents = contents([&reading]);
        let words = words(&asked(&first, &[0]));
        let twice = "instance = 7\nproperty = \"event-state\"\ntype = \"whole\"\nunit = \"1\"\nscale = ";
        let other = profile(&[("c", &format!("{twice}2")), ("d", &format!("{twice}5"))]);
        let question = Question::of(&other, &words).unwrap();
        let values = question.values(&other.points, &contents);
        let numbers: Vec<_> = values.into_iter().map(|v| v.value).collect();
        assert_eq!(numbers, [Some(Shown::Number(6.0)), Some(Shown::Number(15.0))]);
    }

    #[test]
    fn a_value_that_is_too_long_is_told_by_its_length() {
        let profile = profile(&[("a", "instance = 7\nproperty = \"description\"\ntype = \"text\"")]);
        let long = Ok(Content { values: Vec::new(), bytes: vec![0; 70_000] });
        let (batch, contents) = (asked(&profile, &[0]), contents([&long]));
        assert_eq!(hex(&contents), "6E 23 01 11 70 6F");
        let parts = parts(&batch, &profile.points[0], &contents);
        assert_eq!(parts[0].says, Said::TooLong { bytes: 70_000, most: 1024 });
        assert!(readings(&batch, &contents).is_empty());
    }

    #[test]
    fn words_that_are_none_and_bytes_that_are_none_are_nothing() {
        let profile = profile(&[("a", "unit = \"Cel\"\ninstance = 10")]);
        let wrong = [
            "properties",
            "properties ",
            "notice 0",
            "notice x:1.85",
            "holding 0 1",
            "notice 0:1.85[",
            "notice 0:1.x",
        ];
        for words in wrong {
            assert_eq!(batch(words, &profile.points), None, "{words}");
        }
        let batch = asked(&profile, &[0]);
        for bytes in
            [&[0x4E][..], &[0x4E, 0x44, 0x4F], &[0x5E, 0x5F], &[0x6E, 0x44, 1, 2, 3, 4, 0x6F], &[0xFF; 9]]
        {
            assert!(readings(&batch, bytes).is_empty(), "{bytes:02X?}");
            assert!(parts(&batch, &profile.points[0], bytes).is_empty());
        }
    }
}
