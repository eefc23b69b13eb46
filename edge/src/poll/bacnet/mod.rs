//! Polling of a BACnet network: `network` owns the port and hears what happens, `device` asks one device in its slots,
//! `subscribed` knows which notice belongs to which point, `alarms` makes events of what devices find themselves, and
//! `ringing` knows what was told of them. Devices share nothing but the port: one that is dead costs the others nothing.

mod alarms;
mod device;
mod network;
mod ringing;
mod subscribed;

pub(super) use network::run;
