//! A plan as people and programs are shown it. No secret is in it.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{Blocked, Change, Consent, Plan};

/// A [`Plan`] beside what may be sent of it so far; serialises as the API's plan.
#[derive(Debug, Clone, Copy)]
pub struct ShownPlan<'a> {
    pub(super) plan: &'a Plan,
    pub(super) consent: Consent,
}

impl Serialize for ShownPlan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes: Vec<ShownChange<'_>> = self
            .plan
            .changes
            .iter()
            .map(|change| self.change(change))
            .collect();
        let blocked: Vec<ShownChange<'_>> = self.plan.blocked.iter().map(blocked).collect();
        let mut plan = serializer.serialize_struct("Plan", 5)?;
        plan.serialize_field("in_sync", &self.plan.is_in_sync())?;
        plan.serialize_field("hash", &self.plan.hash(self.consent))?;
        plan.serialize_field("changes", &changes)?;
        plan.serialize_field("blocked", &blocked)?;
        plan.serialize_field("unmanaged", &self.plan.unmanaged)?;
        plan.end()
    }
}

impl ShownPlan<'_> {
    fn change<'a>(&self, change: &'a Change) -> ShownChange<'a> {
        let hold = change.hold.map(|hold| hold.to_string());
        let reason = match self.consent {
            Consent::Everything => None,
            Consent::Declared => hold,
            Consent::Nothing => Some("waits for an operator to confirm the plan".to_owned()),
        };
        ShownChange { change, reason }
    }
}

fn blocked(blocked: &Blocked) -> ShownChange<'_> {
    ShownChange {
        change: &blocked.change,
        reason: Some(blocked.reason.clone()),
    }
}

/// A change, and why it is not made at once; `null` when it is.
struct ShownChange<'a> {
    change: &'a Change,
    reason: Option<String>,
}

impl Serialize for ShownChange<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_struct("Change", 4)?;
        view.serialize_field("action", self.change.call.action())?;
        view.serialize_field("public_key", &self.change.call.public_key())?;
        view.serialize_field("fields", &self.change.fields)?;
        view.serialize_field("reason", &self.reason)?;
        view.end()
    }
}
