//! Device profiles: what a model can tell, and how its registers are read. One TOML file a model, in
//! `device-profiles/<vendor>/<model>.toml`; the repository's own are compiled in.

mod bacnet;
pub mod cjt188;
mod decimal;
mod definition;
mod derived;
mod derived_point;
pub mod dlt645;
mod field;
pub mod iec62056;
mod language;
mod library;
pub mod mbus;
pub mod measure;
mod modbus;
pub mod mqtt;
mod parse;
mod rules;
mod samples;
mod write;

pub use bacnet::{Bacnet, BacnetData, BacnetPoint, ObjectType, PropertyId};
pub use decimal::Decimal;
pub use definition::{
    Framing, Language, Pace, PeriodClass, Place, PointDef, Profile, Role, SampleFrame, SampleValue,
};
pub use derived::{Derived, Expression};
pub use field::{Field, FieldType};
pub use library::Library;
pub use modbus::{DataType, Modbus, Order, Register, Table};
pub use rules::Rules;
pub use write::Writable;
