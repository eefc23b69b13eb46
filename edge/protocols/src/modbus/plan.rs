//! Which addresses are asked for in one request: the plan that takes the least line time.

use steward_shared::profile::{Modbus, PointDef, Register, Table};

use super::pdu::{Request, RequestFault, Response};
use super::value::decode;
use crate::cost::Cost;
use crate::question::{Gap, PointValue, Split};

/// Addresses that are read together, and the points that lie in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub table: Table,
    pub address: u16,
    pub count: u16,
    /// Indices into the points that were handed to the planner, by address.
    pub points: Vec<usize>,
}

/// Addresses `from` up to and without `to`, which are asked for in no question; where there is none between the two, no
/// question reaches over that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    pub table: Table,
    pub from: u16,
    pub to: u32,
}

impl Hole {
    /// Where a point stands.
    pub fn of(point: &PointDef) -> Option<Self> {
        let register = point.register()?;
        Some(Self { table: register.table, from: register.address, to: register.end() })
    }
}

/// Wanted points that stand at the same addresses.
struct Item {
    register: Register,
    points: Vec<usize>,
    /// Whether no question may reach from the items before it to this one.
    apart: bool,
}

/// Groups the wanted points (`wanted` are indices into `points`; all others are left out) so that reading them takes
/// the least line time: what lies between two of them is read over where that is cheaper than to ask once more, but
/// never beyond the device's limits and never over a hole.
///
/// With `O` the cost of a question and `c` that of an address, the best plan of the first `j` items is
/// `D[j] = min over i of D[i] + O + c * span(i..j)`, where `i..j` fits one question.
pub fn plan(
    points: &[PointDef],
    wanted: impl IntoIterator<Item = usize>,
    limits: &Modbus,
    cost: &Cost,
    holes: &[Hole],
) -> Vec<Block> {
    let mut sorted: Vec<(usize, &Register)> =
        wanted.into_iter().filter_map(|i| Some((i, points.get(i)?.register()?))).collect();
    sorted.sort_by_key(|(i, r)| (r.table, r.address, r.end(), *i));
    sorted.dedup_by_key(|(i, _)| *i);
    let tables = sorted.chunk_by(|(_, a), (_, b)| a.table == b.table);
    tables.flat_map(|table| cut(&items(table, limits, holes), limits, cost)).collect()
}

fn items(sorted: &[(usize, &Register)], limits: &Modbus, holes: &[Hole]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut reach = 0;
    for (point, register) in sorted {
        if let Some(last) = items.last_mut()
            && (last.register.address, last.register.end()) == (register.address, register.end())
        {
            last.points.push(*point);
            continue;
        }
        let from = reach.min(u32::from(register.address));
        let gap = u32::from(register.address) - from;
        let is_hole = |hole: &Hole| {
            let (begin, address) = (u32::from(hole.from), u32::from(register.address));
            let is_seam = hole.to == begin && (from..=address).contains(&begin);
            let meets = gap > 0 && begin < address && hole.to > from;
            hole.table == register.table && (is_seam || meets)
        };
        let too_wide = limits.max_gap.is_some_and(|most| gap > u32::from(most));
        let apart = !items.is_empty() && (too_wide || holes.iter().any(is_hole));
        items.push(Item { register: **register, points: vec![*point], apart });
        reach = reach.max(register.end());
    }
    items
}

/// The cheapest blocks of one table's items.
fn cut(items: &[Item], limits: &Modbus, cost: &Cost) -> Vec<Block> {
    let Some(table) = items.first().map(|item| item.register.table) else { return Vec::new() };
    // Whole numbers, so that plans of one cost are told apart by nothing else: eighths of nanoseconds.
    let (question, byte) = (cost.question.as_nanos() * 8, cost.byte.as_nanos());
    let (most, address) = if table.is_bits() {
        (u32::from(limits.max_bits), byte)
    } else {
        (u32::from(limits.max_registers), byte * 16)
    };
    // For the first j items: what they cost, and where the last block begins.
    let mut best: Vec<(u128, usize)> = vec![(0, 0)];
    for j in 1..=items.len() {
        let (mut least, mut end) = ((u128::MAX, j - 1), 0);
        for (i, item) in items.iter().enumerate().take(j).rev() {
            end = end.max(item.register.end());
            let span = end - u32::from(item.register.address);
            if span > most && i + 1 < j {
                break;
            }
            let before = best.get(i).map_or(0, |(cost, _)| *cost);
            let total = before + question + address * u128::from(span);
            if total < least.0 {
                least = (total, i);
            }
            if item.apart {
                break;
            }
        }
        best.push(least);
    }
    let mut blocks = Vec::new();
    let mut j = items.len();
    while let (Some((_, i)), true) = (best.get(j).copied(), j > 0) {
        blocks.extend(items.get(i..j).and_then(block));
        j = i;
    }
    blocks.reverse();
    blocks
}

fn block(items: &[Item]) -> Option<Block> {
    let first = items.first()?.register;
    let end = items.iter().map(|item| item.register.end()).max()?;
    let count = u16::try_from(end - u32::from(first.address)).ok()?;
    let points = items.iter().flat_map(|item| item.points.iter().copied()).collect();
    Some(Block { table: first.table, address: first.address, count, points })
}

impl Block {
    pub fn request(&self, unit: u8) -> Result<Request, RequestFault> {
        Request::new(unit, self.table, self.address, self.count)
    }

    /// The values of the block's points in the data of the answer to its request.
    pub fn values(&self, points: &[PointDef], data: &[u8]) -> Vec<PointValue> {
        let response = Response::of(self.table, self.count, data);
        let value = |i: &usize| {
            let point = points.get(*i)?;
            let offset = usize::from(point.register()?.address.checked_sub(self.address)?);
            let (value, quality) = decode(point, &response, offset);
            Some(PointValue { point: *i, value, quality })
        };
        let mut values = Vec::with_capacity(self.points.len());
        values.extend(self.points.iter().filter_map(value));
        values
    }

    /// Bytes of data in its answer; a bit is an eighth.
    pub fn contents_len(&self) -> f64 {
        let count = f64::from(self.count);
        if self.table.is_bits() { count / 8.0 } else { count * 2.0 }
    }

    /// The same points in two blocks, for a device that refuses the whole (exception 2 or 3): cut over a gap that nobody
    /// wants, where there is one, as near to the middle as can be. Where points share registers so that there is no
    /// place to cut, the widest is asked for apart. `None` where all points are the same registers.
    pub fn split(&self, points: &[PointDef]) -> Option<Split<Self>> {
        let registers: Vec<&Register> =
            self.points.iter().map(|i| points.get(*i)?.register()).collect::<Option<_>>()?;
        let middle = registers.len() / 2;
        let (mut end, mut cut) = (0, None);
        for (i, register) in registers.iter().enumerate() {
            let address = u32::from(register.address);
            if i > 0 && address >= end {
                // A gap is worth more than the middle: it is the likelier cause.
                let rank = (address == end, middle.abs_diff(i));
                if cut.is_none_or(|(_, best)| rank < best) {
                    cut = Some((i, rank));
                }
            }
            end = end.max(register.end());
        }
        let Some((i, (touching, _))) = cut else { return self.without_the_widest(&registers) };
        let ((left, right), (before, after)) =
            (self.points.split_at_checked(i)?, registers.split_at_checked(i)?);
        let parts = [self.part(left, before)?, self.part(right, after)?];
        let gap = if touching { None } else { self.gap(before, after) };
        let [_, right] = &parts;
        let cut = Hole { table: self.table, from: right.address, to: u32::from(right.address) };
        let seam = Some(gap.as_ref().map_or(cut, |gap| gap.hole));
        Some(Split { parts, gap, seam })
    }

    /// The points whose registers are the most, and all others: one that a profile makes too long must not take those
    /// with it that stand within it.
    fn without_the_widest(&self, registers: &[&Register]) -> Option<Split<Self>> {
        let span = |register: &Register| (register.address, register.end());
        let widest = span(registers.iter().max_by_key(|r| r.data.width())?);
        let both = self.points.iter().copied().zip(registers.iter().copied());
        let (wide, others): (Vec<_>, Vec<_>) = both.partition(|(_, register)| span(register) == widest);
        let part = |(points, registers): (Vec<usize>, Vec<&Register>)| self.part(&points, &registers);
        let parts = [part(others.into_iter().unzip())?, part(wide.into_iter().unzip())?];
        Some(Split { parts, gap: None, seam: None })
    }

    fn part(&self, points: &[usize], registers: &[&Register]) -> Option<Self> {
        let address = registers.iter().map(|r| r.address).min()?;
        let end = registers.iter().map(|r| r.end()).max()?;
        let count = u16::try_from(end - u32::from(address)).ok()?;
        Some(Self { table: self.table, address, count, points: points.to_vec() })
    }

    /// The gap between the points before and those after, and the shortest block across it.
    fn gap(&self, before: &[&Register], after: &[&Register]) -> Option<Gap<Self>> {
        let (last, first) = (before.iter().max_by_key(|r| r.end())?, after.first()?);
        let across = Self { points: Vec::new(), ..self.part(&[], &[*last, *first])? };
        let hole =
            Hole { table: self.table, from: u16::try_from(last.end()).ok()?, to: u32::from(first.address) };
        Some(Gap { hole, across })
    }
}
