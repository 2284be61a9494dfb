//! Conditions as they are said, in CEL or as a form: checked, shown in both spellings, and compared with the
//! schemas of the event types that they are asked of.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::condition_shape::{
    ConditionProblemView, ConditionRequest, ConditionToCheck, ConditionToConvert, ConditionView,
    Strictness,
};
use super::principal::{MayWrite, NO_ACCOUNT, Principal};
use super::{Error, Place, Service, Shelf, subscribe};
use crate::automation::{
    Condition, ConditionWarning, Definition, Form, Pattern, Variables, check_against_schemas,
};
use crate::model::limits::PAGE_ITEMS_MAX;
use crate::model::{AccountId, counted};

/// Most event types whose schemas one condition is compared with. Of more, nothing is said.
const TYPES_MAX: usize = 200;
/// Where a condition stands in what is sent.
const POINTER: &str = "/condition";

/// The schemas that a condition is compared with.
type Schemas = Vec<(String, Arc<Value>)>;

/// What a condition asks for that no event of these types has.
fn warnings(source: &str, form: Option<&Form>, schemas: &Schemas) -> Vec<ConditionProblemView> {
    let schemas: Vec<(&str, &Value)> = schemas
        .iter()
        .map(|(name, schema)| (name.as_str(), &**schema))
        .collect();
    let found = check_against_schemas(source, &schemas);
    if found.is_empty() {
        return Vec::new();
    }
    let leaves = form.map(Form::leaves).unwrap_or_default();
    let of_leaves: Vec<_> = leaves
        .into_iter()
        .map(|(pointer, leaf)| (pointer, check_against_schemas(&leaf.cel(), &schemas)))
        .collect();
    let shown = |one: ConditionWarning| {
        let mut about = of_leaves.iter().filter(|(_, found)| {
            let is_same = |other: &ConditionWarning| other.message == one.message;
            found.iter().any(is_same)
        });
        let pointer = about.next().map(|(pointer, _)| pointer.clone());
        ConditionProblemView::of_warning(one, pointer)
    };
    found.into_iter().map(shown).collect()
}

/// The form of a stored condition; `None` if there is none.
pub(super) fn form_of(source: &str) -> Option<Form> {
    // What variables are worth makes no difference here.
    let condition = Condition::parse_with(source, &Variables::unasked()).ok()?;
    Form::of(&condition)
}

impl Service {
    /// Shows a condition in both spellings.
    pub async fn convert_condition(
        &self,
        who: &Principal<MayWrite>,
        asked: ConditionToConvert,
    ) -> Result<ConditionView, Error> {
        self.condition_view(who.account(), &asked.condition, &Vec::new())
            .await
    }

    /// Checks a condition as saving it would, and compares it with the schemas of event types.
    pub async fn check_condition(
        &self,
        who: &Principal<MayWrite>,
        asked: ConditionToCheck,
    ) -> Result<ConditionView, Error> {
        let patterns = subscribe::patterns(&asked.events, "/events")?;
        let schemas = self.schemas_of(who.account(), &patterns).await?;
        self.condition_view(who.account(), &asked.condition, &schemas)
            .await
    }

    async fn condition_view(
        &self,
        account: AccountId,
        said: &ConditionRequest,
        schemas: &Schemas,
    ) -> Result<ConditionView, Error> {
        let source = said.cel().into_owned();
        let variables = self.variables_for(account, &source).await?;
        let (form, problems) = match Condition::parse_with(&source, &variables) {
            Ok(condition) => {
                let form = Form::of(&condition);
                let problems = warnings(&source, form.as_ref(), schemas);
                (form, problems)
            }
            Err(error) => {
                let form = match said {
                    ConditionRequest::Form(form) => Some(form.clone()),
                    ConditionRequest::Cel(_) => None,
                };
                (form, vec![ConditionProblemView::of_error(&source, &error)])
            }
        };
        Ok(ConditionView {
            valid: problems.iter().all(|problem| problem.severity != "error"),
            condition: source,
            condition_form: form,
            problems,
        })
    }

    /// Checks what is said, and gives it in CEL.
    pub(super) async fn said_condition(
        &self,
        account: AccountId,
        said: &ConditionRequest,
    ) -> Result<String, Error> {
        let source = said.cel().into_owned();
        let variables = self.variables_for(account, &source).await?;
        match Condition::parse_with(&source, &variables) {
            Ok(_) => Ok(source),
            Err(error) => Err(Error::Invalid {
                code: "invalid_condition",
                at: Place::body(POINTER),
                why: error.to_string(),
            }),
        }
    }

    /// What a definition's condition asks for that no event of its trigger has. They are refused, if
    /// `strictness` says so.
    pub(super) async fn condition_warnings(
        &self,
        account: AccountId,
        definition: &Definition,
        strictness: Strictness,
    ) -> Result<Vec<ConditionProblemView>, Error> {
        let Some(source) = &definition.condition else {
            return Ok(Vec::new());
        };
        let schemas = self.schemas_of(account, &definition.trigger.events).await?;
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        let found = warnings(source, form_of(source).as_ref(), &schemas);
        match (found.first(), strictness) {
            (Some(first), Strictness::Strict) => {
                let at = first.position.map_or_else(String::new, |at| {
                    format!("line {}, column {}: ", at.line, at.column)
                });
                let more = match found.len() {
                    1 => String::new(),
                    count => format!(" (and {})", counted(count - 1, "further warning")),
                };
                Err(Error::Invalid {
                    code: "condition_warning",
                    at: Place::body(POINTER),
                    why: format!("{at}{}{more}: mend it, or leave strict out", first.message),
                })
            }
            _ => Ok(found),
        }
    }

    pub(super) async fn variables_for(
        &self,
        account: AccountId,
        source: &str,
    ) -> Result<Variables, Error> {
        Ok(self.variables_in(account, source).await?.for_conditions())
    }

    /// The schemas of all event types of the catalogue that these patterns name; none, if one of them has no
    /// schema: then any field may be there.
    async fn schemas_of(&self, account: AccountId, patterns: &[Pattern]) -> Result<Schemas, Error> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut is_broad = false;
        for pattern in patterns {
            match pattern {
                Pattern::Exact(name) => {
                    names.insert(name.as_str().to_owned());
                }
                Pattern::All | Pattern::Under(_) => is_broad = true,
            }
        }
        if is_broad {
            for owner in [account, NO_ACCOUNT] {
                self.add_matching(owner, patterns, &mut names).await?;
            }
        }
        let mut schemas = Vec::with_capacity(names.len());
        if names.len() > TYPES_MAX {
            return Ok(schemas);
        }
        for name in names {
            match self.newest_schema(account, &name).await? {
                Some(schema) => schemas.push((name, schema)),
                None => return Ok(Vec::new()),
            }
        }
        Ok(schemas)
    }

    /// Adds the catalogued names that the patterns match, until there are too many.
    async fn add_matching(
        &self,
        owner: AccountId,
        patterns: &[Pattern],
        names: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let store = &self.inner.store;
        let mut after: Option<String> = None;
        while names.len() <= TYPES_MAX {
            let page = store.event_types(owner, Shelf::All, after.as_deref(), PAGE_ITEMS_MAX);
            let page = page.await?;
            let is_last = page.len() < PAGE_ITEMS_MAX;
            after = page.last().map(|row| row.name.clone());
            let matching = page.into_iter().map(|row| row.name).filter(|name| {
                let read = name.parse();
                read.is_ok_and(|name| patterns.iter().any(|pattern| pattern.matches(&name)))
            });
            names.extend(matching);
            if is_last {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_warning_knows_its_leaf() {
        let schema =
            json!({"properties": {"amount": {"type": "number"}, "stage": {"enum": ["Won"]}}});
        let schemas = vec![("deal.updated".to_owned(), Arc::new(schema))];
        let form = json!({"all": [
            {"field": "data.stage", "operator": "equals", "value": "Wom"},
            {"not": {"field": "data.amout", "operator": "greater_than", "value": 5}},
        ]});
        let form: Form = serde_json::from_value(form).expect("a form");
        let found = warnings(&form.cel(), Some(&form), &schemas);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.code, one.pointer.as_deref(), one.suggestion.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("unknown_value", Some("/all/0"), Some("\"Won\"")),
                ("unknown_field", Some("/all/1/not"), Some("amount")),
            ]
        );
    }
}
