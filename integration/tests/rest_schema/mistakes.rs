//! HOSTILE.md, line 38: every route, every mistake. Everything is read out of the served document, so
//! that a new route is tested with what it says of itself.

use serde_json::{Value, json};

use super::{
    asker::Asker,
    values::{texts, wrong},
};

pub(crate) const UNKNOWN: &str = "0198f0c5-0000-7000-8000-ffffffffffff";
const MALFORMED: [&str; 7] = ["1", "x", "%ff", "..%2f..", "%00", "0198f0c5", "-"];

#[test]
fn hostile_38_every_field_of_every_body_is_checked() {
    let asker = Asker::start();
    let before = (asker.rest.read("/nodes"), asker.rest.read("/peers"));
    let mut count = 0;
    for operation in asker.document.operations() {
        let Some((schema, example)) = &operation.body else {
            continue;
        };
        let path = asker.path(&operation);
        for (field, of) in schema["properties"].as_object().expect("properties") {
            for value in wrong(&asker.document, of) {
                let mut body = example.clone();
                body[field] = value;
                asker.refuse(&operation, &path, Some(&body));
                count += 1;
            }
        }
        for field in schema["required"].as_array().into_iter().flatten() {
            let mut body = example.clone();
            let fields = body.as_object_mut().expect("an object");
            fields.remove(field.as_str().expect("a name"));
            assert_eq!(asker.refuse(&operation, &path, Some(&body)), 400);
        }
        let mut body = example.clone();
        body["nobody_knows"] = json!(1);
        assert_eq!(asker.refuse(&operation, &path, Some(&body)), 400);
        for body in [json!([]), json!(null), json!("text"), json!(7), json!([{}])] {
            assert_eq!(asker.refuse(&operation, &path, Some(&body)), 400);
        }
    }
    assert!(count > 500, "only {count} bodies were tried");
    let after = (
        asker.rest.read("/nodes")["total"].clone(),
        asker.rest.read("/peers")["total"].clone(),
    );
    assert_eq!(
        after,
        (before.0["total"].clone(), before.1["total"].clone()),
        "nothing was made"
    );
}

#[test]
fn hostile_38_what_is_no_json_and_what_is_too_much_is_refused() {
    let asker = Asker::start();
    for operation in asker.document.operations() {
        let Some(example) = Asker::example(&operation) else {
            continue;
        };
        let path = asker.path(&operation);
        let is_bulk = path.contains("/bulk/");
        let deep = "[".repeat(100_000);
        let texts = [
            "{",
            "{]",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
            "{} {}",
            deep.as_str(),
        ];
        let mut bodies: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        bodies.push(b"{\"name\":\"\xff\xfe\"}".to_vec());
        let too_much: usize = if is_bulk { 16 << 20 } else { 256 << 10 };
        bodies.push(format!("{{\"name\":\"{}\"}}", "a".repeat(too_much)).into_bytes());
        for body in bodies {
            let mut wire = asker.rest.wire(&operation.method, &path, Some(&example));
            wire.remove("Content-Length");
            wire.add("Content-Length", body.len().to_string());
            wire.body = body;
            let asked = format!("{} bytes", wire.body.len());
            let status = asker
                .document
                .assert_refused(&operation, &asked, &asker.send(&wire));
            assert!(status == 400 || (status == 413 && wire.body.len() > too_much));
        }
    }
}

#[test]
fn hostile_38_ids_that_are_none_and_ids_of_nobody_are_not_found() {
    let asker = Asker::start();
    let long = "a".repeat(5000);
    for operation in asker.document.operations() {
        if !operation.path.contains("{id}") {
            continue;
        }
        let example = Asker::example(&operation);
        for id in MALFORMED.into_iter().chain([UNKNOWN, long.as_str()]) {
            let path = operation.path.replace("{id}", id);
            let status = asker.refuse(&operation, &path, example.as_ref());
            assert_eq!(status, 404, "{} {path}", operation.method);
        }
    }
}

#[test]
fn hostile_38_parameters_are_checked() {
    let asker = Asker::start();
    let mut count = 0;
    for operation in asker.document.operations() {
        let path = asker.path(&operation);
        let example = Asker::example(&operation);
        let of_query = operation.parameters.iter().filter(|it| it["in"] == "query");
        let of_query: Vec<_> = of_query.collect();
        for parameter in &of_query {
            let name = parameter["name"].as_str().expect("a name");
            for value in values_of(parameter) {
                let asked = format!("{path}?{name}={value}");
                asker.refuse(&operation, &asked, example.as_ref());
                count += 1;
            }
            if parameter["schema"]["type"] != "array" {
                let twice = format!("{path}?{name}=1&{name}=1");
                assert_eq!(asker.refuse(&operation, &twice, example.as_ref()), 400);
            }
        }
        if !of_query.is_empty() {
            let unknown = format!("{path}?nobody_knows=1");
            assert_eq!(asker.refuse(&operation, &unknown, example.as_ref()), 400);
        }
    }
    assert!(count > 100, "only {count} parameters were tried");
}

/// What a parameter is not, as it stands in a URL.
fn values_of(parameter: &Value) -> Vec<String> {
    let schema = &parameter["schema"];
    let encode = |text: &String| text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let fixed = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    match (parameter["name"].as_str(), schema["type"].as_str()) {
        (Some("limit"), _) => fixed(&[
            "0",
            "1001",
            "-1",
            "1.5",
            "",
            "99999999999999999999",
            "ten",
            "%ff",
        ]),
        // A cursor of nobody, and one of another list.
        (Some("cursor"), _) => fixed(&["%20", "AAAA", "zzzz", "dDEyMzQ", "%ff%fe", "-"]),
        (Some("after"), _) => fixed(&["x", "-1", "1.5", "99999999999999999999"]),
        (Some("node_id" | "peer_id"), _) => fixed(&["x", "0198f0c5", "%00"]),
        (_, Some("boolean")) => fixed(&["1", "yes", "", "TRUE", "null"]),
        (_, Some("array")) => texts(&schema["items"]).iter().map(encode).collect(),
        _ => texts(schema).iter().map(encode).collect(),
    }
}

#[test]
fn hostile_38_headers_are_checked() {
    let asker = Asker::start();
    for operation in asker.document.operations() {
        let path = asker.path(&operation);
        let example = Asker::example(&operation);
        let wrong: &[(&str, Vec<u8>)] = &[
            ("If-Match", b"".to_vec()),
            ("If-Match", b"\"".to_vec()),
            ("If-Match", b"\"nothing like it\"".to_vec()),
            ("If-Match", b"\xff\xfe".to_vec()),
            ("Idempotency-Key", b"".to_vec()),
            ("Idempotency-Key", vec![b'k'; 256]),
            ("Idempotency-Key", b"\xff\xfe".to_vec()),
            ("Last-Event-ID", b"x".to_vec()),
            ("Last-Event-ID", b"\xff\xfe".to_vec()),
        ];
        for (name, value) in wrong {
            let named = |parameter: &&Value| parameter["name"] == *name;
            if !operation.parameters.iter().any(|it| named(&it)) {
                continue;
            }
            let mut wire = asker.rest.wire(&operation.method, &path, example.as_ref());
            wire.add(name, value.clone());
            let asked = format!("{name}: {}", value.escape_ascii());
            let status = asker
                .document
                .assert_refused(&operation, &asked, &asker.send(&wire));
            assert!(
                status == 400 || status == 412 || status == 409,
                "{asked}: {status}"
            );
        }
    }
}
