//! Who asks: with the administrator's token, about what is there.

use serde_json::Value;
use wgfleet_integration::{
    client::{Client, Response, WireRequest},
    controller::Rest,
};

use super::{
    document::{Document, Operation},
    fleet::Fleet,
};

pub(crate) struct Asker {
    pub(crate) fleet: Fleet,
    pub(crate) rest: Rest,
    client: Client,
    pub(crate) document: Document,
}

impl Asker {
    pub(crate) fn start() -> Self {
        let fleet = Fleet::start();
        Self {
            rest: fleet.controller.rest(),
            client: Client::new(fleet.controller.address().clone(), ""),
            document: Document::served_by(&fleet.controller),
            fleet,
        }
    }

    /// The path of an operation on something that is there.
    pub(crate) fn path(&self, operation: &Operation) -> String {
        if !operation.path.contains("{id}") {
            return operation.path.clone();
        }
        let id = self.fleet.id_for(&operation.path);
        operation.path.replace("{id}", id)
    }

    #[track_caller]
    pub(crate) fn send(&self, wire: &WireRequest) -> Response {
        let answer = self.client.send_wire(wire);
        answer.unwrap_or_else(|error| panic!("no answer to {}: {error}", wire.target))
    }

    #[track_caller]
    pub(crate) fn refuse(&self, operation: &Operation, path: &str, body: Option<&Value>) -> u16 {
        let wire = self.rest.wire(&operation.method, path, body);
        let mut asked = format!("{path} {}", body.unwrap_or(&Value::Null));
        asked.truncate(asked.floor_char_boundary(500));
        self.document
            .assert_refused(operation, &asked, &self.send(&wire))
    }

    /// An example of a body, where there is one.
    pub(crate) fn example(operation: &Operation) -> Option<Value> {
        operation.body.as_ref().map(|(_, example)| example.clone())
    }
}
