//! Which configuration is in force: the file on site, or one from the hub in its place. The daemon and the tools that work
//! on its lines ask here, so that both mean the same.

use std::path::Path;

use steward_shared::document::Fault;

use super::guard::only_on_site;
use super::record::{InForce, Record, digest};
use crate::config::{Config, in_place_of, text};

/// What the faults of a text from the hub call it.
pub const NAME: &str = "configuration from the hub";

/// What the gateway runs, and from whom.
#[derive(Clone, Debug)]
pub struct Present {
    pub config: Config,
    pub text: String,
    /// The hub's version; none for the file on site.
    pub version: Option<u64>,
    /// What the file on site says, as it is.
    pub site: Config,
    pub site_text: String,
    /// Why what the record has cannot be run any more: the file on site is, then.
    pub broken: Vec<Fault>,
}

/// `data`: instead of the folder that the file names.
pub fn present(path: &Path, data: Option<&Path>, record: &Record) -> Result<Present, Vec<Fault>> {
    let site_text = text(path)?;
    let site = in_place_of(path, &site_text, &path.display().to_string())?;
    let mut present = Present {
        config: site.clone(),
        text: site_text.clone(),
        version: None,
        site,
        site_text,
        broken: Vec::new(),
    };
    if let InForce::Hub(held) = record.in_force(&digest(&present.site_text)) {
        match wanted(path, &present.site, &held.text) {
            Ok(config) => {
                (present.config, present.text, present.version) =
                    (config, held.text.clone(), Some(held.version));
            }
            Err(faults) => present.broken = faults,
        }
    }
    if let Some(data) = data {
        data.clone_into(&mut present.config.data);
    }
    Ok(present)
}

/// A text from the hub in the place of the file at `path`, found in order and within what the file on site lets the hub
/// say.
pub fn wanted(path: &Path, site: &Config, text: &str) -> Result<Config, Vec<Fault>> {
    let config = in_place_of(path, text, NAME)?;
    let faults = only_on_site(site, &config);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

/// The configuration in force, for tools. A record that cannot be read counts for none, as it does for the daemon.
pub fn load(path: &Path, data: Option<&Path>) -> Result<Config, Vec<Fault>> {
    let site = crate::config::load(path)?;
    let record = Record::load(data.unwrap_or(&site.data)).unwrap_or_default();
    present(path, data, &record).map(|present| present.config)
}
