//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use serde_json::Value;

use super::{
    column::{Column, at},
    plain,
};

/// A line for each item.
pub(super) fn list(columns: &[Column], items: &[Value]) -> String {
    let listed: Vec<_> = columns
        .iter()
        .filter_map(|column| Some((column, column.heading?)))
        .collect();
    let mut table = table();
    table.set_header(listed.iter().map(|(_, heading)| *heading));
    for item in items {
        let cells = listed.iter().map(|(column, _)| shown(column, item));
        table.add_row(cells);
    }
    without_ends(&table)
}

/// A line for each column.
pub(super) fn sheet(columns: &[Column], item: &Value) -> String {
    let mut table = table();
    for column in columns.iter().filter(|column| column.is_for.0) {
        let name = column.field.replace(['_', '.'], " ");
        table.add_row([name, shown(column, item)]);
    }
    without_ends(&table)
}

fn shown(column: &Column, item: &Value) -> String {
    let text = plain(&(column.show)(at(item, column.field)));
    if text.is_empty() { "-".into() } else { text }
}

fn table() -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Lines end where their text does, and begin with it.
fn without_ends(table: &Table) -> String {
    let lines = table.lines();
    lines
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(&line).trim_end()))
        .collect()
}
