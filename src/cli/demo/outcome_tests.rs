//! Each way in which an event can go wrong is noticed.

use super::super::company::LISTENERS;
use super::super::story::Stories;
use super::*;

fn won() -> Story {
    Stories::new()
        .find(|story| story.expected.iter().any(|(place, _)| *place == Place::Crm))
        .expect("some deal is won")
}

fn arrival(story: &Story, status: u16) -> Arrival {
    let mut body = story.expected[0].1.clone();
    body["timestamp"] = "2026-01-01T00:00:00Z".into();
    Arrival {
        body: body.to_string().into(),
        status,
        signature: Ok(()),
    }
}

fn outcome(attempts: usize, state: &str) -> Outcome {
    let attempt = || Attempt {
        came_back: "200".to_owned(),
        duration_ms: 1,
    };
    let delivery = Delivery {
        state: state.to_owned(),
        attempts: (0..attempts).map(|_| attempt()).collect(),
    };
    Outcome {
        evaluations: vec![Evaluation {
            listener: LISTENERS[2].1,
            verdict: "fired".to_owned(),
            summary: String::new(),
            deliveries: vec![delivery],
        }],
        open: None,
    }
}

fn at_crm(arrivals: Vec<Arrival>) -> Arrivals {
    HashMap::from([(Place::Crm, arrivals)])
}

#[test]
fn what_went_well_has_no_faults() {
    let story = won();
    let once = at_crm(vec![arrival(&story, 200)]);
    assert_eq!(faults(&story, &outcome(1, "delivered"), &once), [""; 0]);
    let at_second_try = at_crm(vec![arrival(&story, 500), arrival(&story, 200)]);
    assert_eq!(
        faults(&story, &outcome(2, "delivered"), &at_second_try),
        [""; 0]
    );
}

#[test]
fn each_fault_is_told() {
    let story = won();
    let forged = Arrival {
        signature: Err("no".to_owned()),
        ..arrival(&story, 200)
    };
    let other = Arrival {
        body: "{}".into(),
        ..arrival(&story, 200)
    };
    let cases = [
        (Vec::new(), outcome(0, "failed"), "it never arrived at /crm"),
        (
            vec![arrival(&story, 500)],
            outcome(1, "failed"),
            "its delivery to /crm is failed",
        ),
        (
            vec![arrival(&story, 200); 2],
            outcome(2, "delivered"),
            "it arrived 2 times at /crm",
        ),
        (vec![forged], outcome(1, "delivered"), "is not genuine: no"),
        (
            vec![other.clone()],
            outcome(1, "delivered"),
            "another body than expected",
        ),
        (
            vec![other, arrival(&story, 200)],
            outcome(2, "delivered"),
            "another body than the one before",
        ),
        (
            vec![arrival(&story, 200)],
            outcome(2, "delivered"),
            "1 request at /crm, but 2 attempts",
        ),
        (
            vec![arrival(&story, 200)],
            Outcome::default(),
            "1 automations must look at it",
        ),
        (
            vec![arrival(&story, 200)],
            Outcome {
                open: Some("a delivery is pending".to_owned()),
                ..outcome(1, "delivered")
            },
            "not at its end",
        ),
    ];
    for (arrivals, outcome, wanted) in cases {
        let told = faults(&story, &outcome, &at_crm(arrivals));
        assert!(
            told.iter().any(|fault| fault.contains(wanted)),
            "{wanted}: {told:?}"
        );
    }
}

#[test]
fn what_must_not_arrive_is_told() {
    let filtered = Stories::new()
        .find(|story| story.evaluations == 1 && story.expected.is_empty())
        .expect("some deal is not won");
    let arrivals = at_crm(vec![arrival(&won(), 200)]);
    let told = faults(&filtered, &outcome(1, "delivered"), &arrivals);
    assert!(told[0].contains("nothing must arrive at /crm"), "{told:?}");
}
