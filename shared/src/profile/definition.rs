//! What a profile says, once it has been read and found in order.

use std::time::Duration;

use super::decimal::Decimal;
use crate::document::Spot;
use crate::wire::message::{Label, Names, PointKind};

/// One model of one vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// `vendor/model`, as the file's path says.
    pub id: String,
    pub vendor: String,
    pub model: String,
    pub title: Names,
    /// Where its registers are published; each entry names a document or public repository.
    pub source: Vec<String>,
    pub modbus: Modbus,
    /// In the order of the file; keys are unique.
    pub points: Vec<PointDef>,
    pub frames: Vec<SampleFrame>,
}

impl Profile {
    pub fn point(&self, key: &str) -> Option<&PointDef> {
        self.points.iter().find(|p| p.key == key)
    }

    /// Whether a device is asked and understood by this profile as by the other; what people read may differ.
    pub fn reads_like(&self, other: &Self) -> bool {
        let Self { id: _, vendor: _, model: _, title: _, source: _, modbus, points, frames: _ } = self;
        modbus == &other.modbus
            && points.len() == other.points.len()
            && points.iter().zip(&other.points).all(|(a, b)| a.reads_like(b))
    }
}

/// What the device bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modbus {
    /// Most registers in one request, 1 to 125.
    pub max_registers: u16,
    /// Most coils or discrete inputs in one request, 1 to 2000.
    pub max_bits: u16,
    /// Silence that the device wants between an answer and the next request to it, beyond t3.5. At most 1 s.
    pub pause: Duration,
    /// How long the device may take for its answer, where its documentation says so, 20 ms to 30 s. It lengthens
    /// the line's timeout and never shortens it: what lies between may add its own.
    pub timeout: Option<Duration>,
}

impl Default for Modbus {
    fn default() -> Self {
        Self { max_registers: 125, max_bits: 2000, pause: Duration::ZERO, timeout: None }
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

/// How often a point is worth reading; the gateway's file gives the periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodClass {
    Fast,
    Normal,
    Slow,
    /// What hardly ever changes: serial numbers, versions.
    Static,
}

impl PeriodClass {
    pub const ALL: [Self; 4] = [Self::Fast, Self::Normal, Self::Slow, Self::Static];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Slow => "slow",
            Self::Static => "static",
        }
    }
}

/// One point of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct PointDef {
    /// Lower case words joined by hyphens; its identity in the profile.
    pub key: String,
    pub title: Names,
    pub table: Table,
    /// As it stands in the request, from 0: what a map calls 40001 or "register 1" is 0 here.
    pub address: u16,
    pub data: DataType,
    pub order: Order,
    /// value = raw * scale + offset, both exact.
    pub scale: Decimal,
    pub offset: Decimal,
    /// UCUM code, `1` where there is none.
    pub unit: String,
    /// Digits after the decimal point that are worth showing.
    pub decimals: u8,
    pub kind: PointKind,
    pub labels: Vec<Label>,
    /// Raw contents (as unsigned bits of the type's width, before scaling) that mean "no value".
    pub sentinels: Vec<u64>,
    /// The value, scaled, at which a counter starts over.
    pub modulus: Option<f64>,
    pub class: PeriodClass,
}

impl PointDef {
    fn reads_like(&self, other: &Self) -> bool {
        let Self {
            key,
            title: _,
            table,
            address,
            data,
            order,
            scale,
            offset,
            unit: _,
            decimals: _,
            kind,
            labels: _,
            sentinels,
            modulus: _,
            class,
        } = self;
        (key, table, address, data, order, scale, offset)
            == (
                &other.key,
                &other.table,
                &other.address,
                &other.data,
                &other.order,
                &other.scale,
                &other.offset,
            )
            && (kind, sentinels, class) == (&other.kind, &other.sentinels, &other.class)
    }

    /// The first address behind the point; up to 65536.
    pub const fn end(&self) -> u32 {
        self.address as u32 + self.data.width() as u32
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Rtu,
    Tcp,
}

/// A request and its answer as they stand on the wire, and what must be read from them.
#[derive(Clone, Debug)]
pub struct SampleFrame {
    /// Where the bytes come from: a document, or the independent program that made them.
    pub source: String,
    pub framing: Framing,
    pub request: Vec<u8>,
    pub response: Vec<u8>,
    pub values: Vec<(String, SampleValue)>,
    /// Where it begins in the profile's file.
    pub spot: Spot,
}

/// Where a frame stands is no part of what it says: a line that is added above it changes no profile.
impl PartialEq for SampleFrame {
    fn eq(&self, other: &Self) -> bool {
        let Self { source, framing, request, response, values, spot: _ } = self;
        (source, framing, request, response, values)
            == (&other.source, &other.framing, &other.request, &other.response, &other.values)
    }
}

/// What a point of a sample frame must give.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    Number(f64),
    Text(String),
    /// The device says that it has no value.
    Nothing,
}
