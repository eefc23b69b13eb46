//! The whole product in one folder: a plant room, its edge, a relay as the line, the hub. What most tests of
//! the product begin with.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;

use super::edge::Edge;
use super::http::Http;
use super::hub::{Hub, HubOptions};
use super::plant::{Plant, PlantOptions};
use super::process::free_tcp_port;
use super::relay::Relay;

/// A house whose gateway is enrolled and whose programs run. Fields are dropped in this order.
#[derive(Debug)]
pub struct House {
    pub edge: Edge,
    pub relay: Relay,
    pub hub: Hub,
    pub plant: Plant,
    /// Logged in as the administrator.
    pub admin: Http,
    /// The gateway's id at the hub.
    pub gateway: String,
    /// Removed with the house.
    pub dir: TempDir,
}

impl House {
    /// Starts everything, as it comes.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&HubOptions::default(), &PlantOptions::default())
    }

    /// Ports of hub and edge in `plant` are chosen here.
    pub fn start_with(hub: &HubOptions, plant: &PlantOptions) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let mut hub = Hub::new(&dir.path().join("hub"), hub)?;
        hub.start()?;
        let relay = Relay::to(hub.gateways)?;
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
        let plant =
            PlantOptions { hub: relay.address.to_string(), edge_http: http.to_string(), ..plant.clone() };
        let plant = Plant::start(&dir.path().join("plant"), &plant)?;
        let admin = hub.admin()?;
        let (gateway, code) = hub.add_gateway(&admin, "plant-room")?;
        let mut edge = Edge::new(&plant.file.edge_config, http);
        edge.enrol(&code)?;
        edge.start()?;
        Ok(Self { edge, relay, hub, plant, admin, gateway, dir })
    }

    /// The hub's id of a point, once the hub knows it.
    pub fn point(&self, device: &str, key: &str) -> anyhow::Result<i64> {
        let devices = self.hub.list(&self.admin, &format!("/api/v1/devices?gateway={}", self.gateway))?;
        let device =
            devices.iter().find(|d| d["key"] == device).context("the hub does not know the device")?;
        let id = device["id"].as_str().context("a device has an id")?;
        let points = self.hub.list(&self.admin, &format!("/api/v1/points?device={id}"))?;
        let point = points.iter().find(|p| p["key"] == key).context("the hub does not know the point")?;
        point["id"].as_i64().context("a point has a number")
    }

    /// Waits until the hub knows a point, and gives its id.
    pub fn known_point(&self, device: &str, key: &str) -> i64 {
        super::eventually(&format!("the hub knows {device} {key}"), Duration::from_mins(1), || {
            self.point(device, key).ok()
        })
    }

    /// What the hub was told of one kind, the newest first.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/v1/gateways/{}/events", self.gateway);
        let all = self.hub.list(&self.admin, &path).expect("the hub lists its events");
        all.into_iter().filter(|e| e["kind"] == kind).collect()
    }

    /// Frames that the hub keeps, and how many of them differ: a batch that was applied twice is there twice.
    pub fn frames(&self) -> rusqlite::Result<(i64, i64)> {
        let file = self.hub.dir().join("steward.db");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(file, flags)?;
        let count = "select count(*), count(distinct data) from frame";
        db.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The latest reading that the hub has of a point.
    pub fn latest(&self, point: i64) -> anyhow::Result<Value> {
        Ok(self.admin.get(&format!("/api/v1/points/{point}"))?.ok()?["latest"].clone())
    }
}
