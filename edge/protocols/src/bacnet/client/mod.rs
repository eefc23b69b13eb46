//! The client side of BACnet as a machine: see `machine`. `transactions` keeps what is under way, `assembly` one
//! answer in segments, `gate` the way through a router, `reading` the ladder from many properties to one, `abilities`
//! what a device bears, `devices` and `routers` who is where, `subscriptions` changes of value, `registration` the BBMD.

mod abilities;
mod assembly;
mod bucket;
mod devices;
mod failure;
mod gate;
mod machine;
mod reading;
mod registration;
mod routers;
mod settings;
mod subscriptions;
mod transactions;

pub use abilities::Abilities;
pub use devices::{Device, Devices};
pub use failure::Failure;
pub use machine::{Client, Event, Strays, Ticket, first};
pub use reading::Reading;
pub use registration::Standing;
pub use routers::Routers;
pub use settings::{Foreign, LinkAddress, Peer, Settings};
pub use subscriptions::{Loss, Wanted};
pub use transactions::Datagram;
