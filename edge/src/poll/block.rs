//! A block: what one question asks for, and the points in it. The rounds hold them. A device that refuses a
//! block has it halved at a border between points, so that one bad register does not hurt its neighbours.

use std::time::Duration;

use steward_shared::time::Timestamp;

use super::grid::Grid;

/// Where a point lies in its device's table: `count` registers (or bits) from `address` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which of the device's points.
    pub point: usize,
    pub address: u16,
    pub count: u16,
}

impl Span {
    fn end(self) -> u32 {
        u32::from(self.address) + u32::from(self.count)
    }
}

/// Function code and contiguous points, sorted by address; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub function: u8,
    pub points: Vec<Span>,
}

impl Block {
    pub fn address(&self) -> u16 {
        self.points.first().map_or(0, |p| p.address)
    }

    pub fn count(&self) -> u16 {
        let end = self.points.iter().map(|p| p.end()).max().unwrap_or(0);
        u16::try_from(end.saturating_sub(u32::from(self.address()))).unwrap_or(u16::MAX)
    }

    /// Two halves, cut where no point is cut; none when its points share their registers.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let middle = self.points.len() / 2;
        let clean = |cut: usize| {
            let (left, right) = self.points.split_at(cut);
            let end = left.iter().map(|p| p.end()).max().unwrap_or(0);
            right.first().is_some_and(|p| u32::from(p.address) >= end)
        };
        let cut = (1..self.points.len()).filter(|cut| clean(*cut)).min_by_key(|cut| cut.abs_diff(middle))?;
        let (left, right) = self.points.split_at(cut);
        Some((
            Self { function: self.function, points: left.to_vec() },
            Self { function: self.function, points: right.to_vec() },
        ))
    }
}

/// A block on its grid, and how it fared.
#[derive(Debug, Clone)]
pub struct Scheduled {
    pub device: usize,
    pub block: Block,
    pub grid: Grid,
    /// Failed polls in a row; see `round::DEAD_AFTER`.
    pub failed: u8,
}

impl Scheduled {
    pub fn new(device: usize, block: Block, period: Duration, now: Timestamp) -> Self {
        Self { device, block, grid: Grid::new(period, now), failed: 0 }
    }

    /// Earliest first: in the order of deadlines every block gets its turn, however full the line is.
    pub fn deadline(&self) -> Timestamp {
        self.grid.next().plus(self.grid.period())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(spans: &[(u16, u16)]) -> Block {
        let points = spans
            .iter()
            .enumerate()
            .map(|(point, &(address, count))| Span { point, address, count })
            .collect();
        Block { function: 3, points }
    }

    #[test]
    fn a_block_is_halved_between_points() {
        let (left, right) = block(&[(10, 2), (12, 2), (14, 1), (15, 4)]).halves().unwrap();
        assert_eq!((left.address(), left.count()), (10, 4));
        assert_eq!((right.address(), right.count()), (14, 5));
    }

    #[test]
    fn points_of_one_register_are_never_torn_apart() {
        assert_eq!(block(&[(10, 1), (10, 1), (10, 1)]).halves(), None);
        let (left, right) = block(&[(9, 1), (10, 1), (10, 1), (10, 1)]).halves().unwrap();
        assert_eq!((left.points.len(), right.points.len()), (1, 3));
    }

    #[test]
    fn a_block_at_the_end_of_the_table_does_not_overflow() {
        assert_eq!(block(&[(65_535, 1)]).count(), 1);
    }
}
