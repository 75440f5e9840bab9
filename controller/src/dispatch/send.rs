//! Sending a plan: phase by phase, the changes of one phase at once.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};
use wire_contract::{InterfaceName, PublicKey, signing::WINDOW};

use super::{Shared, desired::Written, unix_s};
use crate::{
    agent_client::{AgentClient, AgentError},
    domain::plan::{Call, Change, Phase},
    failpoint,
    metrics::{Outcome, WriteKind},
    store::{NodeId, StoreError, tombstones},
};

/// Requests to one agent at a time; its client opens as many connections.
const AT_ONCE: usize = 32;

/// What came of sending.
#[derive(Default)]
pub(super) struct Sent {
    /// Why a key is not as it should be.
    pub(super) errors: HashMap<PublicKey, AgentError>,
    /// Keys whose request was answered, whatever with, while no earlier one is in doubt.
    pub(super) answered: Vec<PublicKey>,
    /// The node stopped answering: the rest was not sent.
    pub(super) cut_short: Option<AgentError>,
    /// What was tried: keys, and the generation of the peer where one is declared.
    tried: HashMap<PublicKey, Option<u64>>,
}

impl Sent {
    /// Takes over what holds of an earlier round as well.
    pub(super) fn follows(&mut self, before: Self) {
        self.answered.extend(before.answered);
        for (key, generation) in before.tried {
            self.tried.entry(key).or_insert(generation);
        }
    }

    /// Those of `changes` that were not tried, or not of the peer as it stands now; `generations` are
    /// those of the peers' rows.
    pub(super) fn untried(
        &self,
        generations: &HashMap<PublicKey, u64>,
        changes: &[&Change],
    ) -> HashSet<PublicKey> {
        let keys = changes.iter().map(|change| change.call.public_key());
        keys.filter(|key| self.tried.get(key) != Some(&generations.get(key).copied()))
            .collect()
    }
}

/// To whom changes go.
pub(super) struct Target<'a> {
    pub(super) shared: &'a Shared,
    pub(super) client: &'a AgentClient,
    pub(super) node: NodeId,
    pub(super) interface: &'a InterfaceName,
}

impl Target<'_> {
    /// Sends `changes`, which are in the order of a plan. `generations` are those of the peers' rows.
    pub(super) async fn send(
        &self,
        changes: &[&Change],
        generations: &HashMap<PublicKey, u64>,
        written: &mut Written,
    ) -> Result<Sent, StoreError> {
        let tried = |change: &&Change| {
            let key = change.call.public_key();
            (key, generations.get(&key).copied())
        };
        let mut sent = Sent {
            tried: changes.iter().map(tried).collect(),
            ..Sent::default()
        };
        for phase in [Phase::Remove, Phase::Shrink, Phase::Grow] {
            let calls: Vec<&Call> = changes
                .iter()
                .filter(|c| c.phase == phase)
                .map(|c| &c.call)
                .collect();
            if calls.is_empty() || sent.cut_short.is_some() {
                continue;
            }
            self.note_signed(&calls).await?;
            failpoint!("dispatch.before_send");
            self.send_phase(&calls, generations, written, &mut sent)
                .await;
            failpoint!("dispatch.after_send");
        }
        Ok(sent)
    }

    /// A request may arrive long after we gave up on it. What was signed when is on disk before it
    /// goes out, so that the tombstone of a key outlives every such request.
    async fn note_signed(&self, calls: &[&Call]) -> Result<(), StoreError> {
        let (node, now_s) = (self.node, unix_s(&self.shared.clock));
        let brings = |call: &&&Call| !matches!(call, Call::Remove(_));
        let keys: Vec<_> = calls
            .iter()
            .filter(brings)
            .map(|call| call.public_key())
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        failpoint!("dispatch.before_note_signed");
        let until_s = now_s + WINDOW.as_secs().cast_signed();
        let note = move |tx: &crate::store::WriteTx<'_>| {
            keys.iter()
                .try_for_each(|key| tombstones::touch_signed(tx, node, key, now_s, until_s))
        };
        self.shared.store.write(note).await
    }

    async fn send_phase(
        &self,
        calls: &[&Call],
        generations: &HashMap<PublicKey, u64>,
        written: &mut Written,
        sent: &mut Sent,
    ) {
        let mut requests = Vec::with_capacity(calls.len());
        for call in calls {
            requests.push(self.call_by_key(call));
        }
        let mut answers = stream::iter(requests).buffer_unordered(AT_ONCE);
        let signed_until = unix_s(&self.shared.clock) + WINDOW.as_secs().cast_signed();
        while let Some((key, answer)) = answers.next().await {
            match answer {
                Ok(()) => {
                    if let Some(generation) = generations.get(&key) {
                        written.succeeded(key, *generation);
                    }
                    if !written.is_doubtful(&key) {
                        sent.answered.push(key);
                    }
                }
                Err(error) => {
                    let silent = is_silence(&error);
                    if silent {
                        written.given_up(key, signed_until);
                    }
                    sent.errors.insert(key, error.clone());
                    if silent {
                        // The others would run into the same; dropping them gives them up too.
                        sent.cut_short = Some(error);
                        break;
                    }
                }
            }
        }
        drop(answers);
        if sent.cut_short.is_some() {
            for call in calls {
                written.given_up(call.public_key(), signed_until);
            }
        }
    }

    async fn call_by_key(&self, call: &Call) -> (PublicKey, Result<(), AgentError>) {
        let answer = self.call(call).await;
        self.shared.metrics.wrote(kind(call), counted(&answer));
        (call.public_key(), answer)
    }

    async fn call(&self, call: &Call) -> Result<(), AgentError> {
        let (client, interface) = (self.client, self.interface);
        match call {
            Call::Add(peer) => client.add_peer(interface, peer).await?,
            Call::Update(key, update) => client.update_peer(interface, key, update).await?,
            Call::Remove(key) => match client.delete_peer(interface, key).await {
                // Gone already is gone.
                Err(error) if error.code() == Some(wire_contract::ErrorCode::PeerNotFound) => {
                    return Ok(());
                }
                other => other?,
            },
        };
        Ok(())
    }
}

/// Whether the node gave no answer at all, so that asking more of it is pointless for now.
const fn is_silence(error: &AgentError) -> bool {
    matches!(
        error,
        AgentError::Unreachable { .. } | AgentError::TimedOut(_) | AgentError::Closed
    )
}

const fn kind(call: &Call) -> WriteKind {
    match call {
        Call::Add(_) => WriteKind::Add,
        Call::Update(..) => WriteKind::Update,
        Call::Remove(_) => WriteKind::Remove,
    }
}

const fn counted(answer: &Result<(), AgentError>) -> Outcome {
    match answer {
        Ok(()) => Outcome::Applied,
        Err(error) if is_silence(error) => Outcome::Unanswered,
        Err(_) => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn key(number: u8) -> PublicKey {
        PublicKey::from_bytes([number; 32])
    }

    fn removal(number: u8) -> Change {
        Change {
            phase: Phase::Remove,
            call: Call::Remove(key(number)),
            fields: BTreeMap::new(),
            hold: None,
        }
    }

    fn sent(tried: &[(u8, Option<u64>)]) -> Sent {
        Sent {
            tried: tried
                .iter()
                .map(|(number, at)| (key(*number), *at))
                .collect(),
            ..Sent::default()
        }
    }

    #[test]
    fn what_was_declared_since_is_untried() {
        let (one, two, three) = (removal(1), removal(2), removal(3));
        let mut now = sent(&[(1, Some(4)), (2, None)]);
        now.follows(sent(&[(1, Some(3)), (3, None)]));
        let untried = |generations: &[(u8, u64)]| {
            let generations = generations.iter().map(|(number, at)| (key(*number), *at));
            let mut keys: Vec<_> = now
                .untried(&generations.collect(), &[&one, &two, &three])
                .into_iter()
                .collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!(untried(&[(1, 4)]), []);
        assert_eq!(untried(&[(1, 5)]), [key(1)], "changed since");
        assert_eq!(untried(&[(1, 4), (3, 1)]), [key(3)], "declared again since");
        assert_eq!(untried(&[]), [key(1)], "deleted since");
    }
}
