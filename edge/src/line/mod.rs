//! The wires: one owner task a wire, opened by what the gateway's file says and opened again when lost.
//! `dial` makes a byte stream, `backoff` says when to try again, `wire` asks one question at a time on it, `share` lets
//! several wires ask on one connection, `gate` lets modems dial in and `seat` is
//! where a line finds its own, `timer` waits finely, `cost` says what that takes; `bacnet` owns the ports of
//! networks. `broker` is no wire: a session with an MQTT broker.

mod backoff;
pub mod bacnet;
mod broker;
mod cost;
mod dial;
#[cfg(test)]
pub(crate) mod fake;
mod gate;
mod seat;
mod share;
mod timer;
mod wire;

pub use backoff::Backoff;
pub use broker::{Broker, BrokerFault, Session, made_up_id};
pub use cost::{Manner, cost};
pub use dial::{Dial, Dialling, SerialDial, Stream, TcpDial, dial_of};
pub use gate::{Doorstep, Gates};
pub use share::Shared;
pub use wire::{Answer, Failure, Wire};
