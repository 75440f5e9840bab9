//! Placement: examples of each objection, and that the choice is the best one.

use proptest::prelude::*;

use super::*;

static NO_LABELS: Labels = Labels::new();
const ANY: Request<'static> = Request {
    selector: &NO_LABELS,
    needs_addresses: true,
};

fn node(name: &str) -> Candidate<'_> {
    Candidate {
        id: Uuid::nil(),
        name,
        enabled: true,
        status: NodeStatus::Online,
        status_reason: "",
        weight: 100,
        max_peers: 0,
        peers_in_store: 0,
        peers_in_kernel: 0,
        undeclared_in_kernel: 0,
        families: &[(Family::V4, true), (Family::V6, true)],
        labels: &NO_LABELS,
    }
}

fn objection(candidate: Candidate<'_>) -> String {
    place(&ANY, &[candidate]).unwrap_err().to_string()
}

#[test]
fn the_answer_says_why() {
    let busy = Candidate {
        peers_in_store: 2,
        ..node("node-1")
    };
    let limited = Candidate {
        peers_in_store: 3,
        weight: 200,
        max_peers: 100,
        ..node("node-2")
    };
    let placed = place(&ANY, &[busy.clone(), limited]).unwrap();
    assert_eq!(placed.why, "node-2: 3 of 100 peers at weight 200");
    assert_eq!(
        place(&ANY, &[busy]).unwrap().why,
        "node-1: 2 peers at weight 100"
    );
}

#[test]
fn ties_go_by_name() {
    let placed = place(&ANY, &[node("b"), node("a"), node("c")]).unwrap();
    assert_eq!(placed.why, "a: 0 peers at weight 100");
}

#[test]
fn each_objection_is_a_sentence() {
    let full = Candidate {
        max_peers: 5,
        peers_in_kernel: 5,
        ..node("n")
    };
    let offline = Candidate {
        status: NodeStatus::Offline,
        status_reason: "no answer in time",
        ..node("n")
    };
    let in_error = Candidate {
        status: NodeStatus::Error,
        ..node("n")
    };
    let exhausted = Candidate {
        families: &[(Family::V4, true), (Family::V6, false)],
        ..node("n")
    };
    let cases = [
        (full, "n is full: 5 of 5 peers"),
        (offline, "n is offline: no answer in time"),
        (in_error, "n is in error"),
        (exhausted, "n has no free IPv6 address"),
        (
            Candidate {
                families: &[],
                ..node("n")
            },
            "n has no address pool",
        ),
        (
            Candidate {
                enabled: false,
                ..node("n")
            },
            "n is disabled",
        ),
        (
            Candidate {
                weight: 0,
                ..node("n")
            },
            "n has weight 0, which takes peers only by name",
        ),
    ];
    for (candidate, expected) in cases {
        assert_eq!(
            objection(candidate),
            format!("no node can take the peer: {expected}")
        );
    }
    assert!(
        place(&ANY, &[])
            .unwrap_err()
            .to_string()
            .contains("there are no nodes")
    );
}

#[test]
fn every_node_gets_its_reason() {
    let nodes = [
        Candidate {
            weight: 0,
            ..node("b")
        },
        Candidate {
            enabled: false,
            ..node("a")
        },
    ];
    let error = place(&ANY, &nodes).unwrap_err().to_string();
    assert!(error.ends_with("a is disabled; b has weight 0, which takes peers only by name"));
}

#[test]
fn a_selector_narrows_the_choice() {
    let eu = Labels::from([("region".to_owned(), "eu".to_owned())]);
    let request = Request {
        selector: &eu,
        needs_addresses: true,
    };
    let busy = Candidate {
        labels: &eu,
        peers_in_store: 50,
        ..node("z")
    };
    assert!(
        place(&request, &[node("a"), busy])
            .unwrap()
            .why
            .starts_with("z:")
    );
    let error = place(&request, &[node("a")]).unwrap_err().to_string();
    assert!(error.ends_with("a does not have the label region=eu"));
}

#[test]
fn a_peer_with_its_own_addresses_needs_no_pool() {
    let request = Request {
        selector: &NO_LABELS,
        needs_addresses: false,
    };
    assert!(
        place(
            &request,
            &[Candidate {
                families: &[],
                ..node("a")
            }]
        )
        .is_ok()
    );
}

#[test]
fn peers_placed_since_the_last_dump_count_beside_undeclared_ones() {
    let node = Candidate {
        max_peers: 100,
        peers_in_store: 60,
        peers_in_kernel: 90,
        undeclared_in_kernel: 40,
        ..node("n")
    };
    assert!(objection(node).ends_with("full: 100 of 100 peers"));
}

#[test]
fn fifty_peers_land_by_weight() {
    let mut counts = [0_u32; 2];
    for _ in 0..50 {
        let nodes = [
            Candidate {
                id: Uuid::from_u128(0),
                peers_in_store: counts[0],
                ..node("a")
            },
            Candidate {
                id: Uuid::from_u128(1),
                peers_in_store: counts[1],
                weight: 400,
                ..node("b")
            },
        ];
        let chosen = place(&ANY, &nodes).unwrap().node_id.as_u128();
        counts[usize::try_from(chosen).unwrap()] += 1;
    }
    assert_eq!(counts, [10, 40]);
}

type Numbers = (u32, u32, u32, u32, bool, bool);

fn candidate((weight, peers, kernel, max_peers, enabled, online): Numbers) -> Candidate<'static> {
    Candidate {
        weight,
        peers_in_store: peers,
        peers_in_kernel: kernel,
        max_peers,
        enabled,
        status: if online {
            NodeStatus::Online
        } else {
            NodeStatus::Offline
        },
        ..node("n")
    }
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let count = || prop_oneof![0..10_u32, Just(u32::MAX)];
    let usually = || prop::bool::weighted(0.8);
    (count(), count(), 0..10_u32, 0..10_u32, usually(), usually())
}

proptest! {
    #[test]
    fn the_chosen_one_is_eligible_and_the_least_loaded(
        numbers in prop::collection::vec(numbers(), 0..8),
    ) {
        let mut nodes: Vec<Candidate<'_>> = numbers.into_iter().map(candidate).collect();
        for (node, id) in nodes.iter_mut().zip(0..) {
            node.id = Uuid::from_u128(id);
        }
        let has_room =
            |n: &&Candidate<'_>| n.max_peers == 0 || n.peers_in_store.max(n.peers_in_kernel) < n.max_peers;
        let eligible: Vec<_> = nodes
            .iter()
            .filter(|n| n.enabled && n.status == NodeStatus::Online && n.weight > 0)
            .filter(has_room)
            .collect();
        match place(&ANY, &nodes) {
            Err(error) => {
                prop_assert!(eligible.is_empty());
                prop_assert_eq!(error.objections.len(), nodes.len());
            }
            Ok(placed) => {
                let load = |n: &Candidate<'_>| u128::from(n.peers_in_store.max(n.peers_in_kernel)) + 1;
                let chosen = eligible.iter().find(|n| n.id == placed.node_id);
                prop_assert!(chosen.is_some());
                let chosen = chosen.unwrap();
                for other in &eligible {
                    let (ours, theirs) = (
                        load(chosen) * u128::from(other.weight),
                        load(other) * u128::from(chosen.weight),
                    );
                    prop_assert!(ours <= theirs);
                }
            }
        }
    }
}
