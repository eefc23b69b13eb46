//! A simulated plant room: three chillers with their pumps and towers, air handlers, a UPS, a water meter and
//! the meters over them, as a hospital would have it.
//!
//! | files | what |
//! |---|---|
//! | `weather` `building` `machines` `day` `room` | the physics: no I/O, a function of seed and instant |
//! | `plan` `sources` `house` | the instruments: what each point shows, and what is broken |
//! | `tcp` `meters` | Modbus TCP; what the meters say in their languages; the serial lines with their true timing are those of the simulator, `steward_edge::lab` |
//! | `fault` `control` `files` `run` `history` | a running plant, its commands and its files |

pub mod building;
pub mod control;
pub mod day;
pub mod fault;
pub mod files;
pub mod history;
pub mod house;
pub mod machines;
pub mod meters;
pub mod plan;
pub mod room;
pub mod run;
pub mod sources;
pub mod tcp;
pub mod weather;

pub use steward_edge::lab::noise;
