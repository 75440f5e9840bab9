//! Peers that expire or use up their quota.

use wgfleet_proto::v1::{PeerState, QuotaPeriod, event::Kind};

use super::{Fixture, NOW_S, ONLINE, named, patch, refusal};
use crate::{
    events::message,
    services::lapses::do_what_is_due,
    store::{PeerId, events, peers, quotas},
};

/// What was recorded after the event `last`.
async fn told_since(fixture: &Fixture, last: i64) -> Vec<Kind> {
    let read = move |conn: &crate::store::Connection| events::after(conn, last, 100);
    let rows = fixture.core.store.read(read).await.expect("events");
    let rows = rows.expect("all are kept").into_iter();
    rows.filter_map(|row| message(&row).expect("an event").kind)
        .collect()
}

async fn last_event(fixture: &Fixture) -> i64 {
    let last = fixture.core.store.read(events::last_id).await;
    last.expect("an id")
}

#[tokio::test]
async fn an_expiry_is_told_once() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let peer = fixture.create(named("guest")).await.expect("a peer");
    let id: PeerId = peer.id.parse().expect("an id");
    let expire = move |tx: &crate::store::WriteTx<'_>| {
        let mut settings = peers::get(tx, id)?.settings;
        settings.expires_at = Some(NOW_S);
        peers::update_settings(tx, id, &settings, NOW_S)
    };
    fixture.core.store.write(expire).await.expect("an expiry");
    let last = last_event(&fixture).await;
    for _ in 0..3 {
        do_what_is_due(&fixture.core).await.expect("all is well");
    }
    let told = told_since(&fixture, last).await;
    assert!(
        matches!(&told[..], [Kind::PeerExpired(expired)] if expired.peer_id == peer.id),
        "{told:?}"
    );
    let seen = super::super::view::read(&fixture.core, id).await;
    let seen = seen.expect("a peer");
    assert_eq!((seen.state(), seen.enabled), (PeerState::Expired, true));
}

#[tokio::test]
async fn a_quota_disables_with_a_reason_and_raising_it_enables() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let mut request = named("limited");
    request.quota_bytes = Some(1000);
    request.quota_period = QuotaPeriod::Month.into();
    let peer = fixture.create(request).await.expect("a peer");
    assert_eq!(
        (peer.quota_used_bytes, peer.state()),
        (Some(0), PeerState::Active)
    );
    let id: PeerId = peer.id.parse().expect("an id");
    let charge = move |tx: &crate::store::WriteTx<'_>| quotas::charge(tx, id, 1000, NOW_S);
    fixture.core.store.write(charge).await.expect("a charge");
    let last = last_event(&fixture).await;
    for _ in 0..3 {
        do_what_is_due(&fixture.core).await.expect("all is well");
    }
    let told = told_since(&fixture, last).await;
    let [Kind::PeerChanged(changed)] = &told[..] else {
        panic!("{told:?}");
    };
    let held = changed.peer.clone().expect("a peer");
    assert_eq!(
        (held.state(), held.enabled),
        (PeerState::QuotaUsedUp, false)
    );
    assert!(
        held.disabled_reason
            .starts_with("quota of 1 kB used up; back on ")
    );
    let mut enable = patch(&peer);
    enable.enabled = Some(true);
    let (_, code, field) = refusal(fixture.update(enable).await);
    assert_eq!((&*code, &*field), ("peer_quota_used_up", "quota_bytes"));
    let mut raise = patch(&peer);
    raise.quota_bytes = Some(1001);
    let (raised, _) = fixture.update(raise).await.expect("a change");
    assert_eq!(
        (raised.state(), raised.quota_used_bytes),
        (PeerState::Active, Some(1000))
    );
    assert!(raised.disabled_reason.is_empty());
    let mut clear = patch(&peer);
    clear.quota_bytes = Some(0);
    let (cleared, _) = fixture.update(clear).await.expect("a change");
    assert_eq!((cleared.quota_bytes, cleared.quota_period), (None, None));
}
