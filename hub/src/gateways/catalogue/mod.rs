//! Devices and points as the gateways tell them: which there are, and what a number on the wire means.

mod apply;
mod store;

pub use apply::{CatalogueError, DeviceFilter, PointMap};
pub use store::{DeviceRow, PointRow, point_in, set_device_silent, set_devices_silent};
