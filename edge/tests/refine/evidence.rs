//! What the devices answered, at the terminal: where a number comes from, what another profile would make of it, and what a
//! mended profile makes of readings that a wrong one made.

use serde_json::Value as Json;
use steward_edge::buffer::{Buffer, BufferSettings};
use steward_shared::id::RandomIds;
use steward_shared::reading::{Reading, Value};
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::columns::decode;
use steward_shared::wire::message::Lane;

use crate::house::{House, Meter};
use crate::program::program;

fn points(order: &str) -> String {
    format!(
        "[[point]]\nkey = \"power\"\ntitle = {{ zh = \"功率\", en = \"Power\" }}\ntable = \"holding\"\naddress = 0\n\
         type = \"u32\"\norder = \"{order}\"\nscale = 0.1\nunit = \"kW\"\nclass = \"fast\"\n\
         [[point]]\nkey = \"status\"\ntitle = {{ zh = \"状态\", en = \"Status\" }}\ntable = \"holding\"\naddress = 2\n\
         type = \"u16\"\nunit = \"1\"\nclass = \"fast\"\n\
         [[point]]\nkey = \"double\"\ntitle = {{ zh = \"两倍\", en = \"Double\" }}\nexpression = \"2 * {{power}}\"\nunit = \"kW\"\n"
    )
}

/// What the program says, and whether it was done.
fn said(house: &House, words: &[&str]) -> (bool, String) {
    let file = house.folder.path().join("edge.toml").display().to_string();
    let out = program().args(words).args(["--config", &file]).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_explained_by_its_bytes_and_another_profile_is_tried_on_them() {
    let meter = Meter::start();
    meter.set_wide(0, 205);
    meter.set(2, 7);
    let mut house = House::start(&meter, &points("abcd"), "").await;
    house.until_number("power", 20.5).await;
    house.polls(5).await;
    house.stop().await;

    // The frames are those of then, whatever the file says now.
    let file = house.folder.path().join("edge.toml");
    let moved = std::fs::read_to_string(&file).unwrap().replace("address = 1", "address = 9");
    std::fs::write(&file, moved.replace("port = ", "framing = \"transparent\"\nport = ")).unwrap();
    let (done, told) = said(&house, &["explain", "meter/power", "--lang", "en"]);
    assert!(done, "{told}");
    for part in [
        "20.5 kW",
        "good",
        "00 00 00 06 01 03 00 00 00 03",
        "tcp 1",
        "00 00 00 00 00 09 01 03 06 00 00 00 CD 00 07",
        "00 00 00 CD (at offset 0)",
        "holding 0 U32",
        "acme/m1",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let (done, told) = said(&house, &["explain", "meter/double", "--json"]);
    let json: Json = serde_json::from_str(&told).unwrap();
    assert!(done && json["value"] == 41.0 && json["of"][0]["bytes"] == "00 00 00 CD", "{told}");
    let (done, told) = said(&house, &["explain", "meter/pwr", "--lang", "zh"]);
    assert!(!done && told.contains("没有点位 meter/pwr"), "{told}");
    let (done, told) =
        said(&house, &["explain", "meter/power", "--lang", "en", "--at", "2001-01-01T00:00:00Z"]);
    assert!(!done && told.contains("no answer of 2001-01-01T00:00:00.000Z or before is kept"), "{told}");

    let tried = house.folder.path().join("tried/acme");
    std::fs::create_dir_all(&tried).unwrap();
    let present = std::fs::read_to_string(house.folder.path().join("profiles/acme/m1.toml")).unwrap();
    let other = tried.join("m1.toml");
    std::fs::write(&other, present.replace("\"abcd\"", "\"cdab\"")).unwrap();
    let (done, told) = said(&house, &["preview", &other.display().to_string(), "--lang", "en"]);
    assert!(done && told.contains("meter/power  20.5 kW  1343488 kW"), "{told}");
    assert!(!told.contains("status"), "only what differs is shown: {told}");
}

async fn sent_anew(house: &House) -> Vec<Reading> {
    let (clock, ids) = (std::sync::Arc::new(SystemClock), std::sync::Arc::new(RandomIds));
    let buffer = Buffer::open(&house.data(), BufferSettings::default(), clock, ids).unwrap();
    let batch = buffer.after(Lane::Backfill, 0).await.unwrap().unwrap();
    let anew = decode(&batch.body).unwrap().readings;
    buffer.close().await.unwrap();
    anew
}

fn instants(readings: &[&Reading]) -> Vec<Timestamp> {
    readings.iter().map(|r| r.at).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_of_a_wrong_profile_are_made_anew_by_the_mended_one_with_their_own_instants() {
    let meter = Meter::start();
    meter.set_wide(0, 205);
    let mut house = House::start(&meter, &points("cdab"), "").await;
    house.until_number("power", 1_343_488.0).await;
    house.polls(5).await;
    let wrong = house.stop().await;
    let path = house.folder.path().join("profiles/acme/m1.toml");
    let mended = std::fs::read_to_string(&path).unwrap().replace("\"cdab\"", "\"abcd\"");
    std::fs::write(&path, mended).unwrap();
    house.start_again().await;
    house.until_number("power", 20.5).await;

    let (done, told) = said(&house, &["redecode", "--since", "2001-01-01T00:00:00Z", "--json"]);
    let counts: Json = serde_json::from_str(&told).unwrap();
    assert!(done && counts["meter"].as_u64().unwrap() >= 3 * 5, "{told}");
    house.stop().await;

    let anew = sent_anew(&house).await;
    let of_power = wrong.of("power");
    let corrected: Vec<_> = anew.iter().filter(|r| r.point == of_power[0].point).collect();
    assert_eq!(instants(&corrected), instants(&of_power), "the hub keeps the later word about one instant");
    assert!(corrected.iter().all(|r| r.value == Some(Value::Number(20.5))));
}

const ENERGY: &str = "[[point]]\nkey = \"energy\"\ntitle = { zh = \"电能\", en = \"Energy\" }\ntable = \"holding\"\n\
    address = 4\ntype = \"u32\"\nscale = 0.1\nunit = \"kW.h\"\nkind = \"counter\"\nmodulus = 1000.0\nclass = \"fast\"\n\
    [[point]]\nkey = \"total\"\ntitle = { zh = \"累计\", en = \"Total\" }\ntotal_of = \"energy\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deadband_or_a_ledger_would_do_otherwise_anew_leaves_no_wrong_value_behind() {
    let meter = Meter::start();
    meter.set_wide(0, 205);
    meter.set_wide(4, 9990);
    let own = "points = { power = { deadband = 1.0, max_silence = \"60s\" } }";
    let mut house = House::start(&meter, &format!("{}{ENERGY}", points("cdab")), own).await;
    house.until_number("power", 1_343_488.0).await;
    meter.set_wide(0, 206);
    meter.set_wide(4, 12);
    house.until_number("total", 1001.2).await;
    house.polls(3).await;
    let wrong = house.stop().await;
    let path = house.folder.path().join("profiles/acme/m1.toml");
    let mended = std::fs::read_to_string(&path).unwrap().replace("\"cdab\"", "\"abcd\"");
    std::fs::write(&path, mended).unwrap();
    house.start_again().await;
    house.until_number("power", 20.6).await;
    let (done, told) = said(&house, &["redecode", "--since", "2001-01-01T00:00:00Z", "--json"]);
    assert!(done, "{told}");
    house.stop().await;

    let anew = sent_anew(&house).await;
    let of = |key: &str| -> Vec<&Reading> {
        let no = wrong.of(key)[0].point;
        anew.iter().filter(|r| r.point == no).collect()
    };
    let (kept, corrected) = (instants(&wrong.of("power")), instants(&of("power")));
    assert!(kept.len() >= 2 && kept.iter().all(|at| corrected.contains(at)), "{kept:?} {corrected:?}");
    assert!(of("total").is_empty(), "what the ledger said then stands");
    assert!(!of("energy").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_is_explained_with_what_its_ledger_added_at_that_instant() {
    let meter = Meter::start();
    meter.set_wide(4, 9990);
    let mut house = House::start(&meter, &format!("{}{ENERGY}", points("abcd")), "").await;
    house.until_number("total", 999.0).await;
    house.polls(3).await;
    let before = SystemClock.now();
    house.polls(2).await;
    meter.set_wide(4, 12);
    house.until_number("total", 1001.2).await;
    house.polls(3).await;

    let explained = |words: &[&str]| -> Json {
        let (done, told) = said(&house, &[&["explain", "meter/total", "--json"], words].concat());
        assert!(done, "{told}");
        serde_json::from_str(&told).unwrap()
    };
    // What was heard last is written within half a minute; a request to make anew writes it now.
    assert!(said(&house, &["redecode", "--since", "2001-01-01T00:00:00Z"]).0);
    let now = explained(&[]);
    assert_eq!((&now["value"], &now["added"]), (&1001.2.into(), &1000.0.into()), "{now}");
    assert_eq!((&now["of"][0]["value"], &now["quality"]), (&1.2.into(), &"good".into()));
    let then = explained(&["--at", &before.to_string()]);
    assert_eq!((&then["value"], &then["added"]), (&999.0.into(), &0.0.into()), "{then}");
    let (_, told) = said(&house, &["explain", "meter/total", "--lang", "en"]);
    assert!(told.contains("total_of energy + 1000"), "{told}");

    house.stop().await;
    let (done, told) = said(&house, &["explain", "meter/total", "--lang", "en"]);
    assert!(done && told.contains("the daemon knows what the ledger adds, and it does not answer"), "{told}");
}
