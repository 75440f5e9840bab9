//! Pages of long lists: where one ends, the next begins, whatever came or went between.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::PeerId;

/// The value of the sorted column in the last row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// A name.
    Text(String),
    /// A time, Unix seconds.
    Integer(i64),
}

/// Where a page ended: the last row's sorted column, and its id to break ties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The sorted column.
    pub key: SortKey,
    /// The id.
    pub id: PeerId,
}

impl Cursor {
    /// As clients carry it.
    #[must_use]
    pub fn encode(&self) -> String {
        let (kind, key) = match &self.key {
            SortKey::Text(text) => ('t', text.clone()),
            SortKey::Integer(number) => ('i', number.to_string()),
        };
        URL_SAFE_NO_PAD.encode(format!("{kind}{}{key}", self.id))
    }

    /// Reads what [`Cursor::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        const ID_CHARS: usize = 36;
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (kind, rest) = text.split_at_checked(1)?;
        let (id, key) = rest.split_at_checked(ID_CHARS)?;
        let key = match kind {
            "t" => SortKey::Text(key.to_owned()),
            "i" => SortKey::Integer(key.parse().ok()?),
            _ => return None,
        };
        Some(Self {
            key,
            id: id.parse().ok()?,
        })
    }
}
