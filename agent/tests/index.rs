//! The peer index against a plain model, whatever is done to it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wgfleet_agent::wireguard::{
    AllowedIpsChange, DeviceFacts, DumpSink, PeerAction, PeerChange, PeerSettings,
    fingerprint::Fingerprinter, interface::index::PeerIndex,
};
use wire_contract::{AllowedIp, Keepalive, PublicKey};

#[derive(Debug, Default)]
struct Model {
    peers: BTreeMap<PublicKey, (u16, BTreeSet<AllowedIp>)>,
}

impl Model {
    fn apply(&mut self, change: &PeerChange) {
        let PeerAction::Set(settings) = &change.action else {
            self.peers.remove(&change.public_key);
            return;
        };
        if settings.update_only && !self.peers.contains_key(&change.public_key) {
            return;
        }
        let (list, replace) = match &settings.allowed_ips {
            AllowedIpsChange::Unchanged => (&[][..], false),
            AllowedIpsChange::Add(list) => (list.as_slice(), false),
            AllowedIpsChange::Replace { all, .. } => (all.as_slice(), true),
        };
        for (_, owned) in self.peers.values_mut() {
            owned.retain(|ip| !list.contains(ip));
        }
        let (keepalive, owned) = self.peers.entry(change.public_key).or_default();
        if let Some(new) = settings.persistent_keepalive {
            *keepalive = new.as_secs();
        }
        if replace {
            owned.clear();
        }
        owned.extend(list);
    }
}

fn key() -> impl Strategy<Value = PublicKey> {
    (0..6u8).prop_map(|n| PublicKey::from_bytes([n; 32]))
}

fn allowed_ip() -> impl Strategy<Value = AllowedIp> {
    (0..12u8).prop_map(|n| AllowedIp::new([10, 0, 0, n].into(), 32).expect("a /32"))
}

fn change() -> impl Strategy<Value = PeerChange> {
    let list = || proptest::collection::vec(allowed_ip(), 0..4);
    let allowed_ips = prop_oneof![
        Just(AllowedIpsChange::Unchanged),
        list().prop_map(AllowedIpsChange::Add),
        list().prop_map(|all| AllowedIpsChange::Replace {
            all,
            removed: vec![],
            added: vec![]
        }),
    ];
    let settings = (any::<bool>(), proptest::option::of(0..3u16), allowed_ips).prop_map(
        |(update_only, keepalive, allowed_ips)| {
            PeerAction::Set(PeerSettings {
                update_only,
                persistent_keepalive: keepalive.map(Keepalive::from_secs),
                allowed_ips,
                ..PeerSettings::default()
            })
        },
    );
    let action = prop_oneof![1 => Just(PeerAction::Remove), 4 => settings];
    (key(), action).prop_map(|(public_key, action)| PeerChange { public_key, action })
}

fn assert_same(index: &PeerIndex, model: &Model) {
    assert_eq!(index.len(), model.peers.len());
    for (key, (keepalive, owned)) in &model.peers {
        let peer = index.peer(key).expect("the peer is indexed");
        assert_eq!(peer.persistent_keepalive.as_secs(), *keepalive);
        assert_eq!(index.allowed_ips(peer).collect::<BTreeSet<_>>(), *owned);
        assert!(owned.iter().all(|ip| index.owner(ip) == Some(*key)));
    }
    let owned: BTreeSet<_> = model.peers.values().flat_map(|(_, owned)| owned).collect();
    for n in 0..12u8 {
        let ip = AllowedIp::new([10, 0, 0, n].into(), 32).expect("a /32");
        assert_eq!(index.owner(&ip).is_some(), owned.contains(&ip));
    }
}

proptest! {
    #[test]
    fn the_index_follows_every_change(changes in proptest::collection::vec(change(), 0..60)) {
        let mut index = PeerIndex::new(Fingerprinter::new());
        index.device(&DeviceFacts { ifindex: 1, public_key: None, listen_port: 0, fwmark: 0 });
        let mut model = Model::default();
        for change in &changes {
            index.apply(change);
            model.apply(change);
            assert_same(&index, &model);
        }
    }
}
