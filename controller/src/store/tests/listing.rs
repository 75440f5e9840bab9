//! Lists of many peers: whole, the same however they are cut, and never behind the store.

use wire_contract::PublicKey;

use super::{Fixture, NOW_S, add_peer};
use crate::{
    domain::{period::QuotaPeriod, quota::Quota},
    store::{
        NodeId, PeerId, PeerIndex, Store, StoreError, SyncState, WriteTx, generation,
        page::Cursor,
        peer_index::Found,
        peer_list::{self, PeerFilter, PeerQuery, PeerSort, Seen, SeenNode},
        peer_nodes::{self, Placement},
        peers, quotas, tombstones,
    },
};

const SORTS: [PeerSort; 7] = [
    PeerSort::Name,
    PeerSort::NameDesc,
    PeerSort::CreatedAt,
    PeerSort::CreatedAtDesc,
    PeerSort::LatestHandshakeDesc,
    PeerSort::RxBytesTotalDesc,
    PeerSort::TxBytesTotalDesc,
];

/// What is made up as seen of a peer: by its key, so that every order is another one.
pub(super) struct MadeUp;

impl SeenNode for MadeUp {
    fn version(&self) -> u64 {
        1
    }

    fn seen(&self, key: &PublicKey, _: &mut u32) -> Seen {
        seen(key)
    }
}

fn seen(key: &PublicKey) -> Seen {
    let sum = key
        .as_bytes()
        .iter()
        .map(|byte| i64::from(*byte))
        .sum::<i64>();
    Seen {
        online: sum % 3 == 0,
        latest_handshake: sum % 7,
        rx_bytes_total: sum % 11,
        tx_bytes_total: -sum,
    }
}

fn find(index: &PeerIndex, query: &PeerQuery) -> Result<Found, StoreError> {
    index.find(query, |_| Some(MadeUp))
}

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
    let index = fixture.store.peer_index();
    for ((filter, wanted), sort) in filters.iter().flat_map(|f| SORTS.map(|s| (f, s))) {
        let mut query = PeerQuery {
            filter: filter.clone(),
            sort,
            limit: 5000,
            ..PeerQuery::default()
        };
        let whole = find(&index, &query).expect("a page");
        assert!(whole.next.is_none());
        assert_eq!(
            (whole.total, whole.ids.len() as u64),
            (*wanted, *wanted),
            "{filter:?}"
        );
        query.limit = 37;
        let mut pieces = Vec::new();
        loop {
            let page = find(&index, &query).expect("a page");
            pieces.extend(page.ids);
            assert_eq!(page.total, *wanted);
            // As clients carry it.
            let Some(next) = page.next else { break };
            query.after = Some(Cursor::decode(&next.encode()).expect("our own cursor"));
        }
        assert_eq!(pieces, whole.ids, "{filter:?} {sort:?}");
    }
    let first = |sort, after| PeerQuery {
        sort,
        after,
        limit: 1,
        ..PeerQuery::default()
    };
    let by_name = find(&index, &first(PeerSort::Name, None)).expect("a page");
    let refused = find(&index, &first(PeerSort::CreatedAt, by_name.next));
    assert_eq!(refused, Err(StoreError::NotFound { what: "cursor" }));
}

#[tokio::test]
async fn an_order_is_that_of_what_it_is_named_for() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    fixture
        .store
        .write(move |tx| fill(tx, node, 500))
        .await
        .expect("peers");
    let index = fixture.store.peer_index();
    for (sort, online) in SORTS
        .into_iter()
        .flat_map(|s| [None, Some(true)].map(|o| (s, o)))
    {
        let query = PeerQuery {
            sort,
            online,
            limit: 500,
            ..PeerQuery::default()
        };
        let ids = find(&index, &query).expect("a page").ids;
        let rows = fixture
            .store
            .read(move |conn| peer_list::rows(conn, &ids))
            .await;
        let rows = rows.expect("the peers");
        let rank = |row: &peers::PeerRow| {
            let (name, seen) = (row.settings.name.clone(), seen(&row.public_key));
            match sort {
                PeerSort::Name | PeerSort::NameDesc => (name, 0, row.id),
                PeerSort::CreatedAt | PeerSort::CreatedAtDesc => {
                    (String::new(), row.created_at, row.id)
                }
                PeerSort::LatestHandshakeDesc => (String::new(), seen.latest_handshake, row.id),
                PeerSort::RxBytesTotalDesc => (String::new(), seen.rx_bytes_total, row.id),
                PeerSort::TxBytesTotalDesc => (String::new(), seen.tx_bytes_total, row.id),
            }
        };
        let mut ranks: Vec<_> = rows.iter().map(rank).collect();
        if !matches!(sort, PeerSort::Name | PeerSort::CreatedAt) {
            ranks.reverse();
        }
        assert!(ranks.is_sorted(), "{sort:?}");
        let wanted = |row: &peers::PeerRow| {
            online.is_none_or(|online| seen(&row.public_key).online == online)
        };
        assert!(
            !rows.is_empty() && rows.iter().all(wanted),
            "{sort:?} {online:?}"
        );
        assert_eq!(rows.len() == 500, online.is_none());
    }
}

fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes([number; 32])
}

fn peer(tx: &WriteTx<'_>, node: NodeId, number: u8) -> Result<PeerId, StoreError> {
    add_peer(tx, node, &format!("peer-{number}"), key(number))
}

fn place(tx: &WriteTx<'_>, id: PeerId, node: NodeId, number: u8) -> Result<(), StoreError> {
    let placement = Placement {
        node_id: node,
        public_key: key(number),
        peer_id: id,
        allowed_ips: &[],
        generation: generation::bump(tx, node)?,
        psk_confirmed: true,
    };
    peer_nodes::place(tx, &placement)
}

/// What lists can tell of all peers: in each state they are asked for.
fn everything(index: &PeerIndex, node: NodeId) -> Vec<Found> {
    let filters = [
        PeerFilter::default(),
        PeerFilter {
            node_id: Some(node),
            ..PeerFilter::default()
        },
        PeerFilter {
            q: Some("10.8.0.2".into()),
            ..PeerFilter::default()
        },
        PeerFilter {
            q: Some(key(9).to_base64().as_str().into()),
            ..PeerFilter::default()
        },
        PeerFilter {
            q: Some("RENAMED".into()),
            ..PeerFilter::default()
        },
        PeerFilter {
            label: [("team".into(), "red".into())].into(),
            ..PeerFilter::default()
        },
        PeerFilter {
            sync: Some(SyncState::Applied),
            ..PeerFilter::default()
        },
        PeerFilter {
            enabled: Some(false),
            ..PeerFilter::default()
        },
        PeerFilter {
            expires_before: Some(NOW_S),
            ..PeerFilter::default()
        },
        PeerFilter {
            admission: Some((peer_list::Admission::QuotaUsedUp, NOW_S)),
            ..PeerFilter::default()
        },
    ];
    let query = |filter| PeerQuery {
        filter,
        limit: 100,
        ..PeerQuery::default()
    };
    let found = |filter| find(index, &query(filter)).expect("a page");
    filters.into_iter().map(found).collect()
}

/// Makes a change, which must show in lists, as it would after a restart.
async fn shows<F>(store: &Store, node: NodeId, what: &str, change: F)
where
    F: FnOnce(&WriteTx<'_>) -> Result<(), StoreError> + Send + 'static,
{
    let before = everything(&store.peer_index(), node);
    store.write(change).await.expect(what);
    let now = everything(&store.peer_index(), node);
    assert_ne!(now, before, "{what}");
    let read = store.read(PeerIndex::load).await.expect("all peers");
    assert_eq!(now, everything(&read, node), "{what}");
}

#[tokio::test]
async fn a_list_is_never_behind_the_store() {
    let fixture = Fixture::new();
    let [first, second] = [
        fixture.node("node-1", &["10.8.0.0/24"]).await,
        fixture.node("node-2", &["10.9.0.0/24"]).await,
    ];
    let store = &fixture.store;
    shows(store, first, "created", move |tx| {
        peer(tx, first, 2).map(drop)
    })
    .await;
    let made = store.write(move |tx| peer(tx, first, 1));
    let id = made.await.expect("a peer");
    // Neither is how it is done today: in two transactions, and without a trace.
    shows(store, first, "taken away", move |tx| {
        tx.execute("DELETE FROM peer_nodes WHERE peer_id = ?1", [id])?;
        Ok(())
    })
    .await;
    shows(store, first, "placed later", move |tx| {
        place(tx, id, first, 1)
    })
    .await;
    let settings = move |change: fn(&mut peers::PeerSettings)| {
        move |tx: &WriteTx<'_>| {
            let mut settings = peers::get(tx, id)?.settings;
            change(&mut settings);
            peers::update_settings(tx, id, &settings, NOW_S)
        }
    };
    shows(
        store,
        first,
        "named",
        settings(|peer| peer.name = "Renamed".into()),
    )
    .await;
    let label =
        |peer: &mut peers::PeerSettings| drop(peer.labels.insert("team".into(), "red".into()));
    shows(store, first, "labelled", settings(label)).await;
    shows(
        store,
        first,
        "expired",
        settings(|peer| peer.expires_at = Some(NOW_S - 1)),
    )
    .await;
    shows(
        store,
        first,
        "let in again",
        settings(|peer| peer.expires_at = None),
    )
    .await;
    shows(
        store,
        first,
        "disabled",
        settings(|peer| peer.enabled = false),
    )
    .await;
    let held = Quota {
        held: true,
        ..Quota::new(9, QuotaPeriod::Week, NOW_S)
    };
    shows(store, first, "held", move |tx| {
        quotas::set(tx, id, Some(&held))
    })
    .await;
    shows(store, first, "without a quota", move |tx| {
        quotas::set(tx, id, None)
    })
    .await;
    let unused = Quota::new(9, QuotaPeriod::Week, NOW_S);
    let given = store.write(move |tx| quotas::set(tx, id, Some(&unused)));
    given.await.expect("a quota that holds nobody");
    // Not how it is written today: by a change of the row instead of another one.
    shows(store, first, "held later", move |tx| {
        tx.execute("UPDATE peer_quotas SET held = 1 WHERE peer_id = ?1", [id])?;
        Ok(())
    })
    .await;
    shows(store, first, "applied", move |tx| {
        let row = peers::get(tx, id)?;
        let all = tx.execute(
            "UPDATE peer_nodes SET sync_state = 'applied' WHERE peer_id = ?1",
            [id],
        )?;
        assert_eq!((all, row.sync_state), (1, SyncState::Pending));
        Ok(())
    })
    .await;
    shows(store, first, "of another key", move |tx| {
        tombstones::bury(tx, first, &key(1), NOW_S)?;
        peers::set_key_pair(tx, id, &key(9), None, NOW_S)?;
        place(tx, id, first, 9)
    })
    .await;
    shows(store, first, "on another node", move |tx| {
        place(tx, id, second, 9)?;
        peers::set_node(tx, id, second, NOW_S)
    })
    .await;
    let failed = store.write(move |tx| {
        settings(|peer| peer.name = "never".into())(tx)?;
        Err::<(), _>(StoreError::NotFound { what: "anything" })
    });
    let before = everything(&store.peer_index(), first);
    assert!(failed.await.is_err());
    assert_eq!(
        everything(&store.peer_index(), first),
        before,
        "what was taken back"
    );
    shows(store, first, "deleted", move |tx| {
        peers::delete(tx, id, NOW_S)
    })
    .await;
}

#[test]
fn a_cursor_that_is_not_ours_is_refused() {
    for text in ["", "x", "dA", "aGVsbG8gd29ybGQ", "🦀", &"A".repeat(4000)] {
        assert_eq!(Cursor::decode(text), None, "{text}");
    }
}
