//! Whether a piece of work has written anything, for whoever must say later what is known of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;

tokio::task_local! {
    static WRITTEN: Written;
}

/// Whether something was written, or may have been.
#[derive(Debug, Clone, Default)]
pub struct Written(Arc<AtomicBool>);

impl Written {
    /// Whether it was, or may have been.
    pub fn is_possible(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Does the work, and notes here what it commits.
    pub async fn note<T>(&self, work: impl Future<Output = T>) -> T {
        WRITTEN.scope(self.clone(), work).await
    }
}

/// Notes how a commit ended, if this is work that is followed.
pub(super) fn committed(end: &Result<(), Error>) {
    if matches!(end, Ok(()) | Err(Error::OutcomeUnknown(_))) {
        let _not_followed = WRITTEN.try_with(|written| written.0.store(true, Ordering::SeqCst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::EngineError;

    #[tokio::test]
    async fn only_what_was_not_written_for_sure_is_not() {
        for (end, possible) in [
            (Ok(()), true),
            (Err(Error::OutcomeUnknown(EngineError::silence())), true),
            (Err(Error::Unavailable(EngineError::silence())), false),
            (Err(Error::Raced), false),
        ] {
            let (written, other) = (Written::default(), Written::default());
            written.note(async { committed(&end) }).await;
            committed(&Ok(()));
            assert_eq!(written.is_possible(), possible, "{end:?}");
            assert!(!other.is_possible());
        }
    }
}
