//! Lists by what was seen of peers: always by the last dump of each node, and by names alike but for
//! their end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use wire_contract::PublicKey;

use super::{Fixture, NOW_S, add_peer};
use crate::store::{
    NodeId, PeerId, PeerIndex, StoreError, WriteTx, generation,
    peer_list::{PeerQuery, PeerSort, Seen, SeenNode},
    peer_nodes::{self, Placement},
    peers, tombstones,
};

/// A dump in which each peer has received the number of its key times `factor`.
#[derive(Clone)]
struct Dump {
    version: u64,
    factor: i64,
    asked: Arc<AtomicUsize>,
}

impl Dump {
    fn new(version: u64, factor: i64) -> Self {
        Self {
            version,
            factor,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

impl SeenNode for Dump {
    fn version(&self) -> u64 {
        self.version
    }

    fn seen(&self, key: &PublicKey, _: &mut u32) -> Seen {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Seen {
            online: true,
            rx_bytes_total: i64::from(key.as_bytes()[0]) * self.factor,
            ..Seen::default()
        }
    }
}

fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes([number; 32])
}

fn peer(tx: &WriteTx<'_>, node: NodeId, number: u8) -> Result<PeerId, StoreError> {
    add_peer(tx, node, &format!("peer-{number}"), key(number))
}

/// Peers by what was received, most first.
fn most(index: &PeerIndex, dumps: impl Fn(NodeId) -> Option<Dump>) -> Vec<PeerId> {
    let query = PeerQuery {
        sort: PeerSort::RxBytesTotalDesc,
        limit: 100,
        ..PeerQuery::default()
    };
    index.find(&query, dumps).expect("a page").ids
}

#[tokio::test]
async fn a_list_goes_by_the_last_dumps_and_asks_each_once() {
    let fixture = Fixture::new();
    let (store, index) = (&fixture.store, fixture.store.peer_index());
    let [first, second] = [
        fixture.node("node-1", &["10.8.0.0/24"]).await,
        fixture.node("node-2", &["10.9.0.0/24"]).await,
    ];
    let add = move |node, number| store.write(move |tx| peer(tx, node, number));
    let two = add(first, 2).await.expect("a peer");
    let three = add(first, 3).await.expect("a peer");
    let four = add(second, 4).await.expect("a peer");
    let (mut one, other) = (Dump::new(1, 10), Dump::new(2, 1));
    let list = |one: &Dump| {
        let (one, other) = (one.clone(), other.clone());
        most(&index, move |node| {
            Some(if node == first { &one } else { &other }.clone())
        })
    };
    assert_eq!(list(&one), [three, two, four]);
    assert_eq!((one.asked(), other.asked()), (2, 1));
    assert_eq!(list(&one), [three, two, four]);
    assert_eq!((one.asked(), other.asked()), (0, 0), "nothing is new");

    one = Dump::new(3, 0);
    assert_eq!(list(&one), [four, three, two]);
    assert_eq!((one.asked(), other.asked()), (2, 0), "one dump is new");

    // A node that a list leaves out is caught up with when it comes back.
    one = Dump::new(4, 10);
    let without = most(&index, |node| (node == second).then(|| other.clone()));
    assert_eq!((without, one.asked()), (vec![four], 0));
    assert_eq!(list(&one), [three, two, four]);

    let five = add(second, 5).await.expect("a peer");
    assert_eq!(list(&one), [three, two, five, four]);
    let moved = store.write(move |tx| {
        let placement = Placement {
            node_id: first,
            public_key: key(4),
            peer_id: four,
            allowed_ips: &[],
            generation: generation::bump(tx, first)?,
            psk_confirmed: true,
        };
        peer_nodes::place(tx, &placement)?;
        peers::set_node(tx, four, first, NOW_S)
    });
    moved.await.expect("a move");
    assert_eq!(list(&one), [four, three, two, five]);
    let deleted = store.write(move |tx| peers::delete(tx, three, NOW_S));
    deleted.await.expect("a deletion");
    // Its place is another peer's now.
    let six = add(second, 6).await.expect("a peer");
    assert_eq!(list(&one), [four, two, six, five]);
    let rekeyed = store.write(move |tx| {
        tombstones::bury(tx, second, &key(6), NOW_S)?;
        peers::set_key_pair(tx, six, &key(1), None, NOW_S)?;
        let placement = Placement {
            node_id: second,
            public_key: key(1),
            peer_id: six,
            allowed_ips: &[],
            generation: generation::bump(tx, second)?,
            psk_confirmed: true,
        };
        peer_nodes::place(tx, &placement)
    });
    rekeyed.await.expect("another key");
    assert_eq!(list(&one), [four, two, five, six]);
}

#[tokio::test]
async fn names_alike_but_for_their_end_are_in_order_on_every_page() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let names = [
        "the same beginning",
        "the same beginning, b",
        "the same beginn",
        "the same beginning, é",
        "the same begin\u{1}",
        "the same beginning, a",
        "the same begin",
        "the same beginni",
    ];
    let added = fixture.store.write(move |tx| {
        let add = |(number, name): (usize, &&str)| {
            let key = key(u8::try_from(number).expect("few"));
            add_peer(tx, node, name, key).map(drop)
        };
        names.iter().enumerate().try_for_each(add)
    });
    added.await.expect("peers");
    let index = fixture.store.peer_index();
    let mut sorted = names;
    sorted.sort_unstable();
    for sort in [PeerSort::Name, PeerSort::NameDesc] {
        let mut query = PeerQuery {
            sort,
            limit: 1,
            ..PeerQuery::default()
        };
        let mut found = Vec::new();
        loop {
            let page = index.find(&query, |_| Some(Dump::new(1, 1)));
            let page = page.expect("a page");
            let ids = page.ids;
            let rows = fixture.store.read(move |conn| peers::get(conn, ids[0]));
            found.push(rows.await.expect("a peer").settings.name);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(found, sorted, "{sort:?}");
        sorted.reverse();
    }
}

#[tokio::test]
async fn a_statement_is_prepared_once_whatever_is_bound_to_it() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let added = fixture.store.write(move |tx| peer(tx, node, number));
        ids.push(added.await.expect("a peer"));
    }
    let read = fixture.store.read(move |conn| {
        for id in ids {
            peers::get(conn, id)?;
        }
        Ok(peers::Get::prepare(conn)?.prepared_again())
    });
    assert_eq!(read.await.expect("peers"), 0);
}
