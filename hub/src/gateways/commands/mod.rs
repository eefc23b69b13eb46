//! Commands: values that people want written into points, from the wish to its end. People's acts are in `request` and
//! `decide`, what goes to a gateway in `orders`, what it says of it in `reports`; `expire` looks after what nobody took.

mod decide;
mod error;
mod expire;
mod model;
mod orders;
mod reports;
mod request;
mod store;
#[cfg(test)]
mod tests;

pub use error::CommandError;
pub use model::{State, check_why};
pub use orders::{DueOrder, Orders};
pub use request::Wish;
pub use store::{CommandFilter, CommandRow, StepRow};
