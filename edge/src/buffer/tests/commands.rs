//! Commands and their reports: kept with the durability of events, on a lane of their own.

use std::time::Duration;

use steward_shared::id::CommandId;
use steward_shared::wire::command::{Report, Stage};
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{Lane, Watermark};

use super::damage::zero;
use super::*;
use crate::buffer::CommandRow;

fn report(command: CommandId, no: u32) -> Report {
    Report {
        command,
        no,
        at: NOON,
        stage: Stage::Received,
        reason: None,
        before: None,
        now: None,
        slots: vec![],
        detail: String::new(),
    }
}

fn row(id: CommandId, is_over: bool) -> CommandRow {
    CommandRow { id, received: NOON, is_over, record: vec![7; 100] }
}

#[tokio::test]
async fn a_command_and_what_is_told_of_it_survive_a_restart_and_leave_when_the_hub_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let b = open(dir.path(), BufferSettings::default(), &clock);
    let (first, second) = (CommandId::new(&RandomIds), CommandId::new(&RandomIds));
    b.keep_command(row(first, false), vec![report(first, 1)]).await.unwrap();
    b.keep_command(row(first, true), vec![report(first, 2), report(first, 3)]).await.unwrap();
    b.keep_command(row(second, false), vec![]).await.unwrap();
    b.close().await.unwrap();

    let b = open(dir.path(), BufferSettings::default(), &clock);
    assert_eq!(b.command(first).await.unwrap(), Some(row(first, true)));
    assert_eq!(b.open_commands().await.unwrap(), [row(second, false)]);
    assert_eq!(b.newest_commands(1).await.unwrap().len(), 1);
    let lane = b.state().await.unwrap().lanes[3];
    assert_eq!((lane.lane, lane.first, lane.last, lane.acked), (Lane::Command, 1, 3, 0));
    assert_eq!(b.stats().unacked, 3);
    let told: Report = from_cbor(&b.after(Lane::Command, 1).await.unwrap().unwrap().body).unwrap();
    assert_eq!(told, report(first, 2));

    b.welcome(1, vec![Watermark { lane: Lane::Command, seq: 2 }]).await.unwrap();
    b.ack(Lane::Command, 3).await.unwrap();
    b.look_after().await.unwrap();
    assert!(b.after(Lane::Command, 0).await.unwrap().is_some(), "a hub that is restored may ask again");
    clock.advance(Duration::from_hours(8 * 24));
    b.look_after().await.unwrap();
    assert_eq!(b.after(Lane::Command, 0).await.unwrap(), None);
    assert!(b.command(first).await.unwrap().is_some(), "it is known for far longer");
    clock.advance(Duration::from_hours(400 * 24));
    b.look_after().await.unwrap();
    assert_eq!(b.command(first).await.unwrap(), None);
    assert!(b.command(second).await.unwrap().is_some(), "something is still to be done about it");
}

#[tokio::test]
async fn fault_s11_a_record_of_commands_that_was_damaged_begins_anew_and_says_since_when() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let b = open(dir.path(), BufferSettings::default(), &clock);
    assert_eq!(b.commands_since().await.unwrap(), NOON);
    for _ in 0..400 {
        let id = CommandId::new(&RandomIds);
        let record = vec![7; 5000];
        b.keep_command(CommandRow { record, ..row(id, true) }, vec![report(id, 1)]).await.unwrap();
    }
    b.close().await.unwrap();
    clock.advance(Duration::from_secs(10));
    let b = open(dir.path(), BufferSettings::default(), &clock);
    assert_eq!(b.commands_since().await.unwrap(), NOON, "a restart is no loss");
    zero(dir.path(), "alarms.db");
    assert_eq!(b.newest_commands(500).await.unwrap(), []);
    assert_eq!(b.commands_since().await.unwrap(), NOON.plus(Duration::from_secs(10)));
}
