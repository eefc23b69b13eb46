//! Makes values of what a device tells. A payload is anybody's: what it cannot be is told with what came and what was
//! wanted, and nothing of it is guessed.

use std::time::Duration;

use serde_json::Value as Json;
use steward_shared::profile::mqtt::{JsonType, Pointer, Told};
use steward_shared::profile::{Decimal, PointDef};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

/// Most bytes of a text.
const LONGEST_TEXT: usize = 256;
/// Characters of a payload that are shown to people.
const SHOWN: usize = 80;
/// A clock that is ahead by more is wrong.
const AHEAD: Duration = Duration::from_mins(5);
/// 1 January 2000: a clock before is not set.
const UNSET: Timestamp = Timestamp(946_684_800_000);
/// A number below counts seconds, one above milliseconds: the fifth millennium, and the spring of 1973.
const SECONDS_END: f64 = 1e11;

/// What a message says of one point.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Index into the profile's points.
    pub point: usize,
    pub value: Option<Value>,
    pub quality: Quality,
    /// The instant that the message says.
    pub at: Option<Timestamp>,
    /// What came and what was wanted, where that is not the same.
    pub fault: Option<String>,
}

impl Heard {
    /// What is left of it where it came at `now`: an instant that cannot be is a fault.
    #[must_use]
    pub fn believed(self, now: Timestamp) -> Self {
        match self.at.filter(|at| *at > now.plus(AHEAD) || *at < UNSET) {
            Some(at) => {
                let wrong = format!("its instant is {at}, and it is {now}: set the device's clock");
                Self { value: None, quality: Quality::BadReply, at: None, fault: Some(wrong), ..self }
            }
            None => self,
        }
    }
}

/// A payload; it is read as JSON once, and only where somebody wants that.
pub struct Document<'p> {
    payload: &'p [u8],
    json: Option<Result<Json, String>>,
}

impl<'p> Document<'p> {
    pub const fn new(payload: &'p [u8]) -> Self {
        Self { payload, json: None }
    }

    fn text(&self) -> Result<&'p str, String> {
        std::str::from_utf8(self.payload).map(str::trim).map_err(|_| "a text was wanted".to_owned())
    }

    fn at(&mut self, pointer: &Pointer) -> Result<Option<&Json>, String> {
        let read = || serde_json::from_slice(self.payload).map_err(|e| format!("JSON was wanted ({e})"));
        let json = self.json.get_or_insert_with(read).as_ref().map_err(Clone::clone)?;
        Ok(json.pointer(pointer.as_str()))
    }
}

/// What a payload says of the `wanted` points.
pub fn hear(points: &[PointDef], wanted: &[usize], partial: bool, payload: &[u8]) -> Vec<Heard> {
    let mut document = Document::new(payload);
    let heard = |index: &usize| {
        let point = points.get(*index)?;
        let told = point.told()?;
        let read = instant(told, &mut document).and_then(|at| Ok((at, value(point, told, &mut document)?)));
        let nothing = |quality, fault| Heard { point: *index, value: None, quality, at: None, fault };
        Some(match read {
            Ok((at, Found::Value(value))) => {
                Heard { point: *index, value: Some(value), quality: Quality::Good, at, fault: None }
            }
            Ok((at, Found::Nothing)) => Heard { at, ..nothing(Quality::NoValue, None) },
            Ok((_, Found::Absent)) if partial => return None,
            Ok((_, Found::Absent)) => {
                let place = told.path.as_ref().map_or("", Pointer::as_str);
                let fault = format!("nothing stands at {place}: {}", excerpt(payload));
                nothing(Quality::Undecodable, Some(fault))
            }
            Err(wanted) => {
                nothing(Quality::Undecodable, Some(format!("{wanted}, and this came: {}", excerpt(payload))))
            }
        })
    };
    wanted.iter().filter_map(heard).collect()
}

/// The word at a place in a payload, or the payload.
pub fn word(path: Option<&Pointer>, payload: &[u8]) -> Option<String> {
    let mut document = Document::new(payload);
    match path {
        None => document.text().ok().map(str::to_owned),
        Some(path) => document.at(path).ok().flatten().and_then(plain),
    }
}

/// What stands at a place of a payload, as it is written in JSON.
pub fn place(path: &Pointer, payload: &[u8]) -> Option<String> {
    let mut document = Document::new(payload);
    document.at(path).ok().flatten().map(|json| plain(json).unwrap_or_else(|| json.to_string()))
}

/// As much of a payload as people want to see, without what would spoil their terminal.
pub fn excerpt(payload: &[u8]) -> String {
    if payload.is_empty() {
        return "nothing".to_owned();
    }
    let text = String::from_utf8_lossy(payload.get(..payload.len().min(SHOWN * 4)).unwrap_or_default());
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > SHOWN || payload.len() > SHOWN * 4 {
        shown.push('…');
    }
    shown
}

enum Found {
    Value(Value),
    /// The device says that it has none.
    Nothing,
    Absent,
}

fn instant(told: &Told, document: &mut Document<'_>) -> Result<Option<Timestamp>, String> {
    let Some(path) = &told.time else { return Ok(None) };
    let wrong = || {
        format!(
            "an instant was wanted at {} (RFC 3339, or seconds or milliseconds since 1970)",
            path.as_str()
        )
    };
    let of = |number: f64| {
        let ms = if number.abs() < SECONDS_END { number * 1000.0 } else { number };
        (ms.abs() < 1e15).then_some(Timestamp::from_millis(ms.round() as i64))
    };
    match document.at(path)? {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Number(number)) => number.as_f64().and_then(of).map(Some).ok_or_else(wrong),
        Some(Json::String(text)) => {
            let parsed = text.parse().ok().or_else(|| text.trim().parse().ok().and_then(of));
            parsed.map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn value(point: &PointDef, told: &Told, document: &mut Document<'_>) -> Result<Found, String> {
    let Some(path) = &told.path else {
        let text = document.text()?;
        let empty = text.is_empty() && told.data != JsonType::Text;
        return if empty { Ok(Found::Nothing) } else { of_text(point, told, text) };
    };
    match document.at(path)? {
        None => Ok(Found::Absent),
        Some(Json::Null) => Ok(Found::Nothing),
        Some(Json::String(text)) => of_text(point, told, text),
        Some(Json::Bool(flag)) => match told.data {
            JsonType::Flag if told.values.is_empty() => Ok(number(f64::from(u8::from(*flag)))),
            _ => of_text(point, told, if *flag { "true" } else { "false" }),
        },
        Some(Json::Number(given)) if told.values.is_empty() && told.data != JsonType::Text => {
            of_number(point, told, given.as_f64().unwrap_or(f64::NAN))
        }
        Some(json @ Json::Number(_)) => of_text(point, told, &json.to_string()),
        Some(Json::Array(_) | Json::Object(_)) => Err(format!("one value was wanted at {}", path.as_str())),
    }
}

fn of_text(point: &PointDef, told: &Told, text: &str) -> Result<Found, String> {
    if told.data == JsonType::Text {
        if text.len() > LONGEST_TEXT || text.contains('\0') {
            return Err(format!("a text of at most {LONGEST_TEXT} bytes was wanted"));
        }
        return Ok(Found::Value(Value::Text(text.to_owned())));
    }
    if !told.values.is_empty() {
        let known = || told.values.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(", ");
        let found = told.values.iter().find(|(word, _)| word == text);
        return found.map(|(_, code)| number(*code)).ok_or_else(|| format!("one of {} was wanted", known()));
    }
    match (told.data, text) {
        (JsonType::Flag, "true") => Ok(number(1.0)),
        (JsonType::Flag, "false") => Ok(number(0.0)),
        _ => of_number(point, told, text.trim().parse().unwrap_or(f64::NAN)),
    }
}

fn of_number(point: &PointDef, told: &Told, given: f64) -> Result<Found, String> {
    let fits = match told.data {
        JsonType::Flag => [0.0, 1.0].contains(&given),
        JsonType::Whole => given.fract() == 0.0,
        JsonType::Number | JsonType::Text => given.is_finite(),
    };
    if !fits {
        let wanted = match told.data {
            JsonType::Flag => "true or false was wanted",
            JsonType::Whole => "a whole number was wanted",
            JsonType::Number | JsonType::Text => "a number was wanted",
        };
        return Err(format!(
            "{wanted}{}",
            told.path.as_ref().map(|p| format!(" at {}", p.as_str())).unwrap_or_default()
        ));
    }
    if point.sentinels.iter().any(|raw| (*raw as i64) as f64 - given == 0.0) {
        return Ok(Found::Nothing);
    }
    let plain = (point.scale, point.offset) == (Decimal::ONE, Decimal::ZERO);
    Ok(number(if plain { given } else { given * point.scale.as_f64() + point.offset.as_f64() }))
}

const fn number(number: f64) -> Found {
    Found::Value(Value::Number(number))
}

fn plain(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(json.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
