//! What a node has and should not have, or the other way round, field by field; and bringing it in line.

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1::{self, ChangeAction, UnmanagedPeers};

use super::{
    super::{
        form::Form,
        page::{SignedIn, html, see_other},
        refusal::Refused,
        show::{self, Chip},
        text,
    },
    address, read,
    show::NodePage,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
};

/// Changes, and peers nobody declared, that are shown of each.
const SHOWN: usize = 50;
/// Peers of changes that are shown by their names: each is a look into the store.
const NAMED: usize = 10;

#[derive(Template)]
#[template(path = "nodes_drift.html")]
struct DriftPart {
    drift: Drift,
}

/// The plan of a node, or why there is none.
pub(super) struct Drift {
    pub(super) id: String,
    pub(super) csrf: String,
    pub(super) may_change: bool,
    /// Why it can't be told; empty when it can.
    pub(super) problem: String,
    pub(super) in_sync: bool,
    /// Something would be written, now or after a word.
    pub(super) can_apply: bool,
    pub(super) changes: Vec<Step>,
    /// Changes that are not shown.
    pub(super) more: usize,
    /// What `confirm` repeats; empty when nothing waits for it.
    pub(super) confirm: String,
    pub(super) waits: String,
    pub(super) unmanaged: Vec<Stranger>,
    pub(super) unmanaged_total: String,
    pub(super) unmanaged_more: usize,
    pub(super) policy: UnmanagedPeers,
}

/// One change.
pub(super) struct Step {
    pub(super) action: Chip,
    pub(super) key: String,
    /// Its id and name, where it is known and one of the first.
    pub(super) peer: Option<(String, String)>,
    pub(super) fields: Vec<Field>,
    /// Why it is not made at once.
    pub(super) reason: String,
}

/// One field that differs; `None` where there is no such peer.
pub(super) struct Field {
    pub(super) label: &'static str,
    pub(super) observed: Option<String>,
    pub(super) declared: Option<String>,
}

/// A peer that nobody declared.
pub(super) struct Stranger {
    pub(super) key: String,
    pub(super) allowed_ips: String,
    /// Where it is adopted.
    pub(super) adopt: String,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    let node = read(&mut facade, &signed, id).await?;
    let drift = Drift::look(&mut facade, &signed, &node).await;
    html(&DriftPart { drift })
}

/// Brings the node in line, with the plan that was shown where that needs a word.
pub(super) async fn apply(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let confirm = Some(form.text("confirm").to_owned()).filter(|hash| !hash.is_empty());
    let message = v1::SyncNodeRequest {
        id: id.clone(),
        confirm,
    };
    match facade.nodes.sync(signed.caller.request(message)).await {
        Ok(answer) => {
            let sync = answer.into_inner().sync.unwrap_or_default();
            signed.flash(match sync.state() {
                v1::SyncState::Applied => text::APPLIED.to_owned(),
                _ => format!("{} {}", text::NOT_ALL_APPLIED, text::sentence(&sync.reason)),
            });
            Ok(see_other(&address(&id)))
        }
        Err(status) => NodePage::refusing(&mut facade, &signed, id, status.into()).await,
    }
}

impl Drift {
    /// Asks the node's worker, which reads the node. That it can't is something to show.
    pub(super) async fn look(facade: &mut Facade, signed: &SignedIn, node: &v1::Node) -> Self {
        let mut drift = Self {
            id: node.id.clone(),
            csrf: signed.session.csrf.clone(),
            may_change: signed.who.may_change,
            problem: String::new(),
            in_sync: false,
            can_apply: false,
            changes: Vec::new(),
            more: 0,
            confirm: String::new(),
            waits: String::new(),
            unmanaged: Vec::new(),
            unmanaged_total: String::new(),
            unmanaged_more: 0,
            policy: node.unmanaged_peers(),
        };
        let id = node.id.clone();
        let asked = signed.caller.request(v1::PlanNodeRequest { id });
        match facade.nodes.plan(asked).await {
            Ok(plan) => {
                drift.fill(plan.into_inner());
                drift.name(facade, signed).await;
            }
            Err(status) => drift.problem = Refused::from(status).sentence,
        }
        drift
    }

    fn fill(&mut self, plan: v1::PlanNodeResponse) {
        self.can_apply = self.may_change && !plan.changes.is_empty();
        let total = plan.changes.len() + plan.blocked.len();
        let changes = plan.changes.into_iter().chain(plan.blocked);
        self.changes = changes.take(SHOWN).map(Into::into).collect();
        self.more = total - self.changes.len();
        self.in_sync = plan.in_sync && total == 0;
        if plan.needs_confirmation {
            self.confirm = plan.hash;
            self.waits = text::sentence(&plan.confirmation_reason);
        }
        let strangers = plan.unmanaged.len();
        let unmanaged = plan.unmanaged.into_iter().take(SHOWN);
        let stranger = |peer| Stranger::of(&self.id, peer);
        self.unmanaged = unmanaged.map(stranger).collect();
        self.unmanaged_more = strangers - self.unmanaged.len();
        self.unmanaged_total = show::count(strangers as u64);
    }

    /// Adds the names of the first peers. One that is not found is deleted, or nobody declared it.
    async fn name(&mut self, facade: &mut Facade, signed: &SignedIn) {
        for step in self.changes.iter_mut().take(NAMED) {
            let asked = v1::ListPeersRequest {
                page: Some(v1::PageRequest {
                    page_size: 1,
                    cursor: String::new(),
                }),
                node_id: self.id.clone(),
                q: step.key.clone(),
                ..Default::default()
            };
            let found = facade.peers.list(signed.caller.request(asked)).await;
            let found = found
                .ok()
                .and_then(|answer| answer.into_inner().items.pop());
            step.peer = found.map(|peer| (peer.id, peer.name));
        }
    }

    pub(super) fn policy_text(&self) -> &'static str {
        text::unmanaged(self.policy)
    }

    pub(super) fn is_adopting(&self) -> bool {
        self.policy == UnmanagedPeers::Adopt
    }

    pub(super) fn is_removing(&self) -> bool {
        self.policy == UnmanagedPeers::Remove
    }
}

impl From<v1::Change> for Step {
    fn from(change: v1::Change) -> Self {
        let action = change.action();
        let field = |(name, field): (String, v1::FieldChange)| {
            let is_there = action != ChangeAction::Add;
            let stays = action != ChangeAction::Remove;
            Field {
                label: text::peer_field(&name),
                observed: is_there.then_some(field.from),
                declared: stays.then_some(field.to),
            }
        };
        let mut fields: Vec<_> = change.fields.into_iter().map(field).collect();
        fields.sort_by_key(|field| field.label);
        Self {
            action: text::change(action).into(),
            key: change.public_key,
            peer: None,
            fields,
            reason: text::sentence(&change.reason),
        }
    }
}

impl Stranger {
    fn of(node_id: &str, peer: v1::UnmanagedPeer) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("public_key", &peer.public_key);
        Self {
            adopt: format!("{}/adopt?{}", address(node_id), query.finish()),
            key: peer.public_key,
            allowed_ips: peer.allowed_ips.join(", "),
        }
    }
}
