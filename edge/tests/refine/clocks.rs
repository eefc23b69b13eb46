//! A device's own clock against the gateway's.

use steward_shared::alarm::EventKind;
use steward_shared::time::{Clock, SystemClock, Timestamp};

use crate::house::{House, Meter};

const POINT: &str = r#"
[[point]]
key = "clock"
title = { zh = "时钟", en = "Clock" }
table = "holding"
address = 30
type = "u32"
unit = "s"
class = "fast"
role = "clock"
max_drift = "30s"
"#;

fn now() -> u32 {
    u32::try_from(SystemClock.now().as_millis() / 1000).unwrap()
}

#[tokio::test]
async fn a_device_whose_clock_is_off_is_told_once_with_by_how_much() {
    let meter = Meter::start();
    meter.set_wide(30, now() - 95);
    let mut house = House::start(&meter, POINT, "").await;
    house.until_quality("clock", "good").await;
    house.polls(10).await;
    meter.set_wide(30, now());
    house.polls(10).await;
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::DeviceClock), [true, false]);
    let detail = left.detail(EventKind::DeviceClock);
    // It stands still meanwhile.
    let behind = (95..125).any(|s| detail.contains(&format!("{s} s behind")));
    assert!(behind && detail.contains("clock of meter"), "{detail}");
}

const TEXT: &str = r#"
[[point]]
key = "clock"
title = { zh = "时钟", en = "Clock" }
table = "holding"
address = 30
type = "string"
registers = 7
class = "fast"
role = "clock"
utc_offset = "+08:00"
"#;

#[tokio::test]
async fn a_clock_that_shows_local_time_as_digits_is_compared_by_its_offset() {
    let meter = Meter::start();
    let show = |off_s: i64| {
        let local = Timestamp(SystemClock.now().0 + (8 * 3600 + off_s) * 1000).to_string();
        let digits: Vec<u8> = local.bytes().filter(u8::is_ascii_digit).take(14).collect();
        for (i, pair) in digits.chunks(2).enumerate() {
            meter.set(30 + i as u16, u16::from_be_bytes([pair[0], pair[1]]));
        }
    };
    show(600);
    let mut house = House::start(&meter, TEXT, "").await;
    house.until_quality("clock", "good").await;
    house.polls(10).await;
    show(0);
    house.polls(10).await;
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::DeviceClock), [true, false]);
    let detail = left.detail(EventKind::DeviceClock);
    assert!((570..=600).any(|s| detail.contains(&format!("{s} s ahead"))), "{detail}");
}
