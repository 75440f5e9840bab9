//! Columns by name, found once for all rows of a statement.
//!
//! SQLite knows a column's name but not the column of a name, so that asking a row by name compares
//! names from the first one on; rows of thirty columns spent most of their time so.

use rusqlite::{Error, Row, Statement, types::FromSql};

use super::value::Unsigned;

/// The names of a statement's columns, in their order.
pub(super) struct Columns(Vec<String>);

impl Columns {
    pub(super) fn of(statement: &Statement<'_>) -> Self {
        let names = statement.column_names();
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// A row of this statement.
    pub(super) const fn name<'a>(&'a self, row: &'a Row<'a>) -> NamedRow<'a> {
        NamedRow { row, columns: self }
    }
}

/// A row whose columns have names.
#[derive(Clone, Copy)]
pub(super) struct NamedRow<'a> {
    row: &'a Row<'a>,
    columns: &'a Columns,
}

impl NamedRow<'_> {
    /// The value of a column.
    pub(super) fn get<T: FromSql>(&self, name: &str) -> rusqlite::Result<T> {
        let at = self.columns.0.iter().position(|column| column == name);
        let at = at.ok_or_else(|| Error::InvalidColumnName(name.to_owned()))?;
        self.row.get(at)
    }

    /// The same of a number that is never negative.
    pub(super) fn unsigned(&self, name: &str) -> rusqlite::Result<u64> {
        self.get::<Unsigned>(name).map(|number| number.0)
    }
}
