//! A reading as one JSON object under a topic of its point's names, and whether the gateway is there under another.

use serde::Serialize;
use steward_protocols::mqtt::Will;
use steward_shared::reading::{Reading, Value};

use super::directory::{Directory, level};
use super::task::Outgoing;

#[derive(Debug)]
pub struct Json {
    /// With names in braces.
    pub topic: String,
    pub status: String,
    pub retained: bool,
    pub at_least_once: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    value: Option<Plain<'a>>,
    unit: &'a str,
    time: String,
    quality: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Plain<'a> {
    Number(f64),
    Text(&'a str),
}

impl Json {
    fn status(&self, directory: &Directory) -> String {
        self.status.replace("{gateway}", &level(&directory.gateway))
    }

    pub fn will(&self, directory: &Directory) -> Will {
        let (topic, payload) = (self.status(directory), b"offline".to_vec());
        Will { topic, payload, at_least_once: true, retained: true }
    }

    pub fn says(&self, directory: &Directory, word: &str) -> Outgoing {
        Outgoing {
            topic: self.status(directory),
            payload: word.as_bytes().to_vec(),
            at_least_once: true,
            retained: true,
        }
    }

    /// Nothing where nobody knows the point any more.
    pub fn reading(&self, directory: &Directory, reading: &Reading) -> Option<Outgoing> {
        let (_, device, point) = directory.find(reading.point)?;
        let topic = self
            .topic
            .replace("{gateway}", &level(&directory.gateway))
            .replace("{line}", &level(&device.line))
            .replace("{device}", &level(&device.device))
            .replace("{point}", &level(&point.key))
            .replace("{place}", &level(&device.place));
        let told = Told {
            value: reading.value.as_ref().map(|value| match value {
                Value::Number(number) => Plain::Number(*number),
                Value::Text(text) => Plain::Text(text),
            }),
            unit: &point.unit,
            time: reading.at.to_string(),
            quality: reading.quality.word(),
        };
        let payload = serde_json::to_vec(&told).ok()?;
        Some(Outgoing { topic, payload, at_least_once: self.at_least_once, retained: self.retained })
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::PointNo;
    use steward_shared::reading::Quality;
    use steward_shared::time::Timestamp;
    use steward_shared::wire::message::PointKind;

    use super::super::directory::{NamedDevice, NamedPoint};
    use super::*;

    #[test]
    fn a_reading_is_told_with_its_unit_its_instant_and_its_quality() {
        let point =
            NamedPoint { no: PointNo(4), key: "power".into(), unit: "kW".into(), kind: PointKind::Gauge };
        let device = NamedDevice {
            line: "COM1".into(),
            device: "meter/1".into(),
            place: String::new(),
            points: vec![point],
        };
        let directory = Directory::new("东区".into(), vec![device]);
        let json = Json {
            topic: "b/{gateway}/{line}/{device}/{point}/{place}".into(),
            status: "b/{gateway}".into(),
            retained: false,
            at_least_once: true,
        };
        let at = Timestamp(1_760_000_000_000);
        let mut reading =
            Reading { point: PointNo(4), at, value: Some(Value::Number(1.5)), quality: Quality::Good };
        let told = json.reading(&directory, &reading).unwrap();
        assert_eq!(told.topic, "b/东区/COM1/meter_1/power/_");
        let text = String::from_utf8(told.payload).unwrap();
        assert_eq!(text, format!("{{\"value\":1.5,\"unit\":\"kW\",\"time\":\"{at}\",\"quality\":\"good\"}}"));
        (reading.value, reading.quality) = (None, Quality::LineDown);
        let text = String::from_utf8(json.reading(&directory, &reading).unwrap().payload).unwrap();
        assert!(text.starts_with("{\"value\":null,") && text.ends_with("\"line_down\"}"), "{text}");
        reading.point = PointNo(5);
        assert!(json.reading(&directory, &reading).is_none());
        assert_eq!(json.will(&directory).topic, "b/东区");
    }
}
