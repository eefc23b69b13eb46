//! The edge on a broker that we did not write, Eclipse Mosquitto, with devices that are played by PyPI paho-mqtt: what they
//! tell, what they must not be able to do, and what becomes of it when the broker or the edge is gone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

#[path = "mqtt/evidence.rs"]
mod evidence;
#[path = "mqtt/house.rs"]
mod house;
#[path = "mqtt/line.rs"]
mod line;
#[path = "mqtt/publish.rs"]
mod publish;
#[path = "mqtt/secure.rs"]
mod secure;
