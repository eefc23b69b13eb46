//! The gateways' door: QUIC and, where UDP is blocked on the way, TCP, with mutual TLS 1.3. Who a gateway is stands in its certificate and nowhere
//! else; what it says goes to the modules, what they answer goes back after their commit.

mod endpoint;
mod enrol;
mod frames;
mod lane;
mod pauses;
mod ports;
mod refused;
mod road;
mod seats;
mod session;
mod strangers;
mod tcp;
#[cfg(test)]
mod tests;

pub use endpoint::{Door, LinkError, module};
