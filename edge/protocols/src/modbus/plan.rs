//! Which addresses are asked for in one request. Here: what touches or overlaps goes together, within the
//! device's limits. A planner that reads over gaps where that is cheaper takes the place of `contiguous`.

use steward_shared::profile::{Modbus, PointDef, Register, Table};

use super::pdu::{Request, RequestFault, Response};
use super::value::decode;
use crate::question::PointValue;

/// Addresses that are read together, and the points that lie in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub table: Table,
    pub address: u16,
    pub count: u16,
    /// Indices into the points that were handed to the planner, by address.
    pub points: Vec<usize>,
}

/// Groups the wanted points (`wanted` are indices into `points`; all others are left out).
pub fn contiguous(
    points: &[PointDef],
    wanted: impl IntoIterator<Item = usize>,
    limits: &Modbus,
) -> Vec<Block> {
    let mut sorted: Vec<(usize, &Register)> =
        wanted.into_iter().filter_map(|i| Some((i, points.get(i)?.register()?))).collect();
    sorted.sort_by_key(|(i, r)| (r.table, r.address, r.end(), *i));
    sorted.dedup_by_key(|(i, _)| *i);
    let mut blocks: Vec<Block> = Vec::new();
    for (i, register) in sorted {
        let most = u32::from(if register.table.is_bits() { limits.max_bits } else { limits.max_registers });
        if let Some(block) = blocks.last_mut() {
            let end = u32::from(block.address) + u32::from(block.count);
            let joined = register.end().max(end) - u32::from(block.address);
            if block.table == register.table && u32::from(register.address) <= end && joined <= most {
                block.count = joined as u16;
                block.points.push(i);
                continue;
            }
        }
        let (address, count) = (register.address, register.data.width());
        blocks.push(Block { table: register.table, address, count, points: vec![i] });
    }
    blocks
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
        self.points.iter().filter_map(value).collect()
    }

    /// The same points in two smaller blocks that share no address, for a device that refuses the whole
    /// (exception 2 or 3). `None` where there is no place to cut: points may share registers.
    pub fn halves(&self, points: &[PointDef]) -> Option<[Self; 2]> {
        let middle = self.points.len() / 2;
        let mut end = 0;
        let mut cut = None;
        for (i, register) in self.points.iter().map(|i| points.get(*i)?.register()).enumerate() {
            let register = register?;
            let nearer = cut.is_none_or(|c| middle.abs_diff(i) < middle.abs_diff(c));
            if i > 0 && u32::from(register.address) >= end && nearer {
                cut = Some(i);
            }
            end = end.max(register.end());
        }
        let (left, right) = self.points.split_at_checked(cut?)?;
        Some([self.part(points, left)?, self.part(points, right)?])
    }

    fn part(&self, points: &[PointDef], indices: &[usize]) -> Option<Self> {
        let defs: Vec<&Register> = indices.iter().filter_map(|i| points.get(*i)?.register()).collect();
        let address = defs.iter().map(|p| p.address).min()?;
        let end = defs.iter().map(|p| p.end()).max()?;
        let count = u16::try_from(end - u32::from(address)).ok()?;
        Some(Self { table: self.table, address, count, points: indices.to_vec() })
    }
}
