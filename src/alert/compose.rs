//! What a mail says about its matter: what happened at which endpoint, since when, what its receiver answered, what
//! happens next and when, and what can be done about it. Pure: everything is handed in.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::letter::{Deed, Letter};
use crate::failure::{FailurePolicy, Outlook, Streak, Warning};
use crate::model::Timestamp;
use crate::store::{LastAnswer, Mail, MailFacts, Topic};

/// For how long most retry policies try: what is given up now has come as long ago.
const TRIED_FOR_MS: i64 = 2 * 24 * 60 * 60 * 1_000;
/// Beyond so many held deliveries it is told that they are more.
const HELD_COUNTED_MAX: i64 = 10_000;

/// What an endpoint's settings say of when it is given up.
#[derive(Deserialize)]
struct Settings {
    failure_policy: FailurePolicy,
}

/// What there is to be said, from every side.
struct Matter<'a> {
    mail: &'a Mail,
    facts: &'a MailFacts,
    topic: Option<Topic>,
    says: Value,
    policy: Option<FailurePolicy>,
}

/// The letter of a mail.
pub(super) fn letter(mail: &Mail, facts: &MailFacts, answers: &[LastAnswer]) -> Letter {
    let settings: Option<Settings> = serde_json::from_str(&facts.settings).ok();
    let matter = Matter {
        mail,
        facts,
        topic: Topic::from_word(&mail.topic),
        says: serde_json::from_str(&mail.says).unwrap_or_default(),
        policy: settings.map(|settings| settings.failure_policy),
    };
    let told = matter.topic != Some(Topic::EndpointRecovered);
    let answers = answers.iter().filter(|_| told).map(answer_line).collect();
    Letter {
        about: format!("[Throwbar] {}: {}", facts.name, matter.in_short()),
        headline: matter.headline(),
        facts: matter.known(),
        answers,
        next: matter.next(),
        deeds: matter.deeds(),
        why: format!(
            "You have this mail because {} is an address of this endpoint or of its account, {}. Whom mails go to is \
             said by notify of the endpoint, owner_mail of the API key that changed it last, and owner_mail of the \
             account. In commands THROWBAR_URL is your server and THROWBAR_KEY your API key.",
            mail.address, facts.account_name
        ),
    }
}

impl Matter<'_> {
    fn number(&self, field: &str) -> i64 {
        self.says[field].as_i64().unwrap_or_default()
    }

    fn rate(&self) -> String {
        percent(&self.says["success_rate"])
    }

    fn is_gone(&self) -> bool {
        self.says["why"] == "gone"
    }

    fn in_short(&self) -> String {
        match self.topic {
            Some(Topic::EndpointFailing) => "deliveries are failing".to_owned(),
            Some(Topic::EndpointWarned) => {
                format!(
                    "warning {} of 2, deliveries are failing",
                    self.number("warning")
                )
            }
            Some(Topic::EndpointDisabled) if self.is_gone() => {
                "switched off, it answered 410 Gone".to_owned()
            }
            Some(Topic::EndpointDisabled) => "switched off, its deliveries kept failing".to_owned(),
            Some(Topic::EndpointStillDisabled) => {
                format!("still switched off after {}", days(self.number("day")))
            }
            Some(Topic::EndpointRecovered) => "it takes deliveries again".to_owned(),
            Some(Topic::SuccessRateDropped) => {
                format!("{} of its attempts succeed", self.rate())
            }
            Some(Topic::SuccessRateRecovered) => {
                format!("{} of its attempts succeed again", self.rate())
            }
            Some(Topic::DeliveryFailed) => {
                format!("{} given up", deliveries(self.mail.occurrences))
            }
            _ => self.mail.topic.clone(),
        }
    }

    fn headline(&self) -> String {
        let name = &self.facts.name;
        let at = when(self.mail.last_at);
        match self.topic {
            Some(Topic::EndpointFailing) => {
                format!(
                    "Deliveries to {name} are failing: none has succeeded for a minute or more."
                )
            }
            Some(Topic::EndpointWarned) if self.number("warning") == 1 => {
                format!("First warning: deliveries to {name} are failing.")
            }
            Some(Topic::EndpointWarned) => {
                format!("Second and last warning: deliveries to {name} are still failing.")
            }
            Some(Topic::EndpointDisabled) if self.is_gone() => format!(
                "{name} was switched off at {at}: its receiver answered 410 Gone, which means that it wants no more \
                 deliveries."
            ),
            Some(Topic::EndpointDisabled) => {
                format!("{name} was switched off at {at}, because its deliveries kept failing.")
            }
            Some(Topic::EndpointStillDisabled) => format!(
                "{name} has been switched off for {} now. What would go to it is held.",
                days(self.number("day"))
            ),
            Some(Topic::EndpointRecovered) => {
                format!("{name} takes deliveries again, since {at}.")
            }
            Some(Topic::SuccessRateDropped) => format!(
                "Of the attempts at {name} in the last {}, {} succeed: less than the {} that its alert asks for.",
                minutes(self.number("window_s")),
                self.rate(),
                percent(&self.says["below"]),
            ),
            Some(Topic::SuccessRateRecovered) => format!(
                "Of the attempts at {name} in the last {}, {} succeed again.",
                minutes(self.number("window_s")),
                self.rate(),
            ),
            Some(Topic::DeliveryFailed) => format!(
                "{} to {name} {} given up between {} and {at}: they failed, and are not tried again.",
                deliveries(self.mail.occurrences),
                if self.mail.occurrences == 1 {
                    "was"
                } else {
                    "were"
                },
                when(self.mail.first_at),
            ),
            _ => format!("{} at {name}, at {at}.", self.mail.topic),
        }
    }

    fn known(&self) -> Vec<(&'static str, String)> {
        let (mail, facts) = (self.mail, self.facts);
        let host = Url::parse(&facts.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        let mut known = vec![
            ("Endpoint", format!("{} ({})", facts.name, mail.endpoint)),
            ("Receiver", host.unwrap_or_default()),
            (
                "Account",
                format!("{} ({})", facts.account_name, mail.account),
            ),
        ];
        let since = self.says["failing_since"]
            .as_str()
            .and_then(|at| at.parse().ok());
        if let Some(since) = since.or(facts.failing_since)
            && self.topic != Some(Topic::EndpointRecovered)
        {
            let attempts = match facts.failed_attempts {
                0 => String::new(),
                1 => ", 1 failed attempt".to_owned(),
                more => format!(", {more} failed attempts without a success"),
            };
            known.push(("Failing since", format!("{}{attempts}", when(since))));
        }
        if let Some(at) = facts.disabled_at {
            known.push(("Switched off", when(at)));
        }
        if facts.held > HELD_COUNTED_MAX {
            known.push((
                "Held",
                format!("more than {}", deliveries(HELD_COUNTED_MAX)),
            ));
        } else if facts.held > 0 {
            known.push(("Held", deliveries(facts.held)));
        }
        if self.topic == Some(Topic::DeliveryFailed)
            && let Some(delivery) = self.says["delivery"].as_str()
        {
            let why = self.says["why"].as_str().unwrap_or("failed");
            known.push(("The last one", format!("{delivery} ({why})")));
        } else if mail.occurrences > 1 {
            known.push(("Times", mail.occurrences.to_string()));
        }
        known
    }

    fn next(&self) -> Vec<String> {
        let facts = self.facts;
        if facts.state == "disabled" {
            let mut next = vec![
                "Nothing is sent to it until it is switched on. What comes meanwhile is held until it is recovered, as long as the account keeps payloads.".to_owned(),
            ];
            if let Some(at) = facts.remind_at {
                next.push(format!(
                    "You are reminded {}, if it is still switched off then.",
                    on(at)
                ));
            }
            return next;
        }
        if facts.failing_since.is_none() {
            return vec!["It takes deliveries at present.".to_owned()];
        }
        let goes_on =
            "What has failed is tried again by itself, as its retry policy says.".to_owned();
        let step = match (self.outlook(), self.policy) {
            (Some(Outlook::Warned(at)), _) => format!(
                "If it goes on failing, a second warning comes at a failed attempt from {} on, and an hour or more after \
                 that it is switched off.",
                when(at)
            ),
            (Some(Outlook::Disabled(at)), _) => format!(
                "If it goes on failing, it is switched off at a failed attempt from {} on.",
                when(at)
            ),
            (None, Some(policy)) => format!("Its failure policy: {}.", policy.words()),
            (None, None) => return vec![goes_on],
        };
        let success = "One success ends this, and everything counts anew.".to_owned();
        vec![goes_on, step, success]
    }

    fn outlook(&self) -> Option<Outlook> {
        let facts = self.facts;
        self.policy?.outlook(Streak {
            since: facts.failing_since?,
            failures: u32::try_from(facts.failed_attempts).unwrap_or(u32::MAX),
            warned: facts.warning.and_then(Warning::of_no).zip(facts.warned_at),
        })
    }

    fn deeds(&self) -> Vec<Deed> {
        let endpoint = self.mail.endpoint;
        let look = Deed::by(
            "See what was sent and what came back:",
            curl("", &format!("/v1/deliveries?endpoint={endpoint}&limit=10")),
        );
        let since = self.given_up_since();
        let again = Deed::by(
            "Send what was given up or held, when the receiver is well again:",
            format!("throwbar recover {endpoint} --since {since} --state failed --state held"),
        );
        if self.facts.state == "disabled" {
            let on = Deed::by(
                "Mend the receiver, then switch the endpoint on:",
                curl("-X POST ", &format!("/v1/endpoints/{endpoint}/enable")),
            );
            return vec![look, on, again];
        }
        match self.topic {
            Some(Topic::EndpointRecovered) => return vec![again],
            Some(Topic::SuccessRateRecovered) => return vec![look],
            _ => {}
        }
        let mend = Deed {
            what: format!(
                "Mend the receiver, so that it answers with a status of 200 to 299 ({}).",
                self.facts.name
            ),
            command: None,
        };
        if self.topic == Some(Topic::DeliveryFailed) {
            return vec![look, mend, again];
        }
        vec![look, mend]
    }

    /// From which events on deliveries may have been given up or held.
    fn given_up_since(&self) -> Timestamp {
        let (mail, facts) = (self.mail, self.facts);
        let known = [Some(mail.first_at), facts.failing_since, facts.disabled_at];
        let first = known.into_iter().flatten().min().unwrap_or(mail.first_at);
        // An event comes before its first attempt ends.
        first.plus_ms(-TRIED_FOR_MS)
    }
}

impl Deed {
    fn by(what: &str, command: String) -> Self {
        Self {
            what: what.to_owned(),
            command: Some(command),
        }
    }
}

fn curl(method: &str, path: &str) -> String {
    format!("curl {method}\"$THROWBAR_URL{path}\" -H \"Authorization: Bearer $THROWBAR_KEY\"")
}

fn answer_line(answer: &LastAnswer) -> String {
    let came = match (answer.status_code, &answer.error_class) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, Some(class)) => class.replace('_', " "),
        (None, None) => "nothing".to_owned(),
    };
    let message = answer.message.as_deref();
    let message = message.map(|said| format!(", {said}")).unwrap_or_default();
    format!("{}  {came}{message}", when(answer.started_at))
}

/// A time for people, to the second.
fn when(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_ms()) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => at.to_string(),
    }
}

fn on(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_ms()) {
        Ok(time) => time.strftime("on %A, %-d %B %Y, at %H:%M UTC").to_string(),
        Err(_) => at.to_string(),
    }
}

fn days(count: i64) -> String {
    if count == 1 {
        "1 day".to_owned()
    } else {
        format!("{count} days")
    }
}

/// A share of one, as it is told: no more than it is.
fn percent(share: &Value) -> String {
    let share = share.as_f64().unwrap_or_default();
    format!("{} %", (share * 1_000.0).floor() / 10.0)
}

fn minutes(seconds: i64) -> String {
    match (seconds, seconds % 60) {
        (60, _) => "minute".to_owned(),
        (3_600, _) => "hour".to_owned(),
        (seconds, 0) => format!("{} minutes", seconds / 60),
        (seconds, _) => format!("{seconds} seconds"),
    }
}

fn deliveries(count: i64) -> String {
    if count == 1 {
        "1 delivery".to_owned()
    } else {
        format!("{count} deliveries")
    }
}
