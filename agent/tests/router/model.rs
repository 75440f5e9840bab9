//! What the contract says an agent does, as a small state machine: sections 1 to 3 of it, without a
//! line of the agent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How far a timestamp may lie from the agent's clock, seconds.
const WINDOW: i64 = 300;

/// Status and error code, "" for none.
pub(crate) type Verdict = (u16, &'static str);

const DONE: Verdict = (200, "");
const BAD_REQUEST: Verdict = (400, "bad_request");
const NO_INTERFACE: Verdict = (404, "interface_not_found");
const REPLAYED: Verdict = (409, "replayed");

/// A peer's settings, everything in its normal form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) allowed_ips: BTreeSet<&'static str>,
    pub(crate) preshared_key: Option<String>,
    pub(crate) persistent_keepalive: u16,
    pub(crate) endpoint: Option<&'static str>,
}

/// One member of a body.
#[derive(Debug, Clone)]
pub(crate) enum Member<T> {
    Absent,
    Null,
    Is(T),
    /// Nothing that can be meant.
    Bad,
}

/// What a body says beside the key.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) allowed_ips: Member<BTreeSet<&'static str>>,
    /// The key that stands for none is given as `Is(None)`.
    pub(crate) preshared_key: Member<Option<String>>,
    pub(crate) persistent_keepalive: Member<u16>,
    pub(crate) endpoint: Member<&'static str>,
}

/// What a mutation means.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Add(Settings),
    Update(Settings),
    Remove,
}

/// A mutation, read by whoever wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Meant {
    /// `None` when the name is none.
    pub(crate) interface: Option<&'static str>,
    /// `None` when it is malformed.
    pub(crate) key: Option<String>,
    pub(crate) change: Change,
}

type Identity = (&'static str, String);

/// What became of a mutation.
enum Outcome {
    Applied { of: Identity, at: u64 },
    Refused,
}

/// The agent, as the contract has it.
pub(crate) struct Model {
    pub(crate) interfaces: BTreeMap<&'static str, BTreeMap<String, Peer>>,
    own_keys: BTreeMap<&'static str, String>,
    pub(crate) now: i64,
    seen: HashMap<String, Outcome>,
    newest: HashMap<Identity, u64>,
    clock: u64,
}

impl Model {
    /// Interfaces with their own keys.
    pub(crate) fn new(now: i64, own_keys: BTreeMap<&'static str, String>) -> Self {
        Self {
            interfaces: own_keys
                .keys()
                .map(|name| (*name, BTreeMap::new()))
                .collect(),
            own_keys,
            now,
            seen: HashMap::new(),
            newest: HashMap::new(),
            clock: 0,
        }
    }

    pub(crate) fn is_recent(&self, timestamp: i64) -> bool {
        (self.now - timestamp).abs() <= WINDOW
    }

    /// A mutation with this signature.
    pub(crate) fn mutate(&mut self, signature: &str, timestamp: i64, meant: &Meant) -> Verdict {
        if !self.is_recent(timestamp) {
            return (401, "unauthorized");
        }
        match self.seen.get(signature) {
            Some(Outcome::Applied { of, at }) if self.newest[of] == *at => return DONE,
            Some(_) => return REPLAYED,
            None => {}
        }
        self.clock += 1;
        let (verdict, outcome) = match self.judge(meant) {
            Ok(of) => {
                self.newest.insert(of.clone(), self.clock);
                let at = self.clock;
                (DONE, Outcome::Applied { of, at })
            }
            Err(refused) => (refused, Outcome::Refused),
        };
        self.seen.insert(signature.to_owned(), outcome);
        verdict
    }

    fn judge(&mut self, meant: &Meant) -> Result<Identity, Verdict> {
        let (Some(name), Some(key)) = (meant.interface, &meant.key) else {
            return Err(BAD_REQUEST);
        };
        let wanted = match &meant.change {
            Change::Add(settings) => settings.whole().ok_or(BAD_REQUEST)?,
            Change::Update(settings) => {
                let present = self.interfaces.get(name).and_then(|peers| peers.get(key));
                let changed = settings.on_top_of(present.cloned().unwrap_or_default());
                changed.ok_or(BAD_REQUEST)?
            }
            Change::Remove => Peer::default(),
        };
        let peers = self.interfaces.get_mut(name).ok_or(NO_INTERFACE)?;
        let present = peers.get(key);
        match (&meant.change, present) {
            (Change::Update(_) | Change::Remove, None) => return Err((404, "peer_not_found")),
            (Change::Add(_), Some(present)) => {
                let same = Peer {
                    endpoint: present.endpoint,
                    ..wanted
                };
                if same != *present {
                    return Err((409, "peer_exists"));
                }
                return Ok((name, key.clone()));
            }
            (Change::Add(_), None) if self.own_keys[name] == *key => return Err((422, "own_key")),
            _ => {}
        }
        let is_taken = peers.iter().any(|(other, peer)| {
            other != key && !peer.allowed_ips.is_disjoint(&wanted.allowed_ips)
        });
        if is_taken {
            return Err((409, "allowed_ip_conflict"));
        }
        match meant.change {
            Change::Remove => peers.remove(key),
            _ => peers.insert(key.clone(), wanted),
        };
        Ok((name, key.clone()))
    }

    /// A dump, or whatever else asks only whether there is such an interface.
    pub(crate) fn read(&self, interface: Option<&'static str>) -> Verdict {
        match interface {
            None => BAD_REQUEST,
            Some(name) if self.interfaces.contains_key(name) => DONE,
            Some(_) => NO_INTERFACE,
        }
    }
}

impl Settings {
    /// As a POST has them: `null` is absent, and absent has a default.
    fn whole(&self) -> Option<Peer> {
        Some(Peer {
            allowed_ips: self.allowed_ips.or_default()?,
            preshared_key: self.preshared_key.or_default()?,
            persistent_keepalive: self.persistent_keepalive.or_default()?,
            endpoint: match self.endpoint {
                Member::Is(endpoint) => Some(endpoint),
                Member::Absent | Member::Null => None,
                Member::Bad => return None,
            },
        })
    }

    /// As a PUT has them: absent is unchanged, and `null` means something for one member alone.
    fn on_top_of(&self, mut peer: Peer) -> Option<Peer> {
        match &self.preshared_key {
            Member::Absent => {}
            Member::Null => peer.preshared_key = None,
            Member::Is(key) => peer.preshared_key.clone_from(key),
            Member::Bad => return None,
        }
        self.allowed_ips.replace(&mut peer.allowed_ips)?;
        self.persistent_keepalive
            .replace(&mut peer.persistent_keepalive)?;
        match self.endpoint {
            Member::Absent => {}
            Member::Is(endpoint) => peer.endpoint = Some(endpoint),
            Member::Null | Member::Bad => return None,
        }
        Some(peer)
    }
}

impl<T: Clone + Default> Member<T> {
    fn or_default(&self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => Some(T::default()),
            Self::Is(value) => Some(value.clone()),
            Self::Bad => None,
        }
    }

    fn replace(&self, value: &mut T) -> Option<()> {
        match self {
            Self::Absent => {}
            Self::Is(new) => value.clone_from(new),
            Self::Null | Self::Bad => return None,
        }
        Some(())
    }
}
