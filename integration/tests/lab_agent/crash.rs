//! HOSTILE 27: SIGKILL while changes are on their way, between kernel and answer among it.

use std::time::Duration;

use wgfleet_integration::{
    agent::Agent,
    client::{Client, Connection, WireRequest},
    lab::Limits,
    lab_test, poll, wg,
};

use crate::common::{OK, WG0, agent, answers, delete, outcome, post, send_together};

const LONG: Limits = Limits {
    time: Duration::from_secs(180),
    memory_mib: 1024,
};
const IN_FLIGHT: u32 = 32;

/// Posts of peers of their own, `round` after round.
fn posts(client: &Client, round: u32) -> Vec<WireRequest> {
    let first = round * IN_FLIGHT;
    (first..first + IN_FLIGHT)
        .map(|n| post(client, n, n, &[&wg::numbered_address(n)]))
        .collect()
}

/// Kills the agent, and says which requests were answered.
fn killed(agent: &mut Agent, connections: Vec<Connection>) -> Vec<bool> {
    agent.kill();
    answers(connections)
        .into_iter()
        .map(|answer| answer.is_ok_and(|answer| answer.status == 200))
        .collect()
}

/// The peers of this round that the kernel has.
fn present(round: u32) -> Vec<bool> {
    let shown: Vec<_> = wg::show(WG0)
        .peers
        .into_iter()
        .map(|peer| peer.public_key)
        .collect();
    let first = round * IN_FLIGHT;
    (first..first + IN_FLIGHT)
        .map(|n| shown.contains(&wg::numbered_key(n)))
        .collect()
}

/// Each peer is there once, as it was asked for.
fn assert_made(round: u32) {
    let peers = wg::show(WG0).peers;
    for n in round * IN_FLIGHT..(round + 1) * IN_FLIGHT {
        let made: Vec<_> = peers
            .iter()
            .filter(|peer| peer.public_key == wg::numbered_key(n))
            .collect();
        assert_eq!(made.len(), 1, "peer {n}");
        assert_eq!(made[0].allowed_ips, [wg::numbered_address(n)]);
    }
}

lab_test! {
    fn hostile_27_a_retry_after_kill_9_converges() with (LONG) {
        let mut agent = agent();
        let mut between = 0;
        for round in 0..8 {
            let client = agent.client();
            let posts = posts(&client, round);
            let mut connections = send_together(&client, &posts);
            // Answers go out one after the other once the kernel has taken the whole batch: with the
            // first one here, most of the others are between kernel and answer.
            if round % 2 == 0 {
                assert_eq!(connections[0].read_response().expect("an answer").status, 200);
            } else {
                poll(Duration::from_millis(u64::from(round) * 2), || None::<()>);
            }
            let answered = killed(&mut agent, connections);
            let made = present(round);
            for (n, (answered, made)) in answered.iter().zip(&made).enumerate() {
                assert!(*made || !answered, "{n} was acknowledged and is lost");
            }
            between += answered.iter().zip(&made).skip(1).filter(|(answered, made)| **made && !**answered).count();
            agent.restart();
            let client = agent.client();
            for wire in &posts {
                assert_eq!(outcome(&client, wire), OK, "the very same bytes");
            }
            assert_made(round);
            let first = round * IN_FLIGHT;
            for n in first..first + IN_FLIGHT {
                let again = post(&client, 100_000 + n, n, &[&wg::numbered_address(n)]);
                assert_eq!(outcome(&client, &again), OK, "signed afresh");
            }
            assert_made(round);
        }
        assert!(between > 0, "no kill fell between kernel and answer");
    }
}

lab_test! {
    fn hostile_27_removals_killed_half_way_converge() with (LONG) {
        let mut agent = agent();
        for round in 0..4 {
            let client = agent.client();
            for answer in answers(send_together(&client, &posts(&client, round))) {
                assert_eq!(answer.expect("an answer").status, 200);
            }
            let first = round * IN_FLIGHT;
            let deletes: Vec<_> = (first..first + IN_FLIGHT).map(|n| delete(&client, 200_000 + n, n)).collect();
            let mut connections = send_together(&client, &deletes);
            if round % 2 == 0 {
                assert_eq!(connections[0].read_response().expect("an answer").status, 200);
            }
            let answered = killed(&mut agent, connections);
            for (n, (answered, present)) in answered.iter().zip(present(round)).enumerate() {
                assert!(!(*answered && present), "{n} was said to be removed");
            }
            agent.restart();
            let client = agent.client();
            for wire in &deletes {
                // Gone before the crash, it is not found: either way it is not there.
                let (status, code) = outcome(&client, wire);
                let gone = matches!((status, code.as_deref()), (200, None) | (404, Some("peer_not_found")));
                assert!(gone, "{status} {code:?}");
            }
            assert!(wg::show(WG0).peers.is_empty());
        }
    }
}
