//! Colours and columns of the terminal. Colours appear only where standard output is a terminal
//! that shows them and `NO_COLOR` is not set; widths are counted before colours are put on.

use owo_colors::{OwoColorize, Stream};

use crate::model;

/// As it must be.
pub(super) fn good(text: &str) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.green())
        .to_string()
}

/// Not as it must be.
pub(super) fn bad(text: &str) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.red())
        .to_string()
}

/// Worth a look.
pub(super) fn warn(text: &str) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.yellow())
        .to_string()
}

/// Less important than its neighbours.
pub(super) fn faint(text: &str) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.bright_black())
        .to_string()
}

/// More important than its neighbours.
pub(super) fn strong(text: &str) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.bold())
        .to_string()
}

/// What a person may type or click.
pub(super) fn link(text: &str) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.cyan())
        .to_string()
}

/// Exactly `width` characters: filled with spaces, or cut with an ellipsis.
pub(super) fn column(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let missing = width.saturating_sub(cut.chars().count());
    cut + &" ".repeat(missing)
}

/// At most `width` characters, cut with an ellipsis. Control characters become spaces: what is
/// shown comes from payloads.
pub(super) fn cut(text: &str, width: usize) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    if text.chars().count() <= width {
        return text.chars().map(plain).collect();
    }
    let kept = text.chars().map(plain).take(width.saturating_sub(1));
    kept.collect::<String>().trim_end().to_owned() + "…"
}

/// A number with its thousands apart.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut spaced = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    spaced
}

/// A number with its noun, such as `1 event` or `1,234 events`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plain = model::counted(usize::try_from(number).unwrap_or(usize::MAX), noun);
    plain.replacen(&number.to_string(), &thousands(number), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_their_width_whatever_is_in_them() {
        for (text, wanted) in [
            ("ab", "ab   "),
            ("abcde", "abcde"),
            ("abcdef", "abcd…"),
            ("Zoë Ñ…", "Zoë…"),
            ("a\nb\u{1b}", "a b  "),
        ] {
            assert_eq!(column(text, 5).trim_end(), wanted.trim_end(), "{text}");
            assert_eq!(column(text, 5).chars().count(), 5, "{text}");
        }
    }

    #[test]
    fn thousands_are_apart() {
        for (number, wanted) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), wanted);
        }
    }
}
