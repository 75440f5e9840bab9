//! What stands around pages: headers, assets, compression.

use std::{fs, io::Read as _, path::Path};

use flate2::read::GzDecoder;

use super::{Browser, Fake};

#[tokio::test]
async fn every_page_says_what_the_browser_must_not_do() {
    let mut browser = Browser::over(&Fake::new());
    let stranger = browser.get("/sign-in").await;
    let sent_away = browser.get("/").await;
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let mut all = vec![stranger, sent_away];
    for path in [
        "/",
        "/overview/now",
        "/overview/throughput",
        "/live",
        "/nothing",
    ] {
        all.push(browser.get(path).await);
    }
    all.push(browser.post("/sign-out", "", &[]).await);
    for got in all {
        assert_eq!(
            got.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("referrer-policy"), "same-origin");
        assert_eq!(got.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(got.header("cache-control"), "no-store");
        assert!(!got.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn assets_are_kept_for_good_and_compressed() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let page = browser.get("/").await;
    let parts = page.text().split("\"/assets/").skip(1);
    let names: Vec<_> = parts.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let path = format!("/assets/{name}");
        let plain = browser.get(&path).await;
        assert_eq!(plain.status, 200, "{path}");
        assert_eq!(
            plain.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(plain.header("x-content-type-options"), "nosniff");
        let encoding = [("accept-encoding", "gzip, deflate, br")];
        let packed = browser.get_with(&path, &encoding).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(packed.header("vary"), "accept-encoding");
        assert_eq!(unpacked(&packed.body), plain.body);
    }
    let got = browser.get("/assets/app.0000000000000000.js").await;
    assert_eq!(got.status, 404, "another version's");
}

#[tokio::test]
async fn pages_are_compressed_for_who_takes_it() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    for (accepted, coding) in [
        ("br, GZIP;q=0.5", "gzip"),
        ("gzip;q=0", ""),
        ("identity", ""),
    ] {
        let got = browser
            .get_with("/", &[("accept-encoding", accepted)])
            .await;
        assert_eq!(got.header("content-encoding"), coding, "{accepted}");
        let body = if coding.is_empty() {
            got.body
        } else {
            unpacked(&got.body)
        };
        assert!(String::from_utf8(body).expect("UTF-8").ends_with("</html>"));
    }
}

/// What the policy refuses, or what would let something through unescaped.
fn forbidden_in(template: &str) -> Vec<&'static str> {
    let template = template.to_ascii_lowercase();
    let never = [
        "<script>",
        "<style",
        " style=",
        " onclick=",
        " onload=",
        " onsubmit=",
        "javascript:",
    ];
    let unescaped = [
        "hx-on",
        "js:",
        "|safe",
        "| safe",
        "escape none",
        "escape \"none",
    ];
    let found = never.into_iter().chain(unescaped);
    found.filter(|it| template.contains(it)).collect()
}

#[test]
fn templates_hold_nothing_that_the_policy_would_refuse() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/templates");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the templates") {
        let path = entry.expect("a template").path();
        let template = fs::read_to_string(&path).expect("text");
        assert_eq!(forbidden_in(&template), [""; 0], "{}", path.display());
        seen += 1;
    }
    assert!(seen > 5, "only {seen} templates");
    assert_eq!(forbidden_in("<a STYLE=x>{{ name|safe }}").len(), 2);
}

#[test]
fn what_others_wrote_has_its_licence_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/assets/vendor");
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a folder").path();
        assert!(path.join("LICENSE").is_file(), "{}", path.display());
    }
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    let read = GzDecoder::new(bytes).read_to_end(&mut whole);
    read.expect("gzip");
    whole
}
