//! Too many calls, too many guesses.

use v1::{ListNodesRequest, WhoAmIRequest};

use super::{super::COUNTED, *};
use crate::services::status::RETRY_AFTER;

const TIGHT: AccessLimits = AccessLimits {
    token_rate: 1,
    token_burst: 3,
    auth_failure_rate: 1,
    auth_failure_burst: 2,
};

/// Asks until it is told to wait: on a busy machine an allowance grows meanwhile.
async fn asks_until_told_to_wait<T>(ask: impl AsyncFn() -> Result<Response<T>, Status>) {
    for _ in 0..100 {
        let Err(status) = ask().await else {
            continue;
        };
        if wgfleet_code(&status) == Some("rate_limited") {
            assert_eq!(status.code(), Code::ResourceExhausted);
            let wait = status.metadata().get(RETRY_AFTER);
            let wait = wait.expect("when to come back").to_str().expect("ASCII");
            assert!(wait.parse::<u64>().expect("a number") >= 1);
            return;
        }
    }
    panic!("it was never told to wait");
}

#[tokio::test]
async fn a_token_has_its_rate_and_no_other_token_pays_for_it() {
    let world = World::with(TIGHT).await;
    for name in ["one", "other"] {
        world.token(name, Role::Viewer, &[]).await;
    }
    let list = async |token| {
        world
            .nodes()
            .list(by(token, ListNodesRequest::default()))
            .await
    };
    for _ in 0..3 {
        list("one").await.expect("within the burst");
    }
    asks_until_told_to_wait(async || list("one").await).await;
    list("other").await.expect("not slowed");
    // A call of a service for a request that was counted at the door.
    let mut counted = by("one", ListNodesRequest::default());
    let yes = "yes".parse().expect("ASCII");
    counted.metadata_mut().insert(COUNTED, yes);
    world.nodes().list(counted).await.expect("counted before");
}

#[tokio::test]
async fn a_source_that_guesses_is_slowed_and_nobody_else() {
    let world = World::with(TIGHT).await;
    world.token("good", Role::Viewer, &[]).await;
    let ask = async |source, token| {
        let request = from(source, token, WhoAmIRequest::default());
        world.tokens().who_am_i(request).await
    };
    let (here, there) = ("192.0.2.1", "2001:db8::1");
    for guess in ["", "guess"] {
        let outcome = ask(here, guess).await;
        assert_refused(outcome, Code::Unauthenticated, "unauthenticated");
    }
    asks_until_told_to_wait(async || ask(here, "guess").await).await;
    asks_until_told_to_wait(async || ask(here, "").await).await;
    ask(here, "good").await.expect("a good token is let in");
    let outcome = ask(there, "guess").await;
    assert_refused(outcome, Code::Unauthenticated, "unauthenticated");
    let outcome = ask("2001:db8::2", "guess").await;
    assert_refused(outcome, Code::Unauthenticated, "unauthenticated");
    asks_until_told_to_wait(async || ask("2001:db8::3", "guess").await).await;
}

#[tokio::test]
async fn who_asks_may_ask_what_they_may() {
    let world = World::new().await;
    world.token("viewer", Role::Viewer, &[]).await;
    world.token("red", Role::Admin, &[("team", "red")]).await;
    let may = async |token, method: &str| {
        let may_call = format!("wgfleet.v1.{method}");
        let request = by(token, WhoAmIRequest { may_call });
        world.tokens().who_am_i(request).await
    };
    may("viewer", "PeerService/List").await.expect("it may");
    let (denied, forbidden) = (Code::PermissionDenied, "forbidden");
    assert_refused(may("viewer", "PeerService/Create").await, denied, forbidden);
    may("red", "PeerService/Create").await.expect("it may");
    assert_refused(may("red", "TokenService/List").await, denied, forbidden);
    let unknown = may("viewer", "PeerService/Nothing").await;
    assert_refused(unknown, Code::InvalidArgument, "invalid_field");
}
