//! The description of the API, OpenAPI 3.1, made from the code. It is answered from the file beside this one: to
//! make it takes megabytes that a server would keep for nothing. A test holds the two together.

use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, PathItem, Ref, RefOr, Required, Response,
    ResponseBuilder,
};

use super::problem::ProblemView;
use super::router::described;

const KEY: &str = "key";
const HEADER: &str = "Idempotency-Key";
const PROBLEM: &str = "Problem";

/// What is answered: [`openapi`] as text.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

/// The description of every route.
pub fn openapi() -> OpenApi {
    let mut description = described();
    let licence = LicenseBuilder::new().name("Apache-2.0").build();
    description.info = InfoBuilder::new()
        .title("Throwbar")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Events come in, automations decide what follows, WebAssembly plugins reshape the payload, \
             signed deliveries leave, and every attempt is on record. Errors are problems (RFC 9457) with a \
             stable code. Lists are newest first, but for event types, which are by name, and attempts and \
             secrets, which are oldest first; those that can be long have cursors. Writes take \
             Idempotency-Key. Operator keys act for the account that the header Throwbar-Account names.",
        ))
        .license(Some(licence))
        .build();
    let key = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key, tb_…"))
        .build();
    let components = description.components.get_or_insert_default();
    components
        .security_schemes
        .insert(KEY.to_owned(), SecurityScheme::Http(key).into());
    components
        .schemas
        .insert(PROBLEM.to_owned(), ProblemView::schema());
    components
        .responses
        .insert(PROBLEM.to_owned(), problem().into());
    for item in description.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            complete(operation);
            if method != "GET" {
                take_key(operation);
            }
        }
    }
    description
}

/// Method and path template of every described route.
pub fn routes() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (path, mut item) in openapi().paths.paths {
        found.extend(operations(&mut item).map(|(method, _)| (method, path.clone())));
    }
    found
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", item.get.as_mut()),
        ("POST", item.post.as_mut()),
        ("PUT", item.put.as_mut()),
        ("PATCH", item.patch.as_mut()),
        ("DELETE", item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

/// What every operation has: a problem for an answer, and a key unless it says otherwise.
fn complete(operation: &mut Operation) {
    let problem = RefOr::Ref(Ref::from_response_name(PROBLEM));
    operation
        .responses
        .responses
        .insert("default".to_owned(), problem);
    if operation.security.is_none() {
        let none: [&str; 0] = [];
        operation.security = Some(vec![SecurityRequirement::new(KEY, none)]);
    }
}

/// What every write has: the header for its repeats, unless it says more of it itself.
fn take_key(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let is_key =
        |known: &RefOr<Parameter>| matches!(known, RefOr::T(known) if known.name == HEADER);
    if !parameters.iter().any(is_key) {
        let key = ParameterBuilder::new()
            .name(HEADER)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Sent again with the same key within 24 hours, the same request gets the same answer and is not \
                 done again; another one with that key is a conflict (409)",
            ))
            .schema(Some(String::schema()))
            .build();
        parameters.push(key.into());
    }
}

fn problem() -> Response {
    let content = Content::new(Some(Ref::from_schema_name(PROBLEM)));
    ResponseBuilder::new()
        .description("What went wrong, and what to do")
        .content("application/problem+json", content)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `THROWBAR_TEST_WRITE_OPENAPI=1 cargo test openapi` writes the file anew; the difference is
    /// reviewed with the change that made it.
    #[test]
    fn the_description_is_the_one_on_record() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/openapi.json");
        let described = openapi().to_pretty_json().expect("plain") + "\n";
        #[expect(
            clippy::disallowed_methods,
            reason = "a switch for whoever changes the API"
        )]
        if std::env::var_os("THROWBAR_TEST_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &described).expect("writable");
        }
        let on_record = std::fs::read_to_string(path).expect("openapi.json is there");
        assert!(
            described == on_record,
            "the API has changed: THROWBAR_TEST_WRITE_OPENAPI=1 cargo test openapi"
        );
    }

    #[test]
    fn every_route_says_what_it_is() {
        let description = openapi();
        assert!(routes().len() > 40, "{}", routes().len());
        let mut seen = std::collections::HashSet::new();
        for (path, mut item) in description.paths.paths {
            for (method, operation) in operations(&mut item) {
                assert!(
                    operation
                        .summary
                        .as_ref()
                        .is_some_and(|text| !text.is_empty()),
                    "{method} {path}"
                );
                let id = operation.operation_id.clone().unwrap_or_default();
                assert!(
                    seen.insert(id.clone()),
                    "{method} {path}: '{id}' is another's"
                );
                assert!(
                    operation.responses.responses.len() > 1,
                    "{method} {path} never goes well"
                );
            }
        }
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let text = openapi().to_json().expect("plain");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().expect("a name");
            assert!(value["components"]["schemas"].get(name).is_some(), "{name}");
        }
        assert_eq!(value["openapi"], "3.1.0");
    }
}
