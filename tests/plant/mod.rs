//! A simulated plant room: three chillers with their pumps and towers, air handlers, a UPS, a water meter and
//! the meters over them, as a hospital would have it. The physics lies in `weather`, `building`, `machines`,
//! `day` and `room`, without I/O and a pure function of seed and instant.

pub mod building;
pub mod day;
pub mod machines;
pub mod noise;
pub mod room;
pub mod rtu;
pub mod weather;
