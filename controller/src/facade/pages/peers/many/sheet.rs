//! Peers in CSV, as `wgfleet peer export` writes it.

use wgfleet_proto::v1;

use super::{
    super::{super::text, typed, units},
    plan::Planned,
};
use crate::{domain::peer_file::COLUMNS, facade::problem::Problem};

/// Before a node's name that is to be looked up; no id begins so.
pub(super) const BY_NAME: &str = "name:";

/// Peers of a text with a line of column names. An empty cell leaves what is `usual`.
///
/// # Errors
/// When the columns can't be told, or there are more than `most`; what is wrong with one line is its own.
pub(super) fn read(
    text: &str,
    usual: &v1::CreatePeerRequest,
    most: usize,
) -> Result<Vec<Planned>, Problem> {
    let wrong = |detail: String| Problem::invalid_field("csv", detail);
    // Spreadsheets begin their files with it.
    let text = text.trim_start_matches('\u{feff}');
    // As browsers send it; the reader would count a line too few.
    let text = text.replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let names = reader
        .headers()
        .map_err(|_| wrong(text::NO_CSV.into()))?
        .clone();
    if let Some(unknown) = names.iter().find(|name| !COLUMNS.contains(name)) {
        let known = COLUMNS.join(", ");
        return Err(wrong(format!(
            "there is no column {unknown:?}; there are {known}"
        )));
    }
    if !names.iter().any(|name| name == "name") {
        return Err(wrong(text::NO_NAME_COLUMN.into()));
    }
    let mut planned = Vec::new();
    for record in reader.records() {
        if planned.len() == most {
            return Err(wrong(text::TOO_MANY_LINES.into()));
        }
        planned.push(match record {
            Ok(record) => one(&names, &record, usual),
            Err(error) => Planned {
                place: place(error.position()),
                name: String::new(),
                peer: Err(text::WRONG_CELLS.into()),
            },
        });
    }
    if planned.is_empty() {
        return Err(wrong(text::NO_LINES.into()));
    }
    Ok(planned)
}

fn place(position: Option<&csv::Position>) -> String {
    format!("line {}", position.map_or(0, csv::Position::line))
}

fn one(
    names: &csv::StringRecord,
    record: &csv::StringRecord,
    usual: &v1::CreatePeerRequest,
) -> Planned {
    let mut peer = usual.clone();
    let mut fault = None;
    for (name, cell) in names
        .iter()
        .zip(record)
        .filter(|(_, cell)| !cell.is_empty())
    {
        if let Err(problem) = set(&mut peer, name, cell) {
            fault.get_or_insert_with(|| text::sentence(&format!("{name}: {}", problem.detail)));
        }
    }
    Planned {
        place: place(record.position()),
        name: peer.name.clone(),
        peer: fault.map_or(Ok(peer), Err),
    }
}

fn set(peer: &mut v1::CreatePeerRequest, name: &str, cell: &str) -> Result<(), Problem> {
    let own = || cell.to_owned();
    match name {
        "name" => peer.name = own(),
        "node" => {
            peer.node_id = format!("{BY_NAME}{cell}");
            peer.selector.clear();
        }
        "public_key" => {
            peer.public_key = own();
            peer.keep_private_key = None;
        }
        "preshared_key" => {
            let choice = if ["generate", "none"].contains(&cell) {
                cell
            } else {
                "given"
            };
            peer.preshared_key = typed::preshared(choice, cell);
        }
        "allowed_ips" => peer.allowed_ips = units::list(cell),
        "persistent_keepalive" => {
            peer.persistent_keepalive = units::number("persistent_keepalive", cell)?;
        }
        "labels" => peer.labels = units::labels("labels", cell)?.into_iter().collect(),
        "enabled" => {
            let enabled = cell.parse();
            let wrong = |_| Problem::invalid_field("enabled", "it must be true or false");
            peer.enabled = Some(enabled.map_err(wrong)?);
        }
        "expires_at" => peer.expires_at = units::time("expires_at", cell)?,
        "dns" => peer.dns = units::list(cell),
        "mtu" => peer.mtu = units::number("mtu", cell)?,
        "client_allowed_ips" => peer.client_allowed_ips = units::list(cell),
        "quota_bytes" => peer.quota_bytes = units::bytes("quota_bytes", cell)?,
        _ => peer.quota_period = typed::period(cell)?.into(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1;

    use super::{COLUMNS, read};

    fn usual() -> v1::CreatePeerRequest {
        v1::CreatePeerRequest {
            node_id: "usual".into(),
            mtu: Some(1400),
            keep_private_key: Some(true),
            ..Default::default()
        }
    }

    #[test]
    fn cells_go_before_what_is_usual() {
        let text = "\u{feff}name,node,mtu,labels,quota_bytes,allowed_ips\r\n\
                    anna, berlin ,1380,team=a owner=b,50 GiB,\"10.8.0.9/32, fd00::9/128\"\r\n\
                    \"bert, \"\"the\"\" second\",,,,,\r\n";
        let rows = read(text, &usual(), 10).expect("CSV");
        let peers: Vec<_> = rows
            .iter()
            .map(|row| row.peer.as_ref().expect("fine"))
            .collect();
        assert_eq!(peers[0].node_id, "name:berlin");
        assert_eq!(
            (peers[0].mtu, peers[0].quota_bytes),
            (Some(1380), Some(50 << 30))
        );
        assert_eq!((peers[0].labels.len(), peers[0].allowed_ips.len()), (2, 2));
        assert_eq!(peers[1].name, "bert, \"the\" second");
        assert_eq!(
            (peers[1].node_id.as_str(), peers[1].mtu),
            ("usual", Some(1400))
        );
        assert_eq!([&rows[0].place, &rows[1].place], ["line 2", "line 3"]);
    }

    #[test]
    fn a_bad_line_is_the_only_one_refused() {
        let text = "name,mtu,enabled\na,1400,true\nb,much,true\nc,1400\nd,1400,perhaps\n";
        let rows = read(text, &usual(), 10).expect("CSV");
        let fine: Vec<_> = rows.iter().map(|row| row.peer.is_ok()).collect();
        assert_eq!(fine, [true, false, false, false]);
        assert_eq!(rows[1].place, "line 3");
        let why = rows[1].peer.as_ref().expect_err("a word");
        assert_eq!(why, "mtu: \"much\" is no whole number.");
    }

    #[test]
    fn every_column_can_be_set() {
        let cells = [
            "a",
            "n",
            "k",
            "generate",
            "10.0.0.1/32",
            "25",
            "a=b",
            "false",
            "2030-01-01",
            "1.1.1.1",
            "1400",
            "0.0.0.0/0",
            "5 GB",
            "week",
        ];
        let text = format!("{}\n{}\n", COLUMNS.join(","), cells.join(","));
        let rows = read(&text, &v1::CreatePeerRequest::default(), 1).expect("CSV");
        let peer = rows[0].peer.as_ref().expect("fine");
        let shown = format!("{peer:?}");
        for empty in ["None", "[]", "{}", "\"\"", "Unspecified"] {
            let left = shown.matches(empty).count();
            // The selector stays empty, and the private key is nobody's to keep.
            let expected = match empty {
                "None" | "{}" => 1,
                _ => 0,
            };
            assert_eq!(left, expected, "{empty} in {shown}");
        }
    }

    #[test]
    fn what_is_no_table_of_peers() {
        for (text, why) in [
            ("", "name"),
            ("a,b\n1,2\n", "no column \"a\""),
            ("mtu\n1400\n", "name"),
            ("name\n", "no line"),
            ("name\na\nb\nc\n", "10"),
        ] {
            let problem = read(text, &usual(), 2).err().expect("refused");
            assert!(problem.detail.contains(why), "{text:?}: {}", problem.detail);
        }
    }
}
