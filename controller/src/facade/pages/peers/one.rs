//! `/peers/{id}`: one peer.

use std::slice;

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1;
use zeroize::Zeroizing;

use super::{
    super::{
        page::{Nav, Page, SignedIn, html, html_with},
        refusal::Refused,
        show::{self, Ago, Chip},
        text,
    },
    nodes::Nodes,
    past::{self, Deed},
    row::Row,
    units,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfPeer},
};

/// Bytes that a QR code holds at most.
const MAX_QR_BYTES: usize = 2953;

#[derive(Template)]
#[template(path = "peer.html")]
struct PeerPage {
    page: Page,
    refused: Option<Refused>,
    now: Now,
    client: Option<Client>,
    deeds: Option<Vec<Deed>>,
    nodes: Vec<String>,
    /// What was typed of the node to move to.
    target: String,
}

#[derive(Template)]
#[template(path = "peer_now.html")]
struct NowPart {
    now: Now,
}

#[derive(Template)]
#[template(path = "peer_client.html")]
struct ClientPart {
    client: Option<Client>,
}

/// The peer as it is.
struct Now {
    row: Row,
    /// Where its traffic over time is.
    traffic: String,
    csrf: String,
    may_change: bool,
    state: Chip,
    is_enabled: bool,
    disabled_reason: String,
    public_key: String,
    preshared: &'static str,
    private_key: &'static str,
    keepalive: String,
    dns: String,
    mtu: String,
    routes: String,
    labels: String,
    created: Ago,
    updated: Ago,
}

/// What its client needs.
struct Client {
    id: String,
    etag: String,
    /// Empty when there is none, and then why.
    config: Zeroizing<String>,
    why_none: String,
    is_complete: bool,
    fits_qr: bool,
}

pub(super) async fn show(
    State(facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    page(facade, &signed, id, None, String::new()).await
}

/// The page, perhaps with what was refused on it.
pub(super) async fn page(
    mut facade: Facade,
    signed: &SignedIn,
    id: String,
    refused: Option<Refused>,
    target: String,
) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    let peer = get(&mut facade, signed, id).await?;
    let mut nodes = Nodes::default();
    if signed.who.may_change {
        nodes = Nodes::read(&mut facade, signed).await?;
    }
    nodes
        .complete(&mut facade, signed, slice::from_ref(&peer))
        .await;
    let page = PeerPage {
        page: Page::new(signed, Nav::Peers, &peer.name),
        refused,
        client: Client::of(&mut facade, signed, &peer).await,
        deeds: past::deeds(&mut facade, signed, &peer.id).await?,
        now: Now::new(signed, peer, &nodes),
        nodes: nodes.offered,
        target,
    };
    html_with(status, &page)
}

pub(super) async fn show_now(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let peer = get(&mut facade, &signed, id).await?;
    let mut nodes = Nodes::default();
    nodes
        .complete(&mut facade, &signed, slice::from_ref(&peer))
        .await;
    let now = Now::new(&signed, peer, &nodes);
    html(&NowPart { now })
}

pub(super) async fn show_client(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let peer = get(&mut facade, &signed, id).await?;
    let client = Client::of(&mut facade, &signed, &peer).await;
    html(&ClientPart { client })
}

/// The peer of that id.
///
/// # Errors
/// When there is none.
pub(super) async fn get(facade: &mut Facade, signed: &SignedIn, id: String) -> Answer<v1::Peer> {
    let asked = signed.caller.request(v1::GetPeerRequest { id });
    Ok(facade.peers.get(asked).await?.into_inner())
}

impl Now {
    fn new(signed: &SignedIn, peer: v1::Peer, nodes: &Nodes) -> Self {
        let now_s = show::now_s();
        let or_node = |text: String| {
            if text.is_empty() {
                text::AS_THE_NODE.to_owned()
            } else {
                text
            }
        };
        Self {
            traffic: format!("/peers/{}/traffic", peer.id),
            csrf: signed.session.csrf.clone(),
            may_change: signed.who.may_change,
            state: text::peer_state(peer.state()).into(),
            is_enabled: peer.enabled,
            disabled_reason: text::sentence(&peer.disabled_reason),
            public_key: peer.public_key.clone(),
            preshared: match (peer.has_preshared_key, peer.preshared_key_known) {
                (true, _) => text::PRESHARED,
                (false, true) => text::NOT_PRESHARED,
                (false, false) => text::PRESHARED_UNKNOWN,
            },
            private_key: if peer.private_key_kept {
                text::KEY_KEPT
            } else {
                text::KEY_NOT_KEPT
            },
            keepalive: match peer.persistent_keepalive {
                0 => text::OFF.to_owned(),
                seconds => format!("{seconds} s"),
            },
            dns: or_node(peer.dns.join(", ")),
            mtu: or_node(peer.mtu.map(|mtu| mtu.to_string()).unwrap_or_default()),
            routes: or_node(peer.client_allowed_ips.join(", ")),
            labels: units::shown_labels(&peer.labels.clone().into_iter().collect()),
            created: Ago::new(peer.created_at, now_s),
            updated: Ago::new(peer.updated_at, now_s),
            row: Row::new(peer, nodes, now_s),
        }
    }
}

impl Client {
    /// Nothing for who may not see it.
    async fn of(facade: &mut Facade, signed: &SignedIn, peer: &v1::Peer) -> Option<Self> {
        if !signed.who.may_change {
            return None;
        }
        let id = peer.id.clone();
        let asked = signed.caller.request(v1::GetPeerConfigRequest { id });
        let (config, is_complete, why_none) = match facade.peers.get_config(asked).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                (answer.config, answer.complete, String::new())
            }
            Err(status) => (String::new(), false, Refused::from(status).sentence),
        };
        Some(Self {
            id: peer.id.clone(),
            etag: peer.etag.clone(),
            fits_qr: config.len() <= MAX_QR_BYTES,
            config: Zeroizing::new(config),
            why_none,
            is_complete,
        })
    }
}
