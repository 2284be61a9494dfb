//! One field of a pattern: a set of numbers, written as a list of stars, values, ranges and steps.

use super::Error;

/// How much of a wrong part is shown again.
const SHOWN_CHARS_MAX: usize = 40;

/// Which numbers a field may have, and what they are called.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) min: u8,
    pub(super) max: u8,
    /// The name of `min` and of those after it.
    pub(super) names: &'static [&'static str],
}

pub(super) const SECOND: Unit = Unit::numbers("second", 0, 59);
pub(super) const MINUTE: Unit = Unit::numbers("minute", 0, 59);
pub(super) const HOUR: Unit = Unit::numbers("hour", 0, 23);
pub(super) const DAY: Unit = Unit::numbers("day of month", 1, 31);
pub(super) const MONTH: Unit = Unit {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
/// Sunday is 0. It may be written 7, too.
pub(super) const WEEKDAY: Unit = Unit {
    name: "day of week",
    min: 0,
    max: 6,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
const SUNDAY_AGAIN: u8 = 7;

/// The numbers of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// One bit a number.
    set: u64,
    /// Whether it begins with a star: crontab(5) calls all others restricted.
    pub(super) open: bool,
    /// Whether it is nothing but a star.
    pub(super) whole: bool,
}

impl Unit {
    const fn numbers(name: &'static str, min: u8, max: u8) -> Self {
        Self {
            name,
            min,
            max,
            names: &[],
        }
    }

    fn has_sunday_twice(&self) -> bool {
        self.name == WEEKDAY.name
    }

    fn fault(&self, part: &str, why: impl Into<String>) -> Error {
        Error::Part {
            field: self.name,
            part: part.chars().take(SHOWN_CHARS_MAX).collect(),
            why: why.into(),
        }
    }

    /// What may stand there, for a sentence.
    fn choice(&self) -> String {
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        format!("{} to {}{names}", self.min, self.max)
    }

    fn value(&self, text: &str, part: &str) -> Result<u8, Error> {
        let upper = text.to_ascii_uppercase();
        if let Some(place) = self.names.iter().position(|name| *name == upper) {
            return Ok(self.min + place as u8);
        }
        if text.is_empty() {
            let why = format!("has a value missing: write {}", self.choice());
            return Err(self.fault(part, why));
        }
        let foreign = |c: char| c.is_ascii_digit() || "?LW#".contains(c);
        if upper.chars().all(foreign) && !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let why = "uses a sign that unix does not know (?, L, W, #): write numbers, names, ranges and steps";
            return Err(self.fault(part, why));
        }
        let max = if self.has_sunday_twice() {
            SUNDAY_AGAIN
        } else {
            self.max
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u8>() {
            Ok(value) if digits && (self.min..=max).contains(&value) => Ok(value),
            _ if digits => {
                Err(self.fault(part, format!("is out of bounds: write {}", self.choice())))
            }
            _ => Err(self.fault(part, format!("is no number here: write {}", self.choice()))),
        }
    }

    fn range(&self, text: &str, part: &str) -> Result<(u8, u8), Error> {
        if text == "*" {
            return Ok((self.min, self.max));
        }
        let Some((first, last)) = text.split_once('-') else {
            let value = self.value(text, part)?;
            return Ok((value, value));
        };
        let (first, mut last) = (self.value(first, part)?, self.value(last, part)?);
        if last == 0 && first > 0 && self.has_sunday_twice() {
            last = SUNDAY_AGAIN;
        }
        if first > last {
            let why = "goes backwards: begin with the smaller one, or write two ranges with a comma between";
            return Err(self.fault(part, why));
        }
        Ok((first, last))
    }

    fn part(&self, part: &str) -> Result<u64, Error> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (first, last) = self.range(range, part)?;
        let step = match step {
            None => 1,
            Some(_) if range != "*" && !range.contains('-') => {
                let why = format!(
                    "has a step without a range: write {range}-{}/n, or */n",
                    self.max
                );
                return Err(self.fault(part, why));
            }
            Some(step) => match step.parse::<u8>() {
                Ok(step) if (1..=self.max).contains(&step) => step,
                _ => {
                    let why = format!("has a wrong step: write 1 to {} after the /", self.max);
                    return Err(self.fault(part, why));
                }
            },
        };
        let numbers = (first..=last).step_by(usize::from(step));
        Ok(numbers.fold(0, |set, number| set | 1 << number))
    }

    /// Reads a field.
    pub(super) fn parse(&self, text: &str) -> Result<Field, Error> {
        let mut set = 0;
        for part in text.split(',') {
            set |= self.part(part)?;
        }
        if self.has_sunday_twice() && set & (1 << SUNDAY_AGAIN) != 0 {
            set = (set | 1) & !(1 << SUNDAY_AGAIN);
        }
        Ok(Field {
            set,
            open: text.starts_with('*'),
            whole: text == "*",
        })
    }
}

impl Field {
    /// Only zero.
    pub(super) const ZERO: Self = Self {
        set: 1,
        open: false,
        whole: false,
    };

    pub(super) fn has(self, number: u8) -> bool {
        self.set >> number & 1 == 1
    }

    /// The smallest number that is not below `from`.
    pub(super) fn next(self, from: u8) -> Option<u8> {
        let rest = self.set.checked_shr(u32::from(from)).unwrap_or(0);
        (rest != 0).then(|| from + rest.trailing_zeros() as u8)
    }

    /// All numbers, rising.
    pub(super) fn numbers(self) -> Vec<u8> {
        (0..64).filter(|number| self.has(*number)).collect()
    }
}
