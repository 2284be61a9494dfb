//! What the demo says at its end: a table by place, and everything that was not as it must be.

use super::outcome::{Arrivals, Outcome};
use super::story::{Place, Story};
use crate::cli::paint;

/// Most faults that are told one by one.
const FAULTS_SHOWN_MAX: usize = 20;

/// Counts of what happened.
#[derive(Debug, Default)]
pub(super) struct Summary {
    events: u64,
    fired: u64,
    filtered: u64,
    unheard: u64,
    yours: u64,
    places: [Counts; Place::ALL.len()],
    faults: Vec<String>,
}

/// Counts of one place.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    expected: u64,
    arrived: u64,
    requests: u64,
    refused: u64,
    verified: u64,
}

impl Summary {
    /// One event more.
    pub(super) fn add(&mut self, story: &Story, outcome: &Outcome, arrivals: &Arrivals) {
        self.events += 1;
        self.unheard += u64::from(outcome.evaluations.is_empty());
        for evaluation in &outcome.evaluations {
            self.fired += u64::from(evaluation.verdict == "fired");
            self.filtered += u64::from(evaluation.verdict == "filtered");
        }
        for (counts, place) in self.places.iter_mut().zip(Place::ALL) {
            let here = arrivals.get(&place).map_or(&[][..], Vec::as_slice);
            counts.expected += story
                .expected
                .iter()
                .filter(|(expected, _)| *expected == place)
                .count() as u64;
            counts.arrived += here.iter().filter(|arrival| arrival.status == 200).count() as u64;
            counts.refused += here.iter().filter(|arrival| arrival.status != 200).count() as u64;
            counts.verified += here
                .iter()
                .filter(|arrival| arrival.signature.is_ok())
                .count() as u64;
            counts.requests += here.len() as u64;
        }
    }

    /// Something that is not as it must be.
    pub(super) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// A delivery of a visitor's own event.
    pub(super) fn visitor(&mut self) {
        self.yours += 1;
    }

    /// Whether everything was as it must be.
    pub(super) fn is_as_expected(&self) -> bool {
        self.faults.is_empty()
    }

    /// The table and the last word.
    pub(super) fn text(&self, took_ms: i64) -> String {
        let head = ["", "expected", "arrived", "requests", "refused", "verified"];
        let mut lines = vec![String::new(), paint::faint(&row(head))];
        for (counts, place) in self.places.iter().zip(Place::ALL) {
            lines.push(row([
                place.path(),
                &paint::thousands(counts.expected),
                &paint::thousands(counts.arrived),
                &paint::thousands(counts.requests),
                &paint::thousands(counts.refused),
                &paint::thousands(counts.verified),
            ]));
        }
        lines.push(String::new());
        lines.push(format!(
            "{} events in {:.1} s: automations fired {} times and were filtered {} times; nobody listened to {}.",
            paint::thousands(self.events),
            took_ms as f64 / 1000.0,
            paint::thousands(self.fired),
            paint::thousands(self.filtered),
            paint::thousands(self.unheard),
        ));
        if self.yours > 0 {
            let yours = paint::thousands(self.yours);
            lines.push(format!("Deliveries of your own: {yours}."));
        }
        lines.extend(self.last_words());
        lines.join("\n") + "\n"
    }

    fn last_words(&self) -> Vec<String> {
        if self.faults.is_empty() {
            let word =
                "✓ every expected delivery arrived exactly once and verified, and nothing else did";
            return vec![paint::good(word)];
        }
        let shown = self.faults.iter().take(FAULTS_SHOWN_MAX);
        let mut words: Vec<String> = shown
            .map(|fault| paint::bad(&format!("✗ {fault}")))
            .collect();
        if self.faults.len() > FAULTS_SHOWN_MAX {
            let more = self.faults.len() - FAULTS_SHOWN_MAX;
            words.push(format!("… and {more} more"));
        }
        words
    }
}

fn row(cells: [&str; 6]) -> String {
    let [name, figures @ ..] = cells;
    let figures = figures.map(|figure| format!("{figure:>10}"));
    format!("  {name:<8}{}", figures.concat())
}

#[cfg(test)]
mod tests {
    use super::super::receiver::Arrival;
    use super::super::story::Stories;
    use super::*;

    #[test]
    fn a_place_s_requests_are_counted_by_what_came_of_them() {
        let mut summary = Summary::default();
        let story = Stories::new()
            .find(|story| story.expected.len() == 1)
            .expect("there are some");
        let place = story.expected[0].0;
        let arrival = |status| Arrival {
            body: "{}".into(),
            status,
            signature: Ok(()),
        };
        let arrivals = Arrivals::from([(place, vec![arrival(500), arrival(200)])]);
        summary.add(&story, &Outcome::default(), &arrivals);
        let at = Place::ALL
            .iter()
            .position(|other| *other == place)
            .expect("one of them");
        let wanted = Counts {
            expected: 1,
            arrived: 1,
            requests: 2,
            refused: 1,
            verified: 2,
        };
        assert_eq!(summary.places[at], wanted);
        assert!(summary.is_as_expected());
        assert!(summary.text(1500).contains("1 events in 1.5 s"));
    }

    #[test]
    fn faults_are_told_and_counted() {
        let mut summary = Summary::default();
        for no in 0..25 {
            summary.fault(format!("fault {no}"));
        }
        let text = summary.text(0);
        assert!(!summary.is_as_expected());
        assert!(
            text.contains("✗ fault 19")
                && !text.contains("fault 20")
                && text.contains("and 5 more"),
            "{text}"
        );
        assert!(!text.contains("exactly once"), "{text}");
    }
}
