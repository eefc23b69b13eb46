//! A gateway's disk that refuses or dawdles, under the real programs: what is polled goes on, the hub and the person at the
//! gateway are told, and when the disk is well again all goes on without a restart.

use std::time::Duration;

use serde_json::Value;
use steward_shared::time::Timestamp;
use steward_tests::{House, eventually};
use tempfile::TempDir;

use super::{disk, wanted};

const LONG: Duration = Duration::from_mins(1);
const DEVICE: &str = "main-meter";
const POINT: &str = "active-power";

struct Moody {
    house: House,
    place: TempDir,
    point: i64,
}

impl Moody {
    fn start() -> Self {
        let mut house = House::start().unwrap();
        let point = house.known_point(DEVICE, POINT);
        let place = tempfile::tempdir().unwrap();
        house.edge.stop().unwrap();
        let folder = house.edge.config().with_file_name("edge").canonicalize().unwrap();
        let library = disk::library(place.path());
        let (mood, record) = (place.path().join("mood"), place.path().join("record"));
        let variables = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("STEWARD_RECORD_FOLDER", folder.to_str().unwrap()),
            ("STEWARD_RECORD", record.to_str().unwrap()),
            ("STEWARD_DISK_MOOD", mood.to_str().unwrap()),
        ];
        house.edge.start_with(&variables).unwrap();
        let moody = Self { house, place, point };
        moody.reaches_the_hub(moody.polled());
        moody
    }

    fn is(&self, mood: &str) {
        std::fs::write(self.place.path().join("mood"), mood).unwrap();
    }

    /// When the point was read last, as the gateway shows it.
    fn polled(&self) -> Timestamp {
        let status = self.house.edge.status().unwrap();
        let all = status["values"].as_array().unwrap();
        let value = all.iter().find(|v| v["device"] == DEVICE && v["point"] == POINT);
        value.and_then(|v| v["at"].as_str()?.parse().ok()).unwrap_or(Timestamp(0))
    }

    fn polls_on(&self, for_how_long: Duration) {
        let from = self.polled();
        eventually("the edge polls on", LONG, || (self.polled() > from.plus(for_how_long)).then_some(()));
    }

    fn reaches_the_hub(&self, after: Timestamp) {
        eventually(&format!("a sample after {after} is at the hub"), LONG, || {
            let at: Timestamp = self.house.latest(self.point).ok()?["at"].as_str()?.parse().ok()?;
            (at > after).then_some(())
        });
    }

    /// What the hub knows of the gateway's disk.
    fn storage(&self) -> Value {
        let path = format!("/api/v1/gateways/{}", self.house.gateway);
        self.house.admin.get(&path).unwrap().ok().unwrap()["health"]["storage"].clone()
    }

    fn told(&self) -> Vec<bool> {
        let path = format!("/api/v1/gateways/{}/events", self.house.gateway);
        let events = self.house.hub.list(&self.house.admin, &path).unwrap();
        let told = events.iter().filter(|e| e["kind"] == "storage_failing");
        told.rev().map(|e| e["active"] == true).collect()
    }

    /// Refuses for a while and is well again: nothing but the memory was in danger.
    fn refuses(&mut self, mood: &str) {
        let process = self.house.edge.process().unwrap().id();
        self.is(mood);
        eventually("the hub is told", LONG, || (self.storage() == "failing").then_some(()));
        self.polls_on(Duration::from_secs(10));
        let ready = self.house.edge.http().get("/readyz").unwrap();
        assert!(ready.status == 503 && ready.text().contains("the disk"), "{}", ready.text());
        self.is("well");
        eventually("the hub is told", LONG, || self.storage().is_null().then_some(()));
        self.reaches_the_hub(self.polled());
        eventually("both are events", LONG, || (self.told() == [true, false]).then_some(()));
        assert_eq!(self.house.edge.process().unwrap().id(), process);
        assert!(self.house.edge.runs());
        self.house.edge.stop().unwrap();
    }
}

#[test]
fn fault_s7_on_a_disk_that_became_read_only_polling_goes_on_and_the_hub_is_told() {
    if wanted() {
        Moody::start().refuses("read_only");
    }
}

#[test]
fn fault_s8_on_a_disk_that_syncs_nothing_polling_goes_on_and_the_hub_is_told() {
    if wanted() {
        Moody::start().refuses("errors");
    }
}

#[test]
fn fault_s9_where_each_sync_takes_five_seconds_polling_goes_on_and_all_is_kept() {
    if !wanted() {
        return;
    }
    let mut moody = Moody::start();
    moody.is("slow");
    moody.polls_on(Duration::from_secs(15));
    moody.reaches_the_hub(moody.polled());
    assert!(moody.told().is_empty(), "slow is not broken");
    moody.is("well");
    moody.reaches_the_hub(moody.polled());
    moody.house.edge.stop().unwrap();
}
