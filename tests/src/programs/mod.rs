//! The real programs as processes: built by cargo, started on free ports of the loopback in a folder of the
//! test, their logs in files, ended by their id when the test is over.
//!
//! | file | what |
//! |---|---|
//! | `wait` | `eventually`: the only way in which tests wait |
//! | `process` | a program, found beside the test, started, killed, stopped |
//! | `http` | a client for the hub's API and the edge's state |
//! | `relay` `relay_streams` | UDP and TCP between an edge and a hub, with delay, loss and silence |
//! | `postgres` | a database server of our own |
//! | `python` | devices that we did not write |
//! | `libmodbus` | a Modbus device in C that we did not write |
//! | `mosquitto` | a broker of MQTT |
//! | `uplink` | the sync of a gateway in this process, without devices |
//! | `history` | what a stopped edge has for its hub |
//! | `plant` `edge` `hub` `house` | the three programs, and all of them together |

mod edge;
mod history;
mod house;
mod http;
mod hub;
mod libmodbus;
mod mosquitto;
mod plant;
mod postgres;
mod process;
mod python;
mod relay;
mod relay_streams;
mod uplink;
mod wait;

pub use edge::Edge;
pub use history::history;
pub use house::House;
pub use http::{Answer, Http, Stream};
pub use hub::{ADMIN, Hub, HubOptions, PASSWORD};
pub use libmodbus::Libmodbus;
pub use mosquitto::Mosquitto;
pub use plant::{Plant, PlantOptions};
pub use postgres::{Durability, Postgres};
pub use process::{Process, free_port, free_tcp_port, free_udp_port, program};
pub use python::Peer;
pub use relay::{Relay, Weather};
pub use uplink::Uplink;
pub use wait::eventually;
