//! Captures: what passed on a line, byte by byte, as a text file that people and programs read.
//!
//! | file | what |
//! |---|---|
//! | `file` | the file's format, read and written |
//! | `recorder` | a wire that writes down what passes on it |
//! | `exchanges` | questions with their answers, out of a capture |
//! | `numbered` | the same over TCP, by the numbers of the frames |
//! | `replay` | a device that answers as the capture did |
//! | `check` | a capture as a test of a profile |
//! | `meters` | what it asks of meters, for `check` |

mod check;
mod exchanges;
mod file;
mod meters;
mod numbered;
mod recorder;
mod replay;

pub(crate) use check::values;
pub use check::{CheckFault, Checked, Decoded, check};
pub use exchanges::{Exchanged, exchanges};
pub use file::{Capture, Event, Header, What, line_of};
pub use recorder::{Log, RecordedDial};
pub use replay::Replay;
