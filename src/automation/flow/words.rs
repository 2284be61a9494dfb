//! How flow control says keys and times.

use serde_json::Value;

/// Longest excerpt of a key in a sentence.
const SHOWN_CHARS_MAX: usize = 60;

const UNITS: [(i64, &str); 5] = [
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "min"),
    (1_000, "s"),
    (1, "ms"),
];

/// A time's length in the largest unit of which it is a whole number: `90 s`, `2 h`.
pub fn span(ms: i64) -> String {
    let unit = UNITS
        .iter()
        .find(|(unit_ms, _)| ms != 0 && ms % unit_ms == 0);
    let (unit_ms, unit) = unit.unwrap_or(&UNITS[4]);
    format!("{} {unit}", ms / unit_ms)
}

/// A key as a sentence begins with it.
pub fn of_key(key: &str) -> String {
    if key.is_empty() {
        return "the automation".to_owned();
    }
    let shown = match key.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    };
    format!("the key {}", Value::from(shown))
}

/// `1st`, `2nd`, `11th`.
pub(super) fn ordinal(number: i64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_keys_and_places_are_said_shortly() {
        for (ms, said) in [
            (0, "0 ms"),
            (1, "1 ms"),
            (1_500, "1500 ms"),
            (90_000, "90 s"),
            (120_000, "2 min"),
            (86_400_000, "1 d"),
        ] {
            assert_eq!(span(ms), said);
        }
        assert_eq!(of_key("a\"b"), r#"the key "a\"b""#);
        assert!(of_key(&"x".repeat(99)).ends_with("x…\""));
        let said = [1, 2, 3, 4, 11, 12, 113, 121].map(ordinal);
        let wanted = ["1st", "2nd", "3rd", "4th", "11th", "12th", "113th", "121st"];
        assert_eq!(said, wanted);
    }
}
