//! Peers as files have them: what is declared of each, and nothing of what was seen.
//!
//! CSV and JSON have the same fields under the names of the API, and `node`, the node's name.

use serde_json::{Map, Value, json};

use crate::{
    cli::{failure::Failure, output::raw},
    domain::peer_file::COLUMNS,
};

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

/// Counts the lines of a text as an editor does. (The reader's own count begins a record where the one before
/// ended: ahead of its line feed after a carriage return, and ahead of empty lines.)
struct Lines<'a> {
    rest: &'a str,
    passed: u64,
    line: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            rest: text,
            passed: 0,
            line: 1,
        }
    }

    /// Where the record at or behind that position begins, which is not before the last one asked for.
    fn place(&mut self, position: Option<&csv::Position>) -> String {
        let to = position.map_or(0, |position| position.byte().saturating_sub(self.passed));
        let to = usize::try_from(to)
            .unwrap_or(usize::MAX)
            .min(self.rest.len());
        let blank = self.rest[to..].find(|c| c != '\r' && c != '\n');
        let (before, rest) = self.rest.split_at(to + blank.unwrap_or(0));
        let returns = before.matches('\r').count() - before.matches("\r\n").count();
        self.line += before.matches('\n').count() + returns;
        self.passed += before.len() as u64;
        self.rest = rest;
        format!("line {}", self.line)
    }
}

/// Reads CSV with a line of column names.
pub(super) fn from_csv(text: &str) -> Result<Vec<Entry>, Failure> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut entries, mut mistakes) = (Vec::new(), Mistakes::default());
    let mut lines = Lines::of(text);
    let names = reader
        .headers()
        .map_err(|_| Failure::Data("it is not CSV".into()))?
        .clone();
    let header = lines.place(names.position());
    for name in &names {
        if !COLUMNS.contains(&name) {
            let known = COLUMNS.join(", ");
            mistakes.add(
                &header,
                format_args!("there is no column {name:?}; there are {known}"),
            );
        }
    }
    if !names.iter().any(|name| name == "name") {
        mistakes.add(&header, "there is no column \"name\"");
    }
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let place = lines.place(error.position());
                let what = "it has more or fewer cells than there are columns, or is not UTF-8";
                mistakes.add(&place, what);
                continue;
            }
        };
        let place = lines.place(record.position());
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
    let columns = COLUMNS
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
    for field in COLUMNS {
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
    fn a_place_is_the_line_an_editor_shows() {
        // The third peer's labels go on in the line below, the fourth stands behind an empty line.
        let text = "name,labels\na,\nb,\nc,\"x=1\ny=2\"\n\nd,\n";
        for (text, way) in [
            (text.to_owned(), "line feeds"),
            (text.replace('\n', "\r\n"), "both"),
            (text.replace('\n', "\r"), "carriage returns"),
            (format!("\u{feff}{text}"), "a byte order mark"),
        ] {
            let entries = from_csv(&text).expect(way);
            let places: Vec<_> = entries.iter().map(|entry| &*entry.place).collect();
            assert_eq!(places, ["line 2", "line 3", "line 4", "line 7"], "{way}");
        }
        let text = "\r\nname,mtu\r\n\r\na,many\r\n\r\nb\r\n";
        let failure = from_csv(text).err().expect("mistakes").to_string();
        assert!(
            failure.contains("line 4: mtu is a whole number"),
            "{failure}"
        );
        assert!(
            failure.contains("line 6: it has more or fewer"),
            "{failure}"
        );
        let failure = from_csv("\r\n\r\ncolour\r\n").err().expect("mistakes");
        assert!(
            failure.to_string().contains("line 3: there is no column"),
            "{failure}"
        );
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
