//! Faults in Chinese, for whoever tells them to people: `say` makes the sentence, `faults` is its dictionary.

mod faults;
mod say;

pub use say::chinese;
