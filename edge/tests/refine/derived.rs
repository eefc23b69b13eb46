//! Points that are reckoned of others, from a meter's registers to the buffer.

use steward_shared::reading::{Quality, Value};

use crate::house::{House, Meter};

const POINTS: &str = r#"
[[point]]
key = "power"
title = { zh = "有功", en = "Active power" }
table = "holding"
address = 0
type = "u32"
scale = 0.1
unit = "kW"
class = "fast"
max = 1000
[[point]]
key = "apparent"
title = { zh = "视在", en = "Apparent power" }
table = "holding"
address = 10
type = "u32"
unit = "V.A"
class = "fast"
[[point]]
key = "factor"
title = { zh = "功率因数", en = "Power factor" }
expression = "{power} / {apparent}"
unit = "1"
[[point]]
key = "energy"
title = { zh = "电能", en = "Energy" }
table = "holding"
address = 20
type = "u32"
scale = 0.1
unit = "kW.h"
kind = "counter"
class = "fast"
modulus = 1000
[[point]]
key = "energy-total"
title = { zh = "累计电能", en = "Total energy" }
total_of = "energy"
"#;

fn numbers(left: &crate::house::Left, key: &str) -> Vec<f64> {
    let of = left.of(key);
    let good = of.iter().filter(|r| r.quality.is_good());
    let mut numbers: Vec<f64> = good.filter_map(|r| r.value.as_ref()?.as_number()).collect();
    numbers.dedup_by(|a, b| a.to_bits() == b.to_bits());
    numbers
}

#[tokio::test]
async fn a_derived_point_follows_its_inputs_and_is_no_better_than_they_are() {
    let meter = Meter::start();
    meter.set_wide(0, 450);
    meter.set_wide(10, 50_000);
    let mut house = House::start(&meter, POINTS, "").await;
    house.until_number("factor", 0.9).await;
    meter.set_wide(10, 0);
    house.until_quality("factor", "no_value").await;
    meter.set_wide(10, 50_000);
    house.until_number("factor", 0.9).await;
    meter.set_wide(0, 20_000);
    house.until_quality("factor", "out_of_range").await;
    assert_eq!(house.shown("factor").value, None, "of a value that cannot be nothing is reckoned");
    let left = house.stop().await;
    assert!(numbers(&left, "factor").contains(&0.9));
    let of_factor = left.of("factor");
    assert!(of_factor.iter().any(|r| r.quality == Quality::NoValue && r.value.is_none()));
    let mut instants: Vec<_> = of_factor.iter().map(|r| r.at).collect();
    instants.dedup();
    assert_eq!(
        instants.len(),
        of_factor.len(),
        "one value an instant, though its inputs come in two answers"
    );
    let point = left.catalogue.points.iter().find(|p| p.key == "factor").unwrap();
    assert_eq!((point.unit.as_str(), point.period_ms), ("1", 100));
}

#[tokio::test]
async fn fault_b7_the_total_of_a_counter_is_forwarded_through_a_rollover_and_a_restart() {
    let meter = Meter::start();
    meter.set_wide(20, 9990);
    let mut house = House::start(&meter, POINTS, "").await;
    house.until_number("energy-total", 999.0).await;
    meter.set_wide(20, 12);
    house.until_number("energy-total", 1001.2).await;
    let left = house.stop().await;
    assert_eq!(numbers(&left, "energy-total"), [999.0, 1001.2]);
    meter.set_wide(20, 20);
    house.start_again().await;
    house.until_number("energy-total", 1002.0).await;
    let left = house.stop().await;
    let last = left.of("energy-total").into_iter().filter_map(|r| r.value.clone()).next_back();
    assert_eq!(last, Some(Value::Number(1002.0)));
}
