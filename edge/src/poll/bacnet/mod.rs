//! Polling of a BACnet network: `network` owns the port and hears what happens, `device` asks one device in its slots,
//! `subscribed` knows which notice belongs to which point. Devices share nothing but the
//! port: one that is dead costs the others nothing.

mod device;
mod network;
mod subscribed;

pub(super) use network::run;
