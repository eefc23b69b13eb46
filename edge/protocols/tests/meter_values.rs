//! What the bytes of meters mean, how their items are put together, and simulated meters against what others made: their
//! answers are read by the golden frames' own rules.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::exchange::Progress;
use steward_protocols::question::{Address, PointValue, Question, questions};
use steward_protocols::{cjt188, dlt645};
use steward_shared::profile::{Framing, Library, Profile};
use steward_shared::reading::{Quality, Value};

const COST: Cost = Cost { question: Duration::from_millis(60), byte: Duration::from_millis(5) };

fn profile(id: &str) -> Profile {
    Profile::clone(&Library::compiled_in().unwrap().get(id).unwrap())
}

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

fn indices(profile: &Profile, keys: &[&str]) -> Vec<usize> {
    keys.iter().map(|k| profile.points.iter().position(|p| p.key == *k).unwrap()).collect()
}

fn ask(profile: &Profile, keys: &[&str]) -> Question {
    let mut all = questions(profile, indices(profile, keys), &COST, &[]);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn told(values: &[PointValue]) -> Vec<(Option<f64>, Quality)> {
    values.iter().map(|v| (v.value.as_ref().and_then(Value::as_number), v.quality)).collect()
}

#[test]
fn the_sign_is_the_highest_bit_and_nothing_but_ff_is_no_value() {
    let meter = profile("dlt645/single-phase");
    let power = |data: &str| told(&ask(&meter, &["active-power"]).values(&meter.points, &bytes(data)))[0];
    assert_eq!(power("34 12 83"), (Some(-3.1234), Quality::Good));
    assert_eq!(power("34 12 03"), (Some(3.1234), Quality::Good));
    assert_eq!(power("99 99 F9"), (Some(-79.9999), Quality::Good));
    assert_eq!(power("FF FF FF"), (None, Quality::NoValue));
    assert_eq!(power("0A 12 03"), (None, Quality::Undecodable), "a digit above nine");
    assert_eq!(power("34 12"), (None, Quality::BadReply));
    let energy =
        |data: &str| told(&ask(&meter, &["active-energy-export"]).values(&meter.points, &bytes(data)))[0];
    assert_eq!(energy("78 56 34 92"), (Some(923_456.78), Quality::Good), "an unsigned quantity has no sign");
}

#[test]
fn points_of_one_block_are_asked_for_together_and_alone_where_only_one_is_wanted() {
    let meter = profile("dlt645/three-phase");
    let all = questions(&meter, indices(&meter, &["voltage-a-n", "voltage-b-n", "voltage-c-n"]), &COST, &[]);
    let [Question::Dlt645(voltages)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((voltages.item.to_string(), voltages.bytes), ("0201FF00".to_owned(), 6));
    let Question::Dlt645(one) = ask(&meter, &["voltage-b-n"]) else { panic!() };
    assert_eq!((one.item.to_string(), one.bytes), ("02010200".to_owned(), 2));
    let two = ask(&meter, &["voltage-c-n", "voltage-a-n"]);
    let values = two.values(&meter.points, &bytes("14 23 99 22 05 23"));
    assert_eq!(told(&values), [(Some(231.4), Quality::Good), (Some(230.5), Quality::Good)]);
}

#[test]
fn a_refused_block_falls_apart_into_its_items() {
    let meter = profile("dlt645/three-phase");
    let whole = ask(&meter, &["voltage-a-n", "voltage-b-n", "voltage-c-n"]);
    let [first, others] = whole.split(&meter.points).unwrap().parts;
    let item = |question: &Question| match question {
        Question::Dlt645(ask) => ask.item.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!((item(&first), item(&others)), ("02010100".to_owned(), "0201FF00".to_owned()));
    assert!(first.split(&meter.points).is_none());
    let [second, third] = others.split(&meter.points).unwrap().parts;
    assert_eq!((item(&second), item(&third)), ("02010200".to_owned(), "02010300".to_owned()));
    assert!(third.split(&meter.points).is_none());
}

#[test]
fn what_a_block_lacks_at_its_end_the_meter_does_not_have() {
    let meter = profile("dlt645/three-phase");
    let keys = ["active-energy-import", "active-energy-import-t1", "active-energy-import-t2"];
    let block = ask(&meter, &keys);
    let values = |data: &str| told(&block.values(&meter.points, &bytes(data)));
    let two = [(Some(36.3), Quality::Good), (Some(2.56), Quality::Good), (None, Quality::NoValue)];
    assert_eq!(values("30 36 00 00 56 02 00 00"), two);
    assert_eq!(values("30 36 00 00 56 02 00 00 AA"), two, "a block may be ended by AA");
    let cut = [(Some(36.3), Quality::Good), (None, Quality::BadReply), (None, Quality::BadReply)];
    assert_eq!(values("30 36 00 00 56 02"), cut);
}

#[test]
fn a_heat_meters_values_are_brought_to_the_units_of_their_points() {
    let meter = profile("cjt188/heat-1f90");
    let heat = ask(&meter, &["heat-energy", "power", "volume"]);
    let values = |energy: u8, power: u8, volume: u8| {
        let mut data = vec![0; 43];
        data[5..10].copy_from_slice(&[0x56, 0x34, 0x12, 0x00, energy]);
        data[10..15].copy_from_slice(&[0x00, 0x50, 0x00, 0x00, power]);
        data[20..25].copy_from_slice(&[0x00, 0x01, 0x00, 0x00, volume]);
        let shown = told(&heat.values(&meter.points, &data));
        [shown[0].0, shown[1].0, shown[2].0]
    };
    assert_eq!(values(0x05, 0x17, 0x2C), [Some(1234.56), Some(50.0), Some(1.0)], "kWh, kW, m3");
    assert_eq!(values(0x08, 0x14, 0x29), [Some(1_234_560.0), Some(0.05), Some(0.001)], "MWh, W, L");
    assert_eq!(
        values(0x06, 0x1A, 0x2D),
        [Some(12_345.6), Some(50_000.0), Some(10.0)],
        "kWh x 10, MW, m3 x 10"
    );
    // 1234.56 GJ are 342933.333 kWh: 3.6 MJ each.
    let [gigajoules, ..] = values(0x11, 0x17, 0x2C);
    assert!((gigajoules.unwrap() - 342_933.333_333).abs() < 1e-3, "{gigajoules:?}");
    assert_eq!(
        values(0x2C, 0x00, 0x05),
        [None; 3],
        "another quantity, or a code that nobody knows, is no value"
    );
}

#[test]
fn a_simulated_meter_answers_golden_requests_as_the_golden_meters_did() {
    let meter = profile("dlt645/single-phase");
    let number = |value: f64| Some(Value::Number(value));
    let electricity = dlt645::Meter::new(&meter, "000000193600".parse().unwrap()).unwrap();
    let answer =
        electricity.answer(&bytes("FE 68 00 36 19 00 00 00 68 11 04 33 32 34 33 00 16"), |p| {
            match p.key.as_str() {
                "active-energy-import" => number(36.30),
                "active-energy-import-t1" => number(2.56),
                "active-energy-import-t2" => number(0.19),
                "active-energy-import-t3" => number(0.38),
                "active-energy-import-t4" => number(33.17),
                other => panic!("nobody asked for {other}"),
            }
        });
    let golden = "FE FE FE FE 68 00 36 19 00 00 00 68 91 18 33 32 34 33 63 69 33 33 89 35 33 33 4C 33 33 33 6B 33 33 33 \
                  4A 66 33 33 E9 16";
    assert_eq!(answer, Some(bytes(golden)));
    let whose = bytes("FE 68 AA AA AA AA AA AA 68 13 00 DF 16");
    let address = bytes("FE FE FE FE 68 00 36 19 00 00 00 68 93 06 33 69 4C 33 33 33 39 16");
    assert_eq!(electricity.answer(&whose, |_| None), Some(address));
    let foreign = bytes("68 25 04 03 02 01 00 68 11 04 33 33 34 33 E1 16");
    assert_eq!(
        electricity.answer(&foreign, |_| number(1.0)),
        None,
        "real meters are silent to what is not for them"
    );

    let other = dlt645::Meter::new(&meter, "123456789012".parse().unwrap()).unwrap();
    let ask = |control, data: &str| {
        let frame = dlt645::Frame { address: "123456789012".parse().unwrap(), control, data: bytes(data) };
        other.answer(&frame.bytes(), |_| None)
    };
    // The refusal as it stands in the test of a meter client on GitHub (C#, xunit).
    assert_eq!(ask(0x11, "FF FF FF FF"), Some(bytes("FE FE FE FE 68 12 90 78 56 34 12 68 D1 01 35 8D 16")));
    let refused = ask(0x14, "01 01 00 04 02 00 00 00 00 00 00 00").unwrap();
    assert_eq!(refused[12..14], [0xD4, 1], "it is not written to");
    let everybody =
        dlt645::Frame { address: dlt645::Address::ALL, control: 0x08, data: bytes("05 30 14 18 09 26") };
    assert_eq!(other.answer(&everybody.bytes(), |_| None), None);

    let water = profile("cjt188/water-1f90");
    let water_meter = cjt188::Meter::new(&water, "78330011223344".parse().unwrap()).unwrap();
    let answer = water_meter.answer(&bytes("68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16"), |p| {
        match p.key.as_str() {
            "volume" | "volume-settled" => number(556_677.0),
            "meter-clock" => Some(Value::Text("20150511220131".to_owned())),
            "valve" => number(1.0),
            _ => number(0.0),
        }
    });
    // The golden answer, but for the bits of the state that no point stands in.
    let golden =
        "68 10 44 33 22 11 00 33 78 81 15 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 01";
    assert_eq!(answer.unwrap()[4..36], bytes(golden)[..]);
}

#[test]
fn every_value_of_a_simulated_meter_comes_back_as_it_was() {
    for (id, address) in [
        ("dlt645/three-phase", Address::Dlt645("210401230001".parse().unwrap())),
        ("dlt645/three-phase-1997", Address::Dlt645("000000000002".parse().unwrap())),
        ("cjt188/heat-1f90", Address::Cjt188("11110017312151".parse().unwrap())),
        ("cjt188/heat-901f-unit-first", Address::Cjt188("00000040314132".parse().unwrap())),
        ("cjt188/gas-1f90", Address::Cjt188("00000000000003".parse().unwrap())),
    ] {
        let profile = profile(id);
        let value = |key: &str| {
            let place = profile.points.iter().position(|p| p.key == key).unwrap();
            match key {
                "meter-number" => Value::Text("000000000161".to_owned()),
                "meter-clock" => Value::Text("20260918143005".to_owned()),
                "meter-date" => Value::Text("26091805".to_owned()),
                "meter-time" => Value::Text("143005".to_owned()),
                "valve" | "battery-low" => Value::Number(1.0),
                _ => Value::Number(f64::from(1 + place as u8 % 7)),
            }
        };
        for question in questions(&profile, 0..profile.points.len(), &COST, &[]) {
            let mut exchange = question.exchange(address, Framing::Rtu).unwrap();
            let request = exchange.frame(7);
            let answer = match address {
                Address::Dlt645(own) => {
                    dlt645::Meter::new(&profile, own).unwrap().answer(&request, |p| Some(value(&p.key)))
                }
                Address::Cjt188(own) => {
                    cjt188::Meter::new(&profile, own).unwrap().answer(&request, |p| Some(value(&p.key)))
                }
                _ => None,
            };
            let Progress::Reply(Ok(contents)) = exchange.received(&answer.unwrap()) else { panic!("{id}") };
            for got in question.values(&profile.points, &contents) {
                let key = &profile.points[got.point].key;
                assert_eq!(got.value, Some(value(key)), "{id} {key}");
            }
        }
    }
}
