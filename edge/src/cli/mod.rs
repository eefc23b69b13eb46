//! The command line: `args` is what may be written, `parse` how it is read and `execute` how it is done; `text` holds
//! every sentence in both languages, `out` the way to the reader, `log` how the daemon speaks; then one file for each
//! command.

mod args;
mod capture;
mod check;
mod commands;
mod device;
mod doctor;
mod enrol;
mod evidence;
mod execute;
mod ledger;
mod lint;
mod log;
mod out;
mod parse;
mod profile;
mod replay;
mod run;
mod sheet;
mod sheet_page;
mod simulate;
mod sniff;
mod status;
mod table;
mod text;
mod words;

pub use execute::execute;
pub use parse::parse;
