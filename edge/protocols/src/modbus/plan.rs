//! Which addresses are asked for in one request. Here: what touches or overlaps goes together, within the
//! device's limits. A planner that reads over gaps where that is cheaper takes the place of `contiguous`.

use steward_shared::profile::{Modbus, PointDef, Table};
use steward_shared::reading::{Quality, Value};

use super::pdu::{Request, RequestFault, Response};
use super::value::decode;

/// Addresses that are read together, and the points that lie in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub table: Table,
    pub address: u16,
    pub count: u16,
    /// Indices into the points that were handed to the planner, by address.
    pub points: Vec<usize>,
}

/// A point's value out of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockValue {
    /// Index into the points that were handed to the planner.
    pub point: usize,
    pub value: Option<Value>,
    pub quality: Quality,
}

/// Groups the wanted points (`wanted` are indices into `points`; all others are left out).
pub fn contiguous(
    points: &[PointDef],
    wanted: impl IntoIterator<Item = usize>,
    limits: &Modbus,
) -> Vec<Block> {
    let mut sorted: Vec<(usize, &PointDef)> =
        wanted.into_iter().filter_map(|i| points.get(i).map(|p| (i, p))).collect();
    sorted.sort_by_key(|(i, p)| (p.table, p.address, p.end(), *i));
    sorted.dedup_by_key(|(i, _)| *i);
    let mut blocks: Vec<Block> = Vec::new();
    for (i, point) in sorted {
        let most = u32::from(if point.table.is_bits() { limits.max_bits } else { limits.max_registers });
        if let Some(block) = blocks.last_mut() {
            let end = u32::from(block.address) + u32::from(block.count);
            let joined = point.end().max(end) - u32::from(block.address);
            if block.table == point.table && u32::from(point.address) <= end && joined <= most {
                block.count = joined as u16;
                block.points.push(i);
                continue;
            }
        }
        let (address, count) = (point.address, point.data.width());
        blocks.push(Block { table: point.table, address, count, points: vec![i] });
    }
    blocks
}

impl Block {
    pub fn request(&self, unit: u8) -> Result<Request, RequestFault> {
        Request::new(unit, self.table, self.address, self.count)
    }

    /// The values of the block's points in the answer to its request.
    pub fn values(&self, points: &[PointDef], response: &Response) -> Vec<BlockValue> {
        let value = |i: &usize| {
            let point = points.get(*i)?;
            let offset = usize::from(point.address.checked_sub(self.address)?);
            let (value, quality) = decode(point, response, offset);
            Some(BlockValue { point: *i, value, quality })
        };
        self.points.iter().filter_map(value).collect()
    }

    /// The same points in two smaller blocks that share no address, for a device that refuses the whole
    /// (exception 2 or 3). `None` where there is no place to cut: points may share registers.
    pub fn halves(&self, points: &[PointDef]) -> Option<[Self; 2]> {
        let middle = self.points.len() / 2;
        let mut end = 0;
        let mut cut = None;
        for (i, point) in self.points.iter().map(|i| points.get(*i)).enumerate() {
            let point = point?;
            let nearer = cut.is_none_or(|c| middle.abs_diff(i) < middle.abs_diff(c));
            if i > 0 && u32::from(point.address) >= end && nearer {
                cut = Some(i);
            }
            end = end.max(point.end());
        }
        let (left, right) = self.points.split_at_checked(cut?)?;
        Some([self.part(points, left)?, self.part(points, right)?])
    }

    fn part(&self, points: &[PointDef], indices: &[usize]) -> Option<Self> {
        let defs: Vec<&PointDef> = indices.iter().filter_map(|i| points.get(*i)).collect();
        let address = defs.iter().map(|p| p.address).min()?;
        let end = defs.iter().map(|p| p.end()).max()?;
        let count = u16::try_from(end - u32::from(address)).ok()?;
        Some(Self { table: self.table, address, count, points: indices.to_vec() })
    }
}
