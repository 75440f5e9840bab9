//! How answers are written: tables for people, JSON and CSV for programs.
//!
//! JSON is what the REST API answered, unchanged. A table shows what a person looks for first; CSV has
//! every column, as values. None of them ever holds an escape code.

mod cell;
mod column;
mod table;

use std::io::{self, Write as _};

use clap::ValueEnum;
use serde_json::Value;

use super::failure::Failure;

pub(super) use self::{
    cell::{age, bytes, labels, rate, since, sync, text, yes_no},
    column::{Column, at, raw},
};

/// A form of output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Table,
    /// What the REST API answers
    Json,
    /// Every column, with a line of their names
    Csv,
}

/// Where answers go.
pub(super) struct Output(Format);

impl Output {
    pub(super) const fn new(format: Format) -> Self {
        Self(format)
    }

    /// Whether a person reads it.
    pub(super) fn is_table(&self) -> bool {
        self.0 == Format::Table
    }

    /// Whether it is what the API answered.
    pub(super) fn is_json(&self) -> bool {
        self.0 == Format::Json
    }

    /// Whether each column is a cell.
    pub(super) fn is_csv(&self) -> bool {
        self.0 == Format::Csv
    }

    /// Many things of a kind.
    pub(super) fn list(&self, columns: &[Column], items: &[Value]) -> Result<(), Failure> {
        match self.0 {
            Format::Table => write(&table::list(columns, items)),
            Format::Json => json(&Value::Array(items.to_vec())),
            Format::Csv => csv(columns, items),
        }
    }

    /// One thing, with everything that is known of it.
    pub(super) fn show(&self, columns: &[Column], item: &Value) -> Result<(), Failure> {
        match self.0 {
            Format::Table => write(&table::sheet(columns, item)),
            Format::Json => json(item),
            Format::Csv => csv(columns, std::slice::from_ref(item)),
        }
    }

    /// Something that was done: a sentence for people, the answer for programs.
    pub(super) fn done(
        &self,
        columns: &[Column],
        item: &Value,
        sentence: &str,
    ) -> Result<(), Failure> {
        match self.0 {
            Format::Table => self.line(sentence),
            Format::Json | Format::Csv => self.show(columns, item),
        }
    }

    /// A line of CSV.
    pub(super) fn row(&self, cells: &[impl AsRef<[u8]>]) -> Result<(), Failure> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(cells).map_err(io::Error::from)?;
        let line = writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        write(&String::from_utf8_lossy(&line))
    }

    /// A line as it is.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        write(&format!("{}\n", plain(text)))
    }

    /// A text of lines that end, as it is: a file, not an answer.
    pub(super) fn raw(&self, text: &str) -> Result<(), Failure> {
        write(text)
    }
}

/// Something for people beside the answer.
pub(super) fn note(text: &str) {
    eprintln!("note: {}", plain(text));
}

/// `1 peer`, `2 peers`
pub(super) fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Without what a terminal would obey: names and reasons come from elsewhere.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

fn json(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).expect("values are always JSON");
    write(&format!("{text}\n"))
}

fn csv(columns: &[Column], items: &[Value]) -> Result<(), Failure> {
    let columns: Vec<_> = columns.iter().filter(|column| column.is_for.1).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = columns.iter().map(|column| column.field);
    writer.write_record(names).map_err(io::Error::from)?;
    for item in items {
        let cells = columns
            .iter()
            .map(|column| plain(&raw(at(item, column.field))));
        writer.write_record(cells).map_err(io::Error::from)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    io::stdout().write_all(&bytes)?;
    Ok(())
}

fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}
