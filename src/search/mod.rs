//! Floor 1: what is sought in payloads: words, phrases, beginnings of words, and what stands in a member of a name.
//!
//! Pure: a [`Query`] is read once, and says of a payload whether it has all that is asked for. A word is a run of
//! letters and digits, in whatever case. Sought are the values of a payload: texts, numbers, `true` and `false`; a
//! phrase is found within one of them.

mod walk;

use walk::Walk;

/// Longest text of a query.
pub const QUERY_BYTES_MAX: usize = 200;
/// Most terms of a query.
pub const TERMS_MAX: usize = 16;

/// Why a text is no query, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too long.
    #[error("the search has {0} bytes: {QUERY_BYTES_MAX} at most")]
    TooLong(usize),
    /// Too much.
    #[error("the search has {0} terms: {TERMS_MAX} at most")]
    TooMany(usize),
    /// Nothing.
    #[error("the search is empty: leave it out, or say a word")]
    Empty,
    /// A term that has no word.
    #[error("there is no word in '{0}': a word is made of letters and digits")]
    NoWord(String),
    /// A quotation that does not end.
    #[error("a quotation mark is missing: put one at the end of the phrase")]
    Unclosed,
}

/// All that a payload must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Vec<Term>);

/// Words that stand side by side in one value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// The names of the members that lead to the value, as far as they are told: its own is the last one.
    path: Vec<String>,
    words: Vec<String>,
    /// Whether the last word need only begin so.
    is_beginning: bool,
}

impl Query {
    /// Reads `word`, `"a phrase"`, `beginning*` and `name:value`, with spaces between.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(Error::TooLong(text.len()));
        }
        let terms = pieces(text)?
            .into_iter()
            .map(Term::parse)
            .collect::<Result<Vec<_>, _>>()?;
        match terms.len() {
            0 => Err(Error::Empty),
            1..=TERMS_MAX => Ok(Self(terms)),
            more => Err(Error::TooMany(more)),
        }
    }

    /// Whether this JSON has all of it. What is no JSON has nothing.
    pub fn finds(&self, payload: &[u8]) -> bool {
        Walk::of(&self.0, payload)
    }
}

impl Term {
    fn parse(piece: &str) -> Result<Self, Error> {
        let (path, said) = match piece.split_once(':') {
            Some((name, said)) if is_path(name) && !said.is_empty() && !said.starts_with("//") => {
                (name.split('.').map(str::to_owned).collect(), said)
            }
            _ => (Vec::new(), piece),
        };
        let words = words(said);
        if words.is_empty() {
            return Err(Error::NoWord(piece.to_owned()));
        }
        Ok(Self {
            path,
            words,
            is_beginning: said.trim_end_matches('"').ends_with('*'),
        })
    }

    /// Whether a value with these words has it, to which these names lead.
    fn is_in(&self, path: &[String], words: &[String]) -> bool {
        let Some((last, before)) = self.words.split_last() else {
            return false;
        };
        path.ends_with(&self.path)
            && words.windows(self.words.len()).any(|side_by_side| {
                side_by_side.split_last().is_some_and(|(end, begin)| {
                    let ends = end == last || (self.is_beginning && end.starts_with(last.as_str()));
                    ends && begin == before
                })
            })
    }
}

/// The terms of a text: it is parted at spaces that are in no quotation.
fn pieces(text: &str) -> Result<Vec<&str>, Error> {
    let mut is_quoted = false;
    let parted = text.split(|letter: char| {
        is_quoted ^= letter == '"';
        letter.is_whitespace() && !is_quoted
    });
    let pieces = parted.filter(|piece| !piece.is_empty()).collect();
    if text.matches('"').count() % 2 == 1 {
        return Err(Error::Unclosed);
    }
    Ok(pieces)
}

/// Whether a text can be the names of members, with dots between.
fn is_path(text: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    text.split('.')
        .all(|name| !name.is_empty() && name.chars().all(fits))
}

/// The words of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"{
        "contact": {"name": "Anna Kr\u00fcger", "mail": "anna.k@example.com", "tags": ["vip", "Late Payer"]},
        "deal": {"amount": 1250.50, "won": true, "id": 4711},
        "name": "Offer 12"
    }"#;

    #[test]
    fn a_payload_has_all_that_is_asked_for_or_not() {
        for (query, found) in [
            ("anna", true),
            ("ANNA krüger", true),
            ("anna schmidt", false),
            ("\"anna krüger\"", true),
            ("\"krüger anna\"", false),
            ("\"krüger mail\"", false),
            ("ann", false),
            ("ann*", true),
            ("\"anna kr*\"", true),
            ("\"an* krüger\"", false),
            ("anna.k@example.com", true),
            ("k@example.org", false),
            ("1250.5", true),
            ("4711", true),
            ("471", false),
            ("true", true),
            ("amount", false),
            ("id:4711", true),
            ("deal.id:4711", true),
            ("contact.id:4711", false),
            ("name:12", true),
            ("contact.name:12", false),
            ("contact.name:\"anna krüger\"", true),
            ("tags:late", true),
            ("tags:\"vip late\"", false),
            ("name:kr*", true),
            ("id:4711 anna won:true", true),
            ("id:4711 anna won:false", false),
        ] {
            let read = Query::parse(query).expect(query);
            assert_eq!(read.finds(PAYLOAD.as_bytes()), found, "{query}");
        }
        let query = Query::parse("anna").expect("a word");
        for nothing in ["", "{", "null", "\"hanna\""] {
            assert!(!query.finds(nothing.as_bytes()), "{nothing}");
        }
        assert!(query.finds(b"\"anna\""), "a payload may be a text");
    }

    #[test]
    fn what_is_no_query_is_told() {
        let many = "a ".repeat(TERMS_MAX + 1);
        let long = "a".repeat(QUERY_BYTES_MAX + 1);
        for (text, error) in [
            ("", Error::Empty),
            ("  ", Error::Empty),
            ("*", Error::NoWord("*".to_owned())),
            ("a --", Error::NoWord("--".to_owned())),
            ("name:\"\"", Error::NoWord("name:\"\"".to_owned())),
            ("\"open", Error::Unclosed),
            (many.as_str(), Error::TooMany(TERMS_MAX + 1)),
            (long.as_str(), Error::TooLong(QUERY_BYTES_MAX + 1)),
        ] {
            assert_eq!(Query::parse(text), Err(error), "{text}");
        }
        // A URL is no member's name with a value.
        let url = Query::parse("https://example.com").expect("words");
        assert!(url.finds(br#"{"at": "https://example.com/hook"}"#));
    }
}
