//! A device's own clock against the gateway's.

use steward_shared::alarm::EventKind;
use steward_shared::time::{Clock, SystemClock};

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
