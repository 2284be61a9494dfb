//! A pattern in words: "at 09:00 on Monday to Friday".

use super::Pattern;
use super::civil::time_words;
use super::field::Field;

/// How many times of a day are named one by one.
const TIMES_MAX: usize = 6;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// "a", "a and b", "a, b and c".
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Rising numbers as ranges: three or more in a row are a range.
fn ranged(numbers: &[u8], name: impl Fn(u8) -> String) -> String {
    let mut words = Vec::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let row = rest
            .iter()
            .zip(*first..)
            .take_while(|(number, expected)| **number == *expected)
            .count();
        let (taken, left) = rest.split_at(row);
        if row > 2 {
            words.push(format!("{} to {}", name(*first), name(taken[row - 1])));
        } else {
            words.extend(taken.iter().map(|number| name(*number)));
        }
        rest = left;
    }
    listed(&words)
}

/// The step of a field that is every nth number from 0 on, all around.
fn step(numbers: &[u8], whole: usize) -> Option<usize> {
    let step = usize::from(*numbers.get(1)?);
    let even = numbers.len() * step == whole
        && numbers
            .iter()
            .enumerate()
            .all(|(place, number)| usize::from(*number) == place * step);
    even.then_some(step)
}

/// "minute", "15 minutes", or `None`.
fn every(field: Field, whole: usize, unit: &str) -> Option<String> {
    match step(&field.numbers(), whole)? {
        1 => Some(format!("every {unit}")),
        step => Some(format!("every {step} {unit}s")),
    }
}

impl Pattern {
    /// The pattern in words. The zone is not among them.
    pub fn words(&self) -> String {
        let mut words = self.time_of_day();
        let days = self.day_words();
        if !days.is_empty() {
            words.push(' ');
            words.push_str(&days);
        }
        if !self.months.whole && self.months.numbers().len() < MONTHS.len() {
            let month = |no: u8| MONTHS[usize::from(no) - 1].to_owned();
            words.push_str(" in ");
            words.push_str(&ranged(&self.months.numbers(), month));
        }
        words
    }

    fn time_of_day(&self) -> String {
        let [seconds, minutes, hours] =
            [self.seconds, self.minutes, self.hours].map(Field::numbers);
        if seconds.len() * minutes.len() * hours.len() <= TIMES_MAX {
            let mut times = Vec::new();
            for hour in &hours {
                for minute in &minutes {
                    for second in &seconds {
                        let s = [*hour, *minute, *second].map(i64::from);
                        times.push(time_words(s[0] * 3600 + s[1] * 60 + s[2]));
                    }
                }
            }
            return format!("at {}", listed(&times));
        }
        let number = |number: u8| number.to_string();
        let mut words = Vec::new();
        if seconds != [0] {
            words.push(every(self.seconds, 60, "second").unwrap_or_else(|| {
                format!(
                    "at {} {}",
                    plural(&seconds, "second"),
                    ranged(&seconds, number)
                )
            }));
        }
        if words.is_empty() || minutes.len() < 60 {
            words.push(every(self.minutes, 60, "minute").unwrap_or_else(|| {
                format!(
                    "at {} {}",
                    plural(&minutes, "minute"),
                    ranged(&minutes, number)
                )
            }));
        }
        match every(self.hours, 24, "hour") {
            Some(_) if hours.len() == 24 && minutes.len() == 60 => {}
            Some(every) => words.push(format!("of {every}")),
            None => words.push(format!(
                "of the {} {}",
                plural(&hours, "hour"),
                ranged(&hours, |hour| format!("{hour:02}"))
            )),
        }
        words.join(" ")
    }

    fn day_words(&self) -> String {
        let (days, weekdays) = (self.days.numbers(), self.weekdays.numbers());
        let by_day = (days.len() < 31).then(|| {
            format!(
                "on {} {} of the month",
                plural(&days, "day"),
                ranged(&days, |day| day.to_string())
            )
        });
        let weekday = |no: u8| WEEKDAYS[usize::from(no)].to_owned();
        let by_weekday = (weekdays.len() < 7).then(|| ranged(&weekdays, weekday));
        match (by_day, by_weekday) {
            // Either is enough, and one of them is every day.
            (None, _) | (_, None) if self.takes_either_day() => String::new(),
            (None, None) => String::new(),
            (Some(day), None) => day,
            (None, Some(weekday)) => format!("on {weekday}"),
            (Some(day), Some(weekday)) if self.takes_either_day() => {
                format!("{day} and on {weekday}")
            }
            (Some(day), Some(weekday)) => format!("{day} if that is {weekday}"),
        }
    }
}

fn plural(numbers: &[u8], unit: &str) -> String {
    if numbers.len() == 1 {
        unit.to_owned()
    } else {
        format!("{unit}s")
    }
}
