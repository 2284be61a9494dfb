//! `like` patterns: `*` and `%` stand for any text, `_` for one character, and `\` takes what follows as it is.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    ignores_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Char(char),
}

impl Pattern {
    /// The pattern with this text.
    pub(super) fn like(text: &str) -> Self {
        Self {
            parts: Self::parts(text),
            ignores_case: false,
        }
    }

    /// The same where case does not matter.
    pub(super) fn ilike(text: &str) -> Self {
        Self {
            parts: Self::parts(&text.to_lowercase()),
            ignores_case: true,
        }
    }

    fn parts(text: &str) -> Vec<Part> {
        let mut parts = Vec::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            let part = match char {
                '*' | '%' => Part::Any,
                '_' => Part::One,
                '\\' => Part::Char(chars.next().unwrap_or('\\')),
                char => Part::Char(char),
            };
            if !(part == Part::Any && parts.last() == Some(&Part::Any)) {
                parts.push(part);
            }
        }
        parts
    }

    /// Whether the whole text is as it says. In at most text × pattern steps.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = if self.ignores_case {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        };
        let (mut at, mut part) = (0, 0);
        // Where the last `Any` stands, and up to where it reaches so far: only that one is ever tried further.
        let mut any: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.parts.get(part) {
                Some(Part::Any) => {
                    any = Some((part, at));
                    part += 1;
                }
                Some(Part::One) => (at, part) = (at + 1, part + 1),
                Some(Part::Char(char)) if *char == text[at] => (at, part) = (at + 1, part + 1),
                _ => {
                    let Some((star, reached)) = any else {
                        return false;
                    };
                    any = Some((star, reached + 1));
                    (at, part) = (reached + 1, star + 1);
                }
            }
        }
        self.parts[part..].iter().all(|part| *part == Part::Any)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("CRM*", "CRM Sync", true),
            ("%Sync", "CRM Sync", true),
            ("*RM*y*", "CRM Sync", true),
            ("C_M", "CRM", true),
            ("C_M", "CM", false),
            ("crm*", "CRM Sync", false),
            (r"50\%", "50%", true),
            (r"50\%", "500", false),
            (r"a\", r"a\", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ababa", false),
            ("ü_", "üß", true),
        ] {
            assert_eq!(Pattern::like(pattern).fits(text), fits, "{pattern} {text}");
        }
        assert!(Pattern::ilike("crm*").fits("CRM Sync"));
    }

    /// What a pattern means, plainly.
    fn means(parts: &[Part], text: &[char]) -> bool {
        match (parts.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((Part::Any, rest)), None) => means(rest, text),
            (Some((Part::Any, rest)), Some((_, less))) => means(rest, text) || means(parts, less),
            (Some((Part::One, rest)), Some((_, less))) => means(rest, less),
            (Some((Part::Char(char), rest)), Some((first, less))) => {
                char == first && means(rest, less)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn it_fits_what_it_means(pattern in "[ab*_%]{0,8}", text in "[ab]{0,10}") {
            let pattern = Pattern::like(&pattern);
            let chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(pattern.fits(&text), means(&pattern.parts, &chars));
        }
    }
}
