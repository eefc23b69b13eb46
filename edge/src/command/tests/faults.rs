//! The faults of the acceptance list, W1 to W4, on the gateway's side.

use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::wire::command::{Stage, WriteOrder, reason};
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::Lane;

use super::house::{House, Mood};

/// Held for two hours.
fn held(house: &House) -> WriteOrder {
    WriteOrder { relinquish_at: Some(house.order().issued.plus(Duration::from_hours(2))), ..house.order() }
}

#[tokio::test]
async fn fault_w1_a_command_that_comes_twice_is_written_once_also_after_a_restart() {
    let house = House::new().await;
    let order = house.order();
    house.give(&order).await;
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    house.give(&order).await;
    let house = house.reboot().await;
    house.plant.set(200);
    house.give(&order).await;
    // It is answered with what is known: the last report again, under its number.
    for _ in 0..500 {
        let last =
            house.reports().await.into_iter().filter(|r| r.stage == Stage::Confirmed).collect::<Vec<_>>();
        if last.len() >= 3 {
            assert!(last.iter().all(|r| r == &last[0]), "{last:?}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((house.plant.setpoint(), house.plant.writes()), (200, 1));
}

#[tokio::test]
async fn fault_w1_a_command_after_its_expiry_is_refused_by_the_clock_and_by_the_time_since_it_came() {
    let house = House::new().await;
    let late = house.order();
    house.clock.advance(Duration::from_mins(11));
    house.give(&late).await;
    house.until(late.command, Stage::Expired).await;

    // The device is silent for as long as it is valid: it is not written when it answers at last.
    house.plant.is(Mood::Silent);
    let order = house.order();
    house.give(&order).await;
    house.until(order.command, Stage::Received).await;
    house.clock.advance(Duration::from_mins(11));
    let report = house.until(order.command, Stage::Expired).await;
    assert!(report.detail.contains("no reply"), "{report:?}");

    // A clock that stands still makes nothing valid for longer.
    let brief =
        WriteOrder { not_after: house.order().issued.plus(Duration::from_millis(100)), ..house.order() };
    house.give(&brief).await;
    house.until(brief.command, Stage::Expired).await;
    house.plant.is(Mood::Obeys);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(house.plant.writes(), 0);
}

#[tokio::test]
async fn fault_w1_a_command_out_of_range_or_for_another_value_than_stands_there_is_refused() {
    let house = House::new().await;
    let order = WriteOrder { value: 31.0, ..house.order() };
    house.give(&order).await;
    let report = house.until(order.command, Stage::Refused).await;
    assert_eq!(report.reason.as_deref(), Some(reason::OUT_OF_RANGE));
    let order = WriteOrder { expected: Some(21.4), ..house.order() };
    house.give(&order).await;
    let report = house.until(order.command, Stage::Refused).await;
    assert_eq!((report.reason.as_deref(), report.now), (Some(reason::UNEXPECTED_VALUE), Some(21.5)));
    // As far as its digits tell, 21.46 is 21.5.
    let order = WriteOrder { expected: Some(21.46), ..house.order() };
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    assert_eq!(house.plant.writes(), 1);
}

#[tokio::test]
async fn fault_w1_a_gateway_whose_record_is_lost_writes_nothing_that_was_issued_before() {
    let house = House::new().await;
    let order = held(&house);
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    house.clock.advance(Duration::from_secs(1));
    let house = house.reboot_without("alarms.db").await;
    house.plant.set(200);
    house.give(&order).await;
    let report = house.until(order.command, Stage::Refused).await;
    assert_eq!(report.reason.as_deref(), Some(reason::BEFORE_RECORD));
    assert_eq!((house.plant.setpoint(), house.plant.writes()), (200, 1));
    assert_eq!(house.holds(), 1, "what was to come back is not forgotten: it lies beside the database");
    house.clock.advance(Duration::from_secs(1));
    let order = house.order();
    house.give(&order).await;
    let report = house.until(order.command, Stage::Refused).await;
    assert_eq!(report.reason.as_deref(), Some(reason::UNEXPECTED_VALUE), "a new one is looked into");
}

#[tokio::test]
async fn fault_w2_a_write_that_the_power_cut_is_read_and_told_and_never_repeated() {
    // Cut after the device took it, and before anybody knew.
    let house = House::new().await;
    let order = held(&house);
    house.plant.is(Mood::TakesAndDies);
    house.give(&order).await;
    house.until_written().await;
    let house = house.reboot().await;
    house.plant.is(Mood::Obeys);
    let report = house.until(order.command, Stage::Confirmed).await;
    assert_eq!((report.now, house.plant.writes()), (Some(23.0), 1));
    house.clock.advance(Duration::from_hours(2));
    house.until(order.command, Stage::Relinquished).await;
    assert_eq!((house.plant.setpoint(), house.holds()), (215, 0));
}

#[tokio::test]
async fn fault_w2_a_write_that_did_not_happen_is_told_as_such_and_not_made_up_for() {
    let house = House::new().await;
    let order = held(&house);
    // The device hears it, does nothing, and the power fails before it could be read.
    house.plant.is(Mood::HearsAndDies);
    house.give(&order).await;
    house.until_written().await;
    let house = house.reboot().await;
    house.plant.is(Mood::Obeys);
    let report = house.until(order.command, Stage::NotEffective).await;
    assert_eq!((report.reason.as_deref(), report.now), (Some(reason::INTERRUPTED), Some(21.5)));
    assert_eq!((house.plant.setpoint(), house.plant.writes(), house.holds()), (215, 1, 0));
}

#[tokio::test]
async fn fault_w3_a_device_that_ignores_it_is_told_with_an_event_and_not_written_again() {
    let house = House::new().await;
    house.plant.is(Mood::Ignores);
    let order = house.order();
    house.give(&order).await;
    let report = house.until(order.command, Stage::NotEffective).await;
    assert_eq!((report.reason.as_deref(), report.now), (Some(reason::IGNORED), Some(21.5)));
    house.alarms.store_waiting().await.unwrap();
    let item = house.buffer.after(Lane::Alarm, 0).await.unwrap().expect("an event");
    let event: Event = from_cbor(&item.body).unwrap();
    assert_eq!((event.kind, event.device.as_deref()), (EventKind::CommandNotEffective, Some("ahu")));
    assert_eq!(event.about.unwrap().facts["reason"], reason::IGNORED);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.plant.writes(), 1, "no storm of tries");
    assert_eq!(house.buffer.after(Lane::Alarm, 1).await.unwrap(), None, "told once");
}

#[tokio::test]
async fn fault_w4_a_gateway_that_was_off_gives_up_what_fell_due_meanwhile() {
    let house = House::new().await;
    let order = held(&house);
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    let house = house.reboot().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(house.plant.setpoint(), 230, "its time is not over");
    let house = house.reboot().await;
    house.clock.advance(Duration::from_hours(2));
    house.until(order.command, Stage::Relinquished).await;
    assert_eq!((house.plant.setpoint(), house.plant.writes(), house.holds()), (215, 2, 0));
}

#[tokio::test]
async fn fault_w4_a_device_that_is_away_when_it_is_due_is_given_up_when_it_is_back() {
    let house = House::new().await;
    let order = held(&house);
    house.give(&order).await;
    house.until(order.command, Stage::Confirmed).await;
    house.plant.is(Mood::Silent);
    house.clock.advance(Duration::from_hours(2));
    let report = house.until(order.command, Stage::NotRelinquished).await;
    assert_eq!(report.reason.as_deref(), Some(reason::NO_ANSWER));
    house.plant.is(Mood::Obeys);
    house.until(order.command, Stage::Relinquished).await;
    assert_eq!(house.plant.setpoint(), 215);
}
