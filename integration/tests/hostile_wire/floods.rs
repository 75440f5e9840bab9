//! HOSTILE 14: a thousand bad signatures a second.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use wgfleet_integration::{StopOnDrop, agent::Agent, poll};

use crate::common::{agent, assert_well, health};

const SENDERS: usize = 4;
const A_TICK: Duration = Duration::from_millis(100);
/// Each tick, each sender: together a thousand a second.
const A_TIME: usize = 25;
const TICKS: u32 = 40;
/// What a source may do wrong: so many at once, so many a second.
const BURST: u64 = 20;
const A_SECOND: u64 = 10;

#[derive(Default)]
struct Failures {
    unauthorized: u64,
    limited: u64,
}

/// Sends forged requests at a steady rate, and counts what they are answered with.
fn flood(agent: &Agent) -> Failures {
    let client = agent.client().keep_alive();
    let mut forged = health(&client);
    forged.replace("X-Signature", "0".repeat(64));
    let mut failures = Failures::default();
    for _ in 0..TICKS {
        let next = Instant::now() + A_TICK;
        for _ in 0..A_TIME {
            let answer = client.send_wire(&forged).expect("an answer");
            match answer.status {
                401 => failures.unauthorized += 1,
                429 => {
                    let after: u64 = answer
                        .header("retry-after")
                        .expect("it says when")
                        .parse()
                        .expect("seconds");
                    assert!((1..=10).contains(&after), "{after}");
                    failures.limited += 1;
                }
                other => panic!("{other}"),
            }
        }
        poll(
            next.saturating_duration_since(Instant::now()),
            || None::<()>,
        );
    }
    failures
}

/// Latencies of signed requests from the same address, until told to stop.
fn poll_health(agent: &Agent, stop: &AtomicBool) -> Vec<Duration> {
    let client = agent.client().keep_alive();
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let before = Instant::now();
        assert_eq!(
            client.get("/health").status,
            200,
            "the good client is served"
        );
        latencies.push(before.elapsed());
        poll(Duration::from_millis(10), || None::<()>);
    }
    latencies.sort();
    latencies
}

#[test]
fn hostile_14_a_flood_of_bad_signatures_drowns_nobody() {
    let agent = agent();
    let (stop, before) = (AtomicBool::new(false), Instant::now());
    let (failures, latencies) = thread::scope(|scope| {
        let good = scope.spawn(|| poll_health(&agent, &stop));
        let stop_however_it_ends = StopOnDrop(&stop);
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| scope.spawn(|| flood(&agent)))
            .collect();
        let failures: Vec<_> = senders
            .into_iter()
            .map(|sender| sender.join().expect("answers"))
            .collect();
        drop(stop_however_it_ends);
        (failures, good.join().expect("all were served"))
    });
    let seconds = before.elapsed().as_secs() + 1;
    let allowed = BURST + A_SECOND * seconds;
    let unauthorized: u64 = failures.iter().map(|failures| failures.unauthorized).sum();
    let limited: u64 = failures.iter().map(|failures| failures.limited).sum();
    assert!(
        unauthorized <= allowed,
        "{unauthorized} got past an allowance of {allowed}"
    );
    assert!(
        limited > unauthorized * 5,
        "{limited} were limited, {unauthorized} were not"
    );
    let lines = agent.log().lines().count();
    assert!(
        lines as u64 <= allowed + 10,
        "{lines} lines of log in {seconds} s"
    );
    let p99 = latencies[latencies.len() * 99 / 100];
    assert!(
        latencies.len() > 50 && p99 <= Duration::from_millis(250),
        "{} requests, p99 {p99:?}",
        latencies.len()
    );
    // The lines say how many were left out.
    assert!(agent.log().contains("unlogged_before="), "{}", agent.log());
    assert_well(&agent);
}
