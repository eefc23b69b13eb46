//! The gateway's file: what it may say (`settings`), how it is read with every fault at once (`read`), and
//! what differs between two of them (`settings::Config`).

mod bacnet;
mod device;
mod line;
mod listen;
mod mqtt;
mod read;
mod remote;
mod settings;

pub use read::{in_place_of, load, parse, text};
pub use remote::RemoteWrite;
pub use settings::{
    BacnetConfig, BrokerConfig, BufferConfig, Config, DeviceConfig, FromHub, LineConfig, ListenConfig, Log,
    LogFormat, MstpConfig, Network, Periods, PublishConfig, PublishFormat, SerialConfig, WireConfig,
};

#[cfg(test)]
mod tests;
