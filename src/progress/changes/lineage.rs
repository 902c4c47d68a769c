//! Which builds answered, one after the other.

use std::collections::VecDeque;

/// Builds that are remembered; a partition that moves adds one.
const KEPT: usize = 4096;

/// Tells one set of slots that answer from every other, of this store or another.
///
/// A hash of what the slots were built from: after a restart the same slots give the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Builds(pub u64);

/// The builds that answered in this process, the last ones first to be found.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    builds: VecDeque<Builds>,
    /// Number of the oldest.
    first: u64,
}

impl Lineage {
    /// Adds the builds that answer now and returns their number.
    pub(super) fn add(&mut self, builds: Builds) -> u64 {
        if self.builds.len() == KEPT {
            self.builds.pop_front();
            self.first += 1;
        }
        self.builds.push_back(builds);
        self.first + self.builds.len() as u64 - 1
    }

    /// Returns the number of these builds; none if they never answered, or too long ago.
    pub(super) fn number(&self, builds: Builds) -> Option<u64> {
        let at = self.builds.iter().rposition(|known| *known == builds)?;
        Some(self.first + at as u64)
    }

    /// Returns the builds that answer now.
    pub(super) fn last(&self) -> Builds {
        self.builds.back().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_keep_their_number_until_they_are_forgotten() {
        let mut lineage = Lineage::default();
        for number in 0..=KEPT as u64 {
            assert_eq!(lineage.add(Builds(number)), number);
        }
        assert_eq!(lineage.number(Builds(0)), None);
        assert_eq!(lineage.number(Builds(7)), Some(7));
        assert_eq!(lineage.last(), Builds(KEPT as u64));
    }
}
