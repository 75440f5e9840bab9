//! What was typed into a form.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::facade::problem::Problem;

/// The fields of a form that was sent, in their order. It is read, and its CSRF token checked, before
/// any handler runs.
#[derive(Debug, Clone, Default)]
pub(in crate::facade) struct Form(Arc<Vec<(String, String)>>);

impl Form {
    pub(super) fn parse(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body).into_owned();
        Self(Arc::new(pairs.collect()))
    }

    /// A field without the space around it; empty when it was left empty or is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field as it was typed.
    pub(super) fn raw(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Every value of a field that may be there more than once, such as the rows that were chosen.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).collect()
    }

    /// Whether a box is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.raw(name) == "true"
    }
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
