//! Query parameters. Unknown ones are refused by name.

use std::collections::HashSet;

use axum::extract::{FromRequestParts, MatchedPath, Query, Request};
use axum::http::Method;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn, Paths};

use super::problem::Problem;
use crate::service::{
    DeadLetterQuery, Error, ExportFormat, ExportRequest, Import, PageRequest, Place, Service,
    Shelf, Wishes,
};

/// The query of a request.
pub(super) struct QueryParams<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Service> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(explain(&rejection.body_text()).into()),
        }
    }
}

/// What is wrong with parameters on a route that takes none.
pub(super) fn unasked(asking: &HashSet<(Method, String)>, request: &Request) -> Option<Problem> {
    let query = request.uri().query()?;
    let name = query
        .split(['=', '&'])
        .next()
        .filter(|name| !name.is_empty())?;
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    if !path.starts_with("/v1/") || asking.contains(&(request.method().clone(), path.to_owned())) {
        return None;
    }
    Some(Problem::from(Error::Invalid {
        code: "unknown_parameter",
        at: Place::Query(name.chars().take(80).collect()),
        why: "this route takes no query parameters: leave them out".to_owned(),
    }))
}

/// Adds those of these routes that take parameters, by the API's own description.
pub(super) fn note_asking(paths: &Paths, asking: &mut HashSet<(Method, String)>) {
    for (path, item) in &paths.paths {
        for (method, operation) in [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ] {
            let parameters = operation
                .iter()
                .flat_map(|operation| operation.parameters.iter().flatten());
            let in_query = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query);
            if parameters.into_iter().any(in_query) {
                asking.insert((method, path.clone()));
            }
        }
    }
}

fn explain(text: &str) -> Error {
    let text = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(text);
    // What can't be read is told as `name: why`.
    let (name, why) = text.split_once(": ").unwrap_or(("", text));
    let quoted = |prefix: &str| why.strip_prefix(prefix)?.split('`').next();
    let (code, name) = if let Some(name) = quoted("unknown field `") {
        ("unknown_parameter", name)
    } else if let Some(name) = quoted("duplicate field `") {
        ("duplicate_parameter", name)
    } else {
        ("invalid_parameter", name)
    };
    Error::Invalid {
        code,
        at: Place::Query(name.to_owned()),
        why: why.replace("field", "query parameter"),
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which page of which automations or event types.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ShelfQuery {
    /// True: archived ones, too. False, if left out.
    archived: Option<bool>,
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How an import is done.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// True: only what would come of it is told, and nothing is written. False, if left out.
    dry_run: Option<bool>,
}

/// What a version is compared to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The number of the version that it is compared with; the one before, if left out.
    pub(super) from: Option<i64>,
}

/// Which page of which dead letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadLettersQuery {
    /// Only of the automation with this id.
    automation: Option<String>,
    /// Only with this reason: `condition_error`, `flow_error`, `plugin_error`, `limit_exceeded` or `evaluation_error`.
    reason: Option<String>,
    /// Only in this state: `open`, `rerun`, or `all` for both; `open`, if left out.
    state: Option<String>,
    /// Only of events that were accepted then or later, RFC 3339.
    since: Option<String>,
    /// Only of events that were accepted before, RFC 3339.
    until: Option<String>,
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What of the account is exported.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// The name or the id of an automation: it alone, with what it needs. Everything, if left out.
    automation: Option<String>,
    /// `yaml` or `json`; `yaml`, if left out.
    format: Option<String>,
}

/// How a file is planned.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlanQuery {
    /// True: what an earlier file had and this one has no more is removed. False, if left out.
    prune: Option<bool>,
    /// Compares each changed automation with its published version on the last so many events, 1 to 1,000,000: a job
    /// for each, 10 at most.
    backtest: Option<usize>,
    /// Why automations are published although their tests fail: 1 to 500 bytes.
    #[serde(rename = "override")]
    override_reason: Option<String>,
}

/// How a file is applied.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ApplyQuery {
    /// True: what an earlier file had and this one has no more is removed. False, if left out.
    prune: Option<bool>,
    /// The `plan` of the plan that was looked at: if something has changed since, nothing is done.
    plan: Option<String>,
    /// Why automations are published although their tests fail: 1 to 500 bytes.
    #[serde(rename = "override")]
    override_reason: Option<String>,
}

impl ExportQuery {
    pub(super) fn request(self) -> Result<ExportRequest, Error> {
        let format = match self.format.as_deref() {
            None | Some("yaml") => ExportFormat::Yaml,
            Some("json") => ExportFormat::Json,
            Some(_) => {
                return Err(Error::Invalid {
                    code: "invalid_parameter",
                    at: Place::Query("format".to_owned()),
                    why: "there is no such format: take yaml or json".to_owned(),
                });
            }
        };
        Ok(ExportRequest {
            automation: self.automation,
            format,
        })
    }
}

impl PlanQuery {
    pub(super) fn wishes(self) -> Wishes {
        Wishes {
            prune: self.prune.into(),
            backtest: self.backtest,
            override_reason: self.override_reason,
            ..Wishes::default()
        }
    }
}

impl ApplyQuery {
    pub(super) fn wishes(self) -> Wishes {
        Wishes {
            prune: self.prune.into(),
            plan: self.plan,
            override_reason: self.override_reason,
            ..Wishes::default()
        }
    }
}

/// What an upload is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// What automations call the plugin; its own name, if left out.
    pub(super) name: Option<String>,
}

impl PageQuery {
    pub(super) fn page(self) -> PageRequest {
        PageRequest {
            limit: self.limit,
            cursor: self.cursor,
        }
    }
}

impl ShelfQuery {
    pub(super) fn parts(self) -> (Shelf, PageRequest) {
        let which = if self.archived.unwrap_or(false) {
            Shelf::All
        } else {
            Shelf::Open
        };
        let page = PageRequest {
            limit: self.limit,
            cursor: self.cursor,
        };
        (which, page)
    }
}

impl ImportQuery {
    pub(super) fn import(&self) -> Import {
        if self.dry_run.unwrap_or(false) {
            Import::DryRun
        } else {
            Import::Write
        }
    }
}

impl DeadLettersQuery {
    pub(super) fn parts(self) -> (DeadLetterQuery, PageRequest) {
        let query = DeadLetterQuery {
            automation: self.automation,
            reason: self.reason,
            state: self.state,
            since: self.since,
            until: self.until,
        };
        let page = PageRequest {
            limit: self.limit,
            cursor: self.cursor,
        };
        (query, page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_a_query_is_named() {
        for (query, code, name) in [
            ("?limt=3", "unknown_parameter", "limt"),
            ("?limit=many", "invalid_parameter", "limit"),
            ("?cursor=a&cursor=b", "duplicate_parameter", "cursor"),
        ] {
            let uri = format!("http://x/{query}").parse().expect("a URI");
            let rejection = Query::<PageQuery>::try_from_uri(&uri).expect_err(query);
            let error = explain(&rejection.body_text());
            assert_eq!(error.code(), code, "{error}");
            assert_eq!(
                error.place(),
                Some(&Place::Query(name.to_owned())),
                "{error}"
            );
        }
    }
}
