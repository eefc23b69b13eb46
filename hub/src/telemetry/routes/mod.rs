//! /api/v1/devices, /api/v1/points, /api/v1/series and /api/v1/live.

mod course;
mod lists;
mod live;
mod setup;

pub use setup::module;
