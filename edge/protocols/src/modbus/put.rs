//! How a value gets into a point: by the function that its registers and its device want, and without touching the bits
//! beside it.

use steward_shared::profile::{DataType, PointDef, Table};
use steward_shared::reading::Value;

use super::pdu::Response;
use super::value::{EncodeFault, encode, encode_into};
use super::write::Change;

/// What the point's registers hold, out of the data of an answer to a question for it alone. A coil is 0 or 1.
pub fn words(point: &PointDef, data: &[u8]) -> Option<Vec<u16>> {
    let register = point.register()?;
    let words = match Response::of(register.table, register.data.width(), data) {
        Response::Registers(words) => words,
        Response::Bits(bits) => bits.into_iter().map(u16::from).collect(),
    };
    (words.len() == usize::from(register.data.width())).then_some(words)
}

/// What the point's registers hold with `value` in it, where they held `old` before.
pub fn with_value(point: &PointDef, value: &Value, old: &[u16]) -> Result<Vec<u16>, EncodeFault> {
    let mut new = old.to_vec();
    encode_into(point, Some(value), &mut new)?;
    Ok(new)
}

/// What the point's registers hold with what it was in `wanted`, where they hold `now`: of bits only its own are taken.
pub fn with_words(point: &PointDef, wanted: &[u16], now: &[u16]) -> Vec<u16> {
    let mask = own_bits(point);
    wanted.iter().zip(now).map(|(wanted, now)| (wanted & mask) | (now & !mask)).collect()
}

/// The bits of each register that belong to the point.
fn own_bits(point: &PointDef) -> u16 {
    let Some(register) = point.register() else { return u16::MAX };
    let bits: u32 = match register.data {
        _ if register.table == Table::Coil => 1,
        DataType::Bit { n } => 1 << n,
        DataType::Bits { from, len } => ((1_u32 << len) - 1) << from,
        _ => return u16::MAX,
    };
    if register.order.low_byte_first { (bits as u16).swap_bytes() } else { bits as u16 }
}

/// The change that leaves `new` in the point's registers. None where the point stands in no table that can be written.
pub fn change(point: &PointDef, new: &[u16]) -> Option<Change> {
    let register = point.register()?;
    let address = register.address;
    let own = own_bits(point);
    let function = point.write.and_then(|w| w.function);
    let (first, is_one) = (*new.first()?, new.len() == 1);
    Some(match (register.table, function) {
        (Table::Coil, Some(15)) => Change::Coils { address, bits: new.iter().map(|w| *w != 0).collect() },
        (Table::Coil, _) => Change::Coil { address, on: first != 0 },
        (Table::Holding, None | Some(22)) if own != u16::MAX => Change::bits(address, own, first),
        (Table::Holding, None | Some(6)) if is_one => Change::Register { address, value: first },
        (Table::Holding, _) => Change::Registers { address, values: new.to_vec() },
        (Table::Discrete | Table::Input, _) => return None,
    })
}

/// Whether a value can stand in the point at all.
pub fn fits(point: &PointDef, value: &Value) -> Result<(), EncodeFault> {
    encode(point, Some(value)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use steward_shared::document::listing;
    use steward_shared::profile::Profile;

    use super::*;

    fn profile(points: &str) -> Result<Profile, String> {
        let head = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"here\"]\n";
        Profile::parse("acme/m1.toml", &format!("{head}{points}")).map_err(|f| listing(&f))
    }

    fn point(keys: &str) -> PointDef {
        let text =
            format!("[[point]]\nkey = \"p\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\naddress = 7\n{keys}");
        profile(&text).unwrap_or_else(|e| panic!("{e}")).points.remove(0)
    }

    #[test]
    fn each_point_is_written_by_the_function_that_its_registers_want() {
        let changed = |keys: &str, value: f64, old: &[u16]| {
            let point = point(keys);
            let new = with_value(&point, &Value::Number(value), old).unwrap();
            change(&point, &new).unwrap()
        };
        let gauge = "table = \"holding\"\nunit = \"Cel\"\nwrite = { min = 0, max = 50 }\n";
        assert_eq!(
            changed(&format!("{gauge}type = \"u16\"\nscale = 0.1"), 22.5, &[0]),
            Change::Register { address: 7, value: 225 }
        );
        assert_eq!(
            changed(&format!("{gauge}type = \"f32\"\norder = \"cdab\""), 22.5, &[0, 0]),
            Change::Registers { address: 7, values: vec![0x0000, 0x41B4] }
        );
        let sixteen = gauge.replace("max = 50", "max = 50, function = 16");
        assert_eq!(
            changed(&format!("{sixteen}type = \"u16\""), 3.0, &[0]),
            Change::Registers { address: 7, values: vec![3] }
        );
        let bit = "table = \"holding\"\ntype = \"bit\"\nbit = 4\nwrite = {}\n";
        assert_eq!(changed(bit, 1.0, &[0xFF0F]), Change::Mask { address: 7, and: 0xFFEF, or: 0x0010 });
        assert_eq!(
            changed(&bit.replace("{}", "{ function = 6 }"), 1.0, &[0xFF0F]),
            Change::Register { address: 7, value: 0xFF1F },
            "the bits beside it stay"
        );
        assert_eq!(changed("table = \"coil\"\nwrite = {}", 1.0, &[0]), Change::Coil { address: 7, on: true });
        assert_eq!(
            changed("table = \"coil\"\nwrite = { function = 15 }", 0.0, &[1]),
            Change::Coils { address: 7, bits: vec![false] }
        );
    }

    #[test]
    fn a_way_back_leaves_the_bits_of_others_as_they_are_by_now() {
        let bit = point("table = \"holding\"\ntype = \"bit\"\nbit = 4\nwrite = {}\n");
        assert_eq!(with_words(&bit, &[0xFFFF], &[0x0001]), [0x0011]);
        let whole =
            point("table = \"holding\"\ntype = \"u16\"\nunit = \"1\"\nwrite = { min = 0, max = 9 }\n");
        assert_eq!(with_words(&whole, &[5], &[9]), [5]);
    }

    #[test]
    fn a_point_that_cannot_be_written_is_told_by_the_profiles_reader() {
        let told = |keys: &str| {
            let text = format!(
                "[[point]]\nkey = \"p\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\naddress = 7\n{keys}"
            );
            profile(&text).unwrap_err()
        };
        let input = told("table = \"input\"\ntype = \"u16\"\nunit = \"1\"\nwrite = { min = 0, max = 1 }");
        assert!(input.contains("the table input cannot be written"), "{input}");
        let open = told("table = \"holding\"\ntype = \"u16\"\nunit = \"1\"\nwrite = {}");
        assert!(open.contains("write.min: this key is missing") && open.contains("write.max"), "{open}");
        let empty = told("table = \"holding\"\ntype = \"u16\"\nunit = \"1\"\nwrite = { min = 2, max = 1 }");
        assert!(empty.contains("the range is empty"), "{empty}");
        let function = told(
            "table = \"holding\"\ntype = \"f32\"\nunit = \"1\"\nwrite = { min = 0, max = 1, function = 6 }",
        );
        assert!(function.contains("function 6 does not write this; write 16"), "{function}");
        let text = told("table = \"holding\"\ntype = \"string\"\nregisters = 2\nwrite = {}");
        assert!(text.contains("texts are not written"), "{text}");
    }
}
