//! M-Bus in a profile: how many telegrams a meter's answer has at most, and by which marks a point's record is known
//! among all that the meter sends: what it measures, and the storage, tariff, subunit and function that it is of.
//! Never by its place alone, for meters of one model order their records by how they are set up.

use super::definition::Place;
use super::field::bits;
use super::language::{Form, Placed};
use super::measure::{Dimension, UNITS, meter_unit};
use crate::document::{FromNode, Node, Table as Fields, Wrong};

/// What a meter that speaks M-Bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mbus {
    /// Most telegrams that are read, 1 to 64: the meter says in each whether another follows.
    pub telegrams: u8,
}

/// Which record of a meter's answer a point is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub what: What,
    pub storage: u64,
    pub tariff: u64,
    pub subunit: u64,
    pub function: Function,
    pub data: RecordType,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A quantity in whichever unit the meter counts, brought to the point's. `vife` are the marks behind the VIF that do
    /// not belong to the unit, each without its extension bit.
    Quantity { quantity: Quantity, vife: Vec<u8> },
    /// Exactly these bytes of value information, for what has no unit or is the maker's own.
    Vif(Vec<u8>),
    /// A field of the header instead of a record.
    Header(Header),
}

/// Fields of the header (EN 13757-7: the long header).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Eight digits.
    Identification,
    AccessNumber,
    Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Instantaneous,
    Maximum,
    Minimum,
    /// The value during an error.
    Error,
}

/// What a record's data are made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    Number,
    /// Bit `n`, 0 the lowest.
    Bit {
        n: u8,
    },
    /// `len` bits from bit `from`, as an unsigned number.
    Bits {
        from: u8,
        len: u8,
    },
    /// Decimal digits as a text, the highest first.
    Digits,
    Text,
    /// A date, with its time where it has one: `2026-05-31 14:05`, as the meter's clock shows it.
    Date,
}

/// What is measured (EN 13757-3, tables of value information).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Energy,
    ReactiveEnergy,
    ApparentEnergy,
    Volume,
    Mass,
    Power,
    ReactivePower,
    ApparentPower,
    VolumeFlow,
    MassFlow,
    FlowTemperature,
    ReturnTemperature,
    TemperatureDifference,
    ExternalTemperature,
    Pressure,
    Humidity,
    Voltage,
    Current,
    Frequency,
    OnTime,
    OperatingTime,
    HeatCost,
    Date,
    DateTime,
}

const QUANTITIES: [(&str, Quantity); 24] = [
    ("energy", Quantity::Energy),
    ("reactive-energy", Quantity::ReactiveEnergy),
    ("apparent-energy", Quantity::ApparentEnergy),
    ("volume", Quantity::Volume),
    ("mass", Quantity::Mass),
    ("power", Quantity::Power),
    ("reactive-power", Quantity::ReactivePower),
    ("apparent-power", Quantity::ApparentPower),
    ("volume-flow", Quantity::VolumeFlow),
    ("mass-flow", Quantity::MassFlow),
    ("flow-temperature", Quantity::FlowTemperature),
    ("return-temperature", Quantity::ReturnTemperature),
    ("temperature-difference", Quantity::TemperatureDifference),
    ("external-temperature", Quantity::ExternalTemperature),
    ("pressure", Quantity::Pressure),
    ("humidity", Quantity::Humidity),
    ("voltage", Quantity::Voltage),
    ("current", Quantity::Current),
    ("frequency", Quantity::Frequency),
    ("on-time", Quantity::OnTime),
    ("operating-time", Quantity::OperatingTime),
    ("heat-cost", Quantity::HeatCost),
    ("date", Quantity::Date),
    ("date-time", Quantity::DateTime),
];

impl Quantity {
    /// As profiles name it.
    pub fn word(self) -> &'static str {
        QUANTITIES.iter().find(|(_, own)| *own == self).map_or("", |(word, _)| *word)
    }

    /// What its units measure; none for what has no unit.
    pub const fn dimension(self) -> Option<Dimension> {
        Some(match self {
            Self::Energy => Dimension::Energy,
            Self::ReactiveEnergy => Dimension::ReactiveHours,
            Self::ApparentEnergy => Dimension::ApparentHours,
            Self::Volume => Dimension::Volume,
            Self::Mass => Dimension::Mass,
            Self::Power => Dimension::Power,
            Self::ReactivePower => Dimension::Reactive,
            Self::ApparentPower => Dimension::Apparent,
            Self::VolumeFlow => Dimension::VolumeFlow,
            Self::MassFlow => Dimension::MassFlow,
            Self::FlowTemperature | Self::ReturnTemperature | Self::ExternalTemperature => {
                Dimension::Temperature
            }
            Self::TemperatureDifference => Dimension::Difference,
            Self::Pressure => Dimension::Pressure,
            Self::Humidity => Dimension::Share,
            Self::Voltage => Dimension::Voltage,
            Self::Current => Dimension::Current,
            Self::Frequency => Dimension::Frequency,
            Self::OnTime | Self::OperatingTime => Dimension::Time,
            Self::HeatCost => Dimension::Count,
            Self::Date | Self::DateTime => return None,
        })
    }
}

pub(super) fn limits(fields: &Fields<'_>) -> Mbus {
    Mbus { telegrams: fields.within_or("telegrams", 1..=64, 8) }
}

pub(super) fn place(fields: &Fields<'_>) -> Placed {
    let what = what(fields);
    let storage = fields.within_or("storage", 0..=0x1FF_FFFF_FFFF_u64, 0);
    let tariff = fields.within_or("tariff", 0..=0xF_FFFF_u64, 0);
    let subunit = fields.within_or("subunit", 0..=0x3FF_u64, 0);
    let functions = [
        ("instantaneous", Function::Instantaneous),
        ("maximum", Function::Maximum),
        ("minimum", Function::Minimum),
        ("error", Function::Error),
    ];
    let function = fields.word_or("function", &functions, Function::Instantaneous);
    let data = data(fields, what.as_ref());
    let form = data.map(|data| match data {
        RecordType::Number => Form::Whole { bits: 64 },
        RecordType::Bit { .. } => Form::Bit,
        RecordType::Bits { len, .. } => Form::Whole { bits: u32::from(len) },
        RecordType::Digits | RecordType::Text | RecordType::Date => Form::Text,
    });
    let (Some(what), Some(data)) = (what, data) else { return Placed { place: None, form } };
    if data == RecordType::Number {
        check_unit(fields, &what);
    }
    let record = Record { what, storage, tariff, subunit, function, data };
    Placed { place: Some(Place::Mbus(record)), form }
}

fn what(fields: &Fields<'_>) -> Option<What> {
    let headers = [
        ("identification", Header::Identification),
        ("access-number", Header::AccessNumber),
        ("status", Header::Status),
    ];
    let given: Vec<_> = ["quantity", "vif", "header"].into_iter().filter(|key| fields.has(key)).collect();
    match given.as_slice() {
        ["quantity"] => {
            let quantity = fields.word("quantity", &QUANTITIES)?;
            let vife = fields.optional::<Codes>("vife").map(|codes| codes.0).unwrap_or_default();
            Some(What::Quantity { quantity, vife: vife.into_iter().map(|code| code & 0x7F).collect() })
        }
        ["vif"] => Some(What::Vif(fields.required::<Codes>("vif")?.0)),
        [_] => Some(What::Header(fields.word("header", &headers)?)),
        [] => {
            let way_out = "add quantity = \"energy\", or vif = \"FF 07\" for what has no quantity";
            fields.fault_here("nothing says which record this point is", way_out);
            None
        }
        [_, second, ..] => {
            fields.fault(second, "a point is one record", "keep one of quantity, vif and header");
            None
        }
    }
}

#[derive(Clone, Copy)]
enum TypeWord {
    Number,
    Bit,
    Bits,
    Digits,
    Text,
    Date,
}

fn data(fields: &Fields<'_>, what: Option<&What>) -> Option<RecordType> {
    let types = [
        ("number", TypeWord::Number),
        ("bit", TypeWord::Bit),
        ("bits", TypeWord::Bits),
        ("digits", TypeWord::Digits),
        ("string", TypeWord::Text),
        ("date", TypeWord::Date),
    ];
    let usual = match what {
        Some(What::Quantity { quantity, .. }) if quantity.dimension().is_none() => TypeWord::Date,
        Some(What::Header(Header::Identification)) => TypeWord::Digits,
        _ => TypeWord::Number,
    };
    Some(match fields.word_or("type", &types, usual) {
        TypeWord::Number => RecordType::Number,
        TypeWord::Digits => RecordType::Digits,
        TypeWord::Text => RecordType::Text,
        TypeWord::Date => RecordType::Date,
        TypeWord::Bit => RecordType::Bit { n: fields.within("bit", 0..=63)? },
        TypeWord::Bits => {
            let (from, len) = bits(fields)?;
            RecordType::Bits { from, len }
        }
    })
}

fn check_unit(fields: &Fields<'_>, what: &What) {
    let What::Quantity { quantity, .. } = what else { return };
    let unit = fields.or("unit", String::new());
    let dimension = quantity.dimension();
    if dimension.is_none() {
        fields.fault("type", "a date is no number", "remove the type");
    } else if meter_unit(&unit).map(|(dimension, _)| dimension) != dimension {
        let fits = UNITS.iter().filter(|(_, of, _)| Some(*of) == dimension).map(|(code, ..)| *code);
        let way_out = format!("take one of {}", fits.collect::<Vec<_>>().join(", "));
        fields.fault("unit", format!("this quantity is not brought to \"{unit}\""), way_out);
    }
    for key in ["scale", "offset"].into_iter().filter(|key| fields.has(key)) {
        fields.fault(key, "the meter says the power of ten itself", "remove it; the unit is enough");
    }
}

/// Bytes as `"FF 07"`.
struct Codes(Vec<u8>);

impl FromNode for Codes {
    const EXAMPLE: &'static str = "\"FF 07\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let byte = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
        let codes: Option<Vec<u8>> = text.split_whitespace().map(byte).collect();
        codes.filter(|codes| (1..=11).contains(&codes.len())).map(Self).ok_or_else(|| {
            let message = format!("\"{text}\" is no value information");
            Wrong::new(message, "write one to eleven bytes of two hexadecimal digits, like \"FF 07\"")
        })
    }
}
