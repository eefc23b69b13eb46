//! Which of several answers a value comes from, and what another profile makes of them: devices of a network and of a broker,
//! whose answers may leave a point out. The bytes of values are those of ASHRAE 135, clause 20.2.

use std::ops::Range;
use std::path::Path;

use steward_protocols::mqtt::{Manner, words};
use steward_shared::id::PointNo;
use steward_shared::reading::Reading;
use steward_shared::wire::columns::Header;

use super::super::asked::Witness;
use super::super::decode::{Comparison, compare, fingerprint, redecoded};
use super::super::runs::Heard;
use super::super::store::Store;
use super::*;
use crate::config::Config;

struct House {
    dir: tempfile::TempDir,
    config: Config,
}

const PROFILES: [(&str, &str); 2] = [
    (
        "net",
        "[bacnet]\n[[point]]\nkey = \"a\"\ntitle = { zh = \"甲\", en = \"A\" }\nobject = \"analog-input\"\ninstance = 1\n\
         unit = \"Cel\"\nmax = 50.0\ncov = true\n[[point]]\nkey = \"b\"\ntitle = { zh = \"乙\", en = \"B\" }\n\
         object = \"analog-input\"\ninstance = 2\nunit = \"Cel\"\n[[point]]\nkey = \"sum\"\n\
         title = { zh = \"和\", en = \"Sum\" }\nexpression = \"{a} - {b}\"\nunit = \"K\"\n",
    ),
    (
        "told",
        "[mqtt]\npartial = true\n[[point]]\nkey = \"t\"\ntitle = { zh = \"甲\", en = \"A\" }\npath = \"/t\"\ntime = \"/at\"\n\
         unit = \"Cel\"\n[[point]]\nkey = \"door\"\ntitle = { zh = \"门\", en = \"Door\" }\npath = \"/door\"\ntype = \"flag\"\n",
    ),
];

fn profile(model: &str, rest: &str) -> String {
    let title = "title = { zh = \"表\", en = \"M\" }";
    format!("vendor = \"A\"\nmodel = \"{model}\"\n{title}\nsource = [\"s\"]\n{rest}")
}

impl House {
    /// Devices `net` and `told`, of which these answers are kept.
    fn with(heard: impl IntoIterator<Item = (&'static str, String, i64, Vec<u8>)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a")).unwrap();
        for (model, rest) in PROFILES {
            std::fs::write(dir.path().join(format!("a/{model}.toml")), profile(model, rest)).unwrap();
        }
        let text = format!(
            "[gateway]\nname = \"east\"\n[profiles]\nfolders = [\"{}\"]\n[[line]]\nname = \"n\"\nkind = \"bacnet-ip\"\n\
             [[line.device]]\nname = \"net\"\nprofile = \"a/net\"\ninstance = 7\n[[line]]\nname = \"m\"\nkind = \"mqtt\"\n\
             host = \"h\"\n[[line.device]]\nname = \"told\"\nprofile = \"a/told\"\ntopic = \"hall\"\n",
            dir.path().display()
        );
        let config = crate::config::parse("edge.toml", &text, Path::new("/"), [])
            .unwrap_or_else(|f| panic!("{}", steward_shared::document::listing(&f)));
        let house = Self { dir, config };
        let run = |(device, span, at, contents)| {
            let witness = Witness::of(house.device(device), steward_shared::profile::Framing::Tcp);
            let Heard { device, profile, span, asked, at, contents } =
                witness.heard(span, Timestamp(at), contents);
            Run { device, profile, span, asked, from: at, step_ms: 0, count: 1, contents }
        };
        let runs: Vec<Run> = heard.into_iter().map(run).collect();
        let clock = Header {
            boot: "00000000000000000000000000000001".parse().unwrap(),
            mono_ms: 0,
            wall: Timestamp(0),
        };
        Store::open(house.dir.path()).unwrap().keep(&runs, &clock).unwrap();
        house
    }

    fn device(&self, name: &str) -> &DeviceConfig {
        self.config.lines.iter().flat_map(|line| &line.devices).find(|device| device.name == name).unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    fn explain(&self, device: &str, point: &str, at: i64) -> Option<Explained> {
        let device = self.device(device);
        let point = device.profile.point(point).unwrap();
        explain(&self.reader(), device, point, Timestamp(at), &|_, _| None).unwrap()
    }

    fn redecoded(
        &self,
        device: &str,
        by: &Profile,
        numbers: &[PointNo],
        within: &Range<Timestamp>,
    ) -> Vec<Vec<Reading>> {
        let others = self.reader().others(device, &fingerprint(by)).unwrap();
        redecoded(&self.reader(), &others, by, numbers, within).unwrap()
    }

    /// The value, when it was so, and its quality.
    fn shown(&self, device: &str, point: &str, at: i64) -> Option<(f64, i64, &'static str)> {
        let explained = self.explain(device, point, at)?;
        let Some(Word::Number(number)) = explained.value else { panic!("{explained:?}") };
        Some((number, explained.at.0, explained.quality.unwrap()))
    }
}

/// A real between tags 4.
fn real(number: f32) -> Vec<u8> {
    [&[0x4E, 0x44], number.to_be_bytes().as_slice(), &[0x4F]].concat()
}

const NORMAL: [u8; 5] = [0x4E, 0x82, 4, 0, 0x4F];
const OUT_OF_SERVICE: [u8; 5] = [0x4E, 0x82, 4, 0x10, 0x4F];
const NOTHING: [u8; 2] = [0x6E, 0x6F];

fn network() -> House {
    let both =
        |at, contents: &[&[u8]]| ("net", "properties 0:1.85.111 0:2.85.111".into(), at, contents.concat());
    House::with([
        both(100, &[&real(20.0), &NORMAL, &real(5.0), &NORMAL]),
        ("net", "notice 0:1.85.111".into(), 150, [real(21.0).as_slice(), &NORMAL].concat()),
        // Meanwhile the first was told, and the second was not answered.
        both(200, &[&NOTHING, &NORMAL, &NOTHING, &NOTHING]),
        both(300, &[&real(60.0), &NORMAL, &real(6.0), &OUT_OF_SERVICE]),
    ])
}

#[test]
fn a_value_comes_from_the_last_answer_or_notice_that_says_it() {
    let house = network();
    let of_first = [99, 100, 149, 150, 250].map(|at| house.shown("net", "a", at));
    let (polled, told) = (Some((20.0, 100, "good")), Some((21.0, 150, "good")));
    assert_eq!(of_first, [None, polled, polled, told, told]);
    assert_eq!(house.shown("net", "b", 250), Some((5.0, 100, "good")));
    let told = house.explain("net", "a", 250).unwrap();
    assert_eq!(
        (told.unasked, told.asked.as_str(), told.contents.as_str()),
        (true, "device 7", "44 41 A8 00 00")
    );
    assert!(!house.explain("net", "b", 250).unwrap().unasked);
    // What cannot be true is doubted here as it was then, and what the device calls out of service is no value.
    assert_eq!(house.shown("net", "a", 300), Some((60.0, 300, "out_of_range")));
    // And so is what is reckoned of it.
    let sum = house.explain("net", "sum", 250).unwrap();
    assert_eq!((sum.value, sum.quality), (Some(Word::Number(16.0)), Some("good")));
    let sum = house.explain("net", "sum", 300).unwrap();
    assert_eq!((sum.value, sum.quality), (None, Some("out_of_range")));
    let service = house.explain("net", "b", 300).unwrap();
    assert_eq!((service.value, service.quality), (None, Some("no_value")));
    assert_eq!(service.parts.last().and_then(|part| part.says.clone()), Some("BIT STRING 0001".into()));
}

#[test]
fn another_profile_of_a_network_is_tried_on_the_newest_that_is_known_of_each_point() {
    let house = network();
    let rest = PROFILES[0].1.replace("instance = 2", "instance = 2\nscale = 10");
    let other = Profile::parse("a/net.toml", &profile("net", &rest)).unwrap();
    let device = house.device("net");
    assert_eq!(compare(&house.reader(), device, &other, Timestamp(99)).unwrap().unseen, ["a", "b"]);
    let Comparison { changed: compared, unseen } =
        compare(&house.reader(), device, &other, Timestamp(250)).unwrap();
    assert_eq!(unseen, Vec::<String>::new());
    let (before, after) = (Some(Word::Number(5.0)), Some(Word::Number(50.0)));
    let [only] = compared.as_slice() else { panic!("{compared:?}") };
    assert_eq!(
        (only.point.as_str(), &only.before, &only.after, only.at),
        ("b", &before, &after, Timestamp(100))
    );

    let numbers = [PointNo(1), PointNo(2)];
    let within = Timestamp(0)..Timestamp(300);
    let blocks = house.redecoded("net", &other, &numbers, &within);
    let anew: Vec<_> =
        blocks.iter().flatten().map(|r| (r.point.0, r.at.0, r.value.clone().unwrap())).collect();
    let number = Value::Number;
    // What made no reading then makes none now.
    assert_eq!(anew, [(1, 100, number(20.0)), (2, 100, number(50.0)), (1, 150, number(21.0))]);
}

/// 10:40 UTC on a day of October 2025.
const T: i64 = 1_760_006_400_000;

fn broker() -> House {
    let told =
        |manner, at, payload: String| ("told", words(manner, "hall", "hall"), at, payload.into_bytes());
    let temperature = |number, said| format!("{{\"t\":{number},\"at\":{said}}}");
    House::with([
        // The device had no network for a while; its clock is ahead in the end.
        told(Manner::Told, T + 60_000, temperature(20, T)),
        told(Manner::Told, T + 60_010, temperature(21, T + 30_000)),
        told(Manner::Told, T + 70_000, "{\"door\":true}".to_owned()),
        told(Manner::Retained, T + 75_000, "{\"door\":false}".to_owned()),
        told(Manner::Told, T + 80_000, temperature(22, T + 90_000)),
        told(Manner::TooLong, T + 95_000, "20000".to_owned()),
    ])
}

#[test]
fn a_message_counts_from_the_instant_that_it_says_whenever_it_came() {
    let house = broker();
    let at = [T - 1, T, T + 29_999, T + 30_000, T + 89_999, T + 90_000];
    let shown = at.map(|at| house.shown("told", "t", at).map(|(number, since, _)| (number, since - T)));
    let (first, second, third) = (Some((20.0, 0)), Some((21.0, 30_000)), Some((22.0, 90_000)));
    assert_eq!(shown, [None, first, first, second, second, third]);
    assert_eq!(
        house.shown("told", "door", T + 90_000),
        Some((1.0, T + 70_000, "good")),
        "not what was retained"
    );
    let told = house.explain("told", "t", T + 30_000).unwrap();
    assert_eq!(told.topic.as_deref(), Some("hall"));
    assert_eq!(told.payload, Some(format!("{{\"t\":21,\"at\":{}}}", T + 30_000)));
    let too_long = house.explain("told", "t", T + 99_000).unwrap();
    assert_eq!((too_long.value, too_long.quality, too_long.contents.as_str()), (None, None, ""));
    assert_eq!(too_long.parts[0].too_long, Some(TooLong { bytes: 20_000, most: 16_384 }));
}

#[test]
fn messages_are_read_again_at_their_own_instants_and_what_was_no_news_then_is_none_now() {
    let house = broker();
    let rest = PROFILES[1].1.replace("time = \"/at\"", "time = \"/at\"\nscale = 10");
    let other = Profile::parse("a/told.toml", &profile("told", &rest)).unwrap();
    let at = Timestamp(T + 99_000);
    let compared = compare(&house.reader(), house.device("told"), &other, at).unwrap().changed;
    let [only] = compared.as_slice() else { panic!("{compared:?}") };
    assert_eq!((&only.before, &only.after), (&Some(Word::Number(22.0)), &Some(Word::Number(220.0))));
    let within = Timestamp(T)..Timestamp(T + 99_000);
    let blocks = house.redecoded("told", &other, &[PointNo(1), PointNo(2)], &within);
    let number = |r: &steward_shared::reading::Reading| r.value.as_ref().and_then(Value::as_number).unwrap();
    let anew: Vec<_> = blocks.iter().flatten().map(|r| (r.point.0, r.at.0 - T, number(r))).collect();
    assert_eq!(anew, [(1, 0, 200.0), (1, 30_000, 210.0), (2, 70_000, 1.0), (1, 90_000, 220.0)]);
}
