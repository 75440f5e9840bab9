//! Bodies a client sends.

use std::{fmt, net::SocketAddr};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor},
    ser::{SerializeMap, Serializer},
};

use crate::{AllowedIp, Keepalive, PresharedKey, PublicKey};

const MAX_REASON_CHARS: usize = 200;

/// `POST /wg/{interface}/peers`. `null` means absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddPeer {
    /// Who.
    pub public_key: PublicKey,
    /// Networks routed to the peer, each once; empty by default.
    pub allowed_ips: Vec<AllowedIp>,
    /// The preshared key; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preshared_key: Option<PresharedKey>,
    /// Off by default.
    pub persistent_keepalive: Keepalive,
    /// Where to reach it; learned from its first packet when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<SocketAddr>,
}

/// `PUT /wg/{interface}/peers/{public_key}`. Absent means unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdatePeer {
    /// Replaces the whole list.
    pub allowed_ips: Option<Vec<AllowedIp>>,
    /// Sets or removes the preshared key.
    pub preshared_key: PresharedKeyChange,
    /// 0 turns it off.
    pub persistent_keepalive: Option<Keepalive>,
    /// Where to reach it from now on.
    pub endpoint: Option<SocketAddr>,
}

/// What a PUT says of the preshared key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PresharedKeyChange {
    /// Absent: it stays.
    #[default]
    Unchanged,
    /// `null`: it is removed.
    Remove,
    /// A key: it is set.
    Set(PresharedKey),
}

/// Fields as they come off the wire; `None` is absent, `Some(None)` is `null`.
#[derive(Default)]
struct Fields {
    public_key: Option<Option<PublicKey>>,
    allowed_ips: Option<Option<AllowedIps>>,
    preshared_key: Option<Option<PresharedKey>>,
    persistent_keepalive: Option<Option<Keepalive>>,
    endpoint: Option<Option<Endpoint>>,
}

/// Reads one value, refusing it when the field was there already; errors name the field.
fn read<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<Option<T>>,
    name: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::custom(format_args!("{name}: given twice")));
    }
    let value = map.next_value();
    *slot = Some(value.map_err(|e| A::Error::custom(format_args!("{name}: {}", brief(&e))))?);
    Ok(())
}

/// Why a value was refused, shortened: serde repeats a text of the wrong type in full, and it may be
/// as long as the body.
fn brief(error: &dyn fmt::Display) -> String {
    error.to_string().chars().take(MAX_REASON_CHARS).collect()
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Fields, E> {
                Err(E::invalid_type(Unexpected::Other("string"), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(name) = map.next_key::<FieldName>()? {
                    match name.0 {
                        Some("public_key") => read(&mut fields.public_key, "public_key", &mut map)?,
                        Some("allowed_ips") => {
                            read(&mut fields.allowed_ips, "allowed_ips", &mut map)?;
                        }
                        Some("preshared_key") => {
                            read(&mut fields.preshared_key, "preshared_key", &mut map)?;
                        }
                        Some("persistent_keepalive") => {
                            let slot = &mut fields.persistent_keepalive;
                            read(slot, "persistent_keepalive", &mut map)?;
                        }
                        Some("endpoint") => read(&mut fields.endpoint, "endpoint", &mut map)?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(fields)
            }
        }

        // Not `deserialize_map`: JSON would then refuse a text by itself, and repeat it.
        deserializer.deserialize_any(FieldsVisitor)
    }
}

/// One of the known names, or none of them.
struct FieldName(Option<&'static str>);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = FieldName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FieldName, E> {
                const KNOWN: [&str; 5] = [
                    "public_key",
                    "allowed_ips",
                    "preshared_key",
                    "persistent_keepalive",
                    "endpoint",
                ];
                Ok(FieldName(KNOWN.into_iter().find(|known| *known == text)))
            }
        }

        deserializer.deserialize_identifier(NameVisitor)
    }
}

/// A list whose errors say which item was bad.
struct AllowedIps(Vec<AllowedIp>);

impl<'de> Deserialize<'de> for AllowedIps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;

        impl<'de> Visitor<'de> for ListVisitor {
            type Value = AllowedIps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of addresses")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AllowedIps, A::Error> {
                let mut list: Vec<AllowedIp> = Vec::new();
                let mut read = 0;
                loop {
                    let item = seq.next_element();
                    match item.map_err(|e| A::Error::custom(format_args!("item {read}: {e}")))? {
                        Some(item) => list.push(item),
                        None => return Ok(AllowedIps(without_duplicates(list))),
                    }
                    read += 1;
                }
            }
        }

        deserializer.deserialize_seq(ListVisitor)
    }
}

/// Keeps the first of each, in the order given.
fn without_duplicates(mut list: Vec<AllowedIp>) -> Vec<AllowedIp> {
    let mut seen = std::collections::HashSet::with_capacity(list.len());
    list.retain(|item| seen.insert(*item));
    list
}

/// `ip:port` or `[v6]:port`, the port not 0.
struct Endpoint(SocketAddr);

impl std::str::FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Self(address)),
            _ => Err("must be \"ip:port\" or \"[ipv6]:port\" with a port from 1 to 65535"),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::deserialize(deserializer, "an endpoint")
    }
}

impl<'de> Deserialize<'de> for AddPeer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let public_key = fields
            .public_key
            .flatten()
            .ok_or_else(|| D::Error::custom("public_key: required"))?;
        Ok(Self {
            public_key,
            allowed_ips: fields
                .allowed_ips
                .flatten()
                .map(|list| list.0)
                .unwrap_or_default(),
            // The kernel keeps "none" as zeros: the two are one and the same.
            preshared_key: fields.preshared_key.flatten().filter(|key| !key.is_none()),
            persistent_keepalive: fields.persistent_keepalive.flatten().unwrap_or_default(),
            endpoint: fields.endpoint.flatten().map(|endpoint| endpoint.0),
        })
    }
}

impl<'de> Deserialize<'de> for UpdatePeer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn not_null<T, E: Error>(field: Option<Option<T>>, name: &str) -> Result<Option<T>, E> {
            match field {
                Some(None) => Err(E::custom(format_args!(
                    "{name}: must not be null; leave it out to keep it unchanged"
                ))),
                Some(value) => Ok(value),
                None => Ok(None),
            }
        }

        // In a PUT the key is in the path; one in the body is an unknown field like any other, but a
        // malformed or doubled one is still refused rather than guessed at.
        let fields = Fields::deserialize(deserializer)?;
        Ok(Self {
            allowed_ips: not_null(fields.allowed_ips, "allowed_ips")?.map(|list| list.0),
            preshared_key: match fields.preshared_key {
                None => PresharedKeyChange::Unchanged,
                Some(Some(key)) if !key.is_none() => PresharedKeyChange::Set(key),
                Some(_) => PresharedKeyChange::Remove,
            },
            persistent_keepalive: not_null(fields.persistent_keepalive, "persistent_keepalive")?,
            endpoint: not_null(fields.endpoint, "endpoint")?.map(|endpoint| endpoint.0),
        })
    }
}

impl Serialize for UpdatePeer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(allowed_ips) = &self.allowed_ips {
            map.serialize_entry("allowed_ips", allowed_ips)?;
        }
        match &self.preshared_key {
            PresharedKeyChange::Unchanged => {}
            PresharedKeyChange::Remove => map.serialize_entry("preshared_key", &())?,
            PresharedKeyChange::Set(key) => map.serialize_entry("preshared_key", key)?,
        }
        if let Some(keepalive) = self.persistent_keepalive {
            map.serialize_entry("persistent_keepalive", &keepalive)?;
        }
        if let Some(endpoint) = self.endpoint {
            map.serialize_entry("endpoint", &endpoint)?;
        }
        map.end()
    }
}
