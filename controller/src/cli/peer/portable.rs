//! Peers as files have them: what is declared of each, and nothing of what was seen.
//!
//! CSV and JSON have the same fields under the names of the API, and `node`, the node's name.

use serde_json::{Map, Value, json};

use crate::cli::{failure::Failure, output::raw};

/// What there is of a peer in a file, in the order of its columns.
pub(super) const FIELDS: [&str; 14] = [
    "name",
    "node",
    "public_key",
    "preshared_key",
    "allowed_ips",
    "persistent_keepalive",
    "labels",
    "enabled",
    "expires_at",
    "dns",
    "mtu",
    "client_allowed_ips",
    "quota_bytes",
    "quota_period",
];
const LISTS: [&str; 3] = ["allowed_ips", "dns", "client_allowed_ips"];
const NUMBERS: [&str; 3] = ["persistent_keepalive", "mtu", "quota_bytes"];
/// So many mistakes of a file are named.
const MAX_NAMED: usize = 5;

/// A peer of a file.
pub(super) struct Entry {
    /// Where it stands there: `line 12`.
    pub(super) place: String,
    pub(super) node: Option<String>,
    /// As the API takes it, the node aside.
    pub(super) fields: Map<String, Value>,
}

impl Entry {
    pub(super) fn name(&self) -> &str {
        self.fields
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// What is wrong with a file, as far as it was read.
#[derive(Default)]
pub(super) struct Mistakes(Vec<String>);

impl Mistakes {
    pub(super) fn add(&mut self, place: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{place}: {what}"));
    }

    /// Nothing is taken from a file with mistakes.
    pub(super) fn none_or_fail(self) -> Result<(), Failure> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        let mut named = self.0;
        named.truncate(MAX_NAMED);
        let more = match count - named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Err(Failure::Data(format!(
            "nothing was imported: {}{more}",
            named.join("; ")
        )))
    }
}

/// Reads CSV with a line of column names.
pub(super) fn from_csv(text: &str) -> Result<Vec<Entry>, Failure> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut entries, mut mistakes) = (Vec::new(), Mistakes::default());
    let names = reader
        .headers()
        .map_err(|_| Failure::Data("it is not CSV".into()))?
        .clone();
    for name in &names {
        if !FIELDS.contains(&name) {
            let known = FIELDS.join(", ");
            mistakes.add(
                "line 1",
                format_args!("there is no column {name:?}; there are {known}"),
            );
        }
    }
    if !names.iter().any(|name| name == "name") {
        mistakes.add("line 1", "there is no column \"name\"");
    }
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let what = "it has more or fewer cells than there are columns, or is not UTF-8";
                mistakes.add(&format!("line {line}"), what);
                continue;
            }
        };
        let place = format!("line {}", record.position().map_or(0, csv::Position::line));
        let cells = names
            .iter()
            .zip(record.iter())
            .filter(|(_, cell)| !cell.is_empty());
        let mut fields = Map::new();
        for (name, cell) in cells {
            match cell_value(name, cell) {
                Ok(value) => drop(fields.insert(name.to_owned(), value)),
                Err(form) => mistakes.add(&place, format_args!("{name} is {form}")),
            }
        }
        entries.push(entry(place, fields));
    }
    mistakes.none_or_fail()?;
    Ok(entries)
}

/// Reads a JSON array of peers.
pub(super) fn from_json(text: &str) -> Result<Vec<Entry>, Failure> {
    // Its errors quote nothing of the file.
    let items: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Failure::Data(format!("it is not a JSON array of peers: {error}")))?;
    let (mut entries, mut mistakes) = (Vec::new(), Mistakes::default());
    for (at, item) in items.into_iter().enumerate() {
        let place = format!("peer {}", at + 1);
        match item {
            Value::Object(fields) => entries.push(entry(place, fields)),
            _ => mistakes.add(&place, "it is not an object"),
        }
    }
    mistakes.none_or_fail()?;
    Ok(entries)
}

/// Writes CSV; a column for what any peer has.
pub(super) fn to_csv(peers: &[Map<String, Value>]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // A preshared key is there only where it was asked for.
    let has_keys = peers.iter().any(|peer| peer.contains_key("preshared_key"));
    let columns = FIELDS
        .iter()
        .filter(|field| **field != "preshared_key" || has_keys);
    let columns: Vec<&str> = columns.copied().collect();
    writer
        .write_record(&columns)
        .map_err(std::io::Error::from)?;
    for peer in peers {
        let cells = columns
            .iter()
            .map(|field| peer.get(*field).map(raw).unwrap_or_default());
        writer.write_record(cells).map_err(std::io::Error::from)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8(bytes).expect("made of texts"))
}

/// What is declared of a peer the API answered.
pub(super) fn declared(peer: &Value, node: Option<&String>) -> Map<String, Value> {
    let mut fields = Map::new();
    for field in FIELDS {
        let value = match field {
            "node" => node.map_or(Value::Null, |name| json!(name)),
            _ => peer[field].clone(),
        };
        let is_empty = value.is_null()
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty);
        if !is_empty {
            fields.insert(field.to_owned(), value);
        }
    }
    fields
}

fn entry(place: String, mut fields: Map<String, Value>) -> Entry {
    let node = match fields.remove("node") {
        Some(Value::String(name)) => Some(name),
        _ => None,
    };
    Entry {
        place,
        node,
        fields,
    }
}

fn cell_value(name: &str, cell: &str) -> Result<Value, &'static str> {
    let parts = || {
        let parts = cell.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
        parts.filter(|part| !part.is_empty())
    };
    if LISTS.contains(&name) {
        return Ok(parts().collect::<Vec<_>>().into());
    }
    if NUMBERS.contains(&name) {
        return cell
            .parse::<u64>()
            .map(Into::into)
            .map_err(|_| "a whole number");
    }
    match name {
        "enabled" => cell
            .parse::<bool>()
            .map(Into::into)
            .map_err(|_| "true or false"),
        "labels" => {
            let pairs = parts().map(|part| {
                let (key, value) = part
                    .split_once('=')
                    .ok_or("KEY=VALUE, with spaces between labels")?;
                Ok((key.to_owned(), value.into()))
            });
            pairs.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        _ => Ok(cell.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{declared, from_csv, from_json, to_csv};

    #[test]
    fn what_is_written_as_csv_reads_back() {
        let peer = json!({
            "name": "Anna's, \"laptop\"", "public_key": "k", "allowed_ips": ["10.0.0.1/32", "fd00::1/128"],
            "persistent_keepalive": 25, "labels": {"site": "a", "tier": "2"}, "enabled": false,
            "expires_at": null, "dns": [], "mtu": 1420, "quota_bytes": 1_000_000,
            "quota_period": "month", "online": true, "etag": "x",
        });
        let fields = declared(&peer, Some(&"node-1".to_owned()));
        let text = to_csv(std::slice::from_ref(&fields)).expect("CSV");
        assert!(
            !text.contains("preshared_key") && !text.contains("etag"),
            "{text}"
        );
        let entries = from_csv(&text).expect("entries");
        let [entry] = &entries[..] else {
            panic!("one entry")
        };
        assert_eq!(entry.node.as_deref(), Some("node-1"));
        assert_eq!(entry.place, "line 2");
        let mut fields = fields;
        fields.remove("node");
        assert_eq!(entry.fields, fields);
    }

    #[test]
    fn every_mistake_is_named_and_nothing_taken() {
        let text = "name,mtu,colour\na,many,red\nb,1\n";
        let failure = from_csv(text).err().expect("mistakes").to_string();
        for part in [
            "line 1: there is no column \"colour\"",
            "line 2: mtu is a whole number",
            "line 3:",
        ] {
            assert!(failure.contains(part), "{failure}");
        }
        assert!(from_json("{}").is_err() && from_json("[1]").is_err());
        assert!(from_json("[{\"name\": \"a\"}]").is_ok());
    }
}
