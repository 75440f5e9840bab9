//! From two states to the changes between them.

use std::collections::HashMap;

use wire_contract::{AllowedIp, Keepalive, PublicKey, dto::DumpPeer};

use super::{
    Blocked, Change, DesiredNode, DesiredPeer, Hold, Phase, Plan, UnmanagedPeer, UnmanagedPolicy,
    change::UpdateFields,
};

/// What brings a node whose dump shows `observed` to `desired`.
///
/// The plan is made as if an operator had agreed to everything; [`Plan::to_send`] leaves out what
/// they have not.
#[must_use]
pub fn plan(desired: &DesiredNode, observed: &[DumpPeer]) -> Plan {
    let declared: HashMap<_, _> = desired.peers.iter().map(|p| (p.public_key, p)).collect();
    let present: HashMap<_, _> = observed.iter().map(|p| (p.public_key, p)).collect();
    let mut changes = Vec::new();
    let mut unmanaged = Vec::new();
    for peer in present
        .values()
        .filter(|peer| !declared.contains_key(&peer.public_key))
    {
        if desired.tombstones.contains(&peer.public_key) {
            changes.push(Change::removal(peer, None));
            continue;
        }
        unmanaged.push(UnmanagedPeer {
            public_key: peer.public_key,
            allowed_ips: AllowedIp::normalized(peer.allowed_ips.clone()),
            persistent_keepalive: peer.persistent_keepalive,
        });
        if desired.unmanaged == UnmanagedPolicy::Remove {
            changes.push(Change::removal(peer, Some(Hold::RemovesUndeclared)));
        }
    }
    unmanaged.sort_unstable_by_key(|peer| peer.public_key);

    let drifts = declared
        .values()
        .filter_map(|peer| Drift::between(peer, present.get(&peer.public_key).copied()));
    let mut drifts: Vec<Drift<'_>> = drifts.collect();
    drifts.sort_unstable_by_key(|drift| drift.peer.public_key);

    let mut owners = Owners::new(desired, &declared, &present, &drifts);
    let mut blocked = Vec::new();
    for drift in &drifts {
        let obstacle = owners.obstacle(drift);
        drift.resolve(obstacle, &mut changes, &mut blocked);
    }
    changes.sort_by_key(|change| (change.phase, change.call.public_key()));
    Plan {
        changes,
        blocked,
        unmanaged,
    }
}

/// A declared peer that is not as it should be. The lists are sorted, each network once.
struct Drift<'a> {
    peer: &'a DesiredPeer,
    /// Whether the node has it at all.
    is_present: bool,
    observed: Vec<AllowedIp>,
    desired: Vec<AllowedIp>,
    /// What it has and keeps.
    kept: Vec<AllowedIp>,
    keepalive: Option<(Keepalive, Keepalive)>,
}

impl<'a> Drift<'a> {
    fn between(peer: &'a DesiredPeer, observed: Option<&DumpPeer>) -> Option<Self> {
        let Some(dump) = observed else {
            return Some(Self::absent(peer));
        };
        let (from, to) = (dump.persistent_keepalive, peer.persistent_keepalive);
        let keepalive = (from != to).then_some((from, to));
        let settings_agree = keepalive.is_none() && !peer.must_write_preshared_key();
        // The common case, without a copy: most nodes agree on most polls.
        if settings_agree && dump.allowed_ips == peer.allowed_ips {
            return None;
        }
        let observed = AllowedIp::normalized(dump.allowed_ips.clone());
        let desired = AllowedIp::normalized(peer.allowed_ips.clone());
        if settings_agree && observed == desired {
            return None;
        }
        let is_kept = |item: &&AllowedIp| desired.binary_search(item).is_ok();
        let kept = observed.iter().filter(is_kept).copied().collect();
        Some(Self {
            peer,
            is_present: true,
            observed,
            desired,
            kept,
            keepalive,
        })
    }

    fn absent(peer: &'a DesiredPeer) -> Self {
        Self {
            peer,
            is_present: false,
            observed: Vec::new(),
            desired: AllowedIp::normalized(peer.allowed_ips.clone()),
            kept: Vec::new(),
            keepalive: None,
        }
    }

    fn gained(&self) -> impl Iterator<Item = AllowedIp> + '_ {
        self.desired
            .iter()
            .copied()
            .filter(|item| self.kept.binary_search(item).is_err())
    }

    fn gains(&self) -> bool {
        self.kept.len() < self.desired.len()
    }

    fn shrinks(&self) -> bool {
        self.kept.len() < self.observed.len()
    }

    fn settings_drift(&self) -> bool {
        self.keepalive.is_some() || self.peer.must_write_preshared_key()
    }

    /// Adds the change or changes that mend it.
    fn resolve(&self, obstacle: Obstacle, changes: &mut Vec<Change>, blocked: &mut Vec<Blocked>) {
        if !self.is_present {
            obstacle.pass(Change::addition(self.peer), changes, blocked);
            return;
        }
        if matches!(obstacle, Obstacle::None) {
            let phase = if self.shrinks() {
                Phase::Shrink
            } else {
                Phase::Grow
            };
            changes.push(self.update(phase, &self.observed, &self.desired, true));
            return;
        }
        // The growth has to wait, perhaps for ever; what need not wait with it goes ahead.
        let waits_for_people = !matches!(obstacle, Obstacle::LetsGo);
        let ahead = self.shrinks() || (waits_for_people && self.settings_drift());
        if ahead {
            changes.push(self.update(Phase::Shrink, &self.observed, &self.kept, true));
        }
        let growth = self.update(Phase::Grow, &self.kept, &self.desired, !ahead);
        obstacle.pass(growth, changes, blocked);
    }

    fn update(
        &self,
        phase: Phase,
        from: &[AllowedIp],
        to: &[AllowedIp],
        with_settings: bool,
    ) -> Change {
        let fields = UpdateFields {
            allowed_ips: (from != to).then(|| (from.to_vec(), to.to_vec())),
            keepalive: self.keepalive.filter(|_| with_settings),
            preshared_key_drifts: with_settings && self.peer.must_write_preshared_key(),
        };
        Change::update(phase, self.peer, fields)
    }
}

/// What stands between a peer and the addresses it gains; the worst of them.
enum Obstacle {
    /// Nobody has them.
    None,
    /// Somebody has one, and lets go of it in an earlier phase.
    LetsGo,
    /// Somebody has one whose removal waits for an operator.
    Held(Hold),
    /// Somebody has one, or has the better claim to it, and stays.
    Stays(String),
}

impl Obstacle {
    fn pass(self, mut change: Change, changes: &mut Vec<Change>, blocked: &mut Vec<Blocked>) {
        match self {
            Self::None | Self::LetsGo => changes.push(change),
            Self::Held(hold) => {
                change.hold = Some(hold);
                changes.push(change);
            }
            Self::Stays(reason) => blocked.push(Blocked { change, reason }),
        }
    }

    const fn severity(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::LetsGo => 1,
            Self::Held(_) => 2,
            Self::Stays(_) => 3,
        }
    }
}

/// Who has, and who wants, each address.
struct Owners<'a> {
    node: &'a DesiredNode,
    declared: &'a HashMap<PublicKey, &'a DesiredPeer>,
    present: HashMap<AllowedIp, PublicKey>,
    /// Who gains each address. Two that want one and the same should not be; the first by key has it.
    claims: HashMap<AllowedIp, PublicKey>,
}

impl<'a> Owners<'a> {
    fn new(
        node: &'a DesiredNode,
        declared: &'a HashMap<PublicKey, &'a DesiredPeer>,
        present: &HashMap<PublicKey, &DumpPeer>,
        drifts: &[Drift<'_>],
    ) -> Self {
        let mut owners = HashMap::new();
        if drifts.iter().any(Drift::gains) {
            let owned = |p: &&DumpPeer| {
                let key = p.public_key;
                p.allowed_ips
                    .iter()
                    .map(move |item| (*item, key))
                    .collect::<Vec<_>>()
            };
            owners.extend(present.values().flat_map(owned));
        }
        Self {
            node,
            declared,
            present: owners,
            claims: HashMap::new(),
        }
    }

    fn obstacle(&mut self, drift: &Drift<'_>) -> Obstacle {
        let mut worst = Obstacle::None;
        for address in drift.gained() {
            let obstacle = self.obstacle_to(drift.peer.public_key, address);
            if obstacle.severity() > worst.severity() {
                worst = obstacle;
            }
        }
        worst
    }

    fn obstacle_to(&mut self, claimant: PublicKey, address: AllowedIp) -> Obstacle {
        let first = *self.claims.entry(address).or_insert(claimant);
        if first != claimant {
            return Obstacle::Stays(format!("{address} is wanted by the peer {first} too"));
        }
        match self.present.get(&address) {
            None => Obstacle::None,
            Some(owner) => self.obstacle_of(*owner, address),
        }
    }

    fn obstacle_of(&self, owner: PublicKey, address: AllowedIp) -> Obstacle {
        if let Some(peer) = self.declared.get(&owner) {
            return if peer.allowed_ips.contains(&address) {
                Obstacle::Stays(format!(
                    "{address} belongs to the peer {owner}, which keeps it"
                ))
            } else {
                Obstacle::LetsGo
            };
        }
        if self.node.tombstones.contains(&owner) {
            return Obstacle::LetsGo;
        }
        match self.node.unmanaged {
            UnmanagedPolicy::Remove => Obstacle::Held(Hold::AfterRemoval { owner, address }),
            UnmanagedPolicy::Ignore | UnmanagedPolicy::Adopt => {
                Obstacle::Stays(format!("{address} belongs to the undeclared peer {owner}"))
            }
        }
    }
}
