//! Columns of tables and CSV: where in an answer their values are.

use serde_json::Value;

use super::cell;

/// A column.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Column {
    /// Where the value is: names of fields, `.` between them.
    pub(in crate::cli) field: &'static str,
    /// Its heading in a list; without one it is in none.
    pub(super) heading: Option<&'static str>,
    pub(super) show: fn(&Value) -> String,
    /// Whether people see it, and programs.
    pub(super) is_for: (bool, bool),
}

impl Column {
    /// A column that lists don't have.
    pub(in crate::cli) const fn of(field: &'static str) -> Self {
        Self {
            field,
            heading: None,
            show: cell::text,
            is_for: (true, true),
        }
    }

    /// The same in lists, under that heading.
    pub(in crate::cli) const fn headed(mut self, heading: &'static str) -> Self {
        self.heading = Some(heading);
        self
    }

    /// The same for people alone.
    pub(in crate::cli) const fn for_people(mut self) -> Self {
        self.is_for = (true, false);
        self
    }

    /// The same for programs alone.
    pub(in crate::cli) const fn for_programs(mut self) -> Self {
        self.is_for = (false, true);
        self
    }

    /// The same with values shown that way.
    pub(in crate::cli) const fn as_(mut self, show: fn(&Value) -> String) -> Self {
        self.show = show;
        self
    }
}

/// The value at `field`; null where there is none.
pub(in crate::cli) fn at<'a>(item: &'a Value, field: &str) -> &'a Value {
    field.split('.').fold(item, |value, name| &value[name])
}

/// A value as programs read it: lists and labels with a space between their parts.
pub(in crate::cli) fn raw(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(raw).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let pairs = fields
                .iter()
                .map(|(key, value)| format!("{key}={}", raw(value)));
            pairs.collect::<Vec<_>>().join(" ")
        }
    }
}
