//! The owner of one line: it asks the rounds whose turn it is, puts questions to the wires, and tells what came of them.
//! `task` starts it. `asking` is the owner and its loop, `landing` what comes of a question, `telling` what is told of it.

mod asking;
mod landing;
mod telling;
#[cfg(test)]
mod tests;

pub(super) use asking::Owner;
