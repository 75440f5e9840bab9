//! Lists of peers: filtered, in order, a page at a time, along an index.

use std::collections::BTreeMap;

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    NodeId, PeerId, SyncState,
    error::StoreError,
    page::{Cursor, Page, SortKey},
    peers::{self, PeerRow},
    value::unsigned,
};

/// Which peers. What is given holds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerFilter {
    /// Of this node.
    pub node_id: Option<NodeId>,
    /// On a node that has all of these labels.
    pub node_label: BTreeMap<String, String>,
    /// Name, public key or address contains this; ASCII case is ignored.
    pub q: Option<String>,
    /// Has all of these labels.
    pub label: BTreeMap<String, String>,
    /// In this state.
    pub sync: Option<SyncState>,
    /// Enabled or disabled.
    pub enabled: Option<bool>,
    /// Expires before this, Unix seconds.
    pub expires_before: Option<i64>,
    /// Is let in, or why not, at this time in Unix seconds.
    pub admission: Option<(Admission, i64)>,
}

/// Whether a peer is let in, as far as that is declared: what is named first holds first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its time is up.
    Expired,
    /// Its quota is used up; it comes back by itself.
    QuotaUsedUp,
    /// Disabled by hand.
    Disabled,
    /// It is.
    Active,
}

impl Admission {
    /// How a peer stands at `now_s`.
    #[must_use]
    pub fn of(row: &PeerRow, now_s: i64) -> Self {
        if row.settings.expires_at.is_some_and(|at_s| at_s <= now_s) {
            Self::Expired
        } else if row.settings.enabled {
            Self::Active
        } else if row.quota.is_some_and(|quota| quota.held) {
            Self::QuotaUsedUp
        } else {
            Self::Disabled
        }
    }

    const fn condition(self) -> &'static str {
        match self {
            Self::Expired => "p.expires_at <= ?",
            Self::QuotaUsedUp => {
                "coalesce(p.expires_at > ?, 1) AND p.enabled = 0 AND EXISTS \
                 (SELECT 1 FROM peer_quotas h WHERE h.peer_id = p.id AND h.held = 1)"
            }
            Self::Disabled => {
                "coalesce(p.expires_at > ?, 1) AND p.enabled = 0 AND NOT EXISTS \
                 (SELECT 1 FROM peer_quotas h WHERE h.peer_id = p.id AND h.held = 1)"
            }
            Self::Active => "coalesce(p.expires_at > ?, 1) AND p.enabled = 1",
        }
    }
}

/// In which order; ties by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerSort {
    /// By name.
    #[default]
    Name,
    /// By name, from the end.
    NameDesc,
    /// Oldest first.
    CreatedAt,
    /// Newest first.
    CreatedAtDesc,
}

impl PeerSort {
    const fn column(self) -> &'static str {
        match self {
            Self::Name | Self::NameDesc => "p.name",
            Self::CreatedAt | Self::CreatedAtDesc => "p.created_at",
        }
    }

    const fn is_descending(self) -> bool {
        matches!(self, Self::NameDesc | Self::CreatedAtDesc)
    }

    fn cursor(self, row: &PeerRow) -> Cursor {
        let key = match self {
            Self::Name | Self::NameDesc => SortKey::Text(row.settings.name.clone()),
            Self::CreatedAt | Self::CreatedAtDesc => SortKey::Integer(row.created_at),
        };
        Cursor { key, id: row.id }
    }

    fn takes(self, cursor: &Cursor) -> bool {
        let is_text = matches!(cursor.key, SortKey::Text(_));
        is_text == matches!(self, Self::Name | Self::NameDesc)
    }
}

/// One page of up to `limit` peers.
///
/// # Errors
/// [`StoreError::NotFound`] of "cursor" when it was made for another order.
pub fn list(
    conn: &Connection,
    filter: &PeerFilter,
    sort: PeerSort,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<PeerRow>, StoreError> {
    if after.is_some_and(|cursor| !sort.takes(cursor)) {
        return Err(StoreError::NotFound { what: "cursor" });
    }
    let (sql, values) = list_query(filter, sort, after, limit);
    let mut select = conn.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), peers::from_row)?;
    let mut items = rows.collect::<Result<Vec<_>, _>>()?;
    // One more than asked for tells whether there is a next page.
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|row| sort.cursor(row));
    Ok(Page { items, next })
}

/// How many peers match.
///
/// # Errors
/// When they can't be read.
pub fn count(conn: &Connection, filter: &PeerFilter) -> Result<u64, StoreError> {
    let (conditions, values) = conditions(filter);
    let join = if filter.sync.is_some() || filter.q.is_some() {
        peers::JOIN
    } else {
        ""
    };
    let sql = format!("SELECT count(*) FROM peers p {join} WHERE {conditions}");
    let mut select = conn.prepare_cached(&sql)?;
    Ok(select.query_row(params_from_iter(values), |row| unsigned(row, 0))?)
}

/// The ids of all peers that match, for what is done to many.
///
/// # Errors
/// When they can't be read.
pub fn ids(conn: &Connection, filter: &PeerFilter) -> Result<Vec<PeerId>, StoreError> {
    let (conditions, values) = conditions(filter);
    let sql = format!(
        "SELECT p.id FROM peers p {} WHERE {conditions} ORDER BY p.id",
        peers::JOIN
    );
    let mut select = conn.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn list_query(
    filter: &PeerFilter,
    sort: PeerSort,
    after: Option<&Cursor>,
    limit: u32,
) -> (String, Vec<Value>) {
    let (mut conditions, mut values) = conditions(filter);
    let column = sort.column();
    let (sign, direction) = if sort.is_descending() {
        ("<", "DESC")
    } else {
        (">", "ASC")
    };
    if let Some(cursor) = after {
        conditions.push_str(&format!(" AND ({column}, p.id) {sign} (?, ?)"));
        values.push(cursor.key.clone().into());
        values.push(Value::Text(cursor.id.to_string()));
    }
    values.push(Value::Integer(i64::from(limit) + 1));
    // CROSS keeps the peers on the outside, so that their index gives the order.
    let sql = format!(
        "SELECT {} FROM peers p CROSS {} {} WHERE {conditions} \
         ORDER BY {column} {direction}, p.id {direction} LIMIT ?",
        peers::COLUMNS,
        peers::JOIN,
        peers::JOIN_QUOTA,
    );
    (sql, values)
}

fn conditions(filter: &PeerFilter) -> (String, Vec<Value>) {
    let mut sql = vec!["1"];
    let mut values = Vec::new();
    if let Some(node) = filter.node_id {
        sql.push("p.node_id = ?");
        values.push(Value::Text(node.to_string()));
    }
    for (key, value) in &filter.node_label {
        sql.push(
            "p.node_id IN (SELECT n.id FROM nodes n, json_each(n.labels) l \
             WHERE l.key = ? AND l.value = ?)",
        );
        values.push(Value::Text(key.clone()));
        values.push(Value::Text(value.clone()));
    }
    if let Some(q) = &filter.q {
        sql.push(
            "(p.name LIKE ? ESCAPE '\\' OR p.public_key LIKE ? ESCAPE '\\' \
             OR pn.allowed_ips LIKE ? ESCAPE '\\')",
        );
        values.extend(std::iter::repeat_n(Value::Text(contains(q)), 3));
    }
    for (key, value) in &filter.label {
        sql.push("EXISTS (SELECT 1 FROM json_each(p.labels) l WHERE l.key = ? AND l.value = ?)");
        values.push(Value::Text(key.clone()));
        values.push(Value::Text(value.clone()));
    }
    if let Some(state) = filter.sync {
        sql.push("pn.sync_state = ?");
        values.push(Value::Text(state.as_str().to_owned()));
    }
    if let Some(enabled) = filter.enabled {
        sql.push("p.enabled = ?");
        values.push(Value::Integer(enabled.into()));
    }
    if let Some(before) = filter.expires_before {
        sql.push("p.expires_at < ?");
        values.push(Value::Integer(before));
    }
    if let Some((admission, now_s)) = filter.admission {
        sql.push(admission.condition());
        values.push(Value::Integer(now_s));
    }
    (sql.join(" AND "), values)
}

/// A pattern that contains `q` as it is.
fn contains(q: &str) -> String {
    let mut pattern = String::from("%");
    for c in q.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
