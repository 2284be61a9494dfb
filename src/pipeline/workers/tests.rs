//! Whose turn is next, told with threads that really run.

use std::sync::mpsc;

use super::*;
use crate::model::Timestamp;

/// What is done in one turn.
impl<F: FnOnce() + Send> Run for F {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        (*self)();
        None
    }
}

/// Says its name in each of so many turns.
struct Turns {
    name: &'static str,
    left: usize,
    said: mpsc::Sender<&'static str>,
}

impl Run for Turns {
    fn turn(mut self: Box<Self>) -> Option<Box<dyn Run>> {
        self.said.send(self.name).expect("heard");
        self.left -= 1;
        (self.left > 0).then_some(self as Box<dyn Run>)
    }
}

fn accounts<const N: usize>() -> [AccountId; N] {
    std::array::from_fn(|_| AccountId::mint(Timestamp::from_ms(1)))
}

#[test]
fn what_has_more_to_do_lets_others_have_their_turn() {
    let workers = Workers::start(2).expect("threads");
    let [held, loud, calm] = accounts();
    let (open, gate) = mpsc::channel::<()>();
    // One thread is left, and for it everything waits.
    workers.submit(held, Box::new(move || assert!(gate.recv().is_err())));
    workers.pause();
    let (said, heard) = mpsc::channel();
    for (account, name, left) in [(loud, "loud", 3), (loud, "loud too", 1), (calm, "calm", 2)] {
        let said = said.clone();
        workers.submit(account, Box::new(Turns { name, left, said }));
    }
    workers.go_on();
    drop(said);
    let order: Vec<_> = heard.iter().collect();
    assert_eq!(order, ["loud", "calm", "loud", "calm", "loud", "loud too"]);
    drop(open);
}

#[test]
fn what_nobody_waits_for_comes_last_and_one_at_a_time() {
    let workers = Workers::start(2).expect("threads");
    let [held, patient, calm] = accounts();
    let (open, gate) = mpsc::channel::<()>();
    workers.submit(held, Box::new(move || assert!(gate.recv().is_err())));
    workers.pause();
    let (said, heard) = mpsc::channel();
    let turns = |name, left| {
        let said = said.clone();
        Box::new(Turns { name, left, said })
    };
    workers.submit_quietly(patient, turns("quiet", 2));
    workers.submit_quietly(calm, turns("quiet too", 2));
    workers.submit(patient, turns("awaited", 2));
    workers.submit(calm, turns("awaited too", 1));
    workers.go_on();
    let order: Vec<_> = heard.iter().take(7).collect();
    assert_eq!(
        order[..3],
        ["awaited", "awaited too", "awaited"],
        "{order:?}"
    );
    assert_eq!(order[3..], ["quiet", "quiet too", "quiet", "quiet too"]);
    drop(open);
}

#[test]
fn what_nobody_waits_for_has_a_small_share_of_the_time() {
    let [loud, patient] = accounts();
    let mut state = State::default();
    let nothing = || Box::new(|| ()) as Box<dyn Run>;
    state.quiet.push_back((patient, nothing()));
    for _ in 0..100 {
        state.put_back(loud, nothing(), Pace::Awaited);
    }
    let mut paces = Vec::new();
    for _ in 0..30 {
        let turn = state.next(1).expect("a turn");
        paces.push(turn.pace);
        // A quiet turn takes as long as the others; what it leaves waits again.
        state.done(turn.account, turn.pace, AWAITED_FIRST / 4);
        if turn.pace == Pace::Quiet {
            state.put_back(patient, turn.run, Pace::Quiet);
        }
    }
    let numbered = paces.iter().enumerate();
    let quiet = numbered.filter(|(_, pace)| **pace == Pace::Quiet);
    let quiet: Vec<usize> = quiet.map(|(no, _)| no).collect();
    assert_eq!(quiet, [4, 14, 24], "after 500 ms, then after nine turns");
}

#[test]
fn what_goes_on_for_ever_keeps_nothing_from_its_end() {
    /// Runs for ever.
    struct Endless;

    impl Run for Endless {
        fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
            Some(self)
        }
    }

    let workers = Workers::start(2).expect("threads");
    let [loud, loud_too, patient] = accounts();
    for account in [loud, loud_too] {
        workers.submit(account, Box::new(Endless));
    }
    let (said, heard) = mpsc::channel();
    workers.submit_quietly(patient, Box::new(move || said.send(()).expect("heard")));
    assert_eq!(heard.recv(), Ok(()));
}

#[test]
fn an_account_s_quiet_work_keeps_a_thread_free() {
    let workers = Workers::start(2).expect("threads");
    let [account, other] = accounts();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    for whose in [account, other] {
        let gate = gate.clone();
        workers.submit_quietly(
            whose,
            Box::new(move || drop(gate.lock().map(|gate| gate.recv()))),
        );
    }
    let (said, heard) = mpsc::channel();
    workers.submit(account, Box::new(move || said.send(()).expect("heard")));
    assert_eq!(heard.recv(), Ok(()), "while the quiet ones block");
    drop(open);
}

#[test]
fn what_waits_is_let_go_when_they_are_closed() {
    let workers = Workers::start(2).expect("threads");
    let [account] = accounts();
    let (open, gate) = mpsc::channel::<()>();
    workers.submit(account, Box::new(move || assert!(gate.recv().is_err())));
    let (said, heard) = mpsc::channel::<()>();
    for _ in 0..2 {
        let said = said.clone();
        workers.submit(account, Box::new(move || said.send(()).expect("heard")));
    }
    workers.close();
    workers.submit(account, Box::new(move || said.send(()).expect("heard")));
    assert_eq!(heard.recv(), Err(mpsc::RecvError), "nobody can say it");
    drop(open);
}

#[test]
fn one_account_never_has_all_threads() {
    let workers = Workers::start(2).expect("threads");
    let [loud, calm] = accounts();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    for _ in 0..8 {
        let gate = gate.clone();
        workers.submit(
            loud,
            Box::new(move || drop(gate.lock().map(|gate| gate.recv()))),
        );
    }
    let (said, heard) = mpsc::channel();
    workers.submit(
        calm,
        Box::new(move || said.send("ran").expect("somebody listens")),
    );
    assert_eq!(heard.recv(), Ok("ran"), "while the other's runs block");
    drop(open);
}
