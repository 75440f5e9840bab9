//! How Rust values stand in columns.

use std::{fmt::Display, str::FromStr};

use rusqlite::{
    Row, RowIndex, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// A value that stands as its text.
pub(super) struct Text<T>(pub T);

impl<T: Display> ToSql for Text<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}

impl<T: FromStr> FromSql for Text<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value
            .as_str()?
            .parse()
            .map(Self)
            .map_err(|_| FromSqlError::InvalidType)
    }
}

/// A value that stands as JSON.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(Into::into)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(|e| FromSqlError::Other(e.into()))
    }
}

/// An unsigned number in SQLite's signed column. Counters never come near the top; should one, it
/// stays there instead of turning negative.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Reads what [`signed`] wrote.
pub(super) fn unsigned(row: &Row<'_>, index: impl RowIndex) -> rusqlite::Result<u64> {
    row.get::<_, Unsigned>(index).map(|number| number.0)
}

/// A number that is never negative.
pub(super) struct Unsigned(pub u64);

impl FromSql for Unsigned {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(number))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, later than all before it.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Text::column_result(value).map(|text| text.0)
            }
        }
    };
}

id!(
    /// A node's UUIDv7.
    NodeId
);
id!(
    /// An agent's UUIDv7.
    AgentId
);
id!(
    /// A peer's UUIDv7.
    PeerId
);
id!(
    /// A webhook's UUIDv7.
    WebhookId
);
id!(
    /// An API token's UUIDv7.
    TokenId
);

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// As it stands in the store and in the REST API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

text_enum!(
    /// Where a node stands.
    NodeStatus {
        /// The last poll was good.
        Online = "online",
        /// Refused, unreachable or timed out; also before the first poll.
        Offline = "offline",
        /// It answers, but not as it should.
        Error = "error",
        /// Disabled by hand.
        Disabled = "disabled",
    }
);
text_enum!(
    /// What happens to peers on a node that nobody declared.
    UnmanagedPeers {
        /// Shown and left alone.
        Ignore = "ignore",
        /// They become peers.
        Adopt = "adopt",
        /// Taken away.
        Remove = "remove",
    }
);
text_enum!(
    /// Whether a peer stands on its node as declared.
    SyncState {
        /// The node's last dump shows it so.
        Applied = "applied",
        /// Not yet seen on the node.
        Pending = "pending",
        /// The node refused it.
        Failed = "failed",
    }
);
text_enum!(
    /// What a token may do.
    Role {
        /// Everything.
        Admin = "admin",
        /// Everything but tokens and backups.
        Operator = "operator",
        /// Look.
        Viewer = "viewer",
    }
);
text_enum!(
    /// How one try to deliver an event went.
    DeliveryOutcome {
        /// The endpoint took it.
        Delivered = "delivered",
        /// It did not; there will be another try.
        Failed = "failed",
        /// It did not, and the time for this event is up.
        GivenUp = "given_up",
        /// Never sent: no longer kept when its turn came.
        Skipped = "skipped",
    }
);
