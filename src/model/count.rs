//! A number with its noun, for sentences.

/// `1 argument`, `2 arguments`: for nouns whose plural is made by an `s`.
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_everything_else_is_not() {
        let said = [0, 1, 2].map(|count| counted(count, "header"));
        assert_eq!(said, ["0 headers", "1 header", "2 headers"]);
    }
}
