//! Deliveries from a real store to a real endpoint.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use ring::hmac;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use wgfleet_proto::v1::{NodeDeleted, PeerExpired, event::Kind};

use super::*;
use crate::{
    events::record,
    store::{NodeId, PeerId, StoreOptions, events, webhooks::WebhookSettings},
};

const SECRET: &str = "the secret of a webhook";
const NOW_S: i64 = 1_790_000_000;
const DAY_S: i64 = 24 * 3600;

/// An endpoint that answers what it is told to, and 204 after that.
#[derive(Clone, Default)]
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

#[derive(Clone)]
struct Received {
    delivery: String,
    event: String,
    body: Value,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Self, String) {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers);
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?team=a", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    fn events(&self) -> Vec<String> {
        let received = self.received();
        let id = |it: &Received| it.body["id"].as_str().unwrap().to_owned();
        received.iter().map(id).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| headers[name].to_str().unwrap().to_owned();
    let signature = header("x-wgfleet-signature");
    let (at, hex) = signature.split_once(",v1=").unwrap();
    let at = at.strip_prefix("t=").unwrap();
    let signed = [at.as_bytes(), b".", &body[..]].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let tag: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    hmac::verify(&key, &signed, &tag).unwrap();
    receiver.received.lock().unwrap().push(Received {
        delivery: header("x-wgfleet-delivery"),
        event: header("x-wgfleet-event"),
        body: serde_json::from_slice(&body).unwrap(),
    });
    let answer = receiver.answers.lock().unwrap().pop_front();
    StatusCode::from_u16(answer.unwrap_or(204)).unwrap()
}

struct World {
    store: Store,
    webhooks: Webhooks,
    stop: CancellationToken,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(dir: TempDir) -> Self {
        let store = Store::open(&StoreOptions::new(dir.path()), NOW_S).unwrap();
        let stop = CancellationToken::new();
        let began = std::time::Instant::now();
        let start = Duration::from_secs(NOW_S.unsigned_abs());
        let clock = WallClock::new(move || start + began.elapsed());
        let log = EventLog::new(store.clone(), clock.clone(), stop.clone());
        let webhooks = Webhooks::new(store.clone(), log, clock, stop.clone());
        tokio::spawn(webhooks.clone().run());
        Self {
            store,
            webhooks,
            stop,
            dir,
        }
    }

    async fn restarted(self) -> Self {
        self.stop.cancel();
        self.store.close().await;
        Self::on(self.dir)
    }

    async fn webhook(
        &self,
        url: &str,
        change: impl FnOnce(&mut WebhookSettings) + Send,
    ) -> WebhookId {
        let id = WebhookId::generate();
        let mut settings = WebhookSettings {
            name: id.to_string(),
            url: url.into(),
            enabled: true,
            kinds: Vec::new(),
            node_id: None,
            tls_ca_pem: None,
        };
        change(&mut settings);
        let write = self
            .store
            .write(move |tx| webhooks::create(tx, id, &settings, SECRET, 0, NOW_S));
        write.await.unwrap();
        self.webhooks.reload();
        id
    }

    async fn happen(&self, at: i64, kinds: Vec<Kind>) {
        let write = self.store.write(move |tx| {
            kinds
                .into_iter()
                .try_for_each(|kind| record(tx, at, kind).map(drop))
        });
        write.await.unwrap();
    }

    /// The log, oldest first: event, attempt, outcome.
    async fn log(&self, id: WebhookId) -> Vec<(i64, u32, DeliveryOutcome)> {
        let read = self
            .store
            .read(move |conn| deliveries::list(conn, id, None, 1000));
        let rows = read.await.unwrap().into_iter().rev();
        let part = |(_, row): (i64, DeliveryRow)| (row.event_id.unwrap(), row.attempt, row.outcome);
        rows.map(part).collect()
    }

    async fn await_log(&self, id: WebhookId, expected: &[(i64, u32, DeliveryOutcome)]) {
        let is_there = async {
            while self.log(id).await != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), is_there).await;
        if in_time.is_err() {
            assert_eq!(self.log(id).await, expected);
        }
    }
}

fn gone(node: NodeId) -> Kind {
    let node_id = node.to_string();
    Kind::NodeDeleted(NodeDeleted {
        node_id,
        ..NodeDeleted::default()
    })
}

fn expired(node: NodeId) -> Kind {
    Kind::PeerExpired(PeerExpired {
        peer_id: PeerId::generate().to_string(),
        node_id: node.to_string(),
    })
}

use DeliveryOutcome::{Delivered, Failed, GivenUp, Skipped};

#[tokio::test]
async fn events_arrive_in_order_as_far_as_they_are_wanted() {
    let world = World::new();
    let (all, all_url) = Receiver::start(&[]).await;
    let (some, some_url) = Receiver::start(&[]).await;
    let [one, other] = [NodeId::generate(), NodeId::generate()];
    world.webhook(&all_url, |_| {}).await;
    let id = world
        .webhook(&some_url, |it| {
            it.kinds = vec!["peer.expired".into()];
            it.node_id = Some(one);
        })
        .await;
    let kinds = vec![expired(other), gone(one), expired(one), gone(other)];
    world.happen(NOW_S, kinds).await;
    world.happen(NOW_S, vec![expired(one)]).await;
    world
        .await_log(id, &[(3, 1, Delivered), (5, 1, Delivered)])
        .await;
    assert_eq!(some.events(), ["3", "5"]);
    let in_time = tokio::time::timeout(Duration::from_secs(20), async {
        while all.events().len() < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    in_time.await.expect("all arrive");
    assert_eq!(all.events(), ["1", "2", "3", "4", "5"]);
    let first = &some.received()[0];
    assert_eq!(first.event, "peer.expired");
    assert_eq!(first.delivery, format!("{id}-3"));
    assert_eq!(first.body["node_id"], one.to_string());
}

#[tokio::test]
async fn what_is_not_taken_comes_again_under_the_same_id_and_holds_nobody_else_up() {
    let world = World::new();
    let (failing, failing_url) = Receiver::start(&[500, 302]).await;
    let (good, good_url) = Receiver::start(&[]).await;
    let slow = world.webhook(&failing_url, |_| {}).await;
    let fine = world.webhook(&good_url, |_| {}).await;
    let node = NodeId::generate();
    world.happen(NOW_S, vec![gone(node), expired(node)]).await;
    world
        .await_log(fine, &[(1, 1, Delivered), (2, 1, Delivered)])
        .await;
    assert!(
        failing.events().len() <= 2,
        "the other has not waited for it"
    );
    let expected = [
        (1, 1, Failed),
        (1, 2, Failed),
        (1, 3, Delivered),
        (2, 1, Delivered),
    ];
    world.await_log(slow, &expected).await;
    assert_eq!(failing.events(), ["1", "1", "1", "2"]);
    let ids: std::collections::BTreeSet<_> = failing
        .received()
        .into_iter()
        .map(|it| it.delivery)
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(good.events(), ["1", "2"]);
}

#[tokio::test]
async fn after_a_day_an_event_is_given_up() {
    let world = World::new();
    let (receiver, url) = Receiver::start(&[503]).await;
    let node = NodeId::generate();
    world.happen(NOW_S - DAY_S, vec![gone(node)]).await;
    world.happen(NOW_S, vec![gone(node)]).await;
    let id = world.webhook(&url, |_| {}).await;
    world
        .await_log(id, &[(1, 1, GivenUp), (2, 1, Delivered)])
        .await;
    assert_eq!(receiver.events(), ["1", "2"]);
}

#[tokio::test]
async fn what_was_removed_before_it_was_sent_is_noted() {
    let world = World::new();
    let (receiver, url) = Receiver::start(&[]).await;
    let node = NodeId::generate();
    world.happen(NOW_S, vec![gone(node); 10]).await;
    let prune = world.store.write(|tx| events::prune(tx, 0, 2, 100));
    assert_eq!(prune.await, Ok(8));
    let id = world.webhook(&url, |_| {}).await;
    let expected = [(1, 0, Skipped), (9, 1, Delivered), (10, 1, Delivered)];
    world.await_log(id, &expected).await;
    assert_eq!(receiver.events(), ["9", "10"]);
    world.store.write(events::start_anew).await.unwrap();
    world.happen(NOW_S, vec![gone(node)]).await;
    let log = [
        &expected[..],
        &[(11, 0, Skipped), (1_000_000_011, 1, Delivered)],
    ]
    .concat();
    world.await_log(id, &log).await;
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let world = World::new();
    let (receiver, url) = Receiver::start(&[204, 500]).await;
    let id = world.webhook(&url, |_| {}).await;
    let node = NodeId::generate();
    world.happen(NOW_S, vec![gone(node), gone(node)]).await;
    world
        .await_log(id, &[(1, 1, Delivered), (2, 1, Failed)])
        .await;
    let world = world.restarted().await;
    world.happen(NOW_S, vec![gone(node)]).await;
    let expected = [
        (1, 1, Delivered),
        (2, 1, Failed),
        (2, 2, Delivered),
        (3, 1, Delivered),
    ];
    world.await_log(id, &expected).await;
    assert_eq!(receiver.events(), ["1", "2", "2", "3"]);
}

#[tokio::test]
async fn a_disabled_or_deleted_webhook_is_told_nothing() {
    let world = World::new();
    let (receiver, url) = Receiver::start(&[]).await;
    let disabled = world.webhook(&url, |it| it.enabled = false).await;
    let deleted = world.webhook(&url, |_| {}).await;
    world
        .store
        .write(move |tx| webhooks::delete(tx, deleted))
        .await
        .unwrap();
    world.webhooks.reload();
    let watched = world.webhook(&url, |_| {}).await;
    world.happen(NOW_S, vec![gone(NodeId::generate())]).await;
    world.await_log(watched, &[(1, 1, Delivered)]).await;
    let pinged = world
        .webhooks
        .ping(disabled, &Ping::new(NOW_S))
        .await
        .unwrap();
    assert_eq!((pinged.outcome, pinged.http_status), (Delivered, Some(204)));
    let received = receiver.received();
    assert_eq!(received.last().unwrap().event, PING);
    let of_disabled = received
        .iter()
        .filter(|it| it.delivery.starts_with(&disabled.to_string()));
    assert_eq!(of_disabled.count(), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/secret-path");
    let id = world.webhook(&url, |_| {}).await;
    let pinged = world.webhooks.ping(id, &Ping::new(NOW_S)).await.unwrap();
    assert_eq!(pinged.outcome, Failed);
    assert_eq!(pinged.error, format!("{address}: connection refused"));
}

#[test]
fn urls_lead_to_https_or_to_this_host() {
    let parsed = |text: &str| text.parse::<WebhookUrl>();
    for (text, shown, target) in [
        ("https://example.com", "https://example.com/", "/"),
        (
            "HTTPS://Example.com:8443/a%20b?c=d",
            "https://example.com:8443/…",
            "/a%20b?c=d",
        ),
        ("http://127.0.0.1:80/x", "http://127.0.0.1/…", "/x"),
        ("http://[::1]:9000?x=1", "http://[::1]:9000/…", "/?x=1"),
        ("http://localhost/", "http://localhost/", "/"),
    ] {
        let url = parsed(text).unwrap();
        assert_eq!(
            (url.to_string().as_str(), url.target()),
            (shown, target),
            "{text}"
        );
    }
    for (text, error) in [
        ("example.com", InvalidWebhookUrl::Scheme),
        ("unix:///run/x.sock", InvalidWebhookUrl::Scheme),
        ("ftp://example.com", InvalidWebhookUrl::Scheme),
        ("http://example.com/", InvalidWebhookUrl::Exposed),
        ("http://10.0.0.1/", InvalidWebhookUrl::Exposed),
        ("https://a:b@example.com/", InvalidWebhookUrl::UserInfo),
        ("https://example.com/#x", InvalidWebhookUrl::Fragment),
        ("https://", InvalidWebhookUrl::Host),
        ("https://example.com:0/", InvalidWebhookUrl::Host),
        ("https://example.com/a b", InvalidWebhookUrl::Path),
        ("https://example.com/ü", InvalidWebhookUrl::Path),
    ] {
        assert_eq!(parsed(text), Err(error), "{text}");
    }
}
