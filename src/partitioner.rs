//! How producers choose a partition for a key, and which of those ways a partition's records agree with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::position::Partition;

/// A producer's rule from key to partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Partitioner {
    /// Java's default, and librdkafka's `murmur2` and `murmur2_random`.
    Murmur2,
    /// librdkafka's default (`consistent_random`): CRC-32 of the key.
    Crc32,
    /// Sarama's default (Go): FNV-1a, signed.
    Fnv1a,
}

/// A partitioner and the partition count it worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The rule.
    pub partitioner: Partitioner,
    /// Partitions the topic had.
    pub partitions: u32,
}

/// The pairs that explain where every record of one partition lies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verified {
    /// Per partition count, oldest first, the pairs every record accounted to that count agrees with.
    eras: Vec<Vec<Pair>>,
    /// A record was seen that no pair explains.
    unexplained: bool,
}

impl Partitioner {
    /// Every rule that is tried.
    pub const ALL: [Self; 3] = [Self::Murmur2, Self::Crc32, Self::Fnv1a];

    /// Returns the partition this rule chooses for `key` among `partitions` partitions.
    #[must_use]
    pub fn partition(self, key: &[u8], partitions: u32) -> Partition {
        let partitions = partitions.max(1);
        let chosen = match self {
            Self::Murmur2 => (murmur2(key) & 0x7fff_ffff) % partitions,
            Self::Crc32 => crc32fast::hash(key) % partitions,
            Self::Fnv1a => (fnv1a(key).cast_signed() % partitions.cast_signed()).unsigned_abs(),
        };
        chosen.cast_signed()
    }
}

impl Pair {
    /// Returns the partition this pair leads to for `key`.
    #[must_use]
    pub fn partition(self, key: &[u8]) -> Partition {
        self.partitioner.partition(key, self.partitions)
    }
}

impl Verified {
    /// Starts with every rule at `partitions` partitions: nothing has been seen that contradicts it.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self { eras: vec![all(partitions)], unexplained: false }
    }

    /// Takes notice that the topic has `partitions` partitions now; returns whether that is news.
    pub fn grow(&mut self, partitions: u32) -> bool {
        let current = self.eras.iter().flatten().map(|pair| pair.partitions).max();
        let news = current.is_some_and(|current| current < partitions);
        if news {
            self.eras.push(all(partitions));
        }
        news
    }

    /// Checks a record's key; returns whether the verdict changed.
    ///
    /// Invariant: each record agrees with all remaining pairs of one era, so [`Verified::pairs`] finds it.
    pub fn check(&mut self, key: &[u8], partition: Partition) -> bool {
        if self.unexplained {
            return false;
        }
        for era in self.eras.iter_mut().rev() {
            let agreeing = era.iter().filter(|pair| pair.partition(key) == partition).count();
            if agreeing == era.len() && agreeing > 0 {
                return false;
            }
            if agreeing > 0 {
                era.retain(|pair| pair.partition(key) == partition);
                return true;
            }
        }
        self.unexplained = true;
        true
    }

    /// Returns the pairs that together find every record; none when some record is not explained.
    #[must_use]
    pub fn pairs(&self) -> Option<impl Iterator<Item = Pair> + '_> {
        (!self.unexplained).then(|| self.eras.iter().flatten().copied())
    }
}

fn all(partitions: u32) -> Vec<Pair> {
    Partitioner::ALL.into_iter().map(|partitioner| Pair { partitioner, partitions }).collect()
}

/// `MurmurHash2` as Kafka's Java clients compute it: 32 bits, seed 0x9747b28c.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks::<4>();
    let mut hash = words.iter().fold(0x9747_b28c ^ length, |hash, word| {
        let k = u32::from_le_bytes(*word).wrapping_mul(M);
        hash.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M)
    });
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_the_values_of_kafkas_own_tests() {
        for (key, hash) in
            [("21", -973_932_308_i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
        {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn records_leave_only_the_rule_they_were_placed_by() {
        let mut verified = Verified::new(8);
        for number in 0..200 {
            let key = format!("user-{number}");
            if Partitioner::Crc32.partition(key.as_bytes(), 8) == 3 {
                verified.check(key.as_bytes(), 3);
            }
        }
        let pairs: Vec<_> = verified.pairs().unwrap().collect();
        assert_eq!(pairs, [Pair { partitioner: Partitioner::Crc32, partitions: 8 }]);
    }

    #[test]
    fn after_growth_old_and_new_places_are_both_explained() {
        let mut verified = Verified::new(2);
        let keys: Vec<_> = (0..200).map(|number| format!("user-{number}")).collect();
        let place = |key: &str, partitions| Partitioner::Murmur2.partition(key.as_bytes(), partitions);
        for key in keys.iter().filter(|key| place(key, 2) == 1) {
            verified.check(key.as_bytes(), 1);
        }
        assert!(verified.grow(4) && !verified.grow(4));
        for key in keys.iter().filter(|key| place(key, 4) == 1) {
            verified.check(key.as_bytes(), 1);
        }
        let pairs: Vec<_> =
            verified.pairs().unwrap().map(|pair| (pair.partitioner, pair.partitions)).collect();
        assert_eq!(pairs, [(Partitioner::Murmur2, 2), (Partitioner::Murmur2, 4)]);
    }

    #[test]
    fn a_record_placed_by_hand_leaves_no_rule() {
        let mut verified = Verified::new(8);
        for number in 0..200 {
            verified.check(format!("user-{number}").as_bytes(), 3);
        }
        assert!(verified.pairs().is_none());
    }
}
