//! Text with places for fields: `{{event.data.customer.name}}`, `{{event.type}}`,
//! `{{event.data.note | nothing noted}}`. There are no conditions and no loops.

use serde_json::Value;

/// A template, parsed.
#[derive(Debug)]
pub struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    Field {
        path: String,
        otherwise: Option<String>,
    },
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            let Some((inside, after)) = after.split_once("}}") else {
                return Err(format!(
                    "the '{{{{' at byte {} has no '}}}}'",
                    text.len() - after.len() - 2
                ));
            };
            pieces.push(field(inside)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self(pieces))
    }

    /// Puts the pieces together. `lookup` gives the text for a path, or nothing where there is no
    /// such field or it is null; a field without a text of its own for that case goes to
    /// `missing`.
    pub fn fill<E>(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
        missing: impl Fn(&str) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Field { path, otherwise } => match (lookup(path), otherwise) {
                    (Some(value), _) => text.push_str(&value),
                    (None, Some(otherwise)) => text.push_str(otherwise),
                    (None, None) => text.push_str(&missing(path)?),
                },
            }
        }
        Ok(text)
    }
}

fn field(inside: &str) -> Result<Piece, String> {
    let (path, otherwise) = match inside.split_once('|') {
        Some((path, otherwise)) => (path.trim(), Some(otherwise.trim().to_owned())),
        None => (inside.trim(), None),
    };
    let known = matches!(
        path,
        "event.id" | "event.type" | "event.timestamp" | "event.source" | "event.data"
    ) || path
        .strip_prefix("event.data.")
        .is_some_and(|rest| rest.split('.').all(|name| !name.is_empty()));
    if !known {
        return Err(format!(
            "'{path}' is not a field: write event.id, event.type, event.timestamp, event.source, \
             event.data, or a path such as event.data.customer.name"
        ));
    }
    Ok(Piece::Field {
        path: path.to_owned(),
        otherwise,
    })
}

/// The text of the value at `path` (names and element numbers between dots) inside the payload.
pub fn value_text(payload: &Value, path: &str) -> Option<String> {
    let mut value = payload;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        value = match value {
            Value::Object(members) => members.get(name)?,
            Value::Array(elements) => elements.get(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> Result<String, String> {
        let payload: Value = serde_json::from_str(
            r#"{"a":{"b":["x",1.50]},"n":null,"t":true,"e":"","o":{"k":1},"{{":"no"}"#,
        )
        .expect("valid");
        Template::parse(template)?.fill(
            |path| {
                path.strip_prefix("event.data")
                    .and_then(|path| value_text(&payload, path))
            },
            |path| Err(format!("no {path}")),
        )
    }

    #[test]
    fn fields_are_filled_in() {
        for (template, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("{{event.data.a.b.0}}{{ event.data.a.b.1 }}!", "x1.50!"),
            ("{{event.data.t}} {{event.data.o}}", r#"true {"k":1}"#),
            ("[{{event.data.e}}]", "[]"),
            (
                "{{event.data.n|none}} {{event.data.z | a } b }}",
                "none a } b",
            ),
            ("{{event.data.z|}}", ""),
            ("}} { }", "}} { }"),
        ] {
            assert_eq!(fill(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (template, expected) in [
            ("{{event.data.z}}", "no event.data.z"),
            ("{{event.data.n}}", "no event.data.n"),
            ("{{event.data.a.b.9}}", "no event.data.a.b.9"),
            ("{{event.data.t.x}}", "no event.data.t.x"),
            ("ab{{event.data.t", "the '{{' at byte 2 has no '}}'"),
        ] {
            assert_eq!(fill(template), Err(expected.into()), "{template}");
        }
        for template in [
            "{{}}",
            "{{data.x}}",
            "{{event.data.}}",
            "{{event.data..x}}",
            "{{event.nope}}",
        ] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }
}
