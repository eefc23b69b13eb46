//! BACnet in a profile: `names` are the standard's words for objects and properties, `point` what a profile says.

mod names;
mod point;

pub use names::{ObjectType, PropertyId};
pub use point::{Bacnet, BacnetData, BacnetPoint};
pub(super) use point::{limits, place};
