//! Modbus in a profile: what the device bears, and in which registers its points stand.

use super::definition::Place;
use super::language::{Form, Placed};
use crate::document::Table as Fields;

/// What a device that speaks Modbus bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modbus {
    /// Most registers in one request, 1 to 125.
    pub max_registers: u16,
    /// Most coils or discrete inputs in one request, 1 to 2000.
    pub max_bits: u16,
    /// Most addresses that nobody wants between two that are read together; 0 where the device bears none. Without it
    /// as many as are worth their time on the wire.
    pub max_gap: Option<u16>,
}

impl Default for Modbus {
    fn default() -> Self {
        Self { max_registers: 125, max_bits: 2000, max_gap: None }
    }
}

/// The four tables of the Modbus data model, and with them the function that reads each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Function 1.
    Coil,
    /// Function 2.
    Discrete,
    /// Function 3.
    Holding,
    /// Function 4.
    Input,
}

impl Table {
    pub const fn function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }

    /// Whether an address holds one bit instead of sixteen.
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Holding => "holding",
            Self::Input => "input",
        }
    }
}

/// How registers become a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    /// Four decimal digits, one in each nibble.
    Bcd16,
    /// Eight decimal digits.
    Bcd32,
    /// Bit `n` of one register, 0 the lowest. Coils and discrete inputs are bit 0 of their address.
    Bit {
        n: u8,
    },
    /// `len` bits from bit `from` of one register, as an unsigned number.
    Bits {
        from: u8,
        len: u8,
    },
    /// Two characters a register, ended by NUL, trailing blanks dropped. UTF-8, of which ASCII is a part. NUL alone
    /// is no value.
    Text {
        registers: u8,
    },
}

impl DataType {
    /// Registers (or bits, in a table of bits) that one value takes.
    pub const fn width(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bcd16 | Self::Bit { .. } | Self::Bits { .. } => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Bcd32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
            Self::Text { registers } => registers as u16,
        }
    }

    pub(super) const fn form(self) -> Form {
        match self {
            Self::Bit { .. } => Form::Bit,
            Self::Bits { len, .. } => Form::Whole { bits: len as u32 },
            Self::F32 => Form::Float { bits: 32 },
            Self::F64 => Form::Float { bits: 64 },
            Self::Text { .. } => Form::Text,
            whole => Form::Whole { bits: whole.width() as u32 * 16 },
        }
    }
}

/// Which byte of a value stands where, named by the order in which the bytes A (highest) to D come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// The lowest word comes first: `cdab`.
    pub low_word_first: bool,
    /// In each word the low byte comes first: `badc`.
    pub low_byte_first: bool,
}

impl Order {
    pub const ABCD: Self = Self { low_word_first: false, low_byte_first: false };
    pub const CDAB: Self = Self { low_word_first: true, low_byte_first: false };
    pub const BADC: Self = Self { low_word_first: false, low_byte_first: true };
    pub const DCBA: Self = Self { low_word_first: true, low_byte_first: true };
}

/// Where a value stands in the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    pub table: Table,
    /// As it stands in the request, from 0: what a map calls 40001 or "register 1" is 0 here.
    pub address: u16,
    pub data: DataType,
    pub order: Order,
}

impl Register {
    /// The first address behind it; up to 65536.
    pub const fn end(&self) -> u32 {
        self.address as u32 + self.data.width() as u32
    }
}

const TABLES: [(&str, Table); 4] = [
    ("coil", Table::Coil),
    ("discrete", Table::Discrete),
    ("holding", Table::Holding),
    ("input", Table::Input),
];

const ORDERS: [(&str, Order); 4] =
    [("abcd", Order::ABCD), ("cdab", Order::CDAB), ("badc", Order::BADC), ("dcba", Order::DCBA)];

/// The words of `type`; bit, bits and string take their numbers from keys of their own.
#[derive(Clone, Copy)]
enum TypeWord {
    Plain(DataType),
    Bit,
    Bits,
    Text,
}

const TYPES: [(&str, TypeWord); 13] = [
    ("u16", TypeWord::Plain(DataType::U16)),
    ("i16", TypeWord::Plain(DataType::I16)),
    ("u32", TypeWord::Plain(DataType::U32)),
    ("i32", TypeWord::Plain(DataType::I32)),
    ("u64", TypeWord::Plain(DataType::U64)),
    ("i64", TypeWord::Plain(DataType::I64)),
    ("f32", TypeWord::Plain(DataType::F32)),
    ("f64", TypeWord::Plain(DataType::F64)),
    ("bcd16", TypeWord::Plain(DataType::Bcd16)),
    ("bcd32", TypeWord::Plain(DataType::Bcd32)),
    ("bit", TypeWord::Bit),
    ("bits", TypeWord::Bits),
    ("string", TypeWord::Text),
];

pub(super) fn limits(fields: &Fields<'_>) -> Modbus {
    let usual = Modbus::default();
    Modbus {
        max_registers: fields.within_or("max_registers", 1..=125, usual.max_registers),
        max_bits: fields.within_or("max_bits", 1..=2000, usual.max_bits),
        max_gap: fields.optional::<u16>("max_gap"),
    }
}

pub(super) fn place(fields: &Fields<'_>, limits: &Modbus) -> Placed {
    let table = fields.word("table", &TABLES);
    let address = fields.required::<u16>("address");
    let data = data_type(fields, table);
    let order = fields.word_or("order", &ORDERS, Order::ABCD);
    let form = data.map(DataType::form);
    let (Some(table), Some(address), Some(data)) = (table, address, data) else {
        return Placed { place: None, form };
    };
    let register = Register { table, address, data, order };
    let most = if table.is_bits() { limits.max_bits } else { limits.max_registers };
    if data.width() > most {
        let message = format!("a value takes {} registers", data.width());
        fields.fault("type", message, "raise modbus.max_registers");
    }
    if register.end() > 0x1_0000 {
        fields.fault("address", "the value reaches past address 65535", "addresses count from 0; correct it");
    }
    Placed { place: Some(Place::Modbus(register)), form }
}

fn data_type(fields: &Fields<'_>, table: Option<Table>) -> Option<DataType> {
    if table.is_some_and(Table::is_bits) {
        if fields.has("type") {
            fields.fault("type", "coils and discrete inputs have no type: they are bits", "remove it");
        }
        return Some(DataType::Bit { n: 0 });
    }
    if table.is_none() && !fields.has("type") {
        // Whether it needs a type depends on a table that is not known.
        return None;
    }
    let Some(word) = fields.word("type", &TYPES) else {
        // Which of them belong to the type that was meant is not known: none of them is told.
        let _ = ["bit", "from", "len", "registers"].map(|key| fields.has(key));
        return None;
    };
    match word {
        TypeWord::Plain(data) => Some(data),
        TypeWord::Bit => Some(DataType::Bit { n: fields.within("bit", 0..=15)? }),
        TypeWord::Bits => {
            let (from, len) = (fields.within::<u8>("from", 0..=15), fields.within::<u8>("len", 1..=16));
            let (from, len) = (from?, len?);
            if from + len > 16 {
                fields.fault("len", "the bits reach past the register", "from + len is at most 16");
                return None;
            }
            Some(DataType::Bits { from, len })
        }
        TypeWord::Text => Some(DataType::Text { registers: fields.within("registers", 1..=64)? }),
    }
}
