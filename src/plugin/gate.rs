//! One at a time, in the order in which they came: who comes again goes to the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Gate {
    tickets: Mutex<Tickets>,
    turned: Condvar,
}

#[derive(Default)]
struct Tickets {
    /// How many have come.
    given: u64,
    /// How many have gone.
    done: u64,
}

/// The turn, until it is dropped.
pub(super) struct Turn<'a>(&'a Gate);

impl Gate {
    /// Waits for its turn. Blocks the thread.
    pub fn pass(&self) -> Turn<'_> {
        let mut tickets = self.lock();
        let own = tickets.given;
        tickets.given += 1;
        let not_yet = |tickets: &mut Tickets| tickets.done != own;
        let passed = self.turned.wait_while(tickets, not_yet);
        drop(passed.unwrap_or_else(PoisonError::into_inner));
        Turn(self)
    }

    fn lock(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().done += 1;
        self.0.turned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: u64 = 16;

    #[test]
    fn who_comes_first_goes_first() {
        let (gate, order) = (Gate::default(), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let (gate, order) = (&gate, &order);
            let held = gate.pass();
            for no in 1..=MANY {
                scope.spawn(move || {
                    let _turn = gate.pass();
                    order.lock().expect("unbroken").push(no);
                });
                while gate.lock().given <= no {
                    std::thread::yield_now();
                }
            }
            drop(held);
        });
        let order = order.into_inner().expect("unbroken");
        assert_eq!(order, (1..=MANY).collect::<Vec<_>>());
    }
}
