//! Makes readings of messages, and says of each message that gives none why: it was kept by the broker, it is older than
//! what is known, its instant cannot be. Pure: the owner of the session calls it.

use std::collections::{BTreeMap, BTreeSet};

use steward_protocols::mqtt::{Heard, Message, hear};
use steward_shared::id::PointNo;
use steward_shared::profile::Language;
use steward_shared::reading::Reading;
use steward_shared::time::Timestamp;

use crate::config::DeviceConfig;

#[derive(Debug, Default)]
pub struct News {
    /// The instants that the devices said last.
    last: BTreeMap<PointNo, Timestamp>,
    /// Points whose messages are at fault, of which somebody was told.
    faulty: BTreeSet<PointNo>,
}

/// What a message gave.
#[derive(Debug, Default, PartialEq)]
pub struct Gained {
    pub readings: Vec<Reading>,
    /// Indices of the points that the device spoke of, now.
    pub points: Vec<usize>,
    /// Faults that are new: the point and what is wrong.
    pub faults: Vec<(usize, String)>,
    /// What is wrong, new or not.
    pub fault: Option<String>,
    /// Points whose messages are in order again.
    pub mended: Vec<usize>,
}

impl News {
    /// `numbers`: of the points of the device's profile.
    pub fn take(
        &mut self,
        device: &DeviceConfig,
        numbers: &[PointNo],
        points: &[usize],
        message: &Message,
        now: Timestamp,
    ) -> Gained {
        let partial = matches!(&device.profile.language, Language::Mqtt(limits) if limits.partial);
        let mut gained = Gained::default();
        for heard in hear(&device.profile.points, points, partial, &message.payload) {
            if let Some(number) = numbers.get(heard.point) {
                self.weigh(device, *number, heard, message, now, &mut gained);
            }
        }
        gained
    }

    fn weigh(
        &mut self,
        device: &DeviceConfig,
        number: PointNo,
        heard: Heard,
        message: &Message,
        now: Timestamp,
        gained: &mut Gained,
    ) {
        let Some((def, rules)) = device.points().nth(heard.point) else { return };
        let heard = heard.believed(now);
        if message.retained {
            let is_old = |at| device.max_age(def, rules).is_some_and(|max| now.since(at) > max);
            let is_state = def.told().is_some_and(|told| told.retained);
            let is_news = heard.at.map_or(is_state, |at| !is_old(at));
            if !is_news {
                return;
            }
        }
        if let Some(at) = heard.at {
            // A message may come twice (4.3.2), and a device may repeat itself.
            if self.last.get(&number).is_some_and(|last| at <= *last) {
                return;
            }
            self.last.insert(number, at);
        }
        gained.points.push(heard.point);
        if let Some(fault) = heard.fault {
            let fault = format!("{}: {fault}", message.topic);
            gained.fault = Some(fault.clone());
            if self.faulty.insert(number) {
                gained.faults.push((heard.point, fault));
            }
        } else if self.faulty.remove(&number) {
            gained.mended.push(heard.point);
        }
        let (at, value, quality) = (heard.at.unwrap_or(now), heard.value, heard.quality);
        gained.readings.push(Reading { point: number, at, value, quality });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use steward_shared::reading::{Quality, Value};

    use super::*;

    const NOW: Timestamp = Timestamp(1_760_000_000_000);

    struct House {
        _dir: tempfile::TempDir,
        device: DeviceConfig,
        news: News,
    }

    /// A device with a value that bears an instant, one that bears none, and a state.
    fn house() -> House {
        let dir = tempfile::tempdir().unwrap();
        let point = |key: &str, rest: &str| {
            format!(
                "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\npath = \"/{key}\"\n{rest}\n"
            )
        };
        let profile = format!(
            "vendor = \"A\"\nmodel = \"M\"\ntitle = {{ zh = \"表\", en = \"M\" }}\nsource = [\"s\"]\n[mqtt]\npartial = true\n{}{}{}",
            point("timed", "unit = \"Cel\"\ntime = \"/at\"\nmax_age = \"1h\""),
            point("plain", "unit = \"Cel\"\nmax_age = \"1h\""),
            point("door", "type = \"flag\"\nretained = true\nmax_age = \"0s\""),
        );
        std::fs::create_dir_all(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/m.toml"), profile).unwrap();
        let text = format!(
            "[gateway]\nname = \"east\"\n[profiles]\nfolders = [\"{}\"]\n[[line]]\nname = \"l\"\nkind = \"mqtt\"\n\
             host = \"h\"\n[[line.device]]\nname = \"d\"\nprofile = \"a/m\"\ntopic = \"d\"\n",
            dir.path().display()
        );
        let config = crate::config::parse("edge.toml", &text, Path::new("/"), []).unwrap();
        House { _dir: dir, device: config.lines[0].devices[0].clone(), news: News::default() }
    }

    impl House {
        fn told(&mut self, payload: &str, retained: bool) -> Gained {
            let payload = payload.as_bytes().to_vec();
            let message = Message { topic: "d".to_owned(), payload, retained, ..Message::default() };
            let numbers = [PointNo(10), PointNo(11), PointNo(12)];
            self.news.take(&self.device, &numbers, &[0, 1, 2], &message, NOW)
        }
    }

    fn good(point: u32, at: Timestamp, value: f64) -> Reading {
        Reading { point: PointNo(point), at, value: Some(Value::Number(value)), quality: Quality::Good }
    }

    #[test]
    fn what_the_broker_has_kept_is_news_only_with_an_instant_or_as_a_state() {
        let mut house = house();
        assert_eq!(house.told("{\"plain\": 21}", true), Gained::default());
        assert_eq!(house.told("{\"door\": true}", true).readings, [good(12, NOW, 1.0)]);
        let at = NOW.minus(Duration::from_mins(30));
        let kept = format!("{{\"timed\": 20, \"at\": {}}}", at.as_millis());
        assert_eq!(house.told(&kept, true).readings, [good(10, at, 20.0)]);
        let old = format!("{{\"timed\": 20, \"at\": {}}}", NOW.minus(Duration::from_hours(2)).as_millis());
        assert_eq!(house.told(&old, true), Gained::default());
        assert_eq!(house.told("{\"plain\": 21}", false).readings, [good(11, NOW, 21.0)]);
    }

    #[test]
    fn what_is_told_again_is_no_reading_and_a_clock_that_is_wrong_is_told() {
        let mut house = house();
        let at = |at: Timestamp| format!("{{\"timed\": 20, \"at\": {}}}", at.as_millis());
        let earlier = NOW.minus(Duration::from_hours(3));
        assert_eq!(house.told(&at(earlier), false).readings, [good(10, earlier, 20.0)]);
        assert_eq!(house.told(&at(earlier), false), Gained::default());
        let ahead = house.told(&at(NOW.plus(Duration::from_mins(6))), false);
        assert_eq!((ahead.readings[0].quality, ahead.readings[0].at), (Quality::BadReply, NOW));
        assert!(ahead.faults[0].1.contains("set the device's clock"), "{ahead:?}");
        assert!(house.told("{\"timed\": 20, \"at\": 86400}", false).fault.is_some());
    }

    #[test]
    fn a_fault_is_told_once_with_its_topic_until_it_is_mended() {
        let mut house = house();
        let broken = house.told("{\"plain\": \"warm\"}", false);
        assert_eq!(broken.readings[0].quality, Quality::Undecodable);
        assert!(broken.faults[0].1.starts_with("d: a number was wanted at /plain"), "{broken:?}");
        let again = house.told("{\"plain\": \"hot\"}", false);
        assert!(again.faults.is_empty() && again.fault.is_some(), "{again:?}");
        let mended = house.told("{\"plain\": 20}", false);
        assert_eq!((mended.mended, mended.fault), (vec![1], None));
    }
}
