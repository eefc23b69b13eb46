//! The whole product under test: a simulated plant room (`plant`), and what starts the real programs.

#[path = "../plant/mod.rs"]
pub mod plant;
