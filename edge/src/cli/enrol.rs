//! `steward-edge enrol`: from a one-time code to an identity in the data folder. The daemon may be running
//! meanwhile: it looks for the identity and connects by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steward_shared::document::listing;
use steward_shared::time::SystemClock;

use super::execute::chain;
use super::out::Out;
use super::text::enrol as text;
use crate::config::load;
use crate::uplink;

/// Says the gateway's id at the hub.
pub async fn enrol(path: &Path, data: Option<PathBuf>, code: &str, out: Out) -> Result<(), String> {
    let config = load(path).map_err(|faults| listing(&faults))?;
    let hub = config.hub.ok_or_else(|| text::no_hub(out.lang, path))?.to_string();
    let data = data.unwrap_or(config.data);
    let version = env!("CARGO_PKG_VERSION");
    let enrolled = uplink::enrol(&data, &hub, code, version, Arc::new(SystemClock)).await;
    let gateway = enrolled.map_err(|e| text::refused(out.lang, &hub, &chain(&e)))?;
    out.text(text::enrolled(out.lang, &gateway.to_string()));
    out.value(&serde_json::json!({ "gateway": gateway }));
    Ok(())
}
