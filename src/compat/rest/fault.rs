//! What can be wrong with a request to a table, with the codes that PostgREST has for it.

use crate::service::Error;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Fault {
    /// By the door itself.
    Own {
        /// The HTTP status.
        status: u16,
        /// PostgREST's code, or PostgreSQL's.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// More of it.
        details: Option<String>,
        /// What to do.
        hint: Option<&'static str>,
    },
    /// By what stands behind it.
    Service(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl Fault {
    fn own(status: u16, code: &'static str, message: String) -> Self {
        Self::Own {
            status,
            code,
            message,
            details: None,
            hint: None,
        }
    }

    fn hinting(self, to_do: &'static str) -> Self {
        match self {
            Self::Own {
                status,
                code,
                message,
                details,
                ..
            } => Self::Own {
                status,
                code,
                message,
                details,
                hint: Some(to_do),
            },
            other @ Self::Service(_) => other,
        }
    }

    /// A query that can't be read.
    pub(super) fn parse(message: String) -> Self {
        Self::own(400, "PGRST100", message)
    }

    /// A body that can't be read.
    pub(super) fn body(message: String) -> Self {
        Self::own(400, "PGRST102", message)
    }

    /// A column that the table has not, in a query.
    pub(super) fn column(table: &str, column: &str) -> Self {
        Self::own(
            400,
            "42703",
            format!("column {table}.{column} does not exist"),
        )
    }

    /// A column that the table has not, in a body.
    pub(super) fn unknown_field(table: &str, column: &str) -> Self {
        let message =
            format!("Could not find the '{column}' column of '{table}' in the schema cache");
        Self::own(400, "PGRST204", message)
    }

    /// A column that is not written.
    pub(super) fn read_only(column: &str) -> Self {
        let message = format!("column \"{column}\" can't be written");
        Self::own(400, "428C9", message).hinting("leave it out: the server fills it")
    }

    /// An operator that the column has not.
    pub(super) fn operator(word: &str, column: &str) -> Self {
        let message = format!("the operator {word} does not exist for the column {column}");
        Self::own(400, "42883", message).hinting(
            "there are eq, neq, gt, gte, lt, lte, in, is and their not; like and ilike of texts; cs of events",
        )
    }

    /// A value that the column can't have.
    pub(super) fn value(column: &str, value: &str, expected: &str) -> Self {
        let message =
            format!("invalid input for the column {column}: \"{value}\", expected {expected}");
        Self::own(400, "22P02", message)
    }

    /// A write without a filter.
    pub(super) fn no_filter(method: &str) -> Self {
        let message = format!("{method} requires a filter");
        Self::own(400, "21000", message).hinting("name the rows, as in ?id=eq.ep_…")
    }

    /// Not exactly one row for who wants one.
    pub(super) fn not_one(count: usize) -> Self {
        Self::Own {
            status: 406,
            code: "PGRST116",
            message: "Cannot coerce the result to a single JSON object".to_owned(),
            details: Some(format!("The result contains {count} rows")),
            hint: None,
        }
    }

    /// No row under this path.
    pub(super) fn no_row(table: &str) -> Self {
        Self::own(
            404,
            "PGRST116",
            format!("there is no row of {table} with this id here"),
        )
    }

    /// No table under this path.
    pub(super) fn no_table(name: &str) -> Self {
        let message = format!("Could not find the table 'public.{name}' in the schema cache");
        Self::own(404, "PGRST205", message)
            .hinting("there are webhook_configurations and webhook_logs")
    }

    /// A range that is none.
    pub(super) fn range(message: String) -> Self {
        Self::own(416, "PGRST103", message)
    }

    /// A preference that is not met.
    pub(super) fn preference(message: String) -> Self {
        Self::own(400, "PGRST122", message)
    }
}
