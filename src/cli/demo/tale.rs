//! How the demo looks: one line for an event, one below it for each automation that looked at it,
//! in columns, at most 100 characters wide.

use super::company::{LISTENERS, Listener};
use super::outcome::{Arrivals, Evaluation, Outcome};
use super::receiver::Stranger;
use super::story::{Place, Story};
use crate::cli::paint;
use crate::model::Timestamp;

/// Nothing is wider.
const WIDTH: usize = 100;
/// The width of the time and the space after it.
const INDENT: usize = 10;
const TYPE_WIDTH: usize = 19;
const NAME_WIDTH: usize = 20;
const PLUGIN_WIDTH: usize = 12;
const PATH_WIDTH: usize = 7;
/// What is left for the attempts.
const ATTEMPTS_WIDTH: usize =
    WIDTH - INDENT - 2 - NAME_WIDTH - 1 - PLUGIN_WIDTH - 3 - PATH_WIDTH - 1 - 12;

/// An event and what became of it.
pub(super) fn event(
    at: Timestamp,
    story: &Story,
    outcome: &Outcome,
    arrivals: &Arrivals,
) -> String {
    let words = paint::cut(&story.words, WIDTH - INDENT - TYPE_WIDTH - 2);
    let event_type = paint::column(story.event_type, TYPE_WIDTH);
    let (time, event_type) = (paint::faint(&time_of_day(at)), paint::strong(&event_type));
    let mut below: Vec<String> = outcome
        .evaluations
        .iter()
        .map(|one| evaluation(one, arrivals))
        .collect();
    if below.is_empty() {
        below.push(paint::faint("· no automation listens to it"));
    }
    if let Some(open) = &outcome.open {
        below.push(paint::bad(&format!("✗ {open}")));
    }
    let indent = " ".repeat(INDENT);
    let below: String = below
        .into_iter()
        .flat_map(|line| [indent.clone(), line, "\n".to_owned()])
        .collect();
    format!("{time}  {event_type}  {words}\n{below}")
}

fn evaluation(one: &Evaluation, arrivals: &Arrivals) -> String {
    let name = paint::column(one.listener.name, NAME_WIDTH);
    match one.verdict.as_str() {
        "fired" => format!("{} {name} {}", paint::good("✓"), deliveries(one, arrivals)),
        "filtered" => {
            let why = paint::cut(&one.summary, WIDTH - INDENT - NAME_WIDTH - 3);
            paint::faint(&format!("· {name} {why}"))
        }
        other => {
            let why = paint::cut(
                &format!("{other}: {}", one.summary),
                WIDTH - INDENT - NAME_WIDTH - 3,
            );
            paint::bad(&format!("✗ {name} {why}"))
        }
    }
}

fn deliveries(one: &Evaluation, arrivals: &Arrivals) -> String {
    let Listener { plugin, place, .. } = one.listener;
    let way = format!(
        "{} {} {}",
        paint::faint(&paint::column(plugin, PLUGIN_WIDTH)),
        paint::faint("→"),
        paint::column(place.path(), PATH_WIDTH),
    );
    let told: Vec<String> = one
        .deliveries
        .iter()
        .map(|delivery| {
            let attempts: Vec<String> = delivery
                .attempts
                .iter()
                .map(|attempt| {
                    format!("{} in {}", attempt.came_back, duration(attempt.duration_ms))
                })
                .collect();
            let attempts = paint::cut(&attempts.join(", then "), ATTEMPTS_WIDTH);
            match (delivery.state.as_str(), delivery.attempts.len()) {
                ("delivered", 0..=1) => attempts,
                ("delivered", _) => paint::warn(&attempts),
                (state, _) => paint::bad(&format!("{attempts} {state}")),
            }
        })
        .collect();
    format!("{way} {}  {}", told.join(", "), verified(place, arrivals))
}

fn duration(ms: i64) -> String {
    if ms == 0 {
        "<1 ms".to_owned()
    } else {
        format!("{ms} ms")
    }
}

fn verified(place: Place, arrivals: &Arrivals) -> String {
    match arrivals.get(&place).map(Vec::as_slice) {
        None | Some([]) => paint::bad("✗ not seen"),
        Some(here) if here.iter().all(|arrival| arrival.signature.is_ok()) => {
            paint::good("✓ verified")
        }
        Some(_) => paint::bad("✗ forged"),
    }
}

/// Something that a visitor's own event led to.
pub(super) fn stranger(at: Timestamp, stranger: &Stranger) -> String {
    let verified = match &stranger.arrival.signature {
        Ok(()) => paint::good("✓ verified"),
        Err(_) => paint::bad("✗ not verified"),
    };
    let body = String::from_utf8_lossy(&stranger.arrival.body);
    let body = paint::cut(&body, WIDTH - INDENT - TYPE_WIDTH - PATH_WIDTH - 21);
    format!(
        "{}  {}  → {} {body}  {verified}\n",
        paint::faint(&time_of_day(at)),
        paint::link(&paint::column("yours", TYPE_WIDTH)),
        paint::column(&stranger.path, PATH_WIDTH),
    )
}

/// What is shown at the start.
pub(super) struct Header<'a> {
    /// The server's URL.
    pub(super) url: &'a str,
    /// The operator's key.
    pub(super) key: &'a str,
    /// The company's account.
    pub(super) account: &'a str,
}

impl Header<'_> {
    /// What is running here, and what to do with it.
    pub(super) fn text(&self) -> String {
        let Self { url, key, account } = self;
        let listening: Vec<String> = LISTENERS.into_iter().map(listening).collect();
        let curl: Vec<String> = [
            format!("curl {url}/v1/events -H 'Content-Type: application/json' \\"),
            format!("  -H 'Authorization: Bearer {key}' \\"),
            format!("  -H 'Throwbar-Account: {account}' \\"),
            r#"  -d '{"type":"deal.stage.changed","data":{"deal":"mine","stage":"Won"}}'"#
                .to_owned(),
        ]
        .iter()
        .map(|line| format!("  {}", paint::link(line)))
        .collect();
        format!(
            "\n{} {}\n\n\
             Events of a made-up company come in. Automations decide what follows, two WebAssembly\n\
             plugins reshape payloads in a sandbox, and signed deliveries leave for the demo's own receiver,\n\
             which checks each signature and now and then refuses a first attempt on purpose.\n\n\
             {}\n\n  server        {}\n  operator key  {key}\n  stop          Ctrl-C\n\n  \
             Send an event of your own:\n\n{}\n\n",
            paint::strong("Throwbar"),
            paint::faint(concat!(env!("CARGO_PKG_VERSION"), ", the demo")),
            listening.join("\n"),
            paint::link(url),
            curl.join("\n"),
        )
    }
}

fn listening((event_type, listener): (&str, Listener)) -> String {
    format!(
        "  {}  {} {} → {} {}",
        paint::strong(&paint::column(event_type, TYPE_WIDTH)),
        paint::column(listener.name, NAME_WIDTH),
        paint::column(listener.plugin, PLUGIN_WIDTH),
        paint::column(listener.place.path(), PATH_WIDTH),
        paint::faint(remark(listener.place)),
    )
}

const fn remark(place: Place) -> &'static str {
    match place {
        Place::Chat => "signed with the account's key",
        Place::Sales => "a bare URL, signed alike",
        Place::Crm => "only if stage is \"Won\"",
        Place::Inbox => "Standard Webhooks",
    }
}

/// Hours, minutes and seconds where the terminal is.
fn time_of_day(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_ms()) {
        Ok(time) => time
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%H:%M:%S")
            .to_string(),
        Err(_) => "        ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Attempt, Delivery};
    use super::super::receiver::Arrival;
    use super::super::story::Stories;
    use super::*;

    fn fired(listener: Listener) -> Evaluation {
        let attempt = |came_back: &str| Attempt {
            came_back: came_back.to_owned(),
            duration_ms: 1234,
        };
        let delivery = Delivery {
            state: "delivered".to_owned(),
            attempts: vec![attempt("500"), attempt("timeout"), attempt("200")],
        };
        Evaluation {
            listener,
            verdict: "fired".to_owned(),
            summary: "the event's type matched".to_owned(),
            deliveries: vec![delivery],
        }
    }

    fn widest(text: &str) -> usize {
        text.lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let arrival = Arrival {
            body: "{}".into(),
            status: 200,
            signature: Ok(()),
        };
        for story in Stories::new().take(50) {
            for (_, listener) in LISTENERS {
                let arrivals = Arrivals::from([(listener.place, vec![arrival.clone()])]);
                let filtered = Evaluation {
                    verdict: "filtered".to_owned(),
                    summary: "long ".repeat(50),
                    deliveries: Vec::new(),
                    ..fired(listener)
                };
                let outcome = Outcome {
                    evaluations: vec![fired(listener), filtered],
                    open: None,
                };
                let told = event(Timestamp::from_ms(0), &story, &outcome, &arrivals);
                assert!(widest(&told) <= WIDTH, "{told}");
                assert!(told.contains("✓ verified"), "{told}");
            }
        }
        let header = Header {
            url: "http://127.0.0.1:65535",
            key: &format!("tb_{}", "x".repeat(43)),
            account: &format!("acc_{}", "0".repeat(32)),
        };
        assert!(widest(&header.text()) <= WIDTH, "{}", header.text());
        let stranger = Stranger {
            path: "/inbox".to_owned(),
            arrival: Arrival {
                body: "x".repeat(500).into(),
                signature: Err("no".to_owned()),
                ..arrival
            },
        };
        let told = super::stranger(Timestamp::from_ms(0), &stranger);
        assert!(widest(&told) <= WIDTH, "{told}");
    }

    #[test]
    fn an_event_that_nobody_listens_to_says_so() {
        let story = Stories::new()
            .find(|story| story.evaluations == 0)
            .expect("there are some");
        let told = event(
            Timestamp::from_ms(0),
            &story,
            &Outcome::default(),
            &Arrivals::new(),
        );
        assert!(told.contains("no automation listens"), "{told}");
    }

    #[test]
    fn a_forgery_and_a_gap_are_shown() {
        let listener = LISTENERS[0].1;
        let forged = Arrival {
            body: "{}".into(),
            status: 401,
            signature: Err("no".to_owned()),
        };
        let arrivals = Arrivals::from([(listener.place, vec![forged])]);
        assert!(evaluation(&fired(listener), &arrivals).contains("✗ forged"));
        assert!(evaluation(&fired(listener), &Arrivals::new()).contains("✗ not seen"));
    }
}
