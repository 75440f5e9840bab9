//! What a poll says about a node.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Polls in a row that must fail before a node counts as offline: one lost packet is no news.
pub const MISSED_POLLS_UNTIL_OFFLINE: u32 = 3;
/// The furthest two clocks may be apart, seconds: the contract's signatures hold no longer.
pub const MAX_CLOCK_SKEW_S: i64 = 300;

const NOT_POLLED: &str = "not polled yet";

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    /// By hand: no polls, no writes, the kernel untouched.
    Disabled,
    /// It does not answer.
    Offline,
    /// It answers, but not as it should.
    Error,
    /// The last poll was good.
    Online,
}

impl NodeStatus {
    /// The status as the API and the store write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Offline => "offline",
            Self::Error => "error",
            Self::Online => "online",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Disabled, Self::Offline, Self::Error, Self::Online];
        all.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// The connection was refused.
    #[error("the connection was refused: is the agent running?")]
    Refused,
    /// No route, no such name, no such socket.
    #[error("the agent's address can't be reached")]
    Unreachable,
    /// No whole answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke before the answer was whole.
    #[error("the connection was closed before the answer was complete")]
    Closed,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 401, and the clocks agree.
    #[error("the agent refused the signature: wrong secret")]
    WrongSecret,
    /// The agent's clock less the controller's, seconds.
    #[error("the agent's clock is {} s {} the controller's; signatures allow for 300 s",
        .skew_s.unsigned_abs(), if *.skew_s < 0 { "behind" } else { "ahead of" })]
    ClockSkew {
        /// Positive when the agent's clock is ahead.
        skew_s: i64,
    },
    /// No such WireGuard interface.
    #[error("the agent has no WireGuard interface {interface}")]
    InterfaceMissing {
        /// What was asked for.
        interface: String,
    },
    /// TLS, and not the certificate it should be.
    #[error("the agent's certificate is not to be trusted: {0}")]
    Untrusted(String),
    /// Not the documented answer: HTML, a redirect, a body too large.
    #[error("the answer is not the agent contract's: {0}")]
    NotTheContract(String),
    /// The contract's own error, such as `kernel_unavailable`.
    #[error("the agent reports: {0}")]
    Reported(String),
}

impl Fault {
    /// Why an agent answered 401: the clocks, if its `Date` shows them too far apart, or else the
    /// secret. `skew_s` is the agent's clock less ours, `None` without a `Date`.
    #[must_use]
    pub fn of_refusal(skew_s: Option<i64>) -> Self {
        skew_s.and_then(Self::of_skew).unwrap_or(Self::WrongSecret)
    }

    /// The fault of clocks this far apart; `None` when they are near enough.
    #[must_use]
    pub fn of_skew(skew_s: i64) -> Option<Self> {
        let too_far = skew_s.unsigned_abs() > MAX_CLOCK_SKEW_S.unsigned_abs();
        too_far.then_some(Self::ClockSkew { skew_s })
    }
}

/// How a poll went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// A dump, as documented, with the clocks in agreement.
    Good,
    /// No answer.
    Missed(Missed),
    /// An answer that won't do.
    Faulty(Fault),
}

/// A node's status, why, and since when. The store keeps it, so that a restarted controller goes on
/// from what it last knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// How it is.
    pub status: NodeStatus,
    /// One sentence for a person; empty when all is well.
    pub reason: String,
    /// When `status` last changed, Unix milliseconds.
    pub since_ms: i64,
    /// Polls missed in a row. Not kept over a restart.
    pub missed_polls: u32,
}

impl NodeState {
    /// A node that was just added or enabled, or is disabled.
    #[must_use]
    pub fn initial(enabled: bool, now_ms: i64) -> Self {
        let (status, reason) = match enabled {
            true => (NodeStatus::Offline, NOT_POLLED),
            false => (NodeStatus::Disabled, "disabled by hand"),
        };
        Self {
            status,
            reason: reason.to_owned(),
            since_ms: now_ms,
            missed_polls: 0,
        }
    }

    /// What the store knew before a restart; true until a poll says otherwise.
    #[must_use]
    pub const fn restored(status: NodeStatus, reason: String, since_ms: i64) -> Self {
        Self {
            status,
            reason,
            since_ms,
            missed_polls: 0,
        }
    }

    /// After somebody enabled or disabled the node.
    #[must_use]
    pub fn after_enabled(&self, enabled: bool, now_ms: i64) -> Self {
        if enabled == (self.status != NodeStatus::Disabled) {
            self.clone()
        } else {
            Self::initial(enabled, now_ms)
        }
    }

    /// After a poll. The answer to a poll that was under way when the node was disabled changes
    /// nothing.
    #[must_use]
    pub fn after_poll(&self, poll: &Poll, now_ms: i64) -> Self {
        if self.status == NodeStatus::Disabled {
            return self.clone();
        }
        match poll {
            Poll::Good => self.becoming(NodeStatus::Online, String::new(), 0, now_ms),
            Poll::Faulty(fault) => self.becoming(NodeStatus::Error, fault.to_string(), 0, now_ms),
            Poll::Missed(missed) => self.after_missed(*missed, now_ms),
        }
    }

    fn after_missed(&self, missed: Missed, now_ms: i64) -> Self {
        let count = self.missed_polls.saturating_add(1);
        if count >= MISSED_POLLS_UNTIL_OFFLINE || self.status == NodeStatus::Offline {
            return self.becoming(NodeStatus::Offline, missed.to_string(), count, now_ms);
        }
        // What was said of it stays true until the third.
        Self {
            missed_polls: count,
            ..self.clone()
        }
    }

    fn becoming(&self, status: NodeStatus, reason: String, missed_polls: u32, now_ms: i64) -> Self {
        let since_ms = if status == self.status {
            self.since_ms
        } else {
            now_ms
        };
        Self {
            status,
            reason,
            since_ms,
            missed_polls,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MISSED: Poll = Poll::Missed(Missed::Refused);

    fn after(state: &NodeState, polls: &[Poll]) -> NodeState {
        let step = |(state, now): (NodeState, i64), poll| (state.after_poll(poll, now), now + 1);
        polls.iter().fold((state.clone(), 100), step).0
    }

    fn online() -> NodeState {
        NodeState::restored(NodeStatus::Online, String::new(), 7)
    }

    #[test]
    fn three_misses_make_offline_and_one_good_poll_online() {
        let twice = after(&online(), &[MISSED, MISSED]);
        assert_eq!((twice.status, twice.since_ms), (NodeStatus::Online, 7));
        let offline = after(&online(), &[MISSED, MISSED, MISSED]);
        assert_eq!(
            (offline.status, offline.since_ms),
            (NodeStatus::Offline, 102)
        );
        assert!(offline.reason.contains("refused"));
        let interrupted = after(&online(), &[MISSED, MISSED, Poll::Good, MISSED, MISSED]);
        assert_eq!(
            (interrupted.status, interrupted.since_ms),
            (NodeStatus::Online, 7)
        );
        let back = after(&offline, &[Poll::Good]);
        assert_eq!(
            (back.status, back.reason.as_str()),
            (NodeStatus::Online, "")
        );
    }

    #[test]
    fn since_stays_while_the_reason_changes() {
        let first = online().after_poll(&Poll::Faulty(Fault::WrongSecret), 10);
        let second = first.after_poll(&Poll::Faulty(Fault::ClockSkew { skew_s: -612 }), 20);
        assert_eq!((second.status, second.since_ms), (NodeStatus::Error, 10));
        assert!(
            second.reason.contains("612 s behind the controller's"),
            "{}",
            second.reason
        );
    }

    #[test]
    fn a_refusal_is_blamed_on_the_clock_only_when_it_is_the_clock() {
        assert_eq!(
            Fault::of_refusal(Some(301)),
            Fault::ClockSkew { skew_s: 301 }
        );
        assert_eq!(
            Fault::of_refusal(Some(-301)),
            Fault::ClockSkew { skew_s: -301 }
        );
        assert_eq!(Fault::of_refusal(Some(300)), Fault::WrongSecret);
        assert_eq!(Fault::of_refusal(None), Fault::WrongSecret);
        assert!(Fault::of_skew(i64::MIN).is_some());
        let text = Fault::ClockSkew { skew_s: 600 }.to_string();
        assert!(text.contains("600 s ahead of"), "{text}");
    }

    #[test]
    fn disabling_holds_against_late_answers() {
        let disabled = online().after_enabled(false, 50);
        assert_eq!(
            (disabled.status, disabled.since_ms),
            (NodeStatus::Disabled, 50)
        );
        assert_eq!(disabled.after_poll(&Poll::Good, 60), disabled);
        assert_eq!(disabled.after_enabled(false, 70), disabled);
        let enabled = disabled.after_enabled(true, 80);
        assert_eq!(
            (enabled.status, enabled.reason.as_str()),
            (NodeStatus::Offline, NOT_POLLED)
        );
        assert_eq!(online().after_enabled(true, 90), online());
    }

    #[test]
    fn names_come_back() {
        for status in [NodeStatus::Disabled, NodeStatus::Offline, NodeStatus::Error] {
            assert_eq!(NodeStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(NodeStatus::from_name("Online"), None);
    }

    fn polls() -> impl Strategy<Value = Vec<Poll>> {
        let poll = prop_oneof![
            Just(Poll::Good),
            Just(MISSED),
            Just(Poll::Missed(Missed::TimedOut)),
            Just(Poll::Faulty(Fault::WrongSecret)),
            Just(Poll::Faulty(Fault::NotTheContract("HTML".into()))),
        ];
        prop::collection::vec(poll, 1..30)
    }

    proptest! {
        #[test]
        fn since_changes_exactly_with_the_status(polls in polls()) {
            let mut state = online();
            for (poll, now_ms) in polls.iter().zip(100..) {
                let next = state.after_poll(poll, now_ms);
                let expected = if next.status == state.status { state.since_ms } else { now_ms };
                prop_assert_eq!(next.since_ms, expected);
                prop_assert_eq!(next.reason.is_empty(), next.status == NodeStatus::Online);
                state = next;
            }
        }
    }
}
