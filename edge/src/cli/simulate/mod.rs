//! `steward-edge simulate`: profiles as devices, on a TCP or UDP port, a pseudo-terminal, a serial port or several of them,
//! until it is told to stop.
//!
//! | file | what |
//! |---|---|
//! | `words` | what may be written after it |
//! | `devices` | which devices are meant, each with its address |
//! | `run` | opens what they answer on |
//! | `obey` | follows the orders on its standard input |

mod devices;
mod obey;
mod run;
mod words;

pub use obey::shown;
pub use run::simulate;
pub use words::SimulateWords;
