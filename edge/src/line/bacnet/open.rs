//! Opens the port of a line that is a BACnet network, whatever its data link. Polling and the engineer's tools call it.

use std::pin::Pin;
use std::sync::Arc;

use steward_protocols::bacnet::client::Settings;
use steward_protocols::bacnet::mstp;
use steward_shared::id::Ids;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::desk::Happening;
use super::handle::Network;
use super::mstp::{MstpLine, MstpPort};
use super::udp::{Port, UdpLine};
use crate::config::{LineConfig, WireConfig};
use crate::line::Dial;

/// The owner of a port, whichever, while it works.
pub type Owner = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The port's owner, the way to it, and what happens; nothing where the line is no network.
pub fn open(
    config: &LineConfig,
    dial: &Arc<dyn Dial>,
    ids: Arc<dyn Ids>,
    cancel: &CancellationToken,
) -> Option<(Owner, Network, mpsc::Receiver<Happening>)> {
    let timeout = config.slowest();
    Some(match &config.wire {
        WireConfig::Bacnet(network) => {
            let settings = Settings {
                timeout,
                retries: network.retries,
                broadcast: network.broadcast.into(),
                foreign: network.foreign,
                ..Settings::default()
            };
            let port = Port { listen: network.listen };
            let (line, handle, happened) = UdpLine::new(port, settings, ids);
            (Box::pin(line.run(cancel.clone())), handle, happened)
        }
        WireConfig::Mstp(line) => {
            let settings = Settings { timeout, retries: line.retries, ..Settings::mstp() };
            let node = mstp::Settings {
                max_master: line.max_master,
                max_info_frames: line.max_info_frames,
                ..mstp::Settings::new(line.mac, line.baud)
            };
            let port = MstpPort { dial: Arc::clone(dial), node };
            let (line, handle, happened) = MstpLine::new(port, settings, ids);
            (Box::pin(line.run(cancel.clone())), handle, happened)
        }
        WireConfig::Tcp { .. } | WireConfig::Listen(_) | WireConfig::Serial(_) | WireConfig::Mqtt(_) => {
            return None;
        }
    })
}
