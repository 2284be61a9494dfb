//! The plugin `chat-message`: turns an event into the JSON of a chat webhook, `{"text": "…"}`, from
//! a text template in its configuration.

mod template;

use serde::Deserialize;
use serde_json::{Map, Value};
use throwbar_plugin::{
    Context, Description, Error, Event, Outcome, Transformer, Vector, emit, payload, vector,
};

use template::{Template, value_text};

struct ChatMessage;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    template: String,
    #[serde(default = "text")]
    field: String,
    #[serde(default)]
    missing: Missing,
    #[serde(default)]
    escape: Escape,
    #[serde(default)]
    extra: Map<String, Value>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Missing {
    #[default]
    Fail,
    Empty,
    Drop,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Escape {
    #[default]
    None,
    Slack,
}

fn text() -> String {
    "text".into()
}

const CONFIG_SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "template": {
      "title": "Message", "type": "string", "minLength": 1, "maxLength": 16000,
      "description": "Text with places for fields, such as {{event.data.customer.name}}, {{event.type}} or, with a text for when it is missing, {{event.data.note | no note}}.",
      "examples": ["Won: {{event.data.title}} for {{event.data.amount}} EUR"]
    },
    "field": {
      "title": "Name of the text field", "type": "string", "minLength": 1, "maxLength": 200, "default": "text",
      "description": "Slack, Mattermost and Google Chat want `text`, Discord wants `content`."
    },
    "missing": {
      "title": "When a field is missing or null", "enum": ["fail", "empty", "drop"], "default": "fail",
      "description": "fail: the run fails and names the field. empty: nothing stands there. drop: nothing is sent."
    },
    "escape": {
      "title": "Escaping of field values", "enum": ["none", "slack"], "default": "none",
      "description": "slack: &, < and > in values are escaped, so that nobody's payload can mention a channel."
    },
    "extra": {
      "title": "More fields of the message", "type": "object",
      "examples": [{"username": "Throwbar", "icon_emoji": ":tada:"}]
    }
  },
  "required": ["template"],
  "additionalProperties": false
}"#;

impl Transformer for ChatMessage {
    type Config = Config;

    fn describe() -> Description {
        Description {
            name: "chat-message".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Turns an event into the JSON of a chat webhook, {\"text\": …}, from a text \
                      template with places for the event's fields."
                .into(),
            config_schema: CONFIG_SCHEMA.into(),
            event_types: vec!["*".into()],
            vectors: vectors(),
        }
    }

    fn run(_: &Context, config: Config, event: Event) -> Result<Outcome, Error> {
        let template = Template::parse(&config.template).map_err(Error::InvalidConfig)?;
        if config.extra.contains_key(&config.field) {
            return Err(Error::InvalidConfig(format!(
                "'extra' has a field '{}', too",
                config.field
            )));
        }
        let content: Value = payload(&event)?;
        let filled = template.fill(
            |path| lookup(&event, &content, path).map(|value| escaped(value, config.escape)),
            |path| match config.missing {
                Missing::Empty => Ok(String::new()),
                Missing::Fail | Missing::Drop => Err(format!("the event has no {path}")),
            },
        );
        match (filled, config.missing) {
            (Ok(text), _) => {
                let mut message = Map::new();
                message.insert(config.field, Value::String(text));
                message.extend(config.extra);
                Ok(emit(Value::Object(message).to_string()))
            }
            (Err(missing), Missing::Drop) => Ok(Outcome::Drop(missing)),
            (Err(missing), Missing::Fail | Missing::Empty) => Err(Error::InvalidEvent(missing)),
        }
    }
}

fn lookup(event: &Event, content: &Value, path: &str) -> Option<String> {
    match path {
        "event.id" => Some(event.id.clone()),
        "event.type" => Some(event.event_type.clone()),
        "event.timestamp" => Some(event.timestamp.clone()),
        "event.source" => Some(event.source.clone()).filter(|source| !source.is_empty()),
        _ => value_text(content, path.strip_prefix("event.data")?),
    }
}

/// Slack's own escaping, which is exactly these three:
/// <https://api.slack.com/reference/surfaces/formatting#escaping>.
fn escaped(value: String, escape: Escape) -> String {
    match escape {
        Escape::None => value,
        Escape::Slack => value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
    }
}

fn vectors() -> Vec<Vector> {
    let deal = r#"{"title":"Windmill","amount":1200.50,"owner":{"name":"Ada"},"tags":["new","big"],"note":null}"#;
    [
        (
            "fills fields into the text",
            r#"{"template":"{{event.data.owner.name}} won {{event.data.title}}: {{event.data.amount}} EUR"}"#,
            Ok(emit(r#"{"text":"Ada won Windmill: 1200.50 EUR"}"#)),
        ),
        (
            "takes the envelope's fields and elements of lists",
            r#"{"template":"{{event.type}} {{event.source}} {{event.data.tags.1}} {{event.data.tags}}"}"#,
            Ok(emit(r#"{"text":"example.made example big [\"new\",\"big\"]"}"#)),
        ),
        (
            "names the text field as wanted and adds more fields",
            r#"{"template":"hi","field":"content","extra":{"username":"Throwbar","tts":false}}"#,
            Ok(emit(r#"{"content":"hi","username":"Throwbar","tts":false}"#)),
        ),
        (
            "has a text for a field that is missing or null",
            r#"{"template":"{{event.data.note | no note}}, {{event.data.phone|}}."}"#,
            Ok(emit(r#"{"text":"no note, ."}"#)),
        ),
        (
            "a missing field fails the run",
            r#"{"template":"{{event.data.phone}}"}"#,
            Err(Error::InvalidEvent(String::new())),
        ),
        (
            "a missing field leaves nothing, if so configured",
            r#"{"template":"[{{event.data.phone}}]","missing":"empty"}"#,
            Ok(emit(r#"{"text":"[]"}"#)),
        ),
        (
            "a missing field drops the message, if so configured",
            r#"{"template":"{{event.data.phone}}","missing":"drop"}"#,
            Ok(Outcome::Drop(String::new())),
        ),
        (
            "a place that is no field is refused",
            r#"{"template":"{{amount}}"}"#,
            Err(Error::InvalidConfig(String::new())),
        ),
    ]
    .into_iter()
    .map(|(name, config, expected)| vector(name, config, deal, expected))
    .chain([vector(
        "escapes values for Slack",
        r#"{"template":"<!here> {{event.data.said}}","escape":"slack"}"#,
        r#"{"said":"<!channel> & \"quoted\""}"#,
        Ok(emit(r#"{"text":"<!here> &lt;!channel&gt; &amp; \"quoted\""}"#)),
    )])
    .collect()
}

throwbar_plugin::transformer!(ChatMessage);

#[cfg(test)]
mod tests {
    #[test]
    fn the_vectors_hold() {
        throwbar_plugin::assert_vectors::<super::ChatMessage>();
    }
}
