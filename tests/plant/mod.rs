//! A simulated plant room: three chillers with their pumps and towers, air handlers, a UPS, a water meter and
//! the meters over them, as a hospital would have it.
//!
//! | files | what |
//! |---|---|
//! | `noise` `weather` `building` `machines` `day` `room` | the physics: no I/O, a function of seed and instant |
//! | `plan` `sources` `registers` `house` | the instruments: what each point shows, and what is broken |
//! | `answer` `rtu` `serial` `tcp` | the wires: Modbus RTU with true timing, Modbus TCP |
//! | `fault` `control` `files` `run` `history` | a running plant, its commands and its files |

pub mod answer;
pub mod building;
pub mod control;
pub mod day;
pub mod fault;
pub mod files;
pub mod history;
pub mod house;
pub mod machines;
pub mod noise;
pub mod plan;
pub mod registers;
pub mod room;
pub mod rtu;
pub mod run;
pub mod serial;
pub mod sources;
pub mod tcp;
pub mod weather;
