//! What contradicts itself in a profile or cannot be as it stands, beyond what its reader refuses. Pure; the words are
//! in the command line's texts.

use steward_shared::profile::{DataType, PointDef, Profile, Register};
use steward_shared::wire::message::PointKind;

use super::map::Proof;
use crate::lab::{counter_end, range, rate, usual_value};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Error,
    Warning,
    Note,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Two points lie over each other and are of different shape: one of them is wrong.
    Overlap { a: String, b: String },
    /// Two points read the same bits.
    SameBits { a: String, b: String },
    /// A quantity that has a unit bears none.
    NoUnit { key: String },
    /// It is said to start over at a value that its registers do not hold.
    ModulusOutOfReach { key: String, modulus: f64, most: f64 },
    /// A label's code that its registers cannot show.
    LabelOutOfReach { key: String, code: i64 },
    /// The registers cannot hold what is usual for the quantity: the scale may be wrong.
    TooSmall { key: String, most: f64, usual: f64, unit: String },
    /// A counter that starts over within weeks, and the profile does not say at what value.
    StartsOver { key: String, end: f64, days: f64 },
    /// Points that no sample frame gives a value of.
    Unverified { keys: Vec<String>, of: usize },
    /// Points that only frames made from the map give a value of.
    OnlyMade { keys: Vec<String>, of: usize },
}

impl Finding {
    pub const fn rank(&self) -> Rank {
        match self {
            Self::Overlap { .. }
            | Self::NoUnit { .. }
            | Self::ModulusOutOfReach { .. }
            | Self::LabelOutOfReach { .. } => Rank::Error,
            Self::SameBits { .. } | Self::TooSmall { .. } | Self::StartsOver { .. } => Rank::Warning,
            Self::Unverified { .. } | Self::OnlyMade { .. } => Rank::Note,
        }
    }
}

/// All findings, the worst first.
pub fn rules(profile: &Profile) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        contradictions(profile).into_iter().map(|(a, b)| Finding::Overlap { a, b }).collect();
    found.extend(same_bits(profile));
    for point in &profile.points {
        found.extend(no_unit(point));
        found.extend(modulus(point));
        found.extend(labels(point));
        found.extend(too_small(point));
        found.extend(starts_over(point));
    }
    // What is reckoned stands in no frame.
    let measured: Vec<&str> =
        profile.points.iter().filter(|p| p.derived().is_none()).map(|p| p.key.as_str()).collect();
    let of = measured.len();
    let proved = |proof: Proof| -> Vec<String> {
        let keys = measured.iter().filter(|key| Proof::of(profile, key) == proof);
        keys.map(|key| (*key).to_owned()).collect()
    };
    let (unverified, made) = (proved(Proof::None), proved(Proof::Made));
    if !unverified.is_empty() {
        found.push(Finding::Unverified { keys: unverified, of });
    }
    if !made.is_empty() {
        found.push(Finding::OnlyMade { keys: made, of });
    }
    found.sort_by_key(Finding::rank);
    found
}

/// Pairs of points that lie over each other and cannot both be right.
pub(super) fn contradictions(profile: &Profile) -> Vec<(String, String)> {
    pairs(profile)
        .filter(|(_, a, _, b)| !is_part(a.data) && !is_part(b.data))
        .filter(|(_, a, _, b)| (a.address, a.data, a.order) != (b.address, b.data, b.order))
        // One whole number may be read signed and unsigned, as a number and as codes; a float is no whole number.
        .filter(|(_, a, _, b)| {
            (a.address, a.data.width()) != (b.address, b.data.width())
                || a.order != b.order
                || is_float(**a) != is_float(**b)
        })
        .map(|(a, _, b, _)| (a.key.clone(), b.key.clone()))
        .collect()
}

fn same_bits(profile: &Profile) -> impl Iterator<Item = Finding> + '_ {
    pairs(profile)
        .filter(|(_, a, _, b)| is_part(a.data) && is_part(b.data) && bits(a.data) & bits(b.data) != 0)
        .map(|(a, _, b, _)| Finding::SameBits { a: a.key.clone(), b: b.key.clone() })
}

/// Points that share an address.
fn pairs(profile: &Profile) -> impl Iterator<Item = (&PointDef, &Register, &PointDef, &Register)> {
    let placed: Vec<_> = profile.points.iter().filter_map(|p| Some((p, p.register()?))).collect();
    let mut sorted = placed;
    sorted.sort_by_key(|(_, r)| (r.table, r.address));
    let mut found = Vec::new();
    for (i, (a, at)) in sorted.iter().enumerate() {
        for (b, bt) in sorted.iter().skip(i + 1) {
            if bt.table != at.table || u32::from(bt.address) >= at.end() {
                break;
            }
            found.push((*a, *at, *b, *bt));
        }
    }
    found.into_iter()
}

const fn is_part(data: DataType) -> bool {
    matches!(data, DataType::Bit { .. } | DataType::Bits { .. })
}

const fn is_float(register: Register) -> bool {
    matches!(register.data, DataType::F32 | DataType::F64)
}

fn bits(data: DataType) -> u32 {
    match data {
        DataType::Bit { n } => 1 << n,
        DataType::Bits { from, len } => ((1 << len) - 1) << from,
        _ => 0,
    }
}

fn no_unit(point: &PointDef) -> Option<Finding> {
    const QUANTITIES: [&str; 9] = [
        "voltage",
        "current",
        "energy",
        "temperature",
        "frequency",
        "pressure",
        "humidity",
        "flow",
        "volume",
    ];
    let ratio =
        ["ratio", "factor", "unbalance", "thd", "state", "status", "mode", "alarm", "count", "primary"];
    let words: Vec<&str> = point.key.split('-').collect();
    let measured = matches!(point.kind, PointKind::Gauge | PointKind::Counter);
    let wants = words.last().is_some_and(|last| QUANTITIES.contains(last))
        && !words.iter().any(|word| ratio.contains(word));
    (measured && point.unit == "1" && wants).then(|| Finding::NoUnit { key: point.key.clone() })
}

fn modulus(point: &PointDef) -> Option<Finding> {
    let (modulus, (_, most)) = (point.modulus?, range(point)?);
    let step = point.scale.as_f64().abs();
    // One past the last value is where it starts over.
    (modulus > most + step * 1.5).then(|| Finding::ModulusOutOfReach {
        key: point.key.clone(),
        modulus,
        most,
    })
}

fn labels(point: &PointDef) -> Option<Finding> {
    let (least, most) = range(point)?;
    let wrong =
        point.labels.iter().map(|label| label.code).find(|code| !(least..=most).contains(&(*code as f64)))?;
    Some(Finding::LabelOutOfReach { key: point.key.clone(), code: wrong })
}

fn too_small(point: &PointDef) -> Option<Finding> {
    if point.kind != PointKind::Gauge {
        return None;
    }
    let (usual, (_, most)) = (usual_value(point)?, range(point)?);
    (most < usual).then(|| Finding::TooSmall {
        key: point.key.clone(),
        most,
        usual,
        unit: point.unit.clone(),
    })
}

fn starts_over(point: &PointDef) -> Option<Finding> {
    // How often something happens is not known, and what counts a day is meant to start over.
    let known = !matches!(point.unit.as_str(), "1" | "{count}");
    let of_a_day = ["today", "daily", "day"].iter().any(|word| point.key.split('-').any(|w| w == *word));
    if point.kind != PointKind::Counter || point.modulus.is_some() || !known || of_a_day {
        return None;
    }
    let end = counter_end(point)?;
    let days = end / rate(point) / 86_400.0;
    (days < 60.0).then(|| Finding::StartsOver { key: point.key.clone(), end, days })
}

#[cfg(test)]
mod tests {
    use steward_shared::document::listing;
    use steward_shared::profile::Library;

    use super::*;

    fn profile(points: &str) -> Profile {
        let head = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"made up\"]\n";
        let text = points.split(';').filter(|p| !p.trim().is_empty()).fold(head.to_owned(), |text, point| {
            text + "[[point]]\ntitle = { zh = \"点\", en = \"Point\" }\ntable = \"holding\"\n"
                + point.trim()
                + "\n"
        });
        Profile::parse("acme/m1.toml", &text).unwrap_or_else(|f| panic!("{}\n{text}", listing(&f)))
    }

    fn found(points: &str) -> Vec<Finding> {
        rules(&profile(points)).into_iter().filter(|f| f.rank() != Rank::Note).collect()
    }

    #[test]
    fn what_lies_over_each_other_in_different_shape_contradicts() {
        let two = |a: &str, b: &str| {
            found(&format!("key = \"a\"\nunit = \"kW\"\n{a};key = \"b\"\n{b}"))
                .iter()
                .any(|f| matches!(f, Finding::Overlap { .. }))
        };
        assert!(two("address = 10\ntype = \"f32\"", "address = 11\ntype = \"u16\"\nunit = \"kW\""));
        assert!(two("address = 10\ntype = \"f32\"", "address = 10\ntype = \"u32\"\nunit = \"kW\""));
        assert!(!two("address = 10\ntype = \"f32\"", "address = 12\ntype = \"u16\"\nunit = \"kW\""));
        assert!(
            !two("address = 10\ntype = \"u16\"", "address = 10\ntype = \"i16\"\nunit = \"kW\""),
            "signed and not"
        );
        assert!(
            !two("address = 10\ntype = \"u16\"", "address = 10\ntype = \"bit\"\nbit = 3"),
            "a word and its bits"
        );
        let bits = "key = \"a\"\naddress = 1\ntype = \"bits\"\nfrom = 0\nlen = 4\nunit = \"1\";\
                    key = \"b\"\naddress = 1\ntype = \"bit\"\nbit = 2";
        assert!(matches!(found(bits).as_slice(), [Finding::SameBits { .. }]), "{:?}", found(bits));
    }

    #[test]
    fn what_the_registers_cannot_hold_is_told() {
        let energy = "key = \"energy\"\naddress = 0\ntype = \"u16\"\nscale = 0.01\nunit = \"kW.h\"\nkind = \"counter\"";
        let told = found(energy);
        assert!(matches!(told.as_slice(), [Finding::StartsOver { days, .. }] if *days < 3.0), "{told:?}");
        let told = found(&format!("{energy}\nmodulus = 10000"));
        assert!(matches!(told.as_slice(), [Finding::ModulusOutOfReach { .. }]), "{told:?}");
        assert!(found(&format!("{energy}\nmodulus = 655.36")).is_empty());
        let told = found("key = \"voltage-a\"\naddress = 0\ntype = \"u16\"\nscale = 0.001\nunit = \"V\"");
        assert!(matches!(told.as_slice(), [Finding::TooSmall { .. }]), "{told:?}");
        let told = found(
            "key = \"mode\"\naddress = 0\ntype = \"bits\"\nfrom = 0\nlen = 2\nkind = \"enumeration\"\n\
             labels = [{ code = 4, zh = \"四\", en = \"four\" }]",
        );
        assert!(matches!(told.as_slice(), [Finding::LabelOutOfReach { code: 4, .. }]), "{told:?}");
        let told = found("key = \"room-temperature\"\naddress = 0\ntype = \"i16\"\nunit = \"1\"");
        assert!(matches!(told.as_slice(), [Finding::NoUnit { .. }]), "{told:?}");
    }

    #[test]
    fn what_the_frames_prove_is_told_apart() {
        let point = |n: u8| format!("key = \"p{n}\"\naddress = {n}\ntype = \"u16\"\nunit = \"V\"\n");
        let frame = |n: u8, made: bool| {
            format!(
                "[[frame]]\nsource = \"s\"\nframing = \"rtu\"\nrequest = \"01\"\nresponse = \"01\"\nmade = {made}\n\
                 values = {{ p{n} = 1 }}\n"
            )
        };
        let frames = [frame(1, true), frame(2, true), frame(2, false)].concat();
        let derived = "[[point]]\ntitle = { zh = \"点\", en = \"Point\" }\nkey = \"d\"\nexpression = \"{p1}\"\nunit = \"V\"\n";
        let told = rules(&profile(&format!("{};{};{}{derived}{frames}", point(0), point(1), point(2))));
        let of = 3;
        let wanted = [
            Finding::Unverified { keys: vec!["p0".to_owned()], of },
            Finding::OnlyMade { keys: vec!["p1".to_owned()], of },
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn the_library_has_no_errors() {
        for profile in Library::compiled_in().unwrap().iter() {
            let bad: Vec<_> = rules(profile).into_iter().filter(|f| f.rank() == Rank::Error).collect();
            assert!(bad.is_empty(), "{}: {bad:?}", profile.id);
        }
    }
}
