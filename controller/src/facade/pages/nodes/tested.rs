//! How the test of a connection went, check by check.

use askama::Template;
use tonic::Status;
use wgfleet_proto::v1::{self, test_node_request::Target};

use super::super::{page::SignedIn, refusal::Refused, text};
use crate::facade::Facade;

/// All of what is shown.
#[derive(Template)]
#[template(path = "nodes_tested.html")]
pub(super) struct TestedPart {
    pub(super) tested: Tested,
}

/// The outcome.
pub(super) struct Tested {
    pub(super) ok: bool,
    pub(super) sentence: String,
    pub(super) checks: Vec<Check>,
}

/// One of the checks, in their order.
pub(super) struct Check {
    pub(super) label: &'static str,
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl Tested {
    /// Tries it. What the service refuses to try is an outcome, too.
    pub(super) async fn of(facade: &mut Facade, signed: &SignedIn, target: Target) -> Self {
        let target = Some(target);
        let asked = signed.caller.request(v1::TestNodeRequest { target });
        let outcome = facade.nodes.test(asked).await;
        outcome.map_or_else(Self::refused, |answer| answer.into_inner().into())
    }

    /// Nothing was tried.
    pub(super) fn untried(sentence: &str) -> Self {
        Self {
            ok: false,
            sentence: sentence.to_owned(),
            checks: Vec::new(),
        }
    }

    fn refused(status: Status) -> Self {
        Self::untried(&Refused::from(status).sentence)
    }
}

impl From<v1::TestNodeResponse> for Tested {
    fn from(answer: v1::TestNodeResponse) -> Self {
        let passed = [
            (text::CHECKS[0], answer.reachable),
            (text::CHECKS[1], answer.secret_accepted),
            (text::CHECKS[2], answer.wrong_signature_refused),
            (text::CHECKS[3], answer.interface_found),
        ];
        let mut failed = false;
        let checks = passed.map(|(label, passed)| {
            let (word, class) = match (passed, failed) {
                (true, _) => ("yes", "good"),
                (false, false) => ("no", "bad"),
                (false, true) => ("not tried", "off"),
            };
            failed |= !passed;
            Check { label, word, class }
        });
        let sentence = if answer.ok {
            let latency = answer.latency_ms.map(|ms| format!(" in {ms} ms"));
            let version = Some(answer.version).filter(|version| !version.is_empty());
            let version = version.map(|version| format!(", version {version}"));
            let (latency, version) = (latency.unwrap_or_default(), version.unwrap_or_default());
            format!("The agent answers{latency}{version}.")
        } else {
            text::sentence(&answer.reason)
        };
        Self {
            ok: answer.ok,
            sentence,
            checks: checks.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1::TestNodeResponse;

    use super::Tested;

    #[test]
    fn checks_after_the_one_that_failed_were_not_tried() {
        let tested = Tested::from(TestNodeResponse {
            reachable: true,
            reason: "the secret is wrong".into(),
            ..Default::default()
        });
        let words: Vec<_> = tested.checks.iter().map(|check| check.word).collect();
        assert_eq!(words, ["yes", "no", "not tried", "not tried"]);
        assert_eq!(tested.sentence, "The secret is wrong.");
    }
}
