//! Rows by the numbers of points, in their order and without gaps in memory. A device's points have numbers that follow each
//! other, and its answers are taken in that order: the next row is mostly the one behind the last.

use steward_shared::id::PointNo;

#[derive(Clone, Debug, PartialEq)]
pub struct Numbered<T>(Vec<(PointNo, T)>);

impl<T> Numbered<T> {
    /// The place of a number's row; looked for first at `near` and behind it.
    pub fn place(&self, no: PointNo, near: usize) -> Option<usize> {
        let is_at = |place: &usize| self.0.get(*place).is_some_and(|(own, _)| *own == no);
        let found = [near, near + 1].into_iter().find(is_at);
        found.or_else(|| self.0.binary_search_by_key(&no, |(own, _)| *own).ok())
    }

    pub fn at(&self, place: usize) -> Option<&T> {
        self.0.get(place).map(|(_, row)| row)
    }

    pub fn at_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place).map(|(_, row)| row)
    }

    pub fn get(&self, no: PointNo) -> Option<&T> {
        self.at(self.place(no, 0)?)
    }

    pub fn contains(&self, no: PointNo) -> bool {
        self.place(no, 0).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (PointNo, &T)> {
        self.0.iter().map(|(no, row)| (*no, row))
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A number belongs to one point for ever, so none comes twice.
impl<T> FromIterator<(PointNo, T)> for Numbered<T> {
    fn from_iter<I: IntoIterator<Item = (PointNo, T)>>(rows: I) -> Self {
        let mut rows: Vec<(PointNo, T)> = rows.into_iter().collect();
        rows.sort_by_key(|(no, _)| *no);
        rows.shrink_to_fit();
        Self(rows)
    }
}

impl<T> IntoIterator for Numbered<T> {
    type Item = (PointNo, T);
    type IntoIter = std::vec::IntoIter<(PointNo, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_wherever_it_is_looked_for_first() {
        let rows: Numbered<u32> = [9, 2, 5].into_iter().map(|no| (PointNo(no), no * 10)).collect();
        for near in 0..5 {
            for no in 0..12 {
                let found = rows.place(PointNo(no), near).and_then(|place| rows.at(place));
                assert_eq!(found.copied(), [2, 5, 9].contains(&no).then_some(no * 10), "{no} near {near}");
            }
        }
        assert_eq!(rows.iter().map(|(no, _)| no.0).collect::<Vec<_>>(), [2, 5, 9]);
    }
}
