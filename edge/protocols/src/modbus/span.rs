//! What a block of addresses is in words, for answers that are kept longer than the plan that asked for them: the words
//! become a block again, with whatever points of a profile lie in it. `question` calls this.

use std::ops::Range;

use steward_shared::profile::{PointDef, Table};

use super::plan::Block;

/// Table, first address and count: `holding 100 12`.
pub fn words(block: &Block) -> String {
    format!("{} {} {}", block.table.word(), block.address, block.count)
}

/// The block of such words, with every point that lies in it whole.
pub fn block(words: &str, points: &[PointDef]) -> Option<Block> {
    let mut parts = words.split(' ');
    let word = parts.next()?;
    let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input]
        .into_iter()
        .find(|t| t.word() == word)?;
    let (address, count) = (parts.next()?.parse::<u16>().ok()?, parts.next()?.parse::<u16>().ok()?);
    let end = u32::from(address) + u32::from(count);
    let lies_in = |point: &PointDef| {
        point.register().is_some_and(|r| r.table == table && r.address >= address && r.end() <= end)
    };
    let mut inside: Vec<usize> =
        points.iter().enumerate().filter(|(_, point)| lies_in(point)).map(|(i, _)| i).collect();
    inside.sort_by_key(|i| points.get(*i).and_then(PointDef::register).map(|r| r.address));
    Some(Block { table, address, count, points: inside })
}

/// Which bytes of the contents a point is made of.
pub fn bytes(block: &Block, point: &PointDef) -> Option<Range<usize>> {
    let register = point.register()?;
    let offset = usize::from(register.address.checked_sub(block.address)?);
    if block.table.is_bits() {
        return Some(offset / 8..offset / 8 + 1);
    }
    Some(offset * 2..(offset + usize::from(register.data.width())) * 2)
}
