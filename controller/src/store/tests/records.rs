//! Audit, tokens and idempotency.

use serde_json::json;

use super::{Fixture, NOW_S};
use crate::store::{
    Role, StoreError, TokenId, WriteTx,
    audit::{self, AuditEntry},
    idempotency::{self, IdempotencyKey, Known, LIFETIME_S},
    tokens::{self, TokenRow},
};

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let fixture = Fixture::new();
    let outcome = fixture.store.write(|tx| {
        for index in 0..5 {
            let entry = AuditEntry {
                at: NOW_S,
                actor: "admin".into(),
                source: "127.0.0.1".into(),
                action: "peer.create".into(),
                object_kind: "peer".into(),
                object_id: format!("{}", index % 2),
                before: None,
                after: Some(json!({"name": "laptop"})),
            };
            audit::append(tx, &entry)?;
        }
        let newest = audit::list(tx, None, None, 2)?;
        assert_eq!(newest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [5, 4]);
        let older = audit::list(tx, Some("0"), Some(5), 10)?;
        assert_eq!(older.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(older[0].1.after, Some(json!({"name": "laptop"})));
        assert!(tx.execute("DELETE FROM audit", []).is_err());
        Ok(tx.execute("UPDATE audit SET actor = 'nobody'", []).is_err())
    });
    assert_eq!(outcome.await, Ok(true));
}

#[tokio::test]
async fn tokens_are_found_by_hash_and_revoked_once() {
    let fixture = Fixture::new();
    let outcome = fixture.store.write(|tx| {
        let token = TokenRow {
            id: TokenId::generate(),
            name: "ci".into(),
            role: Role::Operator,
            label_scope: [("team".to_owned(), "red".to_owned())].into(),
            expires_at: None,
            revoked_at: None,
            created_at: NOW_S,
            last_used_at: None,
        };
        tokens::create(tx, &token, &[1; 32])?;
        assert_eq!(tokens::find(tx, &[1; 32])?.as_ref(), Some(&token));
        assert_eq!(tokens::find(tx, &[2; 32])?, None);
        tokens::revoke(tx, token.id, NOW_S + 1)?;
        tokens::revoke(tx, token.id, NOW_S + 2)?;
        assert!(tokens::revoke(tx, TokenId::generate(), NOW_S).is_err());
        Ok(tokens::list(tx)?[0].revoked_at)
    });
    assert_eq!(outcome.await, Ok(Some(NOW_S + 1)));
}

fn known(tx: &WriteTx<'_>, key: &IdempotencyKey, hash: u8, at: i64) -> Result<String, StoreError> {
    Ok(
        match idempotency::find(tx, tx.sealer(), key, &[hash; 32], at)? {
            None => "new".into(),
            Some(Known::OtherBody) => "other body".into(),
            Some(Known::Answered(answer)) => String::from_utf8_lossy(&answer).into_owned(),
        },
    )
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_for_a_day() {
    let fixture = Fixture::new();
    let key = |route: &str, key: &str| IdempotencyKey {
        token_id: "token".into(),
        route: route.into(),
        key: key.into(),
    };
    let (one, other) = (key("peers.create", "a"), key("nodes.create", "a"));
    let outcome = fixture.store.write(move |tx| {
        idempotency::record(tx, &one, &[1; 32], b"201", NOW_S)?;
        let again = idempotency::record(tx, &one, &[1; 32], b"202", NOW_S + 1);
        assert!(matches!(
            again,
            Err(StoreError::Conflict {
                what: "request",
                ..
            })
        ));
        assert_eq!(known(tx, &one, 1, NOW_S)?, "201");
        assert_eq!(known(tx, &one, 2, NOW_S)?, "other body");
        assert_eq!(known(tx, &other, 1, NOW_S)?, "new");
        idempotency::answer(tx, &one, b"203")?;
        assert_eq!(known(tx, &one, 1, NOW_S + LIFETIME_S - 1)?, "203");
        assert!(idempotency::answer(tx, &other, b"").is_err());
        assert_eq!(idempotency::prune(tx, NOW_S + LIFETIME_S - 1, 10)?, 0);

        let later = NOW_S + LIFETIME_S;
        assert_eq!(known(tx, &one, 1, later)?, "new");
        idempotency::record(tx, &one, &[2; 32], b"204", later)?;
        assert_eq!(known(tx, &one, 2, later)?, "204");
        idempotency::prune(tx, later + LIFETIME_S, 10)
    });
    assert_eq!(outcome.await, Ok(1));
}
