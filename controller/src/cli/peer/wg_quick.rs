//! The peers of a wg-quick configuration, and back.
//!
//! Its format has no names, so people and programs put them into comments: beside `[Peer]`, above it,
//! or behind the key. What is marked as a name goes first.

use std::{collections::HashSet, fmt::Write as _};

use serde_json::{Map, Value, json};
use wire_contract::{AllowedIp, PresharedKey, PublicKey};

use super::portable::{Entry, Mistakes};
use crate::{
    cli::{failure::Failure, output::raw},
    domain::name::MAX_CHARS,
};

/// How programs mark names, in lower case.
const MARKS: [&str; 9] = [
    "friendly_name=",
    "friendly_name =",
    "name:",
    "name =",
    "name=",
    "begin_peer ",
    "begin ",
    "client:",
    "client ",
];
/// What closes a peer's lines in some files.
const CLOSING: [&str; 2] = ["end_peer", "end "];
const SETTINGS: [&str; 16] = [
    "privatekey",
    "publickey",
    "presharedkey",
    "allowedips",
    "endpoint",
    "persistentkeepalive",
    "address",
    "listenport",
    "dns",
    "mtu",
    "table",
    "fwmark",
    "preup",
    "postup",
    "predown",
    "postdown",
];
/// So much of its key names a peer that nobody named.
const KEY_CHARS: usize = 8;

/// What a configuration comes to.
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    /// Peers with an endpoint, which is the node's to learn.
    pub(super) endpoints: usize,
}

/// Reads the `[Peer]` sections; the interface is the node's own.
pub(super) fn read(text: &str) -> Result<Read, Failure> {
    let mut reader = Reader::default();
    for (at, line) in text.lines().enumerate() {
        reader.line(at + 1, line.trim().trim_start_matches('\u{feff}'));
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    entries: Vec<Entry>,
    mistakes: Mistakes,
    keys: HashSet<PublicKey>,
    endpoints: usize,
    /// Comments since the last line that was none.
    comments: Vec<String>,
    section: Section,
}

#[derive(Default)]
enum Section {
    #[default]
    None,
    Interface,
    Peer(Peer),
}

/// A section that is being read. No `Debug`: it holds a key.
#[derive(Default)]
struct Peer {
    line: usize,
    /// Above it, at its beginning, and behind its key.
    comments: [Vec<String>; 3],
    has_settings: bool,
    public_key: Option<PublicKey>,
    preshared_key: Option<PresharedKey>,
    allowed_ips: Vec<AllowedIp>,
    keepalive: u16,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        if let Some(comment) = line.strip_prefix('#') {
            self.comments.push(comment.to_owned());
        } else if line.is_empty() {
            self.comments.clear();
        } else if line.starts_with('[') {
            self.open(number, line);
        } else {
            let (setting, comment) = line.split_once('#').unwrap_or((line, ""));
            self.setting(number, setting, comment);
        }
    }

    fn open(&mut self, number: usize, line: &str) {
        self.close();
        let (header, comment) = line.split_once('#').unwrap_or((line, ""));
        let header = header.trim().to_ascii_lowercase();
        let above = std::mem::take(&mut self.comments);
        self.section = match header.as_str() {
            "[peer]" => Section::Peer(Peer {
                line: number,
                comments: [above, Vec::new(), vec![comment.to_owned()]],
                ..Peer::default()
            }),
            "[interface]" => Section::Interface,
            _ => {
                self.mistakes
                    .add(&place(number), "a section is [Interface] or [Peer]");
                Section::Interface
            }
        };
    }

    fn setting(&mut self, number: usize, setting: &str, comment: &str) {
        let comments = std::mem::take(&mut self.comments);
        let peer = match &mut self.section {
            Section::Peer(peer) => peer,
            Section::Interface => return,
            Section::None => {
                return self
                    .mistakes
                    .add(&place(number), "it stands before any section");
            }
        };
        if !peer.has_settings {
            peer.has_settings = true;
            peer.comments[1] = comments;
        }
        let Some((key, value)) = setting.split_once('=') else {
            return self.mistakes.add(&place(number), "a line is KEY = VALUE");
        };
        let key = key.trim().to_ascii_lowercase();
        if key == "publickey" && !comment.trim().is_empty() {
            peer.comments[2].push(comment.to_owned());
        }
        self.endpoints += usize::from(key == "endpoint");
        if let Err(what) = peer.set(&key, value.trim()) {
            self.mistakes.add(&place(number), what);
        }
    }

    fn close(&mut self) {
        let Section::Peer(peer) = std::mem::take(&mut self.section) else {
            return;
        };
        let place = place(peer.line);
        let Some(key) = peer.public_key else {
            return self.mistakes.add(&place, "the peer has no PublicKey");
        };
        if peer.allowed_ips.is_empty() {
            self.mistakes.add(
                &place,
                "the peer has no AllowedIPs, so nothing could reach it",
            );
        }
        if !self.keys.insert(key) {
            self.mistakes.add(
                &place,
                "a peer with this PublicKey stands further up already",
            );
        }
        let fields = peer.fields(&key);
        self.entries.push(Entry {
            place,
            node: None,
            fields,
        });
    }

    fn finish(mut self) -> Result<Read, Failure> {
        self.close();
        self.mistakes.none_or_fail()?;
        Ok(Read {
            entries: self.entries,
            endpoints: self.endpoints,
        })
    }
}

impl Peer {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "publickey" => {
                let parsed = value
                    .parse()
                    .map_err(|_| "PublicKey is 32 bytes in base64")?;
                self.public_key = Some(parsed);
            }
            "presharedkey" => {
                // What it is not said to be may be one.
                let parsed: PresharedKey = value
                    .parse()
                    .map_err(|_| "PresharedKey is 32 bytes in base64")?;
                self.preshared_key = (!parsed.is_none()).then_some(parsed);
            }
            "allowedips" => {
                for part in value
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                {
                    let parsed: AllowedIp = part
                        .parse()
                        .map_err(|error| format!("AllowedIPs: {error}"))?;
                    if !self.allowed_ips.contains(&parsed) {
                        self.allowed_ips.push(parsed);
                    }
                }
            }
            "persistentkeepalive" => {
                let off = value.eq_ignore_ascii_case("off");
                let seconds = if off { Ok(0) } else { value.parse() };
                self.keepalive = seconds
                    .map_err(|_| "PersistentKeepalive is off, or seconds from 0 to 65535")?;
            }
            "endpoint" => {}
            _ => {
                return Err(
                    "a peer has PublicKey, PresharedKey, AllowedIPs, PersistentKeepalive and \
                             Endpoint"
                        .into(),
                );
            }
        }
        Ok(())
    }

    fn fields(&self, key: &PublicKey) -> Map<String, Value> {
        let name = self.name().unwrap_or_else(|| {
            let key: String = key.to_string().chars().take(KEY_CHARS).collect();
            format!("peer {key}")
        });
        let allowed_ips: Vec<_> = self.allowed_ips.iter().map(ToString::to_string).collect();
        let mut fields = Map::new();
        fields.insert("name".into(), name.into());
        fields.insert("public_key".into(), key.to_string().into());
        fields.insert("allowed_ips".into(), allowed_ips.into());
        // Without one it is off, whatever new peers of the node get.
        fields.insert("persistent_keepalive".into(), self.keepalive.into());
        if let Some(key) = &self.preshared_key {
            fields.insert("preshared_key".into(), key.expose_base64().as_str().into());
        }
        fields
    }

    fn name(&self) -> Option<String> {
        let [above, within, behind] = &self.comments;
        let all = || within.iter().chain(above.iter().rev()).chain(behind);
        let marked = all().find_map(|comment| marked(comment));
        let plain = || all().find_map(|comment| unmarked(comment));
        let name = marked.or_else(plain)?;
        let name: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_CHARS)
            .collect();
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// The name in a comment that says that it is one.
fn marked(comment: &str) -> Option<String> {
    let bare = comment.trim_start_matches('#').trim();
    let lower = bare.to_ascii_lowercase();
    let mark = MARKS.iter().find(|mark| lower.starts_with(**mark))?;
    let name = bare[mark.len()..].trim();
    // pivpn closes its marks as it opens them.
    let name = if *mark == "begin " {
        name.trim_end_matches('#').trim()
    } else {
        name
    };
    // wg-easy adds the id of the client.
    let name = match name.rsplit_once(" (") {
        Some((name, id)) if *mark == "client:" && id.len() == 37 => name,
        _ => name,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// A comment that may be a name: no setting that was taken out, and no closing of another peer.
fn unmarked(comment: &str) -> Option<String> {
    let bare = comment.trim_matches(|c: char| c == '#' || c.is_whitespace());
    let lower = bare.to_ascii_lowercase();
    let is_setting = bare.starts_with('[')
        || lower
            .split_once('=')
            .is_some_and(|(key, _)| SETTINGS.contains(&key.trim()));
    let is_closing = CLOSING.iter().any(|word| lower.starts_with(word));
    (!bare.is_empty() && !is_setting && !is_closing).then(|| bare.to_owned())
}

fn place(number: usize) -> String {
    format!("line {number}")
}

/// Writes `[Peer]` sections, each with its name above it.
pub(super) fn write(peers: &[Map<String, Value>]) -> String {
    let mut text = String::new();
    for peer in peers {
        let value = |field: &str| peer.get(field).map(raw).unwrap_or_default();
        let separator = if text.is_empty() { "" } else { "\n" };
        let _ = write!(
            text,
            "{separator}# Name = {}\n[Peer]\nPublicKey = {}\n",
            value("name"),
            value("public_key")
        );
        if let Some(key) = peer.get("preshared_key") {
            let _ = writeln!(text, "PresharedKey = {}", raw(key));
        }
        let _ = writeln!(
            text,
            "AllowedIPs = {}",
            value("allowed_ips").replace(' ', ", ")
        );
        let keepalive = peer
            .get("persistent_keepalive")
            .unwrap_or(&json!(0))
            .as_u64();
        if let Some(seconds @ 1..) = keepalive {
            let _ = writeln!(text, "PersistentKeepalive = {seconds}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::{read, write};

    fn key(number: u8) -> String {
        wire_contract::PublicKey::from_bytes([number; 32]).to_string()
    }

    fn name_of(text: &str) -> String {
        let read = read(text).expect("a configuration");
        read.entries[0].name().to_owned()
    }

    #[test]
    fn names_stand_in_many_places() {
        let key = key(7);
        let settings = format!("PublicKey = {key}\nAllowedIPs = 10.0.0.1\n");
        for (text, name) in [
            (format!("# Name = C#\n[Peer]\n{settings}"), "C#"),
            (format!("# a\n# b\n[Peer]\n{settings}"), "b"),
            (format!("# above\n[Peer]\n# within\n{settings}"), "within"),
            (format!("[Peer] # beside\n{settings}"), "beside"),
            (format!("### begin a b ###\n[Peer]\n{settings}"), "a b"),
            (format!("### Client laptop\n[Peer]\n{settings}"), "laptop"),
            (
                format!("# BEGIN_PEER laptop\n[Peer]\n{settings}# END_PEER laptop\n"),
                "laptop",
            ),
            (
                format!("[Peer]\n# friendly_name=laptop\n{settings}"),
                "laptop",
            ),
            (
                format!("# far above\n\n[Peer]\n#AllowedIPs = 10.0.0.2\n{settings}"),
                "peer BwcHBwcH",
            ),
        ] {
            assert_eq!(name_of(&text), name, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}", lines in prop::collection::vec(
            "(#|\\[Peer\\]|PublicKey =|AllowedIPs = 10.0.0.1|name:|begin |é|=|\n){0,6}", 0..10,
        )) {
            let _ = read(&text);
            let _ = read(&lines.join("\n"));
        }

        #[test]
        fn what_is_written_reads_back(
            names in prop::collection::vec("[^\\p{C}\\p{Z}]([^\\p{C}\u{2028}\u{2029}]{0,30}[^\\p{C}\\p{Z}])?", 1..5),
            keepalive in 0..=u16::MAX,
        ) {
            let peers: Vec<Map<String, Value>> = names.iter().zip(1..).map(|(name, number)| {
                let peer = json!({
                    "name": name, "public_key": key(number), "preshared_key": key(number + 100),
                    "allowed_ips": ["10.0.0.1/32", "fd00::/64"], "persistent_keepalive": keepalive,
                });
                peer.as_object().cloned().expect("an object")
            }).collect();
            let text = write(&peers);
            let read = read(&text).expect("what was written");
            let read: Vec<_> = read.entries.into_iter().map(|entry| entry.fields).collect();
            prop_assert_eq!(read, peers, "{}", text);
        }
    }
}
