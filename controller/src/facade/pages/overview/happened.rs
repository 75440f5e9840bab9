//! Recent events, in words, with the names of what they are about.

use std::collections::HashMap;

use wgfleet_proto::v1;

use super::{
    super::{
        page::SignedIn,
        show::{self, Ago},
        text,
    },
    about::About,
    runs::Run,
};
use crate::facade::Facade;

/// One event, or many that are told together.
pub(super) struct Told {
    pub(super) at: Ago,
    pub(super) what: String,
    /// What it is about, by name; empty when that is gone.
    pub(super) name: String,
    /// The page of it; empty when there is none any more.
    pub(super) href: String,
    /// What it became, how often, and why.
    pub(super) became: Option<show::Chip>,
    pub(super) times: String,
    pub(super) reason: String,
}

/// The names of nodes and peers, each looked up once.
struct Names<'a> {
    facade: &'a mut Facade,
    signed: &'a SignedIn,
    /// By id, of nodes and of others.
    known: HashMap<(bool, String), Option<String>>,
}

/// `events`, of which the newest `read` were asked for, in words. A name that can't be looked up any
/// more is left out.
pub(super) async fn tell(
    facade: &mut Facade,
    signed: &SignedIn,
    events: &[v1::Event],
    read: u32,
) -> Vec<Told> {
    let mut names = Names {
        facade,
        signed,
        known: HashMap::new(),
    };
    let mut told = Vec::new();
    for run in Run::of(events, read as usize) {
        told.push(line(&mut names, run).await);
    }
    told
}

async fn line(names: &mut Names<'_>, run: Run) -> Told {
    let subjects = run.subjects();
    let Run { about, name, .. } = run;
    let counted = |count: usize| {
        if run.is_cut {
            text::or_more(count)
        } else {
            count.to_string()
        }
    };
    let is_many = subjects > 1;
    let of_node = about.is_node || is_many;
    let (what, times) = if is_many {
        let what = text::event_of_peers(&name, &counted(subjects));
        (what, String::new())
    } else if run.count > 1 {
        (text::event(&name), text::times(&counted(run.count)))
    } else {
        (text::event(&name), String::new())
    };
    let id = if of_node { about.place() } else { &about.id };
    let is_gone = about.is_gone && !is_many;
    let name = match about.name.as_ref().filter(|_| !is_many) {
        Some(name) => name.clone(),
        None if is_gone => String::new(),
        None => names.of(id, of_node).await,
    };
    let kind = if of_node { "nodes" } else { "peers" };
    Told {
        at: Ago::new(run.at, show::now_s()),
        what,
        href: if name.is_empty() || is_gone {
            String::new()
        } else {
            format!("/{kind}/{id}")
        },
        name,
        became: about.became.map(Into::into),
        times,
        reason: reason(&about, is_many),
    }
}

/// Of many, it is that of the newest.
fn reason(about: &About, is_many: bool) -> String {
    let reason = text::sentence(&about.reason);
    if is_many && !reason.is_empty() {
        text::such_as(&reason)
    } else {
        reason
    }
}

impl Names<'_> {
    /// Empty when there is none any more.
    async fn of(&mut self, id: &str, is_node: bool) -> String {
        let key = (is_node, id.to_owned());
        if !self.known.contains_key(&key) {
            let name = self.look_up(id.to_owned(), is_node).await;
            self.known.insert(key.clone(), name);
        }
        self.known.get(&key).cloned().flatten().unwrap_or_default()
    }

    async fn look_up(&mut self, id: String, is_node: bool) -> Option<String> {
        let Self { facade, signed, .. } = self;
        if is_node {
            let node = facade
                .nodes
                .get(signed.caller.request(v1::GetNodeRequest { id }));
            node.await.ok().map(|node| node.into_inner().name)
        } else {
            let peer = facade
                .peers
                .get(signed.caller.request(v1::GetPeerRequest { id }));
            peer.await.ok().map(|peer| peer.into_inner().name)
        }
    }
}
