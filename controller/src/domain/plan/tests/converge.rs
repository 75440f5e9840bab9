//! From any observed state, through drops, duplicates and delays, the node ends as desired.

use std::collections::HashSet;

use proptest::prelude::*;
use wire_contract::PublicKey;

use super::{super::*, model::*};

/// Marks as confirmed what the kernel really has: the truth a caller that lost no answer knows.
fn confirm_true_ones(desired: &mut DesiredNode, kernel: &Kernel) {
    for peer in &mut desired.peers {
        let there = kernel.0.get(&peer.public_key);
        let wanted = as_kernel_peer(peer).preshared_key;
        peer.preshared_key_confirmed = there.is_some_and(|p| p.preshared_key == wanted);
    }
}

/// What must hold when nothing more can be done: every peer as desired but for those whose address
/// is somebody's who stays, none that has a tombstone, and the undeclared as the policy says.
fn check_fixpoint(
    desired: &DesiredNode,
    kernel: &Kernel,
    undeclared_before: &Kernel,
    consent: Consent,
) -> Result<(), TestCaseError> {
    let last = plan(desired, &kernel.dump());
    prop_assert_eq!(
        last.to_send(consent).count(),
        0,
        "a second plan has nothing to send"
    );
    let mut waiting: HashSet<PublicKey> = last
        .blocked
        .iter()
        .map(|blocked| blocked.change.call.public_key())
        .collect();
    waiting.extend(last.held(consent).map(|change| change.call.public_key()));
    for peer in &desired.peers {
        if !waiting.contains(&peer.public_key) {
            prop_assert_eq!(kernel.0.get(&peer.public_key), Some(&as_kernel_peer(peer)));
        } else if let Some(there) = kernel.0.get(&peer.public_key) {
            let wanted = as_kernel_peer(peer);
            prop_assert_eq!(&there.preshared_key, &wanted.preshared_key);
            prop_assert_eq!(there.keepalive, wanted.keepalive);
            prop_assert!(
                there
                    .allowed_ips
                    .iter()
                    .all(|ip| wanted.allowed_ips.contains(ip))
            );
        }
    }
    let declared: HashSet<_> = desired.peers.iter().map(|peer| peer.public_key).collect();
    let undeclared = |k: &Kernel| -> Kernel {
        let keep = |key: &PublicKey| !declared.contains(key) && !desired.tombstones.contains(key);
        Kernel(
            k.0.clone()
                .into_iter()
                .filter(|(key, _)| keep(key))
                .collect(),
        )
    };
    let removed = desired.unmanaged == UnmanagedPolicy::Remove && consent == Consent::Everything;
    let expected = if removed {
        Kernel::default()
    } else {
        undeclared(undeclared_before)
    };
    prop_assert_eq!(undeclared(kernel), expected);
    let dead = kernel
        .0
        .keys()
        .find(|key| desired.tombstones.contains(*key) && !declared.contains(*key));
    prop_assert_eq!(dead, None);
    if expected_to_be_free(desired, consent, undeclared_before, &declared) {
        prop_assert!(waiting.is_empty(), "nobody undeclared is left to wait for");
    }
    Ok(())
}

fn expected_to_be_free(
    desired: &DesiredNode,
    consent: Consent,
    before: &Kernel,
    declared: &HashSet<PublicKey>,
) -> bool {
    let is_known = |key| declared.contains(key) || desired.tombstones.contains(key);
    (desired.unmanaged == UnmanagedPolicy::Remove && consent == Consent::Everything)
        || before.0.keys().all(is_known)
}

fn consents() -> impl Strategy<Value = Consent> {
    prop_oneof![Just(Consent::Declared), Just(Consent::Everything)]
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    ArrivesTwice,
    Lost,
    /// It arrives, and the answer is lost.
    Unanswered,
    /// It arrives in a later round, after the caller gave it up.
    Late,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        3 => Just(Fate::Arrives),
        1 => Just(Fate::ArrivesTwice),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Unanswered),
        2 => Just(Fate::Late),
    ];
    prop::collection::vec(fate, 24)
}

/// A node behind a bad line, and what the controller can know of it.
struct Line {
    kernel: Kernel,
    late: Vec<Call>,
}

impl Line {
    /// What a caller marks after each round: confirmed are the keys last written with success, while
    /// nothing that was given up can still arrive.
    fn send(&mut self, call: &Call, fate: Fate, desired: &mut DesiredNode) {
        let answer = match fate {
            Fate::Lost => None,
            Fate::Late => {
                self.late.push(call.clone());
                None
            }
            Fate::Arrives => Some(self.kernel.apply(call)),
            Fate::ArrivesTwice => {
                let first = self.kernel.apply(call);
                // What the second says does not matter: it changes nothing.
                let _ = self.kernel.apply(call);
                Some(first)
            }
            Fate::Unanswered => {
                let _ = self.kernel.apply(call);
                None
            }
        };
        let key = call.public_key();
        let success = answer == Some(Ok(())) && self.late.iter().all(|l| l.public_key() != key);
        for peer in desired
            .peers
            .iter_mut()
            .filter(|peer| peer.public_key == key)
        {
            peer.preshared_key_confirmed = success;
        }
    }

    /// All but the first `from`, the last given up first.
    fn deliver_late(&mut self, from: usize) {
        for call in self.late.drain(from.min(self.late.len())..).rev() {
            let _ = self.kernel.apply(&call);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn one_round_is_enough_and_nothing_is_refused(
        mut kernel in kernels(),
        mut desired in wishes(),
        consent in consents(),
        order in any::<u64>(),
    ) {
        confirm_true_ones(&mut desired, &kernel);
        let before = kernel.clone();
        let plan = plan(&desired, &kernel.dump());
        prop_assert!(plan.changes.is_sorted_by_key(|change| change.phase));
        let mut changes: Vec<&Change> = plan.to_send(consent).collect();
        // Any order within a phase.
        let shuffled = |c: &&Change| {
            u64::from(c.call.public_key().as_bytes()[0]).wrapping_mul(order | 1)
        };
        changes.sort_by_key(|change| (change.phase, shuffled(change)));
        for change in changes {
            prop_assert_eq!(kernel.apply(&change.call), Ok(()), "{:?}", change);
            prop_assert!(!change.fields.is_empty());
        }
        confirm_true_ones(&mut desired, &kernel);
        check_fixpoint(&desired, &kernel, &before, consent)?;
    }

    #[test]
    fn drops_duplicates_and_delays_end_as_desired(
        kernel in kernels(),
        wishes in prop::collection::vec(wishes(), 1..4),
        rounds in prop::collection::vec(fates(), 1..5),
        last_policy in consents(),
        late_from in 0_usize..4,
    ) {
        let mut line = Line { kernel, late: Vec::new() };
        let mut ever: HashSet<PublicKey> = HashSet::new();
        let mut desired = DesiredNode::default();
        for (round, fates) in rounds.iter().enumerate() {
            let mut next = wishes[round.min(wishes.len() - 1)].clone();
            // A peer that was declared once and is no more has a tombstone, as in the store.
            next.tombstones.extend(&ever);
            ever.extend(next.peers.iter().map(|peer| peer.public_key));
            desired = next;
            let plan = plan(&desired, &line.kernel.dump());
            for (change, fate) in plan.to_send(Consent::Declared).zip(fates) {
                line.send(&change.call, *fate, &mut desired);
            }
            line.deliver_late(late_from);
        }
        line.deliver_late(0);
        let before = line.kernel.clone();
        let plan = plan(&desired, &line.kernel.dump());
        for change in plan.to_send(last_policy) {
            line.send(&change.call, Fate::Arrives, &mut desired);
        }
        // Blocked additions have no key to confirm, and are not there.
        let kernel = line.kernel.clone();
        confirm_true_ones(&mut desired, &kernel);
        check_fixpoint(&desired, &kernel, &before, last_policy)?;
    }

    #[test]
    fn the_hash_is_the_plans_own(kernel in kernels(), desired in wishes()) {
        let mut dump = kernel.dump();
        let first = plan(&desired, &dump);
        dump.reverse();
        let mut turned = desired.clone();
        turned.peers.reverse();
        prop_assert_eq!(&plan(&turned, &dump), &first);
        let hash = first.hash(Consent::Nothing);
        prop_assert_eq!(hash.len(), 64);
        for peer in &mut turned.peers {
            if let DesiredPresharedKey::Key(_) = peer.preshared_key {
                peer.preshared_key = psk(99).into();
            }
        }
        let other_secrets = plan(&turned, &dump).hash(Consent::Nothing);
        prop_assert_eq!(other_secrets, hash, "no secret is in it");
    }
}
