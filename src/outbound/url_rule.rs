//! What an endpoint's settings ask of its URL. Pure: the verdict on a URL that was parsed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::target::Target;
use crate::model::words;

/// What becomes of a URL of some kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UrlRule {
    /// It is taken.
    Allowed,
    /// It is taken, with a warning.
    Warned,
    /// It is not taken.
    Refused,
}

/// What is asked of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlRules {
    /// What becomes of `http://`.
    pub http: UrlRule,
    /// What becomes of a port that is written out, the usual one included.
    pub explicit_port: UrlRule,
}

impl Default for UrlRules {
    fn default() -> Self {
        Self {
            http: UrlRule::Warned,
            explicit_port: UrlRule::Allowed,
        }
    }
}

/// What is questionable about a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlWarning {
    /// It is not `https://`.
    Http,
    /// It has a port in it.
    ExplicitPort,
}

words!(UrlWarning {
    Http = "http",
    ExplicitPort = "explicit_port",
});

impl UrlWarning {
    /// Why it is questionable, and what to do, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Http => {
                "the URL is not https://: what is sent there can be read and changed on the way"
            }
            Self::ExplicitPort => {
                "the URL names a port: what stands between may let through the usual ones only"
            }
        }
    }
}

impl UrlRules {
    /// What is to be warned of at a URL; or what it is refused for.
    pub fn judge(self, target: &Target) -> Result<Vec<UrlWarning>, UrlWarning> {
        let mut warnings = Vec::new();
        for (rule, applies, warning) in [
            (self.http, !target.is_https(), UrlWarning::Http),
            (
                self.explicit_port,
                target.names_port(),
                UrlWarning::ExplicitPort,
            ),
        ] {
            match rule {
                UrlRule::Refused if applies => return Err(warning),
                UrlRule::Warned if applies => warnings.push(warning),
                _ => {}
            }
        }
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::UrlRule::{Allowed, Refused, Warned};
    use super::*;

    #[test]
    fn each_rule_is_about_its_own_kind_of_url() {
        const HTTP: UrlWarning = UrlWarning::Http;
        const PORT: UrlWarning = UrlWarning::ExplicitPort;
        for (http, explicit_port, url, expected) in [
            (Allowed, Allowed, "http://a.example:81/", Ok(vec![])),
            (Warned, Allowed, "http://a.example:81/", Ok(vec![HTTP])),
            (Warned, Warned, "http://a.example:81/", Ok(vec![HTTP, PORT])),
            (Warned, Warned, "https://a.example/", Ok(vec![])),
            (Refused, Warned, "http://a.example:81/", Err(HTTP)),
            (Refused, Refused, "https://a.example:443/", Err(PORT)),
            (Refused, Refused, "https://a.example/", Ok(vec![])),
            (Allowed, Warned, "http://a.example:80", Ok(vec![PORT])),
        ] {
            let rules = UrlRules {
                http,
                explicit_port,
            };
            let target = Target::parse(url).expect("a URL");
            assert_eq!(rules.judge(&target), expected, "{rules:?} {url}");
        }
    }
}
