//! The names behind the ids in events.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::{client::Client, find::text};

/// Names that were seen, by id.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Whom an event is about: `laptop on node-1`, or `node-1`.
    pub(super) async fn of(&mut self, client: &Client, event: &Value) -> String {
        for kind in ["node", "peer"] {
            let told = &event[kind];
            if told.is_object() {
                self.0.insert(text(told, "id"), text(told, "name"));
            }
        }
        let node = self.name(client, "nodes", &text(event, "node_id")).await;
        match event["peer_id"].as_str() {
            Some(id) => format!("{} on {node}", self.name(client, "peers", id).await),
            None => node,
        }
    }

    /// What is gone by now goes by its id.
    async fn name(&mut self, client: &Client, list: &str, id: &str) -> String {
        if let Some(name) = self.0.get(id) {
            return name.clone();
        }
        let found = client.read(format!("/{list}/{id}")).await;
        let name = found.map_or_else(|_| id.to_owned(), |found| text(&found, "name"));
        self.0.insert(id.to_owned(), name.clone());
        name
    }
}
