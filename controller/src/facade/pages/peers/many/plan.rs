//! Which peers are to be added, before any of them is.

use std::collections::HashMap;

use wgfleet_proto::v1;

use super::{
    super::{
        super::{form::Form, page::SignedIn, text},
        nodes,
        typed::Typed,
        units,
    },
    sheet,
};
use crate::facade::{Answer, Facade, problem::Problem};

/// Most peers at once, as for the API.
pub(super) const MAX_ROWS: usize = 10_000;
/// What a pattern has where the number goes.
const NUMBER: &str = "{n}";

/// What is typed of many.
pub(super) struct Many {
    pub(super) from_csv: bool,
    pub(super) pattern: String,
    pub(super) count: String,
    pub(super) first: String,
    pub(super) csv: String,
}

/// One of them, or what is wrong with it.
pub(super) struct Planned {
    /// Where it stands in a file; empty when it is of a pattern.
    pub(super) place: String,
    pub(super) name: String,
    pub(super) peer: Result<v1::CreatePeerRequest, String>,
}

impl Many {
    pub(super) fn new() -> Self {
        Self {
            from_csv: false,
            pattern: "laptop-{n}".into(),
            count: "10".into(),
            first: "1".into(),
            csv: String::new(),
        }
    }

    pub(super) fn of(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            from_csv: form.text("way") == "csv",
            pattern: text("pattern"),
            count: text("count"),
            first: text("first"),
            csv: form.raw("csv").to_owned(),
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// For what is wrong with all of them; what is wrong with one is its own.
    pub(super) async fn plan(
        &self,
        facade: &mut Facade,
        signed: &SignedIn,
        typed: &Typed,
    ) -> Answer<Vec<Planned>> {
        let node_id = nodes::find(facade, signed, &typed.node).await?;
        let usual = typed.create(node_id, "")?;
        if self.from_csv {
            let mut rows = sheet::read(&self.csv, &usual, MAX_ROWS)?;
            find_nodes(facade, signed, &mut rows).await;
            return Ok(rows);
        }
        self.numbered(&usual)
    }

    fn numbered(&self, usual: &v1::CreatePeerRequest) -> Answer<Vec<Planned>> {
        let wrong = |field: &'static str, detail: &str| Err(Problem::invalid_field(field, detail));
        let count = units::number("count", &self.count)?.unwrap_or(0) as usize;
        if !(1..=MAX_ROWS).contains(&count) {
            return wrong("count", text::WRONG_COUNT);
        }
        if self.pattern.is_empty() || (count > 1 && !self.pattern.contains(NUMBER)) {
            return wrong("pattern", text::NO_PLACE_FOR_NUMBER);
        }
        let first = u64::from(units::number("first", &self.first)?.unwrap_or(1));
        let planned = (first..).take(count).map(|number| {
            let name = self.pattern.replace(NUMBER, &number.to_string());
            Planned {
                place: String::new(),
                peer: Ok(v1::CreatePeerRequest {
                    name: name.clone(),
                    ..usual.clone()
                }),
                name,
            }
        });
        Ok(planned.collect())
    }
}

/// Turns the names of nodes into ids, each looked up once.
async fn find_nodes(facade: &mut Facade, signed: &SignedIn, rows: &mut [Planned]) {
    let mut known: HashMap<String, Result<String, String>> = HashMap::new();
    for row in rows {
        let Ok(peer) = &mut row.peer else { continue };
        let Some(name) = peer
            .node_id
            .strip_prefix(sheet::BY_NAME)
            .map(ToOwned::to_owned)
        else {
            continue;
        };
        if !known.contains_key(&name) {
            let found = nodes::find(facade, signed, &name).await;
            let found = found.map_err(|problem| text::sentence(&problem.detail));
            known.insert(name.clone(), found);
        }
        match &known[&name] {
            Ok(id) => id.clone_into(&mut peer.node_id),
            Err(why) => row.peer = Err(why.clone()),
        }
    }
}
