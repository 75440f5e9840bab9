//! Tokens and the audit of what was done.

use v1::{CreateTokenRequest, ListAuditRequest, ListTokensRequest, TokenRole, WhoAmIRequest};

use super::{super::still_valid, *};
use crate::services::{auth::authorize, status::wgfleet_field};

fn wanted(name: &str, role: TokenRole) -> CreateTokenRequest {
    CreateTokenRequest {
        name: name.into(),
        role: role.into(),
        ..Default::default()
    }
}

impl World {
    async fn make(&self, request: CreateTokenRequest) -> (v1::Token, String) {
        let made = self.tokens().create(by("root", request)).await;
        let made = made.expect("a token").into_inner();
        (made.token.expect("a token"), made.text)
    }

    async fn who(&self, token: &str) -> Result<Response<v1::Token>, Status> {
        let request = by(token, WhoAmIRequest::default());
        self.tokens().who_am_i(request).await
    }

    async fn revoke(&self, token: &str, id: &str) -> Result<Response<v1::Token>, Status> {
        let message = v1::RevokeTokenRequest { id: id.into() };
        self.tokens().revoke(by(token, message)).await
    }

    async fn audited(&self, request: ListAuditRequest) -> v1::ListAuditResponse {
        let answer = self.audit().list(by("root", request)).await;
        answer.expect("the audit").into_inner()
    }
}

async fn world() -> World {
    let world = World::new().await;
    world.token("root", Role::Admin, &[]).await;
    world
}

#[tokio::test]
async fn a_token_is_good_until_it_is_revoked() {
    let world = world().await;
    let (token, text) = world.make(wanted("ci", TokenRole::Operator)).await;
    assert!(text.starts_with("wgf_") && text.len() == 47, "{text}");
    let who = world.who(&text).await.expect("let in").into_inner();
    let used = v1::Token {
        last_used_at: Some(NOW_S),
        ..token.clone()
    };
    assert_eq!(who, used);
    let request = by(&text, ());
    let caller = authorize(&world.core, request.metadata(), Role::Operator).await;
    let caller = caller.expect("let in");
    assert!(still_valid(&world.core, &caller).await);
    assert_eq!(caller.source, "192.0.2.1");

    let revoked = world.revoke("root", &token.id).await.expect("revoked");
    assert_eq!(revoked.into_inner().revoked_at, Some(NOW_S));
    let refused = world.who(&text).await;
    assert_refused(refused, Code::Unauthenticated, "unauthenticated");
    assert!(!still_valid(&world.core, &caller).await);
    world.at(NOW_S + 5);
    let again = world.revoke("root", &token.id).await.expect("no change");
    assert_eq!(again.into_inner().revoked_at, Some(NOW_S));
    let unknown = world.revoke("root", &TokenId::generate().to_string()).await;
    assert_refused(unknown, Code::NotFound, "token_not_found");
    // Its name is free again.
    world.make(wanted("ci", TokenRole::Viewer)).await;
}

#[tokio::test]
async fn a_use_is_seen_at_once_and_written_down_later_and_once() {
    let world = world().await;
    let (token, text) = world.make(wanted("ci", TokenRole::Viewer)).await;
    assert_eq!(token.last_used_at, None);
    let seen = async || {
        let mut client = world.tokens();
        let listed = client.list(by("root", ListTokensRequest::default()));
        let listed = listed.await.expect("tokens").into_inner().items;
        let found = listed.into_iter().find(|it| it.id == token.id);
        found.expect("it is listed").last_used_at
    };
    let stored = async || {
        let id = token.id.parse().expect("an id");
        let row = world.core.store.read(move |conn| tokens::get(conn, id));
        row.await.expect("its row").last_used_at
    };
    assert_eq!(seen().await, None);
    world.at(NOW_S + 5);
    world.who(&text).await.expect("let in");
    assert_eq!((seen().await, stored().await), (Some(NOW_S + 5), None));
    super::super::uses::write(&world.core)
        .await
        .expect("written");
    assert_eq!(stored().await, Some(NOW_S + 5));

    // A row that was not used since is not written again.
    let forgets = world.core.store.write(|tx| {
        tx.execute("UPDATE tokens SET last_used_at = NULL", [])?;
        Ok(())
    });
    forgets.await.expect("forgotten");
    super::super::uses::write(&world.core)
        .await
        .expect("written");
    assert_eq!(stored().await, None);
    world.at(NOW_S + 9);
    world.who(&text).await.expect("let in");
    super::super::uses::write(&world.core)
        .await
        .expect("written");
    // The clock goes back.
    world.at(NOW_S + 7);
    world.who(&text).await.expect("let in");
    super::super::uses::write(&world.core)
        .await
        .expect("written");
    assert_eq!(stored().await, Some(NOW_S + 9));

    // One that is refused was not used.
    world.revoke("root", &token.id).await.expect("revoked");
    world.at(NOW_S + 20);
    world.who(&text).await.expect_err("revoked");
    assert_eq!(seen().await, Some(NOW_S + 9));
}

#[tokio::test]
async fn a_token_is_good_until_it_expires() {
    let world = world().await;
    let mut request = wanted("guest", TokenRole::Viewer);
    request.expires_at = Some(NOW_S + 60);
    let (_, text) = world.make(request).await;
    let request = by(&text, ());
    let caller = authorize(&world.core, request.metadata(), Role::Viewer).await;
    let caller = caller.expect("let in");
    world.at(NOW_S + 59);
    assert!(world.who(&text).await.is_ok() && still_valid(&world.core, &caller).await);
    world.at(NOW_S + 60);
    let refused = world.who(&text).await;
    assert_refused(refused, Code::Unauthenticated, "unauthenticated");
    assert!(!still_valid(&world.core, &caller).await);
}

#[tokio::test]
async fn what_no_token_can_be_is_refused() {
    let world = world().await;
    let mut past = wanted("a", TokenRole::Viewer);
    past.expires_at = Some(NOW_S);
    let mut scope = wanted("a", TokenRole::Viewer);
    scope.label_scope = labels(&[("team", "")]);
    for (request, field) in [
        (wanted("", TokenRole::Viewer), "name"),
        (wanted("a", TokenRole::Unspecified), "role"),
        (past, "expires_at"),
        (scope, "label_scope"),
    ] {
        let outcome = world.tokens().create(by("root", request)).await;
        let status = outcome.expect_err("refused");
        assert_eq!(wgfleet_field(&status), Some(field), "{status:?}");
    }
    for name in ["root", "controller"] {
        let request = by("root", wanted(name, TokenRole::Viewer));
        let outcome = world.tokens().create(request).await;
        assert_refused(outcome, Code::AlreadyExists, "name_taken");
    }
}

#[tokio::test]
async fn the_last_token_that_manages_tokens_stays() {
    let world = world().await;
    let root = world.who("root").await.expect("let in").into_inner();
    let mut expiring = wanted("expiring", TokenRole::Admin);
    expiring.expires_at = Some(NOW_S + 60);
    world.make(expiring).await;
    let mut scoped = wanted("scoped", TokenRole::Admin);
    scoped.label_scope = labels(&[("team", "red")]);
    world.make(scoped).await;
    world.make(wanted("operator", TokenRole::Operator)).await;
    world.at(NOW_S + 60);
    let refused = world.revoke("root", &root.id).await;
    assert_refused(refused, Code::FailedPrecondition, "last_admin_token");
    let (_, other) = world.make(wanted("other", TokenRole::Admin)).await;
    world.revoke("root", &root.id).await.expect("not the last");
    assert!(world.who("root").await.is_err() && world.who(&other).await.is_ok());
}

#[tokio::test]
async fn tokens_are_listed_page_by_page() {
    let world = world().await;
    for number in 0..4 {
        let name = format!("token-{number}");
        world.make(wanted(&name, TokenRole::Viewer)).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = Some(v1::PageRequest {
            page_size: 2,
            cursor,
        });
        let request = by("root", ListTokensRequest { page });
        let answer = world.tokens().list(request).await.expect("a page");
        let answer = answer.into_inner();
        names.extend(answer.items.into_iter().map(|token| token.name));
        let page = answer.page.expect("a page");
        assert_eq!(page.total, 5);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(names.len(), 5);
    assert_eq!(names[0], "root");
    let page = Some(v1::PageRequest {
        page_size: 1001,
        cursor: String::new(),
    });
    let refused = world
        .tokens()
        .list(by("root", ListTokensRequest { page }))
        .await;
    assert_refused(refused, Code::InvalidArgument, "invalid_field");
}

#[tokio::test]
async fn the_audit_tells_who_what_from_where_and_no_secret() {
    let world = world().await;
    let (token, text) = world.make(wanted("ci", TokenRole::Operator)).await;
    let node = world.node("n", "red", 1).await;
    let peer = world.peer(&text, "laptop", Some(node)).await.expect("made");
    world.at(NOW_S + 10);
    world.revoke("root", &token.id).await.expect("revoked");

    let all = world.audited(ListAuditRequest::default()).await;
    let actions: Vec<_> = all.items.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(actions, ["token.revoke", "peer.create", "token.create"]);
    assert_eq!(all.page.expect("a page").total, 3);
    assert!(!format!("{:?}", all.items).contains(&text));
    let revoked = &all.items[0];
    assert_eq!(
        (revoked.actor.as_str(), revoked.source.as_str()),
        ("root", "192.0.2.1")
    );
    assert!(revoked.before.contains("null") && revoked.after.contains("1790000010"));

    let only = |change: fn(&mut ListAuditRequest, String), value: &str| {
        let mut request = ListAuditRequest::default();
        change(&mut request, value.to_owned());
        request
    };
    for (request, expected) in [
        (only(|it, v| it.actor = v, "ci"), "peer.create"),
        (only(|it, v| it.action = v, "token.create"), "token.create"),
        (only(|it, v| it.object_kind = v, "peer"), "peer.create"),
        (only(|it, v| it.object_id = v, &peer.id), "peer.create"),
        (only(|it, v| it.source = v, "198.51.100.1"), ""),
        (
            only(|it, _| it.since = Some(NOW_S + 10), ""),
            "token.revoke",
        ),
        (
            only(|it, _| it.until = Some(NOW_S + 10), ""),
            "peer.create token.create",
        ),
    ] {
        let found = world.audited(request).await;
        let total = found.page.expect("a page").total;
        let actions: Vec<_> = found.items.into_iter().map(|it| it.action).collect();
        assert_eq!(actions.join(" "), expected);
        assert_eq!(total, actions.len() as u64);
    }
}

#[tokio::test]
async fn pages_of_the_audit_do_not_shift_when_more_is_done() {
    let world = world().await;
    for name in ["a", "b", "c"] {
        world.make(wanted(name, TokenRole::Viewer)).await;
    }
    let page = |cursor: String| ListAuditRequest {
        page: Some(v1::PageRequest {
            page_size: 2,
            cursor,
        }),
        ..Default::default()
    };
    let first = world.audited(page(String::new())).await;
    world.make(wanted("d", TokenRole::Viewer)).await;
    let next = first.page.expect("a page").next_cursor;
    let second = world.audited(page(next)).await;
    let names = |items: &[v1::AuditEntry]| -> Vec<String> {
        let name = |it: &v1::AuditEntry| {
            let after: serde_json::Value = serde_json::from_str(&it.after).expect("JSON");
            after["name"].as_str().expect("a name").to_owned()
        };
        items.iter().map(name).collect()
    };
    assert_eq!(names(&first.items), ["c", "b"]);
    assert_eq!(names(&second.items), ["a"]);
    assert!(second.page.expect("a page").next_cursor.is_empty());
    let refused = world.audit().list(by("root", page("x".into()))).await;
    assert_refused(refused, Code::InvalidArgument, "invalid_field");
}
