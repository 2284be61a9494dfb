//! `/v1/endpoints/{id}/test`.

use super::answer::{Accepted, Answer};
use super::body::JsonBodyOr;
use super::principal::On;
use crate::service::{MayWrite, TestEventsRequest, TestEventsView};

/// Send examples to an endpoint
///
/// Of every type that it subscribes to, or of the one that is named: the type's own example, or what can be made from
/// its schema. They are events and deliveries like any other, signed, tried again and on record, and marked as tests:
/// they have the header `throwbar-test`, no automation looks at them, and the failure policy doesn't count them. The
/// body may be left out.
#[utoipa::path(post, path = "/v1/endpoints/{id}/test", tag = "endpoints", operation_id = "test_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")), request_body = Option<TestEventsRequest>,
    responses((status = 202, description = "What is sent", body = TestEventsView)))]
pub(super) async fn send(
    On(who, service, id): On<MayWrite>,
    JsonBodyOr(asked): JsonBodyOr<TestEventsRequest>,
) -> Answer<Accepted<TestEventsView>> {
    Ok(Accepted(service.test_endpoint(&who, &id, asked).await?))
}
