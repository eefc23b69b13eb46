//! The whole product under test: a simulated plant room (`plant`), and what starts the real programs as a
//! person would (`programs`): processes, ports, files. Tests and benchmarks stand on both. What of the
//! edge runs in the test's own process (`history`, `uplink`) goes through its public faces.

#[path = "../plant/mod.rs"]
pub mod plant;
pub mod programs;

pub use programs::{Edge, House, Http, Hub, Plant, Relay, eventually};
