//! Many peers at once.

use std::io::{Cursor, Read as _};

use tonic::Status;
use wgfleet_proto::v1::TokenRole;
use zip::ZipArchive;

use super::{Browser, Fake, Got};

const TURNS: usize = 10_000;

async fn as_operator(fake: &Fake) -> Browser {
    let mut fake = fake.clone();
    fake.role = Some(TokenRole::Operator);
    Browser::signed_in(&fake).await
}

async fn post(browser: &mut Browser, form: &str) -> Got {
    let csrf = browser.get("/peers/many").await.csrf();
    browser
        .post("/peers/many", &format!("csrf={csrf}&{form}"), &[])
        .await
}

/// The page of what was begun, when it is over.
async fn over(browser: &mut Browser, begun: &Got) -> (String, Got) {
    assert_eq!(begun.status, 303, "{}", begun.text());
    let path = begun.header("location").to_owned();
    for _ in 0..TURNS {
        let got = browser.get(&format!("{path}/progress")).await;
        assert_eq!(got.status, 200);
        if !got.text().contains("Adding…") {
            let page = browser.get(&path).await;
            return (path, page);
        }
        assert!(got.text().contains("data-live-every=\"1\""));
        tokio::task::yield_now().await;
    }
    panic!("it does not end");
}

#[tokio::test]
async fn by_pattern_with_what_came_of_each_and_all_configurations() {
    let fake = Fake::new();
    let mut browser = as_operator(&fake).await;
    let form = "way=pattern&pattern=laptop-%7Bn%7D&count=2&first=7&node=node-1&labels=a%3Db\
                &preshared=none&keep_private_key=true&enabled=true";
    let begun = post(&mut browser, form).await;
    let (path, page) = over(&mut browser, &begun).await;
    let sent = fake.last_bulk();
    for part in ["name: \"laptop-7\"", "name: \"laptop-8\"", "{\"a\": \"b\"}"] {
        assert!(sent.contains(part), "{part} in {sent}");
    }
    for shown in [
        "1 of 2 were added",
        "laptop-7",
        "laptop-8",
        "Taken.",
        &format!("{path}/zip"),
    ] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    assert!(!page.text().contains("data-live-every"), "it is over");
    let failed = browser.get(&format!("{path}?failed=true")).await;
    assert!(!failed.text().contains(">laptop-7<"), "{}", failed.text());

    let got = browser.get(&format!("{path}/zip")).await;
    assert_eq!(got.header("content-type"), "application/zip");
    let mut archive = ZipArchive::new(Cursor::new(got.body)).expect("an archive");
    assert_eq!(archive.len(), 1);
    let mut file = archive.by_index(0).expect("a file");
    assert_eq!(file.name(), "laptop.conf");
    let mut config = String::new();
    file.read_to_string(&mut config).expect("text");
    assert_eq!(config, "[Interface]\n");
}

#[tokio::test]
async fn by_csv_a_bad_line_is_the_only_one_refused() {
    let mut fake = Fake::new();
    fake.name = Some("<i>".into());
    let mut browser = as_operator(&fake).await;
    let csv = "name%2Cmtu%0A%3Ci%3E%2C1400%0Abad%2Cmuch%0Alast%2C1400%0A";
    let begun = post(&mut browser, &format!("way=csv&csv={csv}&preshared=none")).await;
    let (_, page) = over(&mut browser, &begun).await;
    for shown in [
        "1 of 3 were added",
        "line 3",
        "mtu: &#34;much&#34; is no whole number.",
        "&#60;i&#62;</a>",
        "not kept",
    ] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    assert!(!page.text().contains("<i>"));
    assert!(!fake.last_bulk().contains("\"bad\""));
}

#[tokio::test]
async fn what_is_wrong_with_all_of_them_is_said_with_what_was_typed() {
    let fake = Fake::new();
    let mut browser = as_operator(&fake).await;
    for (form, said) in [
        ("way=pattern&pattern=a&count=2", "Put {n} into the pattern"),
        ("way=pattern&pattern=a-%7Bn%7D&count=0", "1 to 10000 peers"),
        (
            "way=pattern&pattern=a-%7Bn%7D&count=10001",
            "1 to 10000 peers",
        ),
        (
            "way=csv&csv=%3Cb%3E",
            "There is no column &#34;&#60;b&#62;&#34;",
        ),
        ("way=csv&csv=name", "There is no line"),
        (
            "way=pattern&pattern=%7Bn%7D&count=1&node=nowhere",
            "no node named",
        ),
    ] {
        let got = post(&mut browser, &format!("{form}&labels=kept%3Dyes")).await;
        assert_eq!(got.status, 400, "{form}");
        assert!(got.text().contains(said), "{said}: {}", got.text());
        assert!(got.text().contains("value=\"kept=yes\""));
        assert!(!got.text().contains("<b>"));
    }
    assert!(
        fake.asked
            .lock()
            .expect("not poisoned")
            .iter()
            .all(|(it, _)| !it.starts_with("Bulk"))
    );
}

#[tokio::test]
async fn what_breaks_off_says_why() {
    let mut fake = Fake::new();
    fake.only = Some("BulkCreatePeersRequest");
    fake.refusal = Some(Status::unavailable("the store is busy"));
    let mut browser = as_operator(&fake).await;
    let begun = post(&mut browser, "way=pattern&pattern=a-%7Bn%7D&count=3").await;
    let (path, page) = over(&mut browser, &begun).await;
    for shown in ["0 of 3 were added", "The store is busy.", "not tried"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    // It is nobody else's to see, and the next one takes its place.
    let mut other = as_operator(&fake).await;
    assert_eq!(other.get(&path).await.status, 404);
    let begun = post(&mut browser, "way=pattern&pattern=b-%7Bn%7D&count=1").await;
    over(&mut browser, &begun).await;
    assert_eq!(browser.get(&format!("{path}/zip")).await.status, 404);
}
