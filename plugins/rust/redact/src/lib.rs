//! The plugin `redact`: removes or masks fields of the payload, named by JSON pointers in its
//! configuration. What is not named stays byte for byte.

mod cut;
mod pointer;

use serde::Deserialize;
use throwbar_plugin::{
    Context, Description, Error, Event, Outcome, Transformer, Vector, emit, vector,
};

use pointer::{Action, Rules};

struct Redact;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    mask: Vec<String>,
    #[serde(default = "redacted")]
    mask_with: serde_json::Value,
}

fn redacted() -> serde_json::Value {
    "[redacted]".into()
}

const CONFIG_SCHEMA: &str = r##"{
  "type": "object",
  "properties": {
    "remove": {
      "title": "Fields to remove", "$ref": "#/$defs/pointers"
    },
    "mask": {
      "title": "Fields to mask", "$ref": "#/$defs/pointers"
    },
    "mask_with": {
      "title": "What masked fields hold instead", "type": ["string", "number", "boolean", "null"],
      "maxLength": 200, "default": "[redacted]"
    }
  },
  "anyOf": [{"required": ["remove"]}, {"required": ["mask"]}],
  "additionalProperties": false,
  "$defs": {
    "pointers": {
      "description": "JSON pointers into the payload. `*` stands for any one member or element, `**` for any number of levels.",
      "type": "array", "minItems": 1, "maxItems": 100,
      "items": {"type": "string", "pattern": "^/", "maxLength": 500},
      "examples": [["/customer/email", "/items/*/card_number", "/**/password"]]
    }
  }
}"##;

impl Transformer for Redact {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "redact".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Removes or masks fields of the payload, named by JSON pointers. \
                      Everything else stays byte for byte."
                .into(),
            config_schema: CONFIG_SCHEMA.into(),
            event_types: vec!["*".into()],
            vectors: vectors(),
        }
    }

    fn run(_: &Context, config: Config, event: Event) -> Result<Outcome, Error> {
        let mut rules = Rules::default();
        for (pointers, action) in [
            (&config.remove, Action::Remove),
            (&config.mask, Action::Mask),
        ] {
            for pointer in pointers {
                rules.add(pointer, action).map_err(Error::InvalidConfig)?;
            }
        }
        cut::cut(&event.data, &rules, &config.mask_with.to_string())
            .map(emit)
            .map_err(|error| {
                Error::InvalidEvent(format!("not JSON, or too deep, at byte {}", error.at))
            })
    }
}

fn vectors() -> Vec<Vector> {
    [
        (
            "removes a field and keeps the order of the others",
            r#"{"remove":["/password"]}"#,
            r#"{"user":"ada","password":"engine","age":36}"#,
            r#"{"user":"ada","age":36}"#,
        ),
        (
            "masks a field in every element of a list",
            r#"{"mask":["/items/*/card"],"mask_with":"****"}"#,
            r#"{"items":[{"card":"4111 1111","sum":1},{"card":null,"sum":2},{"sum":3}]}"#,
            r#"{"items":[{"card":"****","sum":1},{"card":"****","sum":2},{"sum":3}]}"#,
        ),
        (
            "finds a field at any depth",
            r#"{"remove":["/**/email"]}"#,
            r#"{"email":"a@x.org","team":{"lead":{"email":"b@x.org","name":"Bo"}}}"#,
            r#"{"team":{"lead":{"name":"Bo"}}}"#,
        ),
        (
            "keeps the spelling of everything else",
            r#"{"remove":["/secret"]}"#,
            "{ \"sum\": 10.50, \"big\": 12345678901234567890123, \"e\":\"\\u00e9\",\n \"secret\": [1] }",
            "{ \"sum\": 10.50, \"big\": 12345678901234567890123, \"e\":\"\\u00e9\" }",
        ),
        (
            "a field that is not there is no mistake",
            r#"{"mask":["/a/b"],"remove":["/c"]}"#,
            r#"{"a":7}"#,
            r#"{"a":7}"#,
        ),
        (
            "finds a name that is spelled with escapes",
            r#"{"mask":["/email"]}"#,
            r#"{"\u0065mail":"a@x.org"}"#,
            r#"{"\u0065mail":"[redacted]"}"#,
        ),
    ]
    .into_iter()
    .map(|(name, config, payload, expected)| vector(name, config, payload, Ok(emit(expected))))
    .chain([vector(
        "a pointer with a wrong escape is refused",
        r#"{"remove":["/a~b"]}"#,
        "{}",
        Err(Error::InvalidConfig(String::new())),
    )])
    .collect()
}

throwbar_plugin::transformer!(Redact);

#[cfg(test)]
mod tests {
    #[test]
    fn the_vectors_hold() {
        throwbar_plugin::assert_vectors::<super::Redact>();
    }
}
