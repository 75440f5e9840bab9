//! The service of webhooks, through its own trait.

use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    agent_client::WallClock,
    dispatch::{Dispatch, DispatchOptions},
    events::EventLog,
    services::{
        ServiceOptions,
        auth::{hash_token, random_token},
        status::{wgfleet_code, wgfleet_field},
    },
    store::{NodeId, Store, StoreOptions, TokenId, tokens},
};

struct World {
    service: WebhooksService,
    dir: TempDir,
    admin: String,
    operator: String,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, stop) = (WallClock::system(), CancellationToken::new());
        let store = Store::open(&StoreOptions::new(dir.path()), 1).unwrap();
        let events = EventLog::new(store.clone(), clock.clone(), stop.clone());
        let options = DispatchOptions::default();
        let dispatch = Dispatch::start(store.clone(), clock.clone(), options);
        let dispatch = dispatch.await.unwrap();
        let webhooks = Webhooks::new(store.clone(), events.clone(), clock.clone(), stop);
        tokio::spawn(webhooks.clone().run());
        let admin = token(&store, Role::Admin).await;
        let operator = token(&store, Role::Operator).await;
        let core = Core::new(store, dispatch, events, clock, ServiceOptions::default());
        Self {
            service: WebhooksService::new(core, webhooks),
            dir,
            admin,
            operator,
        }
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        Self::ask_with(&self.admin, message)
    }

    fn ask_with<T>(token: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    }

    async fn create(
        &self,
        change: impl FnOnce(&mut v1::CreateWebhookRequest) + Send,
    ) -> Result<v1::CreateWebhookResponse, Status> {
        let mut request = v1::CreateWebhookRequest {
            name: "billing".into(),
            url: "http://127.0.0.1:9/path-with-a-key".into(),
            ..Default::default()
        };
        change(&mut request);
        let answer = self.service.create(self.ask(request)).await?;
        Ok(answer.into_inner())
    }

    async fn refused(
        &self,
        change: impl FnOnce(&mut v1::CreateWebhookRequest) + Send,
    ) -> (Code, String, Option<String>) {
        let status = self.create(change).await.expect_err("it is refused");
        let code = wgfleet_code(&status).unwrap().to_owned();
        (status.code(), code, wgfleet_field(&status).map(Into::into))
    }

    async fn update(&self, patch: v1::UpdateWebhookRequest) -> Result<v1::Webhook, Status> {
        let answer = self.service.update(self.ask(patch)).await?;
        Ok(answer.into_inner())
    }

    async fn position(&self, id: &str) -> i64 {
        let id = id.parse().unwrap();
        let read = self
            .service
            .core
            .store
            .read(move |conn| Ok(webhooks::get(conn, id)?.position));
        read.await.unwrap()
    }
}

async fn token(store: &Store, role: Role) -> String {
    let text = random_token().unwrap().to_string();
    let row = tokens::TokenRow {
        id: TokenId::generate(),
        name: role.as_str().into(),
        role,
        label_scope: Default::default(),
        expires_at: None,
        revoked_at: None,
        created_at: 1,
        last_used_at: None,
    };
    let hash = hash_token(&text);
    let write = store.write(move |tx| tokens::create(tx, &row, &hash));
    write.await.unwrap();
    text
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_sealed() {
    let world = World::new().await;
    let created = world.create(|_| {}).await.unwrap();
    let (webhook, secret) = (created.webhook.unwrap(), created.secret.unwrap());
    assert_eq!(secret.len(), 43);
    let given = "a secret that was given".replace(' ', "-");
    let other = world
        .create(|it| {
            it.name = "other".into();
            it.secret = Some(given.clone());
        })
        .await
        .unwrap();
    assert_eq!(other.secret, None, "who gave it has it");
    let list = world.ask(v1::ListWebhooksRequest {});
    let items = world.service.list(list).await.unwrap().into_inner().items;
    assert_eq!(items.len(), 2);
    assert_eq!(items[0], webhook);
    let audit = world
        .service
        .core
        .store
        .read(|conn| audit::list(conn, None, None, 10));
    let audit = format!("{:?}", audit.await.unwrap());
    assert!(audit.contains("webhook.create") && audit.contains("http://127.0.0.1:9/…"));
    for hidden in [&secret, &given, "path-with-a-key"] {
        assert!(!audit.contains(hidden), "{audit}");
    }
    world.service.core.store.close().await;
    let file = std::fs::read(world.dir.path().join("controller.db")).unwrap();
    for hidden in [&secret, &given] {
        let is_there = file.windows(hidden.len()).any(|it| it == hidden.as_bytes());
        assert!(!is_there);
    }
}

#[tokio::test]
async fn what_can_not_be_is_refused() {
    let world = World::new().await;
    world.create(|_| {}).await.unwrap();
    let invalid = |field: &str| {
        let field = Some(field.to_owned());
        (Code::InvalidArgument, "invalid_field".to_owned(), field)
    };
    let taken = world.refused(|_| {}).await;
    assert_eq!(taken.1, "name_taken");
    let plain = world
        .refused(|it| it.url = "http://example.com".into())
        .await;
    assert_eq!(plain, invalid("url"));
    let short = world.refused(|it| it.secret = Some("short".into())).await;
    assert_eq!(short, invalid("secret"));
    let kind = world
        .refused(|it| it.kinds = vec!["peer.lost".into()])
        .await;
    assert_eq!(kind, invalid("kinds"));
    let ca = world
        .refused(|it| {
            it.url = "https://example.com".into();
            it.tls_ca_pem = "no certificate".into();
        })
        .await;
    assert_eq!(ca, invalid("tls_ca_pem"));
    let node = world
        .refused(|it| {
            it.name = "of a node".into();
            it.node_id = NodeId::generate().to_string();
        })
        .await;
    assert_eq!(node.1, "node_not_found");
    for number in 1..MAX_WEBHOOKS {
        let name = format!("webhook {number}");
        world.create(|it| it.name = name).await.unwrap();
    }
    let many = world.refused(|it| it.name = "one more".into()).await;
    assert_eq!(
        (many.0, many.1.as_str()),
        (Code::FailedPrecondition, "too_many_webhooks")
    );
}

#[tokio::test]
async fn webhooks_are_for_administrators() {
    let world = World::new().await;
    let request = World::ask_with(&world.operator, v1::ListWebhooksRequest {});
    let refused = world.service.list(request).await.map(drop);
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn one_that_is_enabled_again_is_told_of_what_follows() {
    let world = World::new().await;
    let created = world.create(|it| it.enabled = Some(false)).await.unwrap();
    let id = created.webhook.unwrap().id;
    let happened = world.service.core.store.write(|tx| {
        let kind = v1::event::Kind::NodeDeleted(v1::NodeDeleted::default());
        crate::events::record(tx, 1, kind)
    });
    assert_eq!(happened.await, Ok(1));
    let patch = v1::UpdateWebhookRequest {
        id: id.clone(),
        name: Some("renamed".into()),
        kinds: Some(v1::StringList {
            values: vec!["peer.created".into()],
        }),
        ..Default::default()
    };
    let changed = world.update(patch).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.kinds.len()), ("renamed", 1));
    assert_eq!(world.position(&id).await, 0);
    let enable = v1::UpdateWebhookRequest {
        id: id.clone(),
        enabled: Some(true),
        ..Default::default()
    };
    assert!(world.update(enable).await.unwrap().enabled);
    assert_eq!(world.position(&id).await, 1);
    let delete = world.ask(v1::DeleteWebhookRequest { id: id.clone() });
    world.service.delete(delete).await.unwrap();
    let gone = world
        .service
        .get(world.ask(v1::GetWebhookRequest { id }))
        .await;
    assert_eq!(wgfleet_code(&gone.unwrap_err()), Some("webhook_not_found"));
}

#[tokio::test]
async fn a_test_is_in_the_log_of_deliveries() {
    let world = World::new().await;
    let id = world.create(|_| {}).await.unwrap().webhook.unwrap().id;
    for _ in 0..3 {
        let test = world.ask(v1::TestWebhookRequest { id: id.clone() });
        let sent = tokio::time::timeout(Duration::from_secs(20), world.service.test(test));
        let sent = sent.await.unwrap().unwrap().into_inner();
        assert_eq!(
            (sent.kind.as_str(), sent.outcome()),
            ("ping", v1::DeliveryOutcome::Failed)
        );
        assert!(sent.error.contains("refused"), "{}", sent.error);
    }
    let page = |cursor: &str| {
        world.ask(v1::ListWebhookDeliveriesRequest {
            id: id.clone(),
            page: Some(v1::PageRequest {
                page_size: 2,
                cursor: cursor.into(),
            }),
        })
    };
    let first = world
        .service
        .list_deliveries(page(""))
        .await
        .unwrap()
        .into_inner();
    let info = first.page.unwrap();
    assert_eq!((first.items.len(), info.total), (2, 3));
    let rest = world.service.list_deliveries(page(&info.next_cursor)).await;
    let rest = rest.unwrap().into_inner();
    assert_eq!(rest.items.len(), 1);
    assert_eq!(rest.page.unwrap().next_cursor, "");
    let nonsense = world.service.list_deliveries(page("x")).await.unwrap_err();
    assert_eq!(wgfleet_field(&nonsense), Some("cursor"));
}

#[tokio::test]
async fn the_same_request_again_makes_one_webhook_and_shows_its_secret_again() {
    let world = World::new().await;
    let again = || {
        let mut request = world.ask(v1::CreateWebhookRequest {
            name: "billing".into(),
            url: "http://127.0.0.1:9/".into(),
            ..Default::default()
        });
        let key = "again".parse().unwrap();
        request
            .metadata_mut()
            .insert(crate::services::once::KEY, key);
        world.service.create(request)
    };
    let first = again().await.unwrap().into_inner();
    let second = again().await.unwrap().into_inner();
    assert_eq!(first, second);
    assert!(second.secret.is_some());
    let list = world.ask(v1::ListWebhooksRequest {});
    let items = world.service.list(list).await.unwrap().into_inner().items;
    assert_eq!(items.len(), 1);
}
