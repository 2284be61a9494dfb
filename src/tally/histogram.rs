//! Durations in buckets whose width grows with their value.
//!
//! Each bucket is at most a fifth wider than the one before, so the middle of a bucket is within 10 % of everything in
//! it, rounding to whole milliseconds counted in; up to 11 ms most values have a bucket of their own. What took longer
//! than eleven minutes counts as eleven minutes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many buckets there are.
const BUCKETS: usize = 73;
/// The shortest duration of each bucket, in milliseconds.
const LOWEST_MS: [i64; BUCKETS] = lowest();

const fn lowest() -> [i64; BUCKETS] {
    let mut lowest = [0; BUCKETS];
    let mut place = 1;
    while place < BUCKETS {
        let before = lowest[place - 1];
        let wider = before + before / 5;
        lowest[place] = if wider > before { wider } else { before + 1 };
        place += 1;
    }
    lowest
}

/// How many took how long. Histograms add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<usize, u64>);

impl Histogram {
    /// Counts one.
    pub fn count(&mut self, duration_ms: i64) {
        *self.0.entry(bucket(duration_ms)).or_default() += 1;
    }

    /// Counts those of another, too.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            let counted = self.0.entry(*bucket).or_default();
            *counted = counted.saturating_add(*count);
        }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The duration in milliseconds that `per_mille` of a thousand took at most, by nearest rank: within 10 % of what
    /// it was. `None` of nothing.
    pub fn quantile_ms(&self, per_mille: u64) -> Option<i64> {
        let wanted = u128::from(self.len()) * u128::from(per_mille);
        let rank = wanted.div_ceil(1000).max(1);
        let mut passed = 0_u128;
        let reached = |(bucket, count): (&usize, &u64)| {
            passed += u128::from(*count);
            (passed >= rank).then_some(*bucket)
        };
        self.0.iter().find_map(reached).map(middle_ms)
    }
}

fn bucket(duration_ms: i64) -> usize {
    LOWEST_MS
        .partition_point(|lowest| *lowest <= duration_ms)
        .saturating_sub(1)
}

/// What is said of a bucket: as far from its shortest as from its longest, in proportion.
fn middle_ms(bucket: usize) -> i64 {
    let bucket = bucket.min(BUCKETS - 1);
    let lowest = LOWEST_MS[bucket];
    let longest = LOWEST_MS.get(bucket + 1).map_or(lowest, |next| next - 1);
    if lowest == longest {
        return lowest;
    }
    let twice = 4 * lowest * longest / (lowest + longest);
    (twice + 1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_reach_eleven_minutes_and_leave_nothing_out() {
        assert!(LOWEST_MS.is_sorted_by(|a, b| a < b));
        assert!(LOWEST_MS[BUCKETS - 1] >= 600_000, "{LOWEST_MS:?}");
        assert!(LOWEST_MS[BUCKETS - 2] < 600_000, "{LOWEST_MS:?}");
        for (duration_ms, shown) in [(-5, 0), (0, 0), (1, 1), (9, 9), (i64::MAX, LOWEST_MS[72])] {
            let mut one = Histogram::default();
            one.count(duration_ms);
            assert_eq!(one.quantile_ms(500), Some(shown), "{duration_ms}");
        }
        assert_eq!(Histogram::default().quantile_ms(500), None);
    }

    #[test]
    fn it_is_kept_as_pairs_and_reads_back() {
        let mut some = Histogram::default();
        for duration_ms in [3, 3, 250] {
            some.count(duration_ms);
        }
        let text = serde_json::to_string(&some).expect("plain");
        assert_eq!(text, r#"{"3":2,"28":1}"#);
        assert_eq!(
            serde_json::from_str::<Histogram>(&text).expect("read"),
            some
        );
    }

    /// The value of nearest rank.
    fn exact(sorted: &[i64], per_mille: u64) -> i64 {
        let rank = (sorted.len() as u64 * per_mille).div_ceil(1000).max(1);
        sorted[rank as usize - 1]
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_tenth_of_the_true_ones(
            mut durations in prop::collection::vec(prop_oneof![0_i64..60, 0_i64..3_000, 0_i64..600_000], 1..400),
            split in 0_usize..400,
        ) {
            // Counted by two, as two nodes do.
            let mut halves = [Histogram::default(), Histogram::default()];
            for (no, duration_ms) in durations.iter().enumerate() {
                halves[usize::from(no < split)].count(*duration_ms);
            }
            let [mut all, other] = halves;
            all.add(&other);
            prop_assert_eq!(all.len(), durations.len() as u64);
            durations.sort_unstable();
            for per_mille in [1, 500, 950, 990, 1000] {
                let (said, truly) = (all.quantile_ms(per_mille).expect("some"), exact(&durations, per_mille));
                prop_assert!((said - truly).abs() * 10 <= truly, "{said} for {truly}");
            }
        }
    }
}
