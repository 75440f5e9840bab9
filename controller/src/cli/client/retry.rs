//! When a request is sent again.

use std::time::Duration;

use super::{ControllerUrl, Problem};
use crate::{agent_client::AgentError, cli::failure::Failure};

/// How often a request is sent again.
const MAX_RETRIES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// A controller that asks for more patience than this is not waited for.
const LONGEST_ASKED_S: u64 = 30;
/// Refusals that say that nothing was done, and that it may be soon.
const PASSING: [&str; 4] = [
    "rate_limited",
    "overloaded",
    "store_unavailable",
    "request_running",
];

/// Why a request has no good answer.
#[derive(Debug)]
pub(in crate::cli) struct Lost {
    why: Why,
    sent: Sent,
}

#[derive(Debug)]
enum Why {
    Refused(Problem),
    Failed(AgentError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It never left.
    No,
    /// Not a byte came back.
    Unheard,
    Yes,
}

impl Lost {
    pub(super) const fn refused(problem: Problem) -> Self {
        Self {
            why: Why::Refused(problem),
            sent: Sent::Yes,
        }
    }

    pub(super) const fn before_sending(error: AgentError) -> Self {
        Self {
            why: Why::Failed(error),
            sent: Sent::No,
        }
    }

    pub(super) const fn unheard(error: AgentError) -> Self {
        Self {
            why: Why::Failed(error),
            sent: Sent::Unheard,
        }
    }

    pub(super) const fn after_sending(error: AgentError) -> Self {
        Self {
            why: Why::Failed(error),
            sent: Sent::Yes,
        }
    }

    pub(super) fn is_unheard(&self) -> bool {
        self.sent == Sent::Unheard
    }

    /// Whether it was refused for a reason that passes.
    pub(in crate::cli) fn is_passing(&self) -> bool {
        let unavailable = |problem: &Problem| matches!(problem.status, 429 | 502..=504);
        matches!(&self.why, Why::Refused(problem) if unavailable(problem))
    }

    /// Whether it is the connection that failed, and another one may do.
    pub(in crate::cli) fn is_of_the_connection(&self) -> bool {
        matches!(&self.why, Why::Failed(error) if error.is_retryable())
    }

    /// One sentence for a person. `is_repeatable` requests were repeated; after others it is not
    /// known whether they were done.
    pub(in crate::cli) fn into_failure(self, url: &ControllerUrl, is_repeatable: bool) -> Failure {
        let error = match self.why {
            Why::Refused(problem) => return Failure::Refused(problem),
            Why::Failed(error) => error,
        };
        let mut text = match error {
            AgentError::Unreachable { at, why } => {
                format!("the controller can't be reached: {why} at {at}")
            }
            AgentError::Tls(why) => format!(
                "no TLS connection to the controller at {url}: {why}. If its certificate is signed by an \
                 authority of your own, name that with --ca-file"
            ),
            AgentError::TimedOut(within) => format!(
                "the controller at {url} did not answer within {} s",
                within.as_secs()
            ),
            AgentError::Closed => {
                format!(
                    "the connection to the controller at {url} broke before its answer was complete"
                )
            }
            _ => format!("what answers at {url} is no wgfleet controller"),
        };
        if self.sent != Sent::No && !is_repeatable {
            text.push_str(". Whether it was done is not known: look before you try again");
        }
        Failure::Unavailable(text)
    }
}

/// How often one request was sent already, and how long to wait until the next time.
pub(in crate::cli) struct Retries {
    is_repeatable: bool,
    count: u32,
    /// It was sent once: that it has an answer waiting somewhere makes patience worthwhile.
    was_sent: bool,
}

impl Retries {
    pub(super) const fn new(is_repeatable: bool) -> Self {
        Self {
            is_repeatable,
            count: 0,
            was_sent: false,
        }
    }

    /// How long to wait before it is sent again; `None` when it is not to be.
    pub(super) fn wait(&mut self, lost: &Lost) -> Option<Duration> {
        if self.count == MAX_RETRIES {
            return None;
        }
        let usual = FIRST_WAIT.saturating_mul(1 << self.count).min(LONGEST_WAIT);
        self.count += 1;
        match &lost.why {
            Why::Refused(problem) => {
                let asked_s = problem.retry_after_s.unwrap_or(0);
                let helps = PASSING.contains(&problem.code.as_str()) && asked_s <= LONGEST_ASKED_S;
                helps.then(|| usual.max(Duration::from_secs(asked_s)))
            }
            Why::Failed(error) => {
                self.was_sent |= lost.sent != Sent::No;
                let is_late = matches!(error, AgentError::TimedOut(_));
                let helps = self.is_repeatable && self.was_sent && error.is_retryable() && !is_late;
                helps.then_some(usual)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AgentError, Duration, Lost, Problem, Retries};

    fn refused(status: u16, code: &str, retry_after_s: Option<u64>) -> Lost {
        Lost::refused(Problem {
            status,
            code: code.into(),
            detail: String::new(),
            field: String::new(),
            request_id: String::new(),
            retry_after_s,
        })
    }

    fn unreachable() -> AgentError {
        AgentError::Unreachable {
            at: "127.0.0.1:1".into(),
            why: crate::agent_client::Unreachable::Refused,
        }
    }

    #[test]
    fn what_was_not_done_and_soon_may_be_is_sent_again() {
        for is_repeatable in [false, true] {
            let mut retries = Retries::new(is_repeatable);
            let wait = retries.wait(&refused(429, "rate_limited", Some(2)));
            assert_eq!(wait, Some(Duration::from_secs(2)));
            assert!(retries.wait(&refused(503, "overloaded", None)).is_some());
            assert_eq!(retries.wait(&refused(429, "rate_limited", Some(600))), None);
            assert_eq!(
                retries.wait(&refused(503, "node_unreachable", Some(1))),
                None
            );
            assert_eq!(retries.wait(&refused(409, "name_taken", None)), None);
        }
    }

    #[test]
    fn a_broken_connection_is_outwaited_only_where_twice_is_once() {
        let broken = || Lost::after_sending(AgentError::Closed);
        assert_eq!(Retries::new(false).wait(&broken()), None);
        let mut retries = Retries::new(true);
        assert!(retries.wait(&broken()).is_some());
        // The controller is on its way back.
        let down = Lost::before_sending(unreachable());
        assert!(retries.wait(&down).is_some());
        // Nothing was ever sent: say so at once.
        assert_eq!(Retries::new(true).wait(&down), None);
    }

    #[test]
    fn there_is_an_end() {
        let mut retries = Retries::new(true);
        let lost = refused(503, "overloaded", None);
        let waits = std::iter::from_fn(|| retries.wait(&lost)).count();
        assert_eq!(waits, 8);
    }
}
