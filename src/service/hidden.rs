//! What answers do not show: the values of the account's secret variables, wherever an author's own plugin or a
//! receiver has put them. What is stored and what is sent has them, as it must; they are taken out where it is
//! shown, all by [`Secrets`].

use serde_json::value::{RawValue, to_raw_value};

use super::{
    DifferenceView, Error, EvaluationView, Explanation, JobResultView, JobView, LetterRerunNote,
    Service, TrialView,
};
use crate::model::AccountId;
use crate::pipeline::{AccountVariables, Secrets, Step};

impl Service {
    /// What no answer about the account's events may show, as it stands now.
    pub(super) async fn hidden(&self, account: AccountId) -> Result<Secrets, Error> {
        let rows = self.inner.store.secret_variables(account).await?;
        Ok(AccountVariables::of(account, &rows, &self.inner.vault).secrets())
    }
}

/// Something in which texts are to be hidden.
pub(super) trait Shown {
    /// Takes out what nobody may see.
    fn hide(&mut self, secrets: &Secrets);

    /// It without what nobody may see.
    fn without(mut self, secrets: &Secrets) -> Self
    where
        Self: Sized,
    {
        if !secrets.is_empty() {
            self.hide(secrets);
        }
        self
    }
}

impl Shown for Step {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.why);
        secrets.hide_in(&mut self.detail);
    }
}

impl Shown for EvaluationView {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.summary);
        self.steps.iter_mut().for_each(|step| step.hide(secrets));
    }
}

impl Shown for Explanation {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.summary);
        self.steps.iter_mut().for_each(|step| step.hide(secrets));
        let note = self.dead_letter.as_mut();
        if let Some(rerun) = note.and_then(|note| note.rerun.as_mut()) {
            rerun.hide(secrets);
        }
    }
}

impl Shown for LetterRerunNote {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.summary);
    }
}

impl Shown for TrialView {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.summary);
        self.steps.iter_mut().for_each(|step| step.hide(secrets));
        for request in &mut self.requests {
            let values = request.headers.values_mut();
            values.for_each(|value| secrets.hide(value));
            secrets.hide(&mut request.body);
        }
        for event in &mut self.events {
            secrets.hide_in_json(&mut event.data);
        }
    }
}

impl Shown for DifferenceView {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.published.summary);
        secrets.hide(&mut self.draft.summary);
        for body in &mut self.bodies {
            for change in &mut body.changes {
                let values = [&mut change.before, &mut change.after];
                for value in values.into_iter().flatten() {
                    secrets.hide_in_json(value);
                    hide_where_cut(value, secrets);
                }
            }
            for excerpt in [&mut body.before, &mut body.after].into_iter().flatten() {
                secrets.hide(&mut excerpt.text);
            }
        }
    }
}

/// Of a value that is long there is a text with its beginning.
fn hide_where_cut(value: &mut Box<RawValue>, secrets: &Secrets) {
    if let Ok(mut text) = serde_json::from_str::<String>(value.get())
        && text.ends_with('…')
    {
        secrets.hide(&mut text);
        if let Ok(hidden) = to_raw_value(&text) {
            *value = hidden;
        }
    }
}

impl Shown for JobView {
    fn hide(&mut self, secrets: &Secrets) {
        if let JobResultView::Rerun(result) = &mut self.result {
            for problem in &mut result.problems {
                secrets.hide(&mut problem.summary);
            }
        }
    }
}
