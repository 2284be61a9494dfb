//! The JSON Schema of a plugin's configuration. References to other documents are refused, regular
//! expressions run in linear time.

use serde_json::Value;

use crate::model::limits::PLUGIN_CONFIG_BYTES_MAX;

/// A configuration that a plugin cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Too long.
    #[error("the configuration has {bytes} bytes, more than {PLUGIN_CONFIG_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON.
    #[error("the configuration is not JSON: {0}")]
    NotJson(String),
    /// Not what the plugin's schema allows.
    #[error("the configuration does not fit the plugin at '{pointer}': {why}")]
    Mismatch {
        /// The JSON pointer of the first field that does not fit; empty for the whole.
        pointer: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct ConfigSchema(jsonschema::Validator);

impl ConfigSchema {
    /// Compiles a schema; the error says what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        jsonschema::options()
            .offline()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .map(Self)
            .map_err(|error| format!("at '{}': {error}", error.instance_path()))
    }

    /// Checks a configuration.
    pub fn check(&self, config: &str) -> Result<(), ConfigError> {
        if config.len() > PLUGIN_CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge {
                bytes: config.len(),
            });
        }
        let config: Value = serde_json::from_str(config)
            .map_err(|error| ConfigError::NotJson(error.to_string()))?;
        self.0
            .validate(&config)
            .map_err(|error| ConfigError::Mismatch {
                pointer: error.instance_path().as_str().to_owned(),
                why: error.masked().to_string(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_that_does_not_fit_is_named() {
        let schema = ConfigSchema::compile(
            r#"{"type":"object","required":["a"],"properties":{"a":{"items":{"type":"string"}}}}"#,
        )
        .expect("schema");
        assert_eq!(schema.check(r#"{"a":["x"]}"#), Ok(()));
        for (config, expected) in [("[]", ""), ("{}", ""), (r#"{"a":["x",2]}"#, "/a/1")] {
            let Err(ConfigError::Mismatch { pointer, why }) = schema.check(config) else {
                panic!("{config} fits");
            };
            assert_eq!(pointer, expected, "{why}");
        }
        assert!(matches!(schema.check("{"), Err(ConfigError::NotJson(_))));
        let long = format!("\"{}\"", "x".repeat(PLUGIN_CONFIG_BYTES_MAX));
        assert!(matches!(
            schema.check(&long),
            Err(ConfigError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_refused_value_is_not_repeated() {
        let schema =
            ConfigSchema::compile(r#"{"properties":{"token":{"maxLength":3}}}"#).expect("schema");
        let error = schema.check(r#"{"token":"s3cret"}"#).expect_err("too long");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn a_schema_stands_alone() {
        for (schema, fine) in [
            ("true", true),
            ("{}", true),
            (
                r##"{"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}"##,
                true,
            ),
            (r#"{"$ref":"https://example.org/schema.json"}"#, false),
            (r#"{"$ref":"file:///etc/passwd"}"#, false),
            (r#"{"type":"strong"}"#, false),
            (r#"{"pattern":"(?=look)ahead"}"#, false),
            ("{", false),
        ] {
            assert_eq!(ConfigSchema::compile(schema).is_ok(), fine, "{schema}");
        }
    }
}
