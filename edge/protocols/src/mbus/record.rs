//! The records of a telegram (EN 13757-3): data information, value information, data, one behind the other. A record
//! that is not understood costs no other as long as its length is known; whatever bytes come, nothing panics.

use m_bus_application_layer::data_information::{DataInformation, DataInformationBlock, FunctionField};
use steward_shared::profile::mbus::Function;

use super::data::Data;

/// Bytes before the records: identification, maker, version, medium, access number, status, two of configuration.
pub const HEADER: usize = 12;

const MANUFACTURER_DATA: u8 = 0x0F;
const MORE_FOLLOWS: u8 = 0x1F;
const FILLER: u8 = 0x2F;
const READ_ALL: u8 = 0x7F;
/// Value information may have ten extensions.
const MOST_VIFE: usize = 10;
const PLAIN_TEXT: u8 = 0x7C;
const EXTENDED: u8 = 0x80;

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    pub storage: u64,
    pub tariff: u64,
    pub subunit: u64,
    pub function: Function,
    /// As it came, without the text of a unit in plain text.
    pub vif: Vec<u8>,
    /// A unit in plain text, the last character first.
    pub unit: &'a [u8],
    pub data: Data<'a>,
    /// All its bytes.
    pub bytes: &'a [u8],
}

/// The records up to the first whose length is not known. Bytes of a maker's own end them too.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            match *rest.first()? {
                FILLER | READ_ALL => rest = rest.get(1..)?,
                dif if dif & 0x0F == 0x0F => return None,
                _ => {
                    let (record, after) = record(rest)?;
                    rest = after;
                    return Some(record);
                }
            }
        }
    })
}

/// The bytes of the sound records of one telegram, and whether it says that another telegram follows.
pub(super) fn body(bytes: &[u8]) -> (&[u8], bool) {
    let mut rest = bytes;
    let more = loop {
        match rest.first() {
            None | Some(&MANUFACTURER_DATA) => break false,
            Some(&MORE_FOLLOWS) => break true,
            Some(&(FILLER | READ_ALL)) => rest = rest.get(1..).unwrap_or_default(),
            Some(_) => match record(rest) {
                Some((_, after)) => rest = after,
                None => break false,
            },
        }
    };
    (bytes.get(..bytes.len() - rest.len()).unwrap_or_default(), more)
}

fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let dif = *bytes.first()?;
    let block = DataInformationBlock::try_from(bytes).ok()?;
    let information = DataInformation::try_from(&block).ok()?;
    let rest = bytes.get(block.get_size()..)?;
    let (vif, unit, rest) = value_information(rest)?;
    let (data, rest) = Data::split(dif & 0x0F, rest)?;
    let record = Record {
        storage: information.storage_number,
        tariff: information.tariff,
        subunit: information.device,
        function: match information.function_field {
            FunctionField::InstantaneousValue => Function::Instantaneous,
            FunctionField::MaximumValue => Function::Maximum,
            FunctionField::MinimumValue => Function::Minimum,
            _ => Function::Error,
        },
        vif,
        unit,
        data,
        bytes: bytes.get(..bytes.len() - rest.len())?,
    };
    Some((record, rest))
}

/// Value information, the text of a unit, and the rest. The text stands behind the VIF and before its extensions, as
/// meters in the field have it.
fn value_information(bytes: &[u8]) -> Option<(Vec<u8>, &[u8], &[u8])> {
    let (vif, mut rest) = bytes.split_first()?;
    let mut unit: &[u8] = &[];
    if vif & !EXTENDED == PLAIN_TEXT {
        let (len, text) = rest.split_first()?;
        (unit, rest) = text.split_at_checked(usize::from(*len))?;
    }
    if vif & EXTENDED == 0 {
        return Some((vec![*vif], unit, rest));
    }
    let last = rest.iter().take(MOST_VIFE).position(|vife| vife & EXTENDED == 0)?;
    let (extensions, rest) = rest.split_at_checked(last + 1)?;
    Some(([&[*vif], extensions].concat(), unit, rest))
}
