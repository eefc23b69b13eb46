//! Deadbands, and values that cannot be.

use steward_shared::alarm::EventKind;
use steward_shared::reading::{Quality, Value};

use crate::house::{House, Meter};

fn point(rest: &str) -> String {
    format!(
        "[[point]]\nkey = \"power\"\ntitle = {{ zh = \"功率\", en = \"Power\" }}\ntable = \"holding\"\naddress = 0\n\
         type = \"u32\"\nscale = 0.1\nunit = \"kW\"\nclass = \"fast\"\n{rest}\n"
    )
}

#[tokio::test]
async fn a_steady_value_is_kept_once_in_its_silence_and_is_never_shown_as_stale() {
    let meter = Meter::start();
    meter.set_wide(0, 200);
    let own = "points = { power = { deadband = 1.0, max_silence = \"60s\" } }";
    let mut house = House::start(&meter, &point(""), own).await;
    house.until_quality("power", "good").await;
    house.polls(15).await;
    assert_eq!(house.shown("power").quality, Some("good"), "polled fifteen times since the one that is kept");
    meter.set_wide(0, 205);
    house.polls(5).await;
    meter.set_wide(0, 250);
    house.polls(5).await;
    let left = house.stop().await;
    let kept: Vec<_> = left.of("power").iter().map(|r| r.value.clone()).collect();
    assert_eq!(kept, [Some(Value::Number(20.0)), Some(Value::Number(25.0))]);
    assert_eq!(
        left.catalogue.points[0].period_ms, 60_000,
        "the hub waits as long as the gateway may be silent"
    );
}

#[tokio::test]
async fn fault_b6_swapped_words_and_all_bits_set_are_flagged_and_told_once() {
    let meter = Meter::start();
    meter.set_wide(0, 205);
    let mut house = House::start(&meter, &point("min = 0\nmax = 500"), "").await;
    house.until_quality("power", "good").await;
    house.polls(5).await;
    meter.set_wide(0, 205 << 16);
    house.until_quality("power", "out_of_range").await;
    house.polls(5).await;
    meter.set_wide(0, 0xFFFF_FFFF);
    house.polls(10).await;
    assert_eq!(house.shown("power").quality, Some("out_of_range"));
    meter.set_wide(0, 205);
    house.until_quality("power", "good").await;
    house.polls(5).await;
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::Implausible), [true, false]);
    let detail = left.detail(EventKind::Implausible);
    assert!(detail.contains("meter/power") && detail.contains("least 0.0 kW, most 500.0 kW"), "{detail}");
    for reading in left.of("power") {
        let Some(Value::Number(value)) = reading.value else { panic!("{reading:?}") };
        assert_eq!(reading.quality.is_good(), value < 500.0, "{reading:?}");
    }
}

#[tokio::test]
async fn fault_b6_a_float_that_is_no_number_is_no_value() {
    let meter = Meter::start();
    let float = point("").replace("u32", "f32").replace("scale = 0.1\n", "");
    meter.set_wide(0, 20.5_f32.to_bits());
    let mut house = House::start(&meter, &float, "").await;
    house.until_quality("power", "good").await;
    for not_a_number in [f32::NAN, f32::INFINITY] {
        meter.set_wide(0, not_a_number.to_bits());
        house.until_quality("power", "undecodable").await;
        house.polls(2).await;
    }
    let left = house.stop().await;
    let numbers: Vec<_> = left.of("power").iter().filter_map(|r| r.value.clone()).collect();
    assert!(numbers.iter().all(|n| *n == Value::Number(20.5)), "{numbers:?}");
}

#[tokio::test]
async fn fault_b8_ten_times_the_value_is_flagged_as_too_fast_and_the_change_of_unit_is_named() {
    let meter = Meter::start();
    meter.set_wide(0, 410);
    let mut house = House::start(&meter, &point("rate_per_min = 100"), "").await;
    house.until_quality("power", "good").await;
    house.polls(5).await;
    meter.set_wide(0, 4100);
    house.until_quality("power", "too_fast").await;
    house.polls(10).await;
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::Implausible), [true], "one event, whatever the number of samples");
    assert!(left.detail(EventKind::Implausible).contains("about 10 times"));
    let doubted = left.of("power").iter().filter(|r| r.quality == Quality::TooFast).count();
    assert!(doubted >= 8, "{doubted}");
    let good = left.of("power").into_iter().filter(|r| r.quality.is_good());
    assert!(good.into_iter().all(|r| r.value == Some(Value::Number(41.0))));
}

#[tokio::test]
async fn a_value_that_never_moves_is_told_as_stuck_until_it_moves() {
    let meter = Meter::start();
    meter.set_wide(0, 410);
    let mut house = House::start(&meter, &point("stuck_after = \"1s\""), "").await;
    house.until_quality("power", "stuck").await;
    house.polls(5).await;
    meter.set_wide(0, 411);
    house.until_quality("power", "good").await;
    for value in 412..418 {
        meter.set_wide(0, value);
        house.polls(1).await;
    }
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::Implausible), [true, false]);
    assert!(left.detail(EventKind::Implausible).contains("exactly 41.0 kW since"));
}
