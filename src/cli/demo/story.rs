//! The made-up company's events: realistic, varied, and the same in every run, so that what must
//! follow from each is known beforehand.

use serde_json::{Value, json};

/// Where the demo's receiver takes deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// The sales team's chat: messages made by `chat-message`.
    Chat,
    /// The sales system: proposals without personal fields, by `redact`.
    Sales,
    /// The CRM: deals that were won, in the `event` envelope.
    Crm,
    /// The inbox: messages as they came.
    Inbox,
}

impl Place {
    /// Every place.
    pub(super) const ALL: [Self; 4] = [Self::Chat, Self::Sales, Self::Crm, Self::Inbox];

    /// Its path at the receiver.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat",
            Self::Sales => "/sales",
            Self::Crm => "/crm",
            Self::Inbox => "/inbox",
        }
    }

    /// The place with this path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.path() == path)
    }

    /// Whether its first attempts fail now and then: where retries come after moments, not after
    /// the ten seconds that a bare URL has by default.
    pub(super) const fn stumbles(self) -> bool {
        !matches!(self, Self::Sales)
    }
}

/// One first attempt in so many is refused on purpose.
const STUMBLE_EVERY: u64 = 7;

/// One event, and what must follow from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Story {
    /// Such as `deal.stage.changed`.
    pub(super) event_type: &'static str,
    /// Its payload.
    pub(super) payload: Value,
    /// What people call it, such as `D-1004`; in the payload, and in everything made of it.
    pub(super) reference: String,
    /// The values that matter, for one line.
    pub(super) words: String,
    /// How many automations must look at it.
    pub(super) evaluations: usize,
    /// Where it must arrive, and with which body.
    pub(super) expected: Vec<(Place, Value)>,
}

const PEOPLE: [(&str, &str, &str); 12] = [
    ("Ada Okafor", "Lumen Studio", "ada@lumen.example"),
    ("Mateo Rossi", "Rossi & Figli", "mateo@rossi.example"),
    ("Ingrid Solberg", "Nordlys AS", "ingrid@nordlys.example"),
    ("Kenji Watanabe", "Hoshi Foods", "kenji@hoshi.example"),
    ("Leïla Benali", "Atelier Benali", "leila@benali.example"),
    ("Tom Gallagher", "Gallagher Cycles", "tom@gallagher.example"),
    ("Sofía Herrera", "Herrera Legal", "sofia@herrera.example"),
    ("Jan Kowalski", "Kowal Meble", "jan@kowal.example"),
    ("Priya Raman", "Raman Dental", "priya@raman.example"),
    ("Émile Laurent", "Café Laurent", "emile@laurent.example"),
    ("Hannah Vogel", "Vogel Architekten", "hannah@vogel.example"),
    ("Noah Mensah", "Mensah Logistics", "noah@mensah.example"),
];
const WORKS: [&str; 8] = [
    "Website relaunch",
    "Brand identity",
    "Online shop",
    "Search campaign",
    "Product photos",
    "Newsletter set-up",
    "Booking system",
    "Yearly care plan",
];
const STAGES: [&str; 6] = ["Qualified", "Proposal", "Won", "Negotiation", "Won", "Lost"];
const TEXTS: [&str; 8] = [
    "Can we move the call to Thursday?",
    "The invoice arrived, thank you!",
    "Which colours did we agree on?",
    "Looks great, please go ahead.",
    "We need two more licences.",
    "¿Podemos añadir una página en español?",
    "Is the offer still valid?",
    "Please call me back after 3 pm.",
];
const CHANNELS: [&str; 3] = ["whatsapp", "email", "chat"];

/// What comes when: ten events in which everything happens.
const ROUND: [fn(&mut Stories) -> Story; 10] = [
    Stories::proposal_accepted,
    Stories::deal_moved,
    Stories::message_received,
    Stories::deal_moved,
    Stories::message_received,
    Stories::proposal_viewed,
    Stories::proposal_accepted,
    Stories::deal_moved,
    Stories::contact_created,
    Stories::message_received,
];

/// All event types that occur, with a sentence each.
pub(super) const EVENT_TYPES: [(&str, &str); 5] = [
    ("proposal.accepted", "A client has accepted a proposal."),
    ("proposal.viewed", "A client has opened a proposal."),
    ("deal.stage.changed", "A deal has moved to another stage."),
    ("message.received", "A message from a contact has arrived."),
    ("contact.created", "A contact was added."),
];

/// The stories, without end.
pub(super) struct Stories {
    told: u64,
    seed: u64,
}

impl Stories {
    /// The same ones each time.
    pub(super) fn new() -> Self {
        Self { told: 0, seed: 11 }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): a few lines that differ enough from one to the next.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random() % bound
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    fn reference(&self, letter: char) -> String {
        format!("{letter}-{}", 1000 + self.told)
    }

    fn amount(&mut self) -> u64 {
        400 + self.below(300) * 50
    }

    fn proposal_accepted(&mut self) -> Story {
        let number = self.reference('P');
        let (name, company, email) = self.one_of(&PEOPLE);
        let (title, amount) = (self.one_of(&WORKS), self.amount());
        let phone = format!("+49 30 5550{:04}", self.below(10_000));
        let signed_from = format!("203.0.113.{}", self.below(250) + 1);
        let payload = json!({
            "number": number, "title": title, "amount": amount, "currency": "EUR",
            "client": { "name": name, "company": company, "email": email, "phone": phone },
            "signed_from": signed_from,
        });
        let redacted = json!({
            "number": number, "title": title, "amount": amount, "currency": "EUR",
            "client": { "name": name, "company": company },
            "signed_from": "[redacted]",
        });
        let text = format!("{name} ({company}) accepted {number}, {title}: {amount} EUR");
        Story {
            event_type: "proposal.accepted",
            payload,
            words: format!("{number}  {company} · {title} · {amount} EUR"),
            reference: number,
            evaluations: 2,
            expected: vec![
                (Place::Chat, json!({ "text": text, "username": "Throwbar" })),
                (Place::Sales, redacted),
            ],
        }
    }

    fn proposal_viewed(&mut self) -> Story {
        let number = self.reference('P');
        let (_, company, _) = self.one_of(&PEOPLE);
        let seconds = 5 + self.below(240);
        Story {
            event_type: "proposal.viewed",
            payload: json!({ "number": number, "client": { "company": company }, "seconds": seconds }),
            words: format!("{number}  {company} · {seconds} s"),
            reference: number,
            evaluations: 0,
            expected: Vec::new(),
        }
    }

    fn deal_moved(&mut self) -> Story {
        let number = self.reference('D');
        let (_, company, _) = self.one_of(&PEOPLE);
        let (stage, amount) = (self.one_of(&STAGES), self.amount());
        let payload =
            json!({ "number": number, "company": company, "amount": amount, "stage": stage });
        let expected = if stage == "Won" {
            vec![(
                Place::Crm,
                json!({ "event": "deal.stage.changed", "data": payload }),
            )]
        } else {
            Vec::new()
        };
        Story {
            event_type: "deal.stage.changed",
            payload,
            words: format!("{number}  {company} · {amount} EUR · {stage}"),
            reference: number,
            evaluations: 1,
            expected,
        }
    }

    fn message_received(&mut self) -> Story {
        let id = self.reference('M');
        let (name, _, _) = self.one_of(&PEOPLE);
        let (text, channel) = (self.one_of(&TEXTS), self.one_of(&CHANNELS));
        let payload = json!({ "id": id, "from": name, "channel": channel, "text": text });
        Story {
            event_type: "message.received",
            words: format!("{id}  {name} · {channel} · “{text}”"),
            reference: id,
            evaluations: 1,
            expected: vec![(Place::Inbox, payload.clone())],
            payload,
        }
    }

    fn contact_created(&mut self) -> Story {
        let id = self.reference('C');
        let (name, company, email) = self.one_of(&PEOPLE);
        Story {
            event_type: "contact.created",
            payload: json!({ "id": id, "name": name, "company": company, "email": email }),
            words: format!("{id}  {name} · {company}"),
            reference: id,
            evaluations: 0,
            expected: Vec::new(),
        }
    }
}

impl Iterator for Stories {
    type Item = Story;

    fn next(&mut self) -> Option<Story> {
        let tell = ROUND[self.told as usize % ROUND.len()];
        self.told += 1;
        Some(tell(self))
    }
}

/// The reference in a body: a letter, a hyphen and digits, not part of a longer word.
pub(super) fn reference_in(body: &str) -> Option<&str> {
    let mut words = body.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.find(|word| {
        let mut letters = word.chars();
        let known = letters.next().is_some_and(|first| "PDMC".contains(first));
        let number = letters.as_str().strip_prefix('-').unwrap_or_default();
        known && !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Whether the first attempt for this reference fails on purpose.
pub(super) fn stumbles(place: Place, reference: &str) -> bool {
    let number = reference
        .split_once('-')
        .and_then(|(_, number)| number.parse::<u64>().ok());
    place.stumbles() && number.is_some_and(|number| number.is_multiple_of(STUMBLE_EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Story> {
        Stories::new().take(50).collect()
    }

    #[test]
    fn the_stories_are_the_same_each_time_and_no_reference_is_used_twice() {
        assert_eq!(some(), some());
        let references: std::collections::BTreeSet<_> =
            some().into_iter().map(|story| story.reference).collect();
        assert_eq!(references.len(), 50);
    }

    #[test]
    fn everything_that_the_demo_shows_happens_within_fifty() {
        let stories = some();
        for place in Place::ALL {
            let here: Vec<&Story> = stories
                .iter()
                .filter(|story| {
                    story
                        .expected
                        .iter()
                        .any(|(expected, _)| *expected == place)
                })
                .collect();
            assert!(here.len() >= 5, "{place:?}: {}", here.len());
            let stumbling = here.iter().any(|story| stumbles(place, &story.reference));
            assert_eq!(stumbling, place.stumbles(), "{place:?}");
        }
        let filtered = |story: &&Story| story.evaluations == 1 && story.expected.is_empty();
        assert!(stories.iter().filter(filtered).count() >= 5);
        assert!(stories.iter().any(|story| story.evaluations == 0));
        for (event_type, _) in EVENT_TYPES {
            assert!(
                stories.iter().any(|story| story.event_type == event_type),
                "{event_type}"
            );
        }
    }

    #[test]
    fn every_body_says_which_story_it_belongs_to() {
        for story in some() {
            for (place, body) in &story.expected {
                assert_eq!(
                    reference_in(&body.to_string()),
                    Some(story.reference.as_str()),
                    "{place:?}"
                );
            }
        }
        for without in ["", "{}", "P-", "XP-12", "D-12x", "{\"a\":\"p-1\"}"] {
            assert_eq!(reference_in(without), None, "{without}");
        }
    }

    #[test]
    fn what_is_redacted_is_nowhere_in_what_is_expected() {
        for story in some() {
            for (_, body) in story
                .expected
                .iter()
                .filter(|(place, _)| *place == Place::Sales)
            {
                let body = body.to_string();
                for personal in ["email", "phone", "203.0.113.", ".example"] {
                    assert!(!body.contains(personal), "{body}");
                }
            }
        }
    }

    #[test]
    fn a_place_is_found_by_its_path() {
        for place in Place::ALL {
            assert_eq!(Place::at(place.path()), Some(place));
        }
        assert_eq!(Place::at("/elsewhere"), None);
    }
}
