//! What may be written into a point of Modbus or BACnet: `write = { min = 16, max = 30 }`. Without the key nothing is ever written there.

use super::definition::Place;
use super::modbus::{DataType, Register, Table};
use crate::document::Table as Fields;
use crate::wire::message::PointKind;

/// Between which values, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Writable {
    /// In the point's unit. Flags and enumerations have their labels instead.
    pub range: Option<(f64, f64)>,
    /// The function that the device wants, where it is not the usual one: 5 or 15 for coils, 6 or 16 for registers, 22
    /// for bits of a register.
    pub function: Option<u8>,
    /// What the hub writes must come back by itself.
    pub time_boxed: bool,
    /// Two persons must agree before the hub writes.
    pub two_persons: bool,
}

pub(super) fn write(fields: &Fields<'_>, kind: PointKind, place: Option<&Place>) -> Option<Writable> {
    let table = fields.optional_table("write")?;
    let range = match kind {
        PointKind::Gauge | PointKind::Counter => {
            let (min, max) = (table.required::<f64>("min"), table.required::<f64>("max"));
            let range = min.zip(max)?;
            if range.0 > range.1 {
                table.fault("max", "the range is empty", "write the greater value here");
            }
            Some(range)
        }
        PointKind::Flag | PointKind::Enumeration => None,
        PointKind::Text => {
            fields.fault("write", "texts are not written", "remove it");
            table.ignore_rest();
            return None;
        }
    };
    let function = table.optional::<u8>("function");
    match place {
        Some(Place::Modbus(register)) => check_function(fields, &table, *register, function),
        Some(Place::Bacnet(point)) => {
            if !point.is_commanded() {
                let message = "only the present value of an output or a value is written";
                fields.fault("write", message, "remove it");
            }
            if function.is_some() {
                table.fault("function", "BACnet has one way to write", "remove it");
            }
        }
        Some(_) => {
            fields.fault("write", "only Modbus registers and BACnet objects are written", "remove it");
        }
        None => {}
    }
    let (time_boxed, two_persons) = (table.or("time_boxed", false), table.or("two_persons", false));
    Some(Writable { range, function, time_boxed, two_persons })
}

fn check_function(fields: &Fields<'_>, table: &Fields<'_>, register: Register, function: Option<u8>) {
    let is_bits = matches!(register.data, DataType::Bit { .. } | DataType::Bits { .. });
    let may: &[u8] = match register.table {
        Table::Discrete | Table::Input => {
            let message = format!("the table {} cannot be written", register.table.word());
            return fields.fault("write", message, "remove it, or name the table that can");
        }
        Table::Coil => &[5, 15],
        Table::Holding if is_bits => &[22, 6, 16],
        Table::Holding if register.data.width() == 1 => &[6, 16],
        Table::Holding => &[16],
    };
    if let Some(given) = function.filter(|f| !may.contains(f)) {
        let may = may.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        table.fault("function", format!("function {given} does not write this"), format!("write {may}"));
    }
}
