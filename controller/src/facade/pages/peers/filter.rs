//! Which peers a list shows, as its address says.

use wgfleet_proto::v1;

use super::units;
use crate::facade::{
    peers::SORTS,
    problem::Problem,
    query::Parameters,
    shape::{PEER_STATES, SYNC_STATES},
};

/// Peers of a page.
pub(super) const PAGE_SIZE: u32 = 50;
/// Pages that `Previous` goes back.
const MAX_BEFORE: usize = 10;
const PATH: &str = "/peers";
/// What filters and orders.
const NAMES: [&str; 9] = [
    "q",
    "node",
    "label",
    "online",
    "sync",
    "state",
    "enabled",
    "expires_before",
    "sort",
];
const FLAGS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// What was asked for, as it was typed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    typed: Vec<(&'static str, String)>,
    cursor: String,
    /// Cursors of the pages before, the first page's being empty.
    before: Vec<String>,
}

impl Wanted {
    /// Reads an address. What is wrong with a value comes out when it is used.
    pub(super) fn read(mut query: Parameters) -> Result<Self, Problem> {
        let mut typed = Vec::new();
        for name in NAMES {
            let mut value = query.text(name)?.unwrap_or_default();
            if name == "node" && value.is_empty() {
                value = query.text("node_id")?.unwrap_or_default();
            }
            let value = value.trim();
            if !value.is_empty() {
                typed.push((name, value.to_owned()));
            }
        }
        let wanted = Self {
            typed,
            cursor: query.text("cursor")?.unwrap_or_default(),
            before: query.texts("before"),
        };
        query.finish()?;
        Ok(wanted)
    }

    /// What was typed there; empty when nothing was.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.typed.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether that was chosen.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.text(name) == value
    }

    /// Whether any filter stands in the way.
    pub(super) fn is_filtered(&self) -> bool {
        self.typed.iter().any(|(name, _)| *name != "sort")
    }

    /// The message; the node's id was looked up.
    pub(super) fn message(&self, node_id: String) -> Result<v1::ListPeersRequest, Problem> {
        let sync: Option<v1::SyncState> = self.word("sync", &SYNC_STATES)?;
        let state: Option<v1::PeerState> = self.word("state", &PEER_STATES)?;
        Ok(v1::ListPeersRequest {
            page: Some(v1::PageRequest {
                page_size: PAGE_SIZE,
                cursor: self.cursor.clone(),
            }),
            node_id,
            q: self.text("q").to_owned(),
            label: units::labels("label", self.text("label"))?,
            online: self.word("online", &FLAGS)?,
            enabled: self.word("enabled", &FLAGS)?,
            expires_before: units::time("expires_before", self.text("expires_before"))?,
            sync: sync.unwrap_or_default().into(),
            state: state.unwrap_or_default().into(),
            sort: self.word("sort", &SORTS)?.unwrap_or_default().into(),
        })
    }

    /// The first page, in another order.
    pub(super) fn sorted(&self, sort: &'static str) -> String {
        let mut other = self.first_page();
        other.typed.retain(|(name, _)| *name != "sort");
        other.typed.push(("sort", sort.to_owned()));
        other.href()
    }

    /// The first page.
    pub(super) fn first(&self) -> String {
        self.first_page().href()
    }

    /// The page after; empty when there is none.
    pub(super) fn next(&self, cursor: &str) -> String {
        if cursor.is_empty() {
            return String::new();
        }
        let mut other = self.clone();
        other.before.push(self.cursor.clone());
        let surplus = other.before.len().saturating_sub(MAX_BEFORE);
        other.before.drain(..surplus);
        cursor.clone_into(&mut other.cursor);
        other.href()
    }

    /// The page before; empty when there is none, or it is too long ago.
    pub(super) fn previous(&self) -> String {
        let mut other = self.clone();
        let Some(cursor) = other.before.pop() else {
            return String::new();
        };
        other.cursor = cursor;
        other.href()
    }

    /// This page.
    pub(super) fn href(&self) -> String {
        let query = self.query();
        if query.is_empty() {
            PATH.to_owned()
        } else {
            format!("{PATH}?{query}")
        }
    }

    /// What follows the `?` of its address.
    pub(super) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.typed);
        if !self.cursor.is_empty() {
            query.append_pair("cursor", &self.cursor);
        }
        for cursor in &self.before {
            query.append_pair("before", cursor);
        }
        query.finish()
    }

    fn first_page(&self) -> Self {
        Self {
            typed: self.typed.clone(),
            ..Self::default()
        }
    }

    fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        let found = words.iter().find(|(word, _)| *word == text);
        let wrong = || {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let detail = format!("{name} must be one of {}", known.join(", "));
            Problem::invalid_field(name, detail)
        };
        found.map(|(_, value)| Some(*value)).ok_or_else(wrong)
    }
}

/// Where a form came from: a list again, whatever it says.
pub(super) fn back(query: &str) -> String {
    let is_query = query
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if query.is_empty() || !is_query {
        PATH.to_owned()
    } else {
        format!("{PATH}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BEFORE, Wanted, back};

    #[test]
    fn pages_forth_and_back() {
        let first = Wanted {
            typed: vec![("q", "a b&c".into())],
            ..Wanted::default()
        };
        assert_eq!(first.previous(), "");
        assert_eq!(first.next(""), "");
        assert_eq!(first.next("c1"), "/peers?q=a+b%26c&cursor=c1&before=");
        let second = Wanted {
            cursor: "c1".into(),
            before: vec![String::new()],
            ..first.clone()
        };
        assert_eq!(second.previous(), first.href());
        assert_eq!(second.first(), "/peers?q=a+b%26c");
        assert_eq!(
            second.next("c2"),
            "/peers?q=a+b%26c&cursor=c2&before=&before=c1"
        );
        let deep = Wanted {
            before: vec!["x".into(); MAX_BEFORE],
            ..second
        };
        assert_eq!(deep.next("c9").matches("before=").count(), MAX_BEFORE);
    }

    #[test]
    fn back_is_always_a_list() {
        assert_eq!(back("q=a&sort=name"), "/peers?q=a&sort=name");
        for odd in ["", "a\r\nset-cookie: x", "é"] {
            assert_eq!(back(odd), "/peers");
        }
    }
}
