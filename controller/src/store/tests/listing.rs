//! Lists of 100,000 peers: along an index, whole, and the same however they are cut.

use std::time::Instant;

use rusqlite::{Connection, params_from_iter};

use super::{Fixture, NOW_S};
use crate::store::{
    NodeId, StoreError, SyncState, WriteTx,
    page::Cursor,
    peer_list::{self, PeerFilter, PeerSort},
};

const SORTS: [PeerSort; 4] = [
    PeerSort::Name,
    PeerSort::NameDesc,
    PeerSort::CreatedAt,
    PeerSort::CreatedAtDesc,
];

/// `count` peers in two statements; every name twice, every tenth pending.
fn fill(tx: &WriteTx<'_>, node: NodeId, count: u32) -> Result<(), StoreError> {
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)";
    let id = "printf('%s-%012d', substr(?1, 1, 23), i)";
    let key = "printf('%042dA=', i)";
    tx.execute(
        &format!(
            "{numbers} INSERT INTO peers (id, name, node_id, public_key, persistent_keepalive, dns, \
             client_allowed_ips, labels, enabled, created_at, updated_at) \
             SELECT {id}, printf('peer %06d', i / 2 * 7919 % 100003), ?1, {key}, 0, '[]', '[]', \
             '{{\"team\":\"' || (i % 5) || '\"}}', 1, ?3 + i / 3, ?3 FROM n"
        ),
        (node, count, NOW_S),
    )?;
    tx.execute(
        &format!(
            "{numbers} INSERT INTO peer_nodes (node_id, public_key, peer_id, allowed_ips, \
             sync_state, sync_reason, generation, psk_confirmed) \
             SELECT ?1, {key}, {id}, '[]', iif(i % 10, 'applied', 'pending'), '', 1, 1 FROM n"
        ),
        (node, count),
    )?;
    Ok(())
}

fn plan(conn: &Connection, filter: &PeerFilter, sort: PeerSort, after: Option<&Cursor>) -> String {
    let (sql, values) = peer_list::list_query(filter, sort, after, 100);
    let mut explain = conn
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .expect("a query");
    let rows = explain.query_map(params_from_iter(values), |row| {
        row.get::<_, String>("detail")
    });
    rows.expect("a plan")
        .map(|row| row.expect("a step"))
        .collect::<Vec<_>>()
        .join("; ")
}

#[tokio::test]
async fn a_page_follows_an_index_and_sorts_nothing() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    fixture
        .store
        .write(move |tx| fill(tx, node, 100_000))
        .await
        .expect("peers");
    let check = fixture.store.read(move |conn| {
        let all = PeerFilter::default();
        let of_node = PeerFilter {
            node_id: Some(node),
            ..PeerFilter::default()
        };
        for (filter, sort) in [&all, &of_node]
            .into_iter()
            .flat_map(|f| SORTS.map(|s| (f, s)))
        {
            let first = peer_list::list(conn, filter, sort, None, 100)?;
            let cursor = first.next.expect("more");
            for after in [None, Some(&cursor)] {
                let plan = plan(conn, filter, sort, after);
                assert!(plan.contains("USING INDEX peers_by_"), "{plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
                assert!(!plan.contains("SCAN pn"), "{plan}");
            }
            let begun = Instant::now();
            peer_list::list(conn, filter, sort, Some(&cursor), 100)?;
            assert!(begun.elapsed().as_millis() < 100, "{:?}", begun.elapsed());
        }
        assert_eq!(peer_list::count(conn, &all)?, 100_000);
        Ok(())
    });
    check.await.expect("a read");
}

#[tokio::test]
async fn pages_add_up_to_the_whole_list() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    fixture
        .store
        .write(move |tx| fill(tx, node, 1000))
        .await
        .expect("peers");
    let filters = [
        (PeerFilter::default(), 1000),
        (
            PeerFilter {
                sync: Some(SyncState::Pending),
                ..PeerFilter::default()
            },
            100,
        ),
        (
            PeerFilter {
                label: [("team".into(), "3".into())].into(),
                ..PeerFilter::default()
            },
            200,
        ),
        (
            PeerFilter {
                q: Some("PEER 000000".into()),
                ..PeerFilter::default()
            },
            1,
        ),
        (
            PeerFilter {
                q: Some("peer_".into()),
                ..PeerFilter::default()
            },
            0,
        ),
        (
            PeerFilter {
                enabled: Some(false),
                ..PeerFilter::default()
            },
            0,
        ),
        (
            PeerFilter {
                expires_before: Some(i64::MAX),
                ..PeerFilter::default()
            },
            0,
        ),
    ];
    let check = fixture.store.read(move |conn| {
        for ((filter, wanted), sort) in filters.iter().flat_map(|f| SORTS.map(|s| (f, s))) {
            assert_eq!(peer_list::count(conn, filter)?, *wanted, "{filter:?}");
            let whole = peer_list::list(conn, filter, sort, None, 5000)?;
            assert!(whole.next.is_none());
            let (mut pieces, mut after) = (Vec::new(), None);
            loop {
                let page = peer_list::list(conn, filter, sort, after.as_ref(), 37)?;
                pieces.extend(page.items);
                // As clients carry it.
                let Some(next) = page.next else { break };
                after = Some(Cursor::decode(&next.encode()).expect("our own cursor"));
            }
            assert_eq!(pieces, whole.items, "{filter:?} {sort:?}");
            assert_eq!(pieces.len() as u64, *wanted);
        }
        let other_order = peer_list::list(conn, &filters[0].0, PeerSort::Name, None, 1)?.next;
        let refused = peer_list::list(
            conn,
            &filters[0].0,
            PeerSort::CreatedAt,
            other_order.as_ref(),
            1,
        );
        assert_eq!(
            refused.map(drop),
            Err(StoreError::NotFound { what: "cursor" })
        );
        Ok(())
    });
    check.await.expect("a read");
}

#[test]
fn a_cursor_that_is_not_ours_is_refused() {
    for text in ["", "x", "dA", "aGVsbG8gd29ybGQ", "🦀", &"A".repeat(4000)] {
        assert_eq!(Cursor::decode(text), None, "{text}");
    }
}
