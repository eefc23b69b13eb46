//! Commands from their receipt to their end: a real buffer, real files of holds, a real signature, and a device of
//! registers that obeys, ignores, refuses or keeps silent.

mod faults;
mod house;
mod rules;
