//! What is done and what is refused, on a device that obeys.

use std::time::Duration;

use steward_shared::id::{CommandId, GatewayId, RandomIds};
use steward_shared::wire::command::{Order, Stage, WriteOrder, reason};

use super::house::{House, Mood};

#[tokio::test]
async fn a_command_is_written_read_back_twice_and_told_at_every_step() {
    let house = House::new().await;
    let order = house.order();
    house.give(&order).await;
    let report = house.until(order.command, Stage::Confirmed).await;
    assert_eq!((report.before, report.now), (Some(21.5), Some(23.0)));
    assert_eq!((house.plant.setpoint(), house.plant.writes()), (230, 1));
    let stages = [Stage::Received, Stage::Written, Stage::Written, Stage::Confirmed];
    assert_eq!(house.stages(order.command).await, stages, "each with a number of its own");
    let numbers: Vec<_> = house.reports().await.iter().map(|r| r.no).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_command_with_an_end_gives_back_what_stood_there_and_holds_the_point_until_then() {
    let house = House::new().await;
    let order = WriteOrder {
        relinquish_at: Some(house.order().issued.plus(Duration::from_hours(2))),
        ..house.order()
    };
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    assert_eq!((house.plant.setpoint(), house.holds()), (230, 1));

    let second = WriteOrder { expected: None, value: 25.0, ..house.order() };
    house.give(&second).await;
    let report = house.until(second.command, Stage::Refused).await;
    assert_eq!(report.reason.as_deref(), Some(reason::HELD), "{report:?}");
    assert!(report.detail.contains("li holds it until"), "{report:?}");

    house.clock.advance(Duration::from_hours(2));
    let report = house.until(order.command, Stage::Relinquished).await;
    assert_eq!((report.reason.as_deref(), report.now), (Some(reason::RESTORED), Some(21.5)));
    assert_eq!((house.plant.setpoint(), house.plant.writes(), house.holds()), (215, 2, 0));
}

#[tokio::test]
async fn what_somebody_else_has_written_since_is_left_so() {
    let house = House::new().await;
    let order = WriteOrder {
        relinquish_at: Some(house.order().issued.plus(Duration::from_hours(2))),
        ..house.order()
    };
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    house.plant.set(190);
    house.clock.advance(Duration::from_hours(3));
    let report = house.until(order.command, Stage::Relinquished).await;
    assert_eq!(report.reason.as_deref(), Some(reason::CHANGED_SINCE));
    assert_eq!((house.plant.setpoint(), house.plant.writes()), (190, 1));
}

#[tokio::test]
async fn a_command_can_be_given_up_before_its_end_and_after_it_stands_for_good() {
    let house = House::new().await;
    let order = house.order();
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    house.relinquish(order.command).await;
    house.until(order.command, Stage::Relinquished).await;
    assert_eq!(house.plant.setpoint(), 215);

    let order = WriteOrder {
        relinquish_at: Some(house.order().issued.plus(Duration::from_hours(2))),
        ..house.order()
    };
    house.give(&order).await;
    house.until(order.command, Stage::Written).await;
    house.relinquish(order.command).await;
    house.until(order.command, Stage::Relinquished).await;
    assert_eq!((house.plant.setpoint(), house.holds()), (215, 0));

    let never = house.order();
    house.relinquish(never.command).await;
    house.until(never.command, Stage::Refused).await;
    house.give(&never).await;
    let again = async { house.stages(never.command).await.len() };
    assert!(again.await >= 1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(house.plant.setpoint(), 215, "what was given up before it came is not written");
}

#[tokio::test]
async fn control_18_the_gateway_itself_wants_two_persons_where_its_file_says_so() {
    let house = House::new().await;
    let alone = WriteOrder { point: "fan".into(), value: 1.0, expected: None, ..house.order() };
    let by_oneself =
        WriteOrder { command: CommandId::new(&RandomIds), approver: Some("li".into()), ..alone.clone() };
    for order in [alone, by_oneself] {
        house.give(&order).await;
        let report = house.until(order.command, Stage::Refused).await;
        assert_eq!(report.reason.as_deref(), Some(reason::NEEDS_TWO_PERSONS));
    }
    let both = WriteOrder {
        point: "fan".into(),
        value: 1.0,
        expected: None,
        approver: Some("wang".into()),
        ..house.order()
    };
    house.give(&both).await;
    house.until(both.command, Stage::Confirmed).await;
    assert_eq!(house.plant.writes(), 1);
}

#[tokio::test]
async fn each_rule_that_is_broken_is_told_by_its_word_and_nothing_is_written() {
    let house = House::new().await;
    let point =
        |point: &str, value: f64| WriteOrder { point: point.into(), value, expected: None, ..house.order() };
    let hour = Duration::from_hours(1);
    let cases = [
        (WriteOrder { device: "ahu-2".into(), ..house.order() }, reason::NO_SUCH_POINT),
        (point("power", 1.0), reason::NOT_WRITABLE),
        (WriteOrder { device: "closed".into(), ..house.order() }, reason::NOT_ALLOWED),
        (point("setpoint", 30.1), reason::OUT_OF_RANGE),
        (point("setpoint", f64::NAN), reason::OUT_OF_RANGE),
        (point("fan", 2.0), reason::OUT_OF_RANGE),
        (point("mode", 2.0), reason::NEEDS_TIME_BOX),
        (WriteOrder { priority: Some(6), ..house.order() }, reason::BAD_PRIORITY),
        (WriteOrder { not_after: house.order().issued.plus(hour * 25), ..house.order() }, reason::BAD_TIMES),
        (WriteOrder { relinquish_at: Some(house.order().issued), ..house.order() }, reason::BAD_TIMES),
        (
            WriteOrder {
                issued: house.order().issued.plus(hour),
                not_after: house.order().issued.plus(hour * 2),
                ..house.order()
            },
            reason::CLOCK,
        ),
        (WriteOrder { issued: house.order().issued.minus(hour * 2), ..house.order() }, reason::BEFORE_RECORD),
    ];
    for (order, word) in cases {
        house.give(&order).await;
        let report = house.until(order.command, Stage::Refused).await;
        assert_eq!(report.reason.as_deref(), Some(word), "{report:?}");
    }
    assert_eq!(house.plant.writes(), 0);
}

#[tokio::test]
async fn an_order_that_the_hub_has_not_signed_for_this_gateway_is_passed_over() {
    let house = House::new().await;
    let order = house.order();
    let mut forged = house.signed(&Order::Write(order.clone()));
    let dearer = WriteOrder { value: 30.0, ..order.clone() };
    forged.order = house.signed(&Order::Write(dearer)).order;
    house.send(forged).await;
    let others = WriteOrder { gateway: GatewayId::new(&RandomIds), ..house.order() };
    house.send(house.signed(&Order::Write(others))).await;
    // What follows is taken: the others are done with by then.
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    assert_eq!((house.plant.setpoint(), house.plant.writes()), (230, 1));
    assert!(house.reports().await.iter().all(|r| r.command == order.command));
}

#[tokio::test]
async fn a_point_is_written_so_many_times_a_minute_and_not_more() {
    let house = House::new().await;
    for value in [22.0, 23.0, 24.0] {
        let order = WriteOrder { value, expected: None, ..house.order() };
        house.give(&order).await;
        house.until(order.command, Stage::Confirmed).await;
    }
    let order = WriteOrder { value: 25.0, expected: None, ..house.order() };
    house.give(&order).await;
    let report = house.until(order.command, Stage::Refused).await;
    assert_eq!(report.reason.as_deref(), Some(reason::TOO_OFTEN));
    assert_eq!(house.plant.setpoint(), 240);
}

#[tokio::test]
async fn a_device_that_says_no_is_told_and_not_asked_again() {
    let house = House::new().await;
    house.plant.is(Mood::Refuses);
    let order = WriteOrder {
        relinquish_at: Some(house.order().issued.plus(Duration::from_hours(2))),
        ..house.order()
    };
    house.give(&order).await;
    let report = house.until(order.command, Stage::Refused).await;
    assert_eq!(report.reason.as_deref(), Some(reason::DEVICE_REFUSED));
    assert_eq!((house.plant.writes(), house.holds()), (1, 0));
}
