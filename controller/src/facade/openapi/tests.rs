//! The document is whole, and it is the one that is checked in.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::Value;

use super::{
    super::{
        access,
        tests::{Answered, Fake, answer, send},
    },
    PATH, assembling, codes, operations,
};

/// How the checked in document is made anew.
const REFRESH: &str = "WGFLEET_REFRESH=1 cargo test -p wgfleet-controller --lib openapi";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    assembling::document(&operations())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // Pages are for people; programs are told of none.
        if path.is_dir() && !path.ends_with("tests") && !path.ends_with("pages") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Everything the router is told, out of the sources: it can't be asked.
fn routes() -> BTreeSet<(String, String)> {
    let mut files = Vec::new();
    let facade = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/facade");
    sources(&facade, &mut files);
    let mut routes = BTreeSet::new();
    for file in files
        .iter()
        .filter(|file| !file.ends_with("openapi/tests.rs"))
    {
        let source = fs::read_to_string(file).expect("a source");
        for call in source.split(".route(").skip(1) {
            let (path, rest) = call.split_once(',').expect("a path and its methods");
            let path = path.trim().trim_matches('"');
            let path = if path == "PATH" { PATH } else { path };
            let methods = up_to_its_end(rest);
            let named = |method: &&&str| {
                methods.match_indices(&format!("{method}(")).any(|(at, _)| {
                    let before = methods[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
            };
            let methods = METHODS.iter().filter(named);
            routes.extend(methods.map(|method| ((*method).to_owned(), path.to_owned())));
        }
    }
    routes
}

/// The rest of a call whose first argument is read already.
fn up_to_its_end(rest: &str) -> &str {
    let mut open = 1;
    let end = rest.find(|c| {
        open += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        open == 0
    });
    &rest[..end.expect("a call ends")]
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described = operations().into_iter();
    let described: BTreeSet<_> = described
        .map(|it| (it.method.as_str().to_lowercase(), it.path.to_owned()))
        .collect();
    let routes = routes();
    assert!(routes.len() > 40, "only {} routes were found", routes.len());
    assert_eq!(routes, described);
}

#[tokio::test]
async fn what_is_described_is_there() {
    for operation in operations() {
        let target = assembling::full_path(&operation).replace("{id}", "none");
        let answer = send(&Fake::new(), operation.method.clone(), &target).await;
        let is_missing = answer.status == 405
            || (answer.status == 404 && answer.json()["code"] == "route_not_found");
        assert!(!is_missing, "{} {target}", operation.method);
        let method = access::service_method(&operation.method, operation.path);
        assert_eq!(method.is_none(), operation.is_public, "{target}");
    }
}

#[test]
fn examples_of_bodies_are_taken() {
    for body in operations().iter().filter_map(|it| it.body.as_ref()) {
        let parsed = (body.parses)(&body.example);
        assert_eq!(parsed, Ok(()), "{}", body.example);
    }
}

#[test]
fn operations_are_told_apart_and_say_what_they_do() {
    let (operations, mut ids) = (operations(), BTreeSet::new());
    for operation in &operations {
        assert!(ids.insert(operation.id), "{} is there twice", operation.id);
        assert!(!operation.summary.is_empty() && !operation.tag.is_empty());
        assert!(!operation.success.is_empty(), "{}", operation.id);
    }
}

#[test]
fn every_code_is_somebodys() {
    let operations = operations();
    let used = operations.iter().flat_map(|it| &it.refusals);
    let used: BTreeSet<_> = used.map(|(_, code)| *code).collect();
    let known: BTreeSet<_> = codes::CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(used, known);
    assert_eq!(known.len(), codes::CODES.len(), "each once");
    assert!(codes::CODES.is_sorted());
}

/// Codes that stand where refusals are made.
#[test]
fn codes_of_the_services_are_described() {
    let mut files = Vec::new();
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/services");
    sources(&services, &mut files);
    let known: BTreeSet<_> = codes::CODES.iter().map(|(code, _)| *code).collect();
    // Of the gRPC listener alone, and of a stream's end.
    let elsewhere = ["too_slow"];
    let mut count = 0;
    for file in files {
        let source = fs::read_to_string(&file).expect("a source");
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for made in ["refuse(", "agent_refusal(", "let code = \""] {
            for call in source.split(made).skip(1) {
                let call = if made.ends_with('"') {
                    call
                } else {
                    up_to_its_end(call)
                };
                let mut texts = call.split('"');
                let text = if made.ends_with('"') {
                    texts.next()
                } else {
                    texts.nth(1)
                };
                let is_code = |text: &&str| text.contains('_') && !text.contains([' ', '{']);
                let Some(code) = text.filter(is_code) else {
                    continue;
                };
                let is_known = known.contains(code) || elsewhere.contains(&code);
                // A code is no field.
                let is_field = ["quota_bytes", "node_id", "public_key", "ip_pool_cidr"];
                assert!(
                    is_known || is_field.contains(&code),
                    "{code} in {}",
                    file.display()
                );
                count += 1;
            }
        }
    }
    assert!(count > 30, "only {count} codes were found");
}

#[test]
fn references_lead_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    walk(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn it_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let mut text = serde_json::to_string_pretty(&document()).expect("JSON");
    text.push('\n');
    if std::env::var_os("WGFLEET_REFRESH").is_some() {
        fs::write(&path, &text).expect("written");
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        held == text,
        "docs/openapi.json is not what the code describes: {REFRESH}"
    );
}

async fn ask(header: Option<(&str, &str)>) -> Answered {
    let mut request = Request::builder().method(Method::GET).uri(PATH);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let fake = Fake::new();
    let answered = answer(&fake, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(fake.calls(), 0, "nobody is asked for a token");
    answered
}

#[tokio::test]
async fn anybody_reads_it_and_may_keep_it() {
    let answered = ask(None).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.json(), document());
    assert_eq!(answered.header("content-type"), Some("application/json"));
    assert_eq!(answered.header("cache-control"), Some("no-cache"));
    let etag = answered.header("etag").expect("a tag").to_owned();
    for held in [etag.clone(), format!("\"a\", W/{etag}"), "*".to_owned()] {
        let again = ask(Some(("if-none-match", &held))).await;
        assert_eq!(again.status, 304, "{held}");
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), Some(etag.as_str()));
    }
    assert_eq!(ask(Some(("if-none-match", "\"a\""))).await.status, 200);
}
