//! Places: campus, building, floor, room. Other modules hang their things on a `SiteId`.

mod arrange;
mod error;
mod model;
mod plan;
mod routes;
mod store;
#[cfg(test)]
mod tests;

pub use model::{Kind, Site};
pub use routes::module;
pub use store::exists;
