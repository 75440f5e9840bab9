//! Parameters of a query: each known, each once, except those that may be repeated.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use wgfleet_proto::v1::PageRequest;

use super::{problem::Problem, time::Timestamp};

const MAX_PAGE_SIZE: u32 = 1000;

/// What follows the `?`, in order.
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = Query::from_request_parts(parts, state).await;
        pairs
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| Problem::invalid_field("query", error.body_text()))
    }
}

impl Parameters {
    /// Takes a parameter that may stand there once.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let mut found = self.take(name);
        if found.len() > 1 {
            let detail = format!("{name} is given more than once");
            return Err(Problem::invalid_field(name, detail));
        }
        Ok(found.pop())
    }

    /// Takes a parameter that is read by `parse`; `form` says what it may be.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        form: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let value = parse(&text);
        value.map(Some).ok_or_else(|| wrong(name, form))
    }

    /// Takes a parameter that may stand there more than once.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.take(name)
    }

    /// Takes `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.parsed(name, "true or false", |text| text.parse().ok())
    }

    /// Takes a point in time.
    pub(super) fn time_s(&mut self, name: &'static str) -> Result<Option<i64>, Problem> {
        let time = self.parsed(
            name,
            "a time such as 2026-03-01T12:00:00Z",
            Timestamp::parse,
        )?;
        Ok(time.map(|time| time.0))
    }

    /// Takes one of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let form = format!("one of {}", known.join(", "));
        self.parsed(name, &form, |text| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
        })
    }

    /// Takes all of `label=key=value` or `label=key:value`; the first `=`, or else the first `:`,
    /// ends the key.
    pub(super) fn labels(&mut self) -> Result<BTreeMap<String, String>, Problem> {
        let mut labels = BTreeMap::new();
        for text in self.take("label") {
            let pair = text.split_once('=').or_else(|| text.split_once(':'));
            let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty()) else {
                return Err(wrong("label", "key=value or key:value"));
            };
            let before = labels.insert(key.to_owned(), value.to_owned());
            if before.is_some_and(|before| before != value) {
                let detail = format!("label {key} can't have two values at once");
                return Err(Problem::invalid_field("label", detail));
            }
        }
        Ok(labels)
    }

    /// Takes `limit` and `cursor`.
    pub(super) fn page(&mut self) -> Result<PageRequest, Problem> {
        let limit = self.parsed("limit", "a number from 1 to 1000", |text| {
            let limit = text.parse().ok()?;
            (1..=MAX_PAGE_SIZE).contains(&limit).then_some(limit)
        })?;
        Ok(PageRequest {
            page_size: limit.unwrap_or(0),
            cursor: self.text("cursor")?.unwrap_or_default(),
        })
    }

    /// Everything must have been taken: a filter that is misspelt would answer too much.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.0.into_iter().next() else {
            return Ok(());
        };
        Err(Problem::invalid_field(
            name.clone(),
            format!("there is no parameter {name} here"),
        ))
    }

    fn take(&mut self, name: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(n, _)| n == name);
        self.0 = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }
}

fn wrong(name: &'static str, form: &str) -> Problem {
    Problem::invalid_field(name, format!("{name} must be {form}"))
}
