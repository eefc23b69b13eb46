//! `steward-edge enrol`: from a one-time code to an identity in the data folder. The daemon may be running
//! meanwhile: it looks for the identity and connects by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steward_shared::document::listing;
use steward_shared::id::GatewayId;
use steward_shared::time::SystemClock;

use crate::config::load;
use crate::uplink::{self, EnrolError};

#[derive(Debug, thiserror::Error)]
pub enum EnrolRunError {
    /// Every fault of the file, one a line.
    #[error("{0}")]
    Config(String),
    #[error("{0} names no hub; write [hub] address = \"host:7443\" into it")]
    NoHub(PathBuf),
    #[error("the hub at {0} did not enrol this gateway")]
    Refused(String, #[source] EnrolError),
}

/// The gateway's id at the hub.
pub async fn enrol(path: &Path, data: Option<PathBuf>, code: &str) -> Result<GatewayId, EnrolRunError> {
    let config = load(path).map_err(|faults| EnrolRunError::Config(listing(&faults)))?;
    let hub = config.hub.ok_or_else(|| EnrolRunError::NoHub(path.to_owned()))?.to_string();
    let data = data.unwrap_or(config.data);
    let version = env!("CARGO_PKG_VERSION");
    let enrolled = uplink::enrol(&data, &hub, code, version, Arc::new(SystemClock)).await;
    enrolled.map_err(|e| EnrolRunError::Refused(hub, e))
}
