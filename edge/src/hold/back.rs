//! The way back: what stood in the point before is written again, unless somebody else has written since.

use steward_protocols::exchange::{Exchange, Refusal};
use steward_protocols::modbus::{self, Change, Request, RequestFault, Write, put};
use steward_protocols::question::Address;
use steward_shared::profile::PointDef;

use super::file::Hold;
use crate::config::{Config, DeviceConfig};
use crate::lend::{BorrowError, Reach};
use crate::line::Failure;

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
    let mut reach = Reach::by_file(&config.data, line).await?;
    let now = read_words(&mut reach, device, point).await?;
    if now == put::with_words(point, &hold.before, &now) {
        return Ok(Back::Restored);
    }
    if now != put::with_words(point, &hold.written, &now) {
        return Ok(Back::ChangedSince);
    }
    let new = put::with_words(point, &hold.before, &now);
    let change = put::change(point, &new).ok_or(BackError::Unknown)?;
    write_change(&mut reach, device, change).await?;
    let after = read_words(&mut reach, device, point).await?;
    if put::with_words(point, &hold.before, &after) == after {
        Ok(Back::Restored)
    } else {
        Err(BackError::NotKept)
    }
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
    reach.ask(exchange, device.into(), None).await?.map_err(BackError::Refused)
}
