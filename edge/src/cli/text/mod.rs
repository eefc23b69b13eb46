//! What the program says to people, in Chinese and English: `lang` chooses the language and has the macro that makes a
//! sentence of both, `help` is the command line's own, and each command has its sentences in a file of its name.

mod lang;

pub mod capture;
pub mod check;
pub mod commands;
pub mod common;
pub mod device;
pub mod doctor;
pub mod enrol;
pub mod help;
mod help_device;
mod help_lab;
pub mod lint;
pub mod orders;
pub mod profile;
pub mod scan;
pub mod sheet;
pub mod simulate;
pub mod values;
pub mod write;

use lang::texts;
pub use lang::{Lang, told};
