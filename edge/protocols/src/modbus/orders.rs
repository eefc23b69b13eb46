//! Which type, order and scale make registers say what a meter's display shows. Every combination is tried at every
//! address; what agrees is ranked by how closely it does, by how usual it is, by whether several shown values agree on it,
//! and by what electricity allows over all samples. The engineer's tool calls it.

use steward_shared::profile::{DataType, Decimal, Order};

/// What the display shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub value: f64,
    /// Digits behind the point, as displayed: the value is known to half of the last.
    pub decimals: u8,
    /// UCUM code, where it is known.
    pub unit: Option<String>,
}

/// A way to read a shown value.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub address: u16,
    pub data: DataType,
    pub order: Order,
    pub scale: Decimal,
    /// What it reads in the first sample.
    pub value: f64,
    /// Greater is better; at most about 100.
    pub score: f64,
    pub why: Vec<Why>,
}

/// What speaks for or against a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It gives exactly the digits of the display.
    Digits,
    /// It is near; the value may have moved between the look and the question.
    Near,
    /// Other shown values are read by the same type and order.
    Together,
    /// Voltage, current, power factor and power belong together in every sample.
    Power,
    /// It stays what such a quantity can be in every sample: a mains frequency, a counter that only grows.
    Steady,
    /// It does not.
    Unsteady,
}

const TYPES: [DataType; 10] = [
    DataType::U16,
    DataType::I16,
    DataType::U32,
    DataType::I32,
    DataType::F32,
    DataType::U64,
    DataType::I64,
    DataType::F64,
    DataType::Bcd16,
    DataType::Bcd32,
];
const ORDERS: [Order; 4] = [Order::ABCD, Order::CDAB, Order::BADC, Order::DCBA];
/// How far a value may have moved.
const MOVED: f64 = 0.02;
/// As many for each shown value are compared with each other.
const KEPT: usize = 40;
const TOP: usize = 4;

/// The candidates for each shown value, best first. `samples` hold the registers from `from` on, one list a moment.
pub fn rank(from: u16, samples: &[Vec<u16>], shown: &[Shown]) -> Vec<Vec<Candidate>> {
    let mut all: Vec<Vec<Candidate>> = shown.iter().map(|s| candidates(from, samples, s)).collect();
    agree(&mut all);
    power(from, samples, shown, &mut all);
    for candidates in &mut all {
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.address.cmp(&b.address)));
    }
    all
}

fn candidates(from: u16, samples: &[Vec<u16>], shown: &Shown) -> Vec<Candidate> {
    let mut all = Vec::new();
    let Some(first) = samples.first().filter(|_| shown.value != 0.0) else { return all };
    for at in 0..first.len() {
        for data in TYPES {
            let orders = if data.width() == 1 { &[Order::ABCD, Order::BADC][..] } else { &ORDERS };
            for order in orders {
                let Some(raw) = raw(first, at, data, *order) else { continue };
                all.extend(scaled(raw, data, shown).map(|(scale, value)| {
                    let address = from.saturating_add(at as u16);
                    let mut candidate =
                        Candidate { address, data, order: *order, scale, value, score: 0.0, why: Vec::new() };
                    judge(&mut candidate, at, samples, shown);
                    candidate
                }));
            }
        }
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    all.truncate(KEPT);
    all
}

/// The power of ten that brings the raw number to what is shown, if one does.
fn scaled(raw: f64, data: DataType, shown: &Shown) -> Option<(Decimal, f64)> {
    let powers: &[i16] = if is_float(data) { &[0, -3, 3] } else { &[0, -1, -2, -3, -4, 1, 2, 3] };
    let half = 0.5 * 10_f64.powi(-i32::from(shown.decimals));
    let tries = powers.iter().map(|power| (*power, raw * 10_f64.powi(i32::from(*power))));
    tries
        .filter(|(_, value)| (value - shown.value).abs() <= (MOVED * shown.value.abs()).max(half * 1.000_001))
        .min_by(|(_, a), (_, b)| (a - shown.value).abs().total_cmp(&(b - shown.value).abs()))
        .map(|(power, value)| (Decimal::new(1, power), value))
}

const fn is_float(data: DataType) -> bool {
    matches!(data, DataType::F32 | DataType::F64)
}

fn raw(words: &[u16], at: usize, data: DataType, order: Order) -> Option<f64> {
    let words = words.get(at..)?.get(..usize::from(data.width()))?;
    let swap = |word: &u16| if order.low_byte_first { word.swap_bytes() } else { *word };
    let fold = |bits: u64, word: &u16| bits << 16 | u64::from(swap(word));
    let bits =
        if order.low_word_first { words.iter().rev().fold(0, fold) } else { words.iter().fold(0, fold) };
    let digits = |count: u32| {
        (0..count).rev().try_fold(0_u64, |number, i| {
            let digit = bits >> (4 * i) & 0xF;
            (digit <= 9).then_some(number * 10 + digit)
        })
    };
    let number = match data {
        DataType::U16 | DataType::U32 | DataType::U64 => bits as f64,
        DataType::I16 => f64::from(bits as u16 as i16),
        DataType::I32 => f64::from(bits as u32 as i32),
        DataType::I64 => bits as i64 as f64,
        DataType::F32 => f64::from(f32::from_bits(bits as u32)),
        DataType::F64 => f64::from_bits(bits),
        DataType::Bcd16 => digits(4)? as f64,
        DataType::Bcd32 => digits(8)? as f64,
        DataType::Bit { .. } | DataType::Bits { .. } | DataType::Text { .. } => return None,
    };
    (number.is_finite() && number != 0.0).then_some(number)
}

/// Agreement first, then what is usual, then the other samples.
fn judge(candidate: &mut Candidate, at: usize, samples: &[Vec<u16>], shown: &Shown) {
    let half = 0.5 * 10_f64.powi(-i32::from(shown.decimals));
    let off = (candidate.value - shown.value).abs();
    let digits = off <= half * 1.000_001;
    candidate.why.push(if digits { Why::Digits } else { Why::Near });
    candidate.score = if digits { 50.0 } else { 25.0 * (1.0 - off / (MOVED * shown.value.abs())) };
    candidate.score += match candidate.data {
        DataType::F32 => 14.0,
        DataType::U16 | DataType::U32 => 10.0,
        DataType::I16 | DataType::I32 => 9.0,
        DataType::U64 | DataType::I64 => 6.0,
        DataType::F64 => 8.0,
        _ => 3.0,
    };
    // A sign that is not needed says less; one that is, all.
    if shown.value < 0.0 && matches!(candidate.data, DataType::I16 | DataType::I32 | DataType::I64) {
        candidate.score += 4.0;
    }
    candidate.score += match (candidate.order, candidate.data.width()) {
        (Order::ABCD, _) => 6.0,
        (Order::CDAB, _) => 4.0,
        (_, 1) => -6.0,
        _ => 0.0,
    };
    let behind = candidate.scale.decimals();
    candidate.score += match (is_float(candidate.data), candidate.scale == Decimal::ONE) {
        (true, true) => 8.0,
        (true, false) => -8.0,
        // An integer shows the digits that its scale has.
        (false, _) if behind == shown.decimals => 8.0,
        (false, _) if behind > shown.decimals => 4.0,
        (false, _) => -6.0,
    };
    // A long type whose upper half is empty is as well the short one behind it: the pair is what maps have.
    let steady = samples.iter().skip(1).all(|words| {
        raw(words, at, candidate.data, candidate.order)
            .map(|raw| raw * candidate.scale.as_f64())
            .is_some_and(|later| is_possible(candidate.value, later, shown.unit.as_deref()))
    });
    if samples.len() > 1 {
        candidate.why.push(if steady { Why::Steady } else { Why::Unsteady });
        candidate.score += if steady { 8.0 } else { -30.0 };
    }
    if shown.unit.as_deref() == Some("Hz") && !(45.0..=65.0).contains(&candidate.value) {
        candidate.score -= 20.0;
    }
}

/// Whether a quantity that was `first` can be `later` a few moments on.
fn is_possible(first: f64, later: f64, unit: Option<&str>) -> bool {
    match unit {
        Some("Hz") => (45.0..=65.0).contains(&later) && (later - first).abs() < 2.0,
        // Totals: energy and volume.
        Some("W.h" | "kW.h" | "MW.h" | "kV.A.h" | "kvar.h" | "m3" | "L") => {
            later >= first && later - first <= 1.0_f64.max(0.01 * first.abs())
        }
        Some("V" | "kV") => (later - first).abs() <= 0.2 * first.abs(),
        Some("Cel" | "%" | "[pH]") => (later - first).abs() <= 0.2 * first.abs().max(5.0),
        // Loads come and go.
        _ => later.abs() <= 20.0 * first.abs() && (later.abs() >= first.abs() / 20.0),
    }
}

/// A meter writes its values alike: what reads the others well gains.
fn agree(all: &mut [Vec<Candidate>]) {
    if all.len() < 2 {
        return;
    }
    let best = |list: &[Candidate], like: &Candidate| {
        let same = |c: &&Candidate| {
            (is_float(c.data), c.data.width(), c.order)
                == (is_float(like.data), like.data.width(), like.order)
        };
        list.iter().filter(same).filter(|c| c.why.contains(&Why::Digits)).count().min(1)
    };
    let before = all.to_vec();
    for (i, candidates) in all.iter_mut().enumerate() {
        for candidate in candidates {
            let others = before.iter().enumerate().filter(|(j, _)| *j != i);
            let agreeing: usize = others.map(|(_, list)| best(list, candidate)).sum();
            if agreeing > 0 {
                candidate.score += 12.0 * agreeing as f64 / (before.len() - 1) as f64;
                candidate.why.push(Why::Together);
            }
        }
    }
}

/// In watts, volts, amperes.
fn base(unit: &str) -> Option<(char, f64)> {
    Some(match unit {
        "V" => ('V', 1.0),
        "kV" => ('V', 1e3),
        "A" => ('I', 1.0),
        "mA" => ('I', 1e-3),
        "W" => ('P', 1.0),
        "kW" => ('P', 1e3),
        "MW" => ('P', 1e6),
        _ => return None,
    })
}

/// P = k V I PF with k of one or three phases, in every sample: the combination that keeps to it gains.
fn power(from: u16, samples: &[Vec<u16>], shown: &[Shown], all: &mut [Vec<Candidate>]) {
    let which = |symbol: char| {
        shown.iter().position(|s| s.unit.as_deref().and_then(base).is_some_and(|(c, _)| c == symbol))
    };
    let (Some(v), Some(i), Some(p)) = (which('V'), which('I'), which('P')) else { return };
    let factor = shown.iter().position(|s| s.unit.as_deref() == Some("1") && s.value.abs() <= 1.0);
    let ratio = |combination: [&Candidate; 3], pf: Option<&Candidate>, words: &[u16]| {
        let at = |candidate: &Candidate, shown: &Shown| {
            let raw = raw(words, usize::from(candidate.address - from), candidate.data, candidate.order)?;
            let unit = shown.unit.as_deref().and_then(base).map_or(1.0, |(_, factor)| factor);
            Some(raw * candidate.scale.as_f64() * unit)
        };
        let [volts, amperes, watts] = combination;
        let pf = match (pf, factor) {
            (Some(pf), Some(f)) => at(pf, &shown[f])?,
            _ => 1.0,
        };
        Some(at(watts, &shown[p])? / (at(volts, &shown[v])? * at(amperes, &shown[i])? * pf))
    };
    let holds = |ratio: f64| {
        let near = |k: f64, from: f64| (from * k..=1.1 * k).contains(&ratio.abs());
        // Without a power factor it may be anything that is usual.
        let least = if factor.is_some() { 0.9 } else { 0.5 };
        near(1.0, least) || near(3.0, least) || near(3_f64.sqrt(), least)
    };
    let top = |list: &[Candidate]| {
        let mut best: Vec<usize> = (0..list.len()).collect();
        best.sort_by(|a, b| list[*b].score.total_cmp(&list[*a].score));
        best.truncate(TOP);
        best
    };
    let (vs, is, ps) = (top(&all[v]), top(&all[i]), top(&all[p]));
    let fs: Vec<Option<usize>> =
        factor.map_or_else(|| vec![None], |f| top(&all[f]).into_iter().map(Some).collect());
    let mut good = Vec::new();
    let pairs = vs.iter().flat_map(|a| is.iter().map(|b| (*a, *b)));
    for ((a, b), c) in pairs.flat_map(|pair| ps.iter().map(move |c| (pair, *c))) {
        for d in &fs {
            let pf = d.zip(factor).and_then(|(d, f)| all[f].get(d));
            let combination = [&all[v][a], &all[i][b], &all[p][c]];
            if samples.iter().all(|words| ratio(combination, pf, words).is_some_and(holds)) {
                good.extend([(v, a), (i, b), (p, c)]);
                good.extend(factor.zip(*d));
            }
        }
    }
    for (list, index) in good {
        let candidate = &mut all[list][index];
        if !candidate.why.contains(&Why::Power) {
            candidate.why.push(Why::Power);
            candidate.score += 10.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64, decimals: u8, unit: &str) -> Shown {
        Shown { value, decimals, unit: Some(unit.to_owned()) }
    }

    /// Eastron SDM630Modbus protocol document: 230.2 V as 43 66 33 34.
    #[test]
    fn the_example_of_a_manual_is_recognised() {
        let found = rank(0, &[vec![0x4366, 0x3334]], &[shown(230.2, 1, "V")]);
        let best = &found[0][0];
        assert_eq!((best.address, best.data, best.order), (0, DataType::F32, Order::ABCD));
        assert_eq!((best.scale, best.why[0]), (Decimal::ONE, Why::Digits));
    }

    #[test]
    fn words_in_the_wrong_order_and_scaled_integers_are_recognised() {
        let swapped = rank(100, &[vec![0, 0x3334, 0x4366, 7]], &[shown(230.2, 1, "V")]);
        assert_eq!((swapped[0][0].address, swapped[0][0].order), (101, Order::CDAB));
        let integer = rank(
            0,
            &[vec![2302, 499, 0x0001, 0xE240]],
            &[shown(230.2, 1, "V"), shown(49.9, 1, "Hz"), shown(1234.56, 2, "kW.h")],
        );
        let all: Vec<_> = integer.iter().map(|c| (c[0].address, c[0].data, c[0].scale)).collect();
        assert_eq!(
            all,
            [
                (0, DataType::U16, Decimal::new(1, -1)),
                (1, DataType::U16, Decimal::new(1, -1)),
                (2, DataType::U32, Decimal::new(1, -2)),
            ]
        );
    }

    #[test]
    fn what_agrees_by_chance_falls_behind_over_several_samples() {
        // Two registers show 50.0 now; one of them is no frequency.
        let samples = [vec![500, 500], vec![501, 900], vec![499, 20]];
        let found = rank(0, &samples, &[shown(50.0, 1, "Hz")]);
        assert_eq!(found[0][0].address, 0);
        assert!(found[0][0].why.contains(&Why::Steady));
        let other = found[0].iter().find(|c| c.address == 1).unwrap();
        assert!(other.why.contains(&Why::Unsteady) && other.score < found[0][0].score - 20.0);
    }

    #[test]
    fn a_power_that_does_not_belong_to_its_voltage_and_current_falls_behind() {
        // 230.0 V, 10.00 A; 2.185 kW stands twice, and only the first follows the current.
        let samples = [vec![2300, 1000, 2185, 2185], vec![2300, 500, 1093, 2185]];
        let wanted = [shown(230.0, 1, "V"), shown(10.0, 2, "A"), shown(2.185, 3, "kW"), shown(0.95, 2, "1")];
        let mut with_factor: Vec<Vec<u16>> = samples.to_vec();
        for words in &mut with_factor {
            words.push(95);
        }
        let found = rank(0, &with_factor, &wanted);
        assert_eq!(found[2][0].address, 2);
        assert!(found[2][0].why.contains(&Why::Power), "{:?}", found[2][0]);
        assert!(!found[2].iter().find(|c| c.address == 3).unwrap().why.contains(&Why::Power));
    }

    #[test]
    fn nothing_is_made_up() {
        assert!(rank(0, &[vec![1, 2, 3]], &[shown(230.2, 1, "V")])[0].is_empty());
        assert!(rank(0, &[vec![0, 0]], &[shown(0.0, 1, "V")])[0].is_empty(), "zero is everywhere");
        assert!(rank(0, &[], &[shown(1.0, 0, "V")])[0].is_empty());
        assert!(rank(65_535, &[vec![2302]], &[shown(230.2, 1, "V")])[0][0].address == 65_535);
    }
}
