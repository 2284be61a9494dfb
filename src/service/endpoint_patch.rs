//! Whether what is changed of an endpoint fits what stays.

use super::endpoint_shape::EndpointPatch;
use super::{Error, Service, endpoint_url};
use crate::model::AccountId;
use crate::outbound::Target;
use crate::pipeline::EndpointSettings;
use crate::store;

impl Service {
    /// Sees that an endpoint can become what a patch makes of it; `given`: the URL that it names.
    pub(super) async fn check_patch(
        &self,
        (account, patch): (AccountId, &EndpointPatch),
        (row, given): (&store::Endpoint, Option<&Target>),
        (known, settings): (&EndpointSettings, &EndpointSettings),
    ) -> Result<(), Error> {
        endpoint_url::check_change(&row.url, given, known, settings)?;
        if settings.retry_policy != known.retry_policy {
            self.check_span(account, &settings.retry_policy).await?;
        }
        if patch.headers.is_some() {
            self.check_headers(account, &settings.headers).await?;
        }
        if patch.changes_connection() {
            self.check_connection(account, settings).await?;
        }
        if patch.validate {
            let (target, at) = match given {
                Some(target) => (target, "/url"),
                None => (&self.admit(&row.url, "/validate")?, "/validate"),
            };
            self.see_that_it_answers(account, target, settings, (at, patch.validation))
                .await?;
        }
        Ok(())
    }
}
