//! The query of a request: which rows, which of their columns, in which order, and how many. Pure and bounded.

use std::cmp::Ordering;

use serde_json::Value;
use url::form_urlencoded;

use super::fault::Fault;
use super::filter::{Comparison, Filter, Operand, Test, shown};
use super::table::{Row, Table};
use crate::model::Timestamp;

/// Most filters of one query.
pub(super) const FILTERS_MAX: usize = 32;
/// Most rows of one answer.
pub(super) const ROWS_MAX: usize = 1_000;
/// Most columns that are selected or ordered by.
const COLUMNS_MAX: usize = 32;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Query {
    pub(super) filters: Vec<Filter>,
    /// Each column, and what it is called in the answer; `None`: all.
    select: Option<Vec<(&'static str, String)>>,
    order: Vec<Order>,
    /// Which columns of a body are written; `None`: all that it has.
    pub(super) columns: Option<Vec<String>>,
    limit: Option<usize>,
    pub(super) offset: usize,
}

/// One column that rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    column: &'static str,
    descends: bool,
    nulls_first: bool,
}

impl Query {
    /// Reads the text behind a request's `?`.
    pub(super) fn parse(table: Table, text: &str) -> Result<Self, Fault> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref() {
                "select" => query.select = select(table, &value)?,
                "order" => query.order = order(table, &value)?,
                "limit" => query.limit = Some(number("limit", &value)?),
                "offset" => query.offset = number("offset", &value)?,
                "columns" => query.columns = Some(columns(table, &value)?),
                "and" | "or" | "not.and" | "not.or" => {
                    let why = format!(
                        "{name}=(…) is not taken here: send several filters, all of which must hold"
                    );
                    return Err(Fault::parse(why));
                }
                "on_conflict" => {
                    let why = "on_conflict is not taken here: rows are made, or changed by PATCH";
                    return Err(Fault::parse(why.to_owned()));
                }
                name => {
                    let column = table.column(name);
                    let column = column.ok_or_else(|| Fault::column(table.name, &shown(name)))?;
                    query.filters.push(Filter::parse(column, &value)?);
                }
            }
            if query.filters.len() > FILTERS_MAX {
                return Err(Fault::parse(format!(
                    "there are more than {FILTERS_MAX} filters"
                )));
            }
        }
        Ok(query)
    }

    /// The same for the rows `first` to `last` of the answer, as the header `Range` says it.
    pub(super) fn within(mut self, range: Option<&str>) -> Result<Self, Fault> {
        let Some(range) = range else { return Ok(self) };
        let wrong = || Fault::range(format!("'{}' is no range of rows: send 0-24", shown(range)));
        let (first, last) = range.split_once('-').ok_or_else(wrong)?;
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        self.offset = self.offset.max(first);
        if !last.trim().is_empty() {
            let last: usize = last.trim().parse().map_err(|_| wrong())?;
            let rows = last.checked_sub(first).ok_or_else(wrong)?.saturating_add(1);
            self.limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
        }
        Ok(self)
    }

    /// The same for the one row with this id.
    pub(super) fn of_one(mut self, id: &str) -> Self {
        self.filters.push(Filter {
            column: "id",
            negated: false,
            test: Test::Compare(Comparison::Eq, Operand::Text(id.to_owned())),
        });
        self
    }

    /// The texts of which a column must have one, as far as the filters say so.
    pub(super) fn one_of(&self, column: &str) -> Option<Vec<&str>> {
        let mut filters = self.filters.iter().filter(|filter| filter.column == column);
        let operands = filters.find_map(Filter::one_of)?;
        Some(operands.iter().filter_map(Operand::as_text).collect())
    }

    /// Which account is meant, if exactly one is named; from then on no filter says so any more.
    pub(super) fn take_organization(&mut self) -> Option<String> {
        let is_it = |filter: &Filter| {
            filter.column == "organization_id" && filter.one_of().is_some_and(|one| one.len() == 1)
        };
        let place = self.filters.iter().position(is_it)?;
        let filter = self.filters.remove(place);
        let operand = filter.one_of()?.first()?;
        operand.as_text().map(str::to_owned)
    }

    /// From when on and until when rows are wanted, as far as the filters of this column say so.
    pub(super) fn span(&self, column: &str) -> (Option<Timestamp>, Option<Timestamp>) {
        let spans = self.filters.iter().filter(|filter| filter.column == column);
        spans
            .map(Filter::span)
            .fold((None, None), |(from, until), (later, earlier)| {
                let until = match (until, earlier) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                (from.max(later), until)
            })
    }

    /// Whether all filters keep the row.
    pub(super) fn keeps(&self, row: &Row) -> bool {
        self.filters.iter().all(|filter| filter.keeps(row))
    }

    /// The rows that are kept, in their order: how many there are, and those that are answered.
    pub(super) fn answered(&self, mut rows: Vec<Row>) -> (usize, Vec<Row>) {
        rows.retain(|row| self.keeps(row));
        let count = rows.len();
        rows.sort_by(|one, other| self.compared(one, other));
        let limit = self.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX);
        let rows = rows.into_iter().skip(self.offset).take(limit);
        (count, rows.map(|row| self.selected(row)).collect())
    }

    /// Of a row what is selected, called as it is wanted.
    pub(super) fn selected(&self, row: Row) -> Row {
        let Some(select) = &self.select else {
            return row;
        };
        let value = |column: &str| row.get(column).cloned().unwrap_or(Value::Null);
        select
            .iter()
            .map(|(column, name)| (name.clone(), value(column)))
            .collect()
    }

    fn compared(&self, one: &Row, other: &Row) -> Ordering {
        let by = |order: &Order| order.compared(one.get(order.column), other.get(order.column));
        self.order
            .iter()
            .map(by)
            .find(|found| found.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Order {
    fn compared(self, one: Option<&Value>, other: Option<&Value>) -> Ordering {
        let (one, other) = (one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null));
        match (one.is_null(), other.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if self.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if self.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                // Times are texts of one form, which sort as times do.
                let found = match (one, other) {
                    (Value::String(one), Value::String(other)) => one.cmp(other),
                    (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
                    _ => one.as_i64().cmp(&other.as_i64()),
                };
                if self.descends {
                    found.reverse()
                } else {
                    found
                }
            }
        }
    }
}

fn number(name: &str, value: &str) -> Result<usize, Fault> {
    let wrong = |_| {
        Fault::parse(format!(
            "{name} is '{}': it must be a whole number, 0 or more",
            shown(value)
        ))
    };
    let number: u32 = value.parse().map_err(wrong)?;
    Ok(number as usize)
}

/// The parts of a list of columns.
fn parts(text: &str) -> Result<Vec<&str>, Fault> {
    let parts: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() > COLUMNS_MAX {
        return Err(Fault::parse(format!(
            "a list has {} columns: {COLUMNS_MAX} at most",
            parts.len()
        )));
    }
    Ok(parts)
}

fn known(table: Table, name: &str) -> Result<&'static str, Fault> {
    let column = table.column(name);
    column
        .map(|column| column.0)
        .ok_or_else(|| Fault::column(table.name, &shown(name)))
}

fn select(table: Table, text: &str) -> Result<Option<Vec<(&'static str, String)>>, Fault> {
    let mut selected = Vec::new();
    for part in parts(text)? {
        if part == "*" {
            selected.extend(
                table
                    .columns
                    .iter()
                    .map(|(name, _)| (*name, (*name).to_owned())),
            );
            continue;
        }
        if part.contains(['(', ')', '>']) || part.contains("::") {
            let why = format!(
                "'{}' is not taken in select: name columns, or rename them as in alias:column",
                shown(part)
            );
            return Err(Fault::parse(why));
        }
        let (name, column) = part.split_once(':').unwrap_or((part, part));
        selected.push((known(table, column.trim())?, name.trim().to_owned()));
    }
    Ok((!selected.is_empty()).then_some(selected))
}

fn order(table: Table, text: &str) -> Result<Vec<Order>, Fault> {
    let one = |part: &str| {
        let mut words = part.split('.');
        let column = known(table, words.next().unwrap_or_default())?;
        let (mut descends, mut nulls_first) = (false, None);
        for word in words {
            match word {
                "asc" => descends = false,
                "desc" => descends = true,
                "nullsfirst" => nulls_first = Some(true),
                "nullslast" => nulls_first = Some(false),
                _ => {
                    let why = format!(
                        "'{}' is no order: it is a column, .asc or .desc, .nullsfirst or .nullslast",
                        shown(part)
                    );
                    return Err(Fault::parse(why));
                }
            }
        }
        Ok(Order {
            column,
            descends,
            nulls_first: nulls_first.unwrap_or(descends),
        })
    };
    parts(text)?.into_iter().map(one).collect()
}

/// The names that a client says its bodies have, each in quotes or without.
fn columns(table: Table, text: &str) -> Result<Vec<String>, Fault> {
    let name = |part: &str| {
        let name = part.trim_matches('"');
        let column = table
            .column(name)
            .ok_or_else(|| Fault::unknown_field(table.name, &shown(name)))?;
        Ok(column.0.to_owned())
    };
    parts(text)?.into_iter().map(name).collect()
}
