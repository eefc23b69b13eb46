//! The fleet of edges: enrolment and certificates, who is there, what they have to say, what they carry.

mod acts;
mod ca;
mod catalogue;
mod commands;
mod configs;
mod enrol;
mod fleet;
mod happening;
mod model;
mod presence;
mod quarantine;
mod routes;
mod store;
mod sync;
#[cfg(test)]
mod tests;

pub use ca::{Ca, CaError, GATEWAY_LIFE, Identity, Issued, ServerLeaf, identity};
pub use catalogue::{CatalogueError, DeviceFilter, DeviceRow, PointMap, PointRow};
pub use commands::{CommandError, DueOrder};
pub use configs::{ConfigError, DueConfig, Question, Questions, tidy_faults};
pub use enrol::{FleetError, NewCode, RenewError, Tries};
pub use fleet::{Fleet, Sight};
pub use happening::Happening;
pub use model::{NotAdmitted, Position, RoadKind, Standing, kind_of};
pub use routes::module;
pub use store::{EventRow, GatewayRow, MIGRATIONS};
pub use sync::{Beginning, Fate, Received};
