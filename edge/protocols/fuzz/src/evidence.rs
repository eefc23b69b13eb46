//! As much of the edge's room of this name as the gateway file's reader knows: what the file says of it.

#[path = "../../../src/evidence/settings.rs"]
mod settings;

pub use settings::EvidenceSettings;
