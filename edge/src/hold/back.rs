//! The way back: what stood in the point before is written again, unless somebody else has written since.

use steward_protocols::bacnet::{ObjectId, Priority};
use steward_protocols::exchange::{Exchange, Refusal};
use steward_protocols::modbus::{self, Change, Request, RequestFault, Write, put};
use steward_protocols::question::Address;
use steward_shared::profile::PointDef;
use steward_shared::reading::Value;

use super::file::{HeldCommand, Hold};
use super::slot::{Slot, commanding, is_same, shown};
use crate::config::{Config, DeviceConfig, LineConfig};
use crate::lend::{BorrowError, NetworkReach, Reach};
use crate::line::Failure;
use crate::line::bacnet::{Network, NotFound, locate};

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// What stood before stands again, and was read back.
    Restored,
    /// Something else stands there than what was written: it is left alone.
    ChangedSince,
}

#[derive(Debug, thiserror::Error)]
pub enum BackError {
    #[error("the gateway's file knows no such point any more")]
    Unknown,
    #[error("the line cannot be borrowed")]
    Borrow(#[from] BorrowError),
    #[error("the device was not reached")]
    Failure(#[from] Failure),
    #[error("the device refuses")]
    Refused(#[source] Refusal),
    #[error("this cannot be asked")]
    Request(#[from] RequestFault),
    #[error("the network does not answer")]
    Network(#[from] NotFound),
    #[error("the device does not hold what was written back")]
    NotKept,
}

/// Brings a hold back.
pub async fn bring_back(config: &Config, hold: &Hold) -> Result<Back, BackError> {
    let found = config.lines.iter().find_map(|line| {
        let device = line.devices.iter().find(|d| d.name == hold.device)?;
        Some((line, device, device.profile.point(&hold.point)?))
    });
    let (line, device, point) = found.ok_or(BackError::Unknown)?;
    if let Some(command) = hold.command {
        let reach = NetworkReach::by_file(&config.data, line).await?.ok_or(BackError::Unknown)?;
        let back = bring_back_command(&reach.network, (line, device, point), command).await;
        reach.give_back().await;
        return back;
    }
    let mut reach = Reach::by_file(&config.data, line).await?;
    bring_back_words(&mut reach, (device, point), hold).await
}

/// The same for registers, over a line that is reached already.
pub async fn bring_back_words(
    reach: &mut Reach,
    (device, point): (&DeviceConfig, &PointDef),
    hold: &Hold,
) -> Result<Back, BackError> {
    let now = read_words(reach, device, point).await?;
    if now == put::with_words(point, &hold.before, &now) {
        return Ok(Back::Restored);
    }
    if now != put::with_words(point, &hold.written, &now) {
        return Ok(Back::ChangedSince);
    }
    let new = put::with_words(point, &hold.before, &now);
    let change = put::change(point, &new).ok_or(BackError::Unknown)?;
    write_change(reach, device, change).await?;
    let after = read_words(reach, device, point).await?;
    if put::with_words(point, &hold.before, &after) == after {
        Ok(Back::Restored)
    } else {
        Err(BackError::NotKept)
    }
}

/// The same for a command to a BACnet object: the slot is given up, or gets what stood there.
pub async fn bring_back_command(
    network: &Network,
    (line, device, point): (&LineConfig, &DeviceConfig, &PointDef),
    held: HeldCommand,
) -> Result<Back, BackError> {
    let (Address::Bacnet(node), Some(place)) = (device.address, point.bacnet()) else {
        return Err(BackError::Unknown);
    };
    let priority = Priority::new(held.priority).ok_or(BackError::Unknown)?;
    let peer = locate(network, node, line.timeout).await?;
    let object = ObjectId::new(place.object, place.instance);
    let slot = Slot::find(network, peer, object, priority).await.map_err(NotFound::from)?;
    let content = || async {
        let content = slot.content().await.map_err(NotFound::from)?;
        Ok::<_, BackError>(content.and_then(|value| shown(point, &value)))
    };
    let now = content().await?;
    if is_same(now, held.before) {
        return Ok(Back::Restored);
    }
    if !is_same(now, held.written) {
        return Ok(Back::ChangedSince);
    }
    let before = held.before.and_then(|number| commanding(point, number));
    slot.put(before).await.map_err(NotFound::from)?;
    if is_same(content().await?, held.before) { Ok(Back::Restored) } else { Err(BackError::NotKept) }
}

/// What the point's registers hold.
pub async fn read_words(
    reach: &mut Reach,
    device: &DeviceConfig,
    point: &PointDef,
) -> Result<Vec<u16>, BackError> {
    let register = point.register().ok_or(BackError::Unknown)?;
    let Address::Modbus(unit) = device.address else { return Err(BackError::Unknown) };
    let request = Request::new(unit, register.table, register.address, register.data.width())?;
    let contents = ask(reach, device, modbus::exchange(request, reach.framing)).await?;
    put::words(point, &contents).ok_or(BackError::Unknown)
}

/// What the point shows where its registers hold this.
pub fn shown_words(point: &PointDef, words: &[u16]) -> Option<Value> {
    let response = if point.register().is_some_and(|r| r.table.is_bits()) {
        modbus::Response::Bits(words.iter().map(|w| *w != 0).collect())
    } else {
        modbus::Response::Registers(words.to_vec())
    };
    modbus::decode(point, &response, 0).0
}

pub async fn write_change(reach: &mut Reach, device: &DeviceConfig, change: Change) -> Result<(), BackError> {
    let Address::Modbus(unit) = device.address else { return Err(BackError::Unknown) };
    let write = Write::new(unit, change)?;
    ask(reach, device, modbus::exchange(write, reach.framing)).await.map(|_| ())
}

async fn ask(
    reach: &mut Reach,
    device: &DeviceConfig,
    exchange: Box<dyn Exchange>,
) -> Result<Vec<u8>, BackError> {
    reach.ask_device(device, exchange).await?.map_err(BackError::Refused)
}
