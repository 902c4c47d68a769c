//! What answers said, held against the logs they were made from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::kafka::LogRecord;

/// Last offset that is reflected, by partition.
pub type Reached = BTreeMap<i32, i64>;

/// What an answer said of a key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    pub key: String,
    /// Partition, offset and value; none of a miss.
    pub found: Option<(i32, i64, String)>,
    pub reached: Reached,
    /// The answer reflects exactly this; else it may be newer.
    pub exact: bool,
}

/// One log of a topic, by key: of each record partition, offset and value.
struct Log<'r>(HashMap<&'r [u8], Vec<&'r LogRecord>>);

/// Reads `v1=0:5,3:99017;t=k3Qz7pWx`; nothing is applied where there is no token.
pub fn reached(token: Option<&str>) -> Reached {
    let Some(token) = token else { return Reached::new() };
    let offsets = token.strip_prefix("v1=").and_then(|rest| rest.split(';').next()).expect(token);
    let pair = |pair: &str| {
        let (partition, offset) = pair.split_once(':').expect(token);
        (partition.parse().expect(token), offset.parse().expect(token))
    };
    offsets.split(',').map(pair).collect()
}

/// Asserts that each claim is what one of the logs says, read up to the position of the claim.
pub fn assert_explained(claims: &BTreeSet<Claim>, logs: &[Vec<LogRecord>]) {
    let logs: Vec<_> = logs.iter().map(|log| Log::of(log)).collect();
    let unexplained = claims.iter().find(|claim| !logs.iter().any(|log| log.explains(claim)));
    assert!(unexplained.is_none(), "no prefix of the topic says so: {unexplained:?}");
}

impl<'r> Log<'r> {
    fn of(records: &'r [LogRecord]) -> Self {
        let mut by_key: HashMap<_, Vec<_>> = HashMap::new();
        for record in records {
            by_key.entry(record.key.as_deref().unwrap_or_default()).or_default().push(record);
        }
        Self(by_key)
    }

    fn explains(&self, claim: &Claim) -> bool {
        let records = self.0.get(claim.key.as_bytes()).map(Vec::as_slice).unwrap_or_default();
        let reached = |partition| claim.reached.get(&partition).copied().unwrap_or(-1);
        // Whatever is newer than the position may be reflected as well, unless the answer is exact.
        let counts = |record: &LogRecord, partition, newest: i64| {
            record.partition == partition
                && (record.offset == newest || (!claim.exact && record.offset > newest))
        };
        let newest = |partition| {
            let within = records.iter().filter(|one| one.partition == partition);
            within.map(|one| one.offset).filter(|offset| *offset <= reached(partition)).max().unwrap_or(-1)
        };
        match &claim.found {
            Some((partition, offset, value)) => records.iter().any(|record| {
                let same = record.offset == *offset && record.value.as_deref() == Some(value.as_bytes());
                same && counts(record, *partition, newest(*partition))
            }),
            None => records.iter().map(|record| record.partition).all(|partition| {
                let newest = newest(partition);
                newest < 0 || records.iter().any(|one| one.value.is_none() && counts(one, partition, newest))
            }),
        }
    }
}
