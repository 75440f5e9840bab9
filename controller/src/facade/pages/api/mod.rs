//! `/api`: the OpenAPI document, rendered for people once and kept.

mod prose;
mod reading;
mod shape;

use std::{
    fmt::{self, Display, Formatter},
    sync::LazyLock,
};

use askama::{Template, filters::HtmlSafe};
use axum::{Router, response::Response, routing::get};

use self::reading::Document;
use super::page::{Nav, Page, SignedIn, html};
use crate::facade::{Answer, openapi};

pub(super) fn routes() -> Router<crate::facade::Facade> {
    Router::new().route("/api", get(show))
}

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    page: Page,
    reference: Reference,
}

/// All of it, the same for everybody.
#[derive(Template)]
#[template(path = "api_reference.html")]
struct ReferencePart {
    document: Document,
}

static REFERENCE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::from_slice(openapi::document());
    let document = Document::read(&document.expect("our own document"));
    let rendered = ReferencePart { document }.render();
    rendered.expect("memory can be written to")
});

/// What a template of ours wrote, and escaped.
struct Reference(&'static str);

impl Display for Reference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl HtmlSafe for Reference {}

async fn show(signed: SignedIn) -> Answer<Response> {
    html(&ApiPage {
        page: Page::new(&signed, Nav::Api, "REST API"),
        reference: Reference(&REFERENCE),
    })
}

#[cfg(test)]
mod tests {
    use super::{Document, REFERENCE, openapi};

    #[test]
    fn every_operation_and_every_schema_has_its_place() {
        let document: serde_json::Value =
            serde_json::from_slice(openapi::document()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let operations = paths
            .values()
            .flat_map(|path| path.as_object().expect("methods").values());
        let mut seen = 0;
        for operation in operations {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(REFERENCE.contains(&format!("id=\"{id}\"")), "{id}");
            seen += 1;
        }
        assert!(seen > 40, "only {seen}");
        let read = Document::read(&document);
        let shown: usize = read.chapters.iter().map(|it| it.operations.len()).sum();
        assert_eq!(shown, seen);
        let schemas = document["components"]["schemas"].as_object();
        for name in schemas.expect("schemas").keys() {
            assert!(
                REFERENCE.contains(&format!("id=\"schema-{name}\"")),
                "{name}"
            );
        }
    }

    #[test]
    fn every_link_inside_leads_somewhere() {
        for link in REFERENCE.split("href=\"#").skip(1) {
            let target = link.split('"').next().expect("its end");
            assert!(
                REFERENCE.contains(&format!(" id=\"{target}\"")),
                "#{target}"
            );
        }
    }

    #[test]
    fn refusals_have_their_codes_and_bodies_their_fields() {
        for part in [
            "<code>no_free_address</code>",
            "<code>backup_running</code>",
            "Idempotency-Key",
            "<code>persistent_keepalive</code>",
            "0 to 65535",
            "none, day, week, month",
        ] {
            assert!(REFERENCE.contains(part), "{part}");
        }
        assert!(!REFERENCE.contains("<script"));
    }
}
