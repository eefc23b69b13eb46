//! The command line: `args` is what may be written, one file for each command, `log` how the program speaks.

mod args;
mod check;
mod enrol;
mod log;
mod run;

pub use args::{Args, Command, File};
pub use check::check;
pub use enrol::{EnrolRunError, enrol};
pub use log::start_log;
pub use run::{RunError, run};
