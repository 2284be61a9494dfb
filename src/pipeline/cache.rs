//! Memory for what can be loaded again, bounded by what it takes and not by how much of it there is.

use std::hash::Hash;

use moka::future::Cache;
use moka::policy::EvictionPolicy;

/// What part of a cache one entry counts at most. So even an account that is larger than all others
/// together is not loaded for each of its events.
const ENTRY_SHARE: u64 = 4;

/// One that holds about so many bytes of values, and lets those go first that were not asked for longest.
pub(super) fn cache<K, V>(
    bytes_max: u64,
    bytes: impl Fn(&V) -> usize + Send + Sync + 'static,
) -> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let most = u32::try_from(bytes_max / ENTRY_SHARE).unwrap_or(u32::MAX);
    Cache::builder()
        .max_capacity(bytes_max)
        .eviction_policy(EvictionPolicy::lru())
        .weigher(move |_, value| u32::try_from(bytes(value)).map_or(most, |bytes| bytes.min(most)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kept(cache: &Cache<usize, usize>, keys: std::ops::Range<usize>) -> Vec<usize> {
        cache.run_pending_tasks().await;
        keys.filter(|key| cache.contains_key(key)).collect()
    }

    #[tokio::test]
    async fn heavy_entries_are_few_and_what_was_asked_for_last_stays() {
        let cache: Cache<usize, usize> = cache(100, |bytes| *bytes);
        for key in 0..20 {
            cache.insert(key, 10).await;
            cache.run_pending_tasks().await;
            assert_eq!(
                cache.get(&0).await,
                Some(10),
                "it is asked for again and again"
            );
        }
        assert_eq!(
            kept(&cache, 0..20).await,
            [0, 11, 12, 13, 14, 15, 16, 17, 18, 19]
        );
        cache.insert(20, 10_000).await;
        let left = kept(&cache, 0..21).await;
        assert!(left.contains(&20), "even the largest is kept: {left:?}");
        assert!(left.len() > 5, "beside others: {left:?}");
    }
}
