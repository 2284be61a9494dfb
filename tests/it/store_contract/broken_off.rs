//! Whoever awaits the store may go away at any moment: nothing is left half done, and what is durable is
//! told of.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use throwbar::store::Variable;

use crate::support::making::{self, now};
use crate::support::store::{TestStore, on_both, some};

/// A future that is given up when it has been polled so often: `None`.
struct GivenUp<'a, T> {
    inner: Pin<&'a mut (dyn Future<Output = T> + Send)>,
    polls: usize,
}

impl<T> Future for GivenUp<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

fn variable(number: usize) -> Variable {
    Variable {
        name: format!("v{number}"),
        value: Some("1".to_owned()),
        sealed: None,
        created_at: now(),
        updated_at: now(),
    }
}

#[tokio::test]
async fn a_write_given_up_anywhere_leaves_nothing_open_and_what_is_durable_is_told_of() {
    on_both(async |engine| {
        let test = &TestStore::open(engine).await;
        let store = &test.store;
        let own = making::account(store).await;
        let told = Arc::new(AtomicI64::new(1));
        let hears = told.clone();
        store.on_revision(move |_, revision| hears.store(revision, Ordering::SeqCst));

        // Given up after one step, after two, and so on until it is through; each a few times, because a
        // server answers at times at once and at times later.
        let steps = (1..).flat_map(|polls| [polls; 8]);
        let mut through = 0;
        for (round, polls) in steps.enumerate() {
            let variable = variable(round);
            let mut write = Box::pin(store.create_variable(own, &variable));
            let inner = write.as_mut();
            through += usize::from(GivenUp { inner, polls }.await.is_some());
            drop(write);

            // What follows is not done within what that one began.
            for _ in 0..4 {
                some(store.account(own)).await;
                some(store.snapshot(own, 1)).await;
            }
            let beside = test.another().await;
            while told.load(Ordering::SeqCst) != some(beside.account(own)).await.revision {
                tokio::task::yield_now().await;
            }
            if through == 8 {
                assert!(polls > 2, "it has places to be given up at");
                break;
            }
        }
    })
    .await;
}
