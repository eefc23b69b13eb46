//! Device profiles: what a model can tell, and how its registers are read. One TOML file a model, in
//! `device-profiles/<vendor>/<model>.toml`; the repository's own are compiled in.

mod decimal;
mod definition;
mod library;
mod parse;
mod samples;

pub use decimal::Decimal;
pub use definition::{
    DataType, Framing, Modbus, Order, PeriodClass, PointDef, Profile, SampleFrame, SampleValue, Table,
};
pub use library::Library;
