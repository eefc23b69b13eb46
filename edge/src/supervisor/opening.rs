//! What is on the disk when the program starts: the buffer with its alarms, and what is known of configurations from the hub.

use std::sync::Arc;

use steward_shared::document::listing;
use tokio::sync::mpsc;

use super::configuring::Configuring;
use super::run::{Setup, SupervisorError};
use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferSettings};
use crate::config::Config;
use crate::configure::Incoming;

pub(super) struct Opened {
    pub buffer: Buffer,
    pub alarms: Alarms,
    pub configuring: Configuring,
    /// What the hub wants of the configuration.
    pub wishes: mpsc::Receiver<Incoming>,
    /// What people are to be told of it.
    pub news: Option<String>,
}

/// `site` is what the file on site says, with the data folder in use.
pub(super) async fn open(setup: &Setup, site: &Config) -> Result<Opened, SupervisorError> {
    let (clock, ids) = (Arc::clone(&setup.clock), Arc::clone(&setup.ids));
    let (data, settings) = (site.data.clone(), buffer_settings(site));
    let opening = {
        let (clock, ids) = (Arc::clone(&clock), Arc::clone(&ids));
        tokio::task::spawn_blocking(move || Buffer::open(&data, settings, clock, ids))
    };
    let buffer = opening.await.map_err(|_| SupervisorError::TaskEnded("opening"))??;
    let alarms = Alarms::open(buffer.clone(), Arc::clone(&clock), ids).await?;
    let (path, data, site) = (setup.path.clone(), setup.data.clone(), site.clone());
    let opening =
        tokio::task::spawn_blocking(move || Configuring::open(&path, data.as_deref(), &site, clock.now()));
    let opened = opening.await.map_err(|_| SupervisorError::TaskEnded("opening"))?;
    let (configuring, wishes, news) = opened.map_err(|faults| SupervisorError::File(listing(&faults)))?;
    Ok(Opened { buffer, alarms, configuring, wishes, news })
}

fn buffer_settings(config: &Config) -> BufferSettings {
    BufferSettings {
        flush: config.buffer.flush,
        flush_readings: config.buffer.flush_readings,
        retention: config.buffer.retention,
        quota_bytes: config.buffer.quota_bytes,
        ..BufferSettings::default()
    }
}
