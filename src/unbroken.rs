//! Floor 0: steps that must not stop halfway.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that, once begun, goes on to its end also when whoever awaited it has gone away: a client
/// that hangs up, a time-out, an incarnation that ends. Not begun, it is just dropped.
#[must_use = "nothing is done until it is awaited"]
pub struct Unbroken<T: Send + 'static> {
    /// `None` once it has ended.
    rest: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    begun: bool,
}

/// `step`, unbroken.
pub fn unbroken<T: Send + 'static>(step: impl Future<Output = T> + Send + 'static) -> Unbroken<T> {
    Unbroken {
        rest: Some(Box::pin(step)),
        begun: false,
    }
}

impl<T: Send + 'static> fmt::Debug for Unbroken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unbroken")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Future for Unbroken<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let rest = self.rest.as_mut().expect("polled after its end");
        let polled = rest.as_mut().poll(context);
        if polled.is_ready() {
            self.rest = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Unbroken<T> {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take()
            && self.begun
            && let Ok(runtime) = Handle::try_current()
        {
            drop(runtime.spawn(rest));
        }
    }
}
