//! A refusal as the server words it, and as one line for a terminal.

use serde::Deserialize;

/// What the server says when it refuses: the parts of problem+json that are shown.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    /// The status code.
    pub(super) status: u16,
    /// A stable word.
    pub(super) code: String,
    /// What kind of problem.
    pub(super) title: String,
    /// A sentence that says what to do.
    pub(super) detail: String,
    /// The field that is wrong, as a JSON pointer.
    pub(super) pointer: Option<String>,
    /// From `Retry-After`.
    #[serde(skip)]
    pub(super) retry_after_s: Option<u64>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = if self.detail.is_empty() {
            &self.title
        } else {
            &self.detail
        };
        if let Some(pointer) = self.pointer.as_ref().filter(|pointer| !pointer.is_empty()) {
            write!(f, "{pointer}: ")?;
        }
        write!(f, "{said} ({} {})", self.status, self.code)
    }
}

impl Problem {
    /// Whether the same request may be taken a little later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_its_field_and_its_word() {
        let problem: Problem = serde_json::from_str(
            r#"{"status":422,"code":"wrong_field","title":"A field is wrong","detail":"must be a number","pointer":"/data/x","more":1}"#,
        )
        .expect("a problem");
        assert_eq!(
            problem.to_string(),
            "/data/x: must be a number (422 wrong_field)"
        );
        assert!(!problem.is_passing());
        assert!(
            Problem {
                status: 429,
                ..Problem::default()
            }
            .is_passing()
        );
    }
}
