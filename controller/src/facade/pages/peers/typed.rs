//! What is typed of a peer, and the messages it becomes.

use wgfleet_proto::v1::{self, QuotaPeriod, preshared_key_choice::Choice};

use super::{super::form::Form, units};
use crate::facade::{
    problem::Problem,
    shape::{QUOTA_PERIODS, word},
};

/// The fields of a form, as they were typed. A preshared key is not among them: it is not shown again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) node: String,
    pub(super) selector: String,
    pub(super) public_key: String,
    pub(super) keeps_private_key: bool,
    /// `generate`, `given`, `none`, or `keep` of a peer that is there already.
    pub(super) preshared: String,
    pub(super) allowed_ips: String,
    pub(super) keepalive: String,
    pub(super) dns: String,
    pub(super) mtu: String,
    pub(super) routes: String,
    pub(super) labels: String,
    pub(super) enabled: bool,
    pub(super) expires_at: String,
    pub(super) quota: String,
    pub(super) period: String,
    /// The field that was refused, as the API calls it.
    pub(super) wrong: String,
}

impl Typed {
    /// An empty form.
    pub(super) fn new() -> Self {
        Self {
            keeps_private_key: true,
            enabled: true,
            preshared: "generate".into(),
            period: "month".into(),
            ..Self::default()
        }
    }

    /// A form that was sent.
    pub(super) fn of(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            name: text("name"),
            node: text("node"),
            selector: text("selector"),
            public_key: text("public_key"),
            keeps_private_key: form.is_ticked("keep_private_key"),
            preshared: text("preshared"),
            allowed_ips: text("allowed_ips"),
            keepalive: text("persistent_keepalive"),
            dns: text("dns"),
            mtu: text("mtu"),
            routes: text("client_allowed_ips"),
            labels: text("labels"),
            enabled: form.is_ticked("enabled"),
            expires_at: text("expires_at"),
            quota: text("quota_bytes"),
            period: text("quota_period"),
            wrong: String::new(),
        }
    }

    /// A peer as it is.
    pub(super) fn from_peer(peer: &v1::Peer) -> Self {
        Self {
            name: peer.name.clone(),
            public_key: peer.public_key.clone(),
            preshared: "keep".into(),
            allowed_ips: peer.allowed_ips.join(", "),
            keepalive: peer.persistent_keepalive.to_string(),
            dns: peer.dns.join(", "),
            mtu: peer.mtu.map(|mtu| mtu.to_string()).unwrap_or_default(),
            routes: peer.client_allowed_ips.join(", "),
            labels: units::shown_labels(&peer.labels.clone().into_iter().collect()),
            enabled: peer.enabled,
            expires_at: peer.expires_at.map(units::shown_time).unwrap_or_default(),
            quota: peer.quota_bytes.map(units::shown_bytes).unwrap_or_default(),
            period: match peer.quota_period {
                Some(_) => word(&QUOTA_PERIODS, peer.quota_period()).to_owned(),
                None => "month".to_owned(),
            },
            ..Self::new()
        }
    }

    /// A new peer; the node's id was looked up.
    pub(super) fn create(
        &self,
        node_id: String,
        preshared_key: &str,
    ) -> Result<v1::CreatePeerRequest, Problem> {
        let quota_bytes = units::bytes("quota_bytes", &self.quota)?;
        let generates = self.public_key.is_empty();
        Ok(v1::CreatePeerRequest {
            name: self.name.clone(),
            node_id,
            selector: units::labels("selector", &self.selector)?
                .into_iter()
                .collect(),
            public_key: self.public_key.clone(),
            keep_private_key: generates.then_some(self.keeps_private_key),
            preshared_key: preshared(&self.preshared, preshared_key),
            allowed_ips: units::list(&self.allowed_ips),
            persistent_keepalive: units::number("persistent_keepalive", &self.keepalive)?,
            labels: units::labels("labels", &self.labels)?.into_iter().collect(),
            enabled: Some(self.enabled),
            expires_at: units::time("expires_at", &self.expires_at)?,
            dns: units::list(&self.dns),
            mtu: units::number("mtu", &self.mtu)?,
            client_allowed_ips: units::list(&self.routes),
            quota_bytes,
            quota_period: if quota_bytes.is_some() {
                period(&self.period)?.into()
            } else {
                QuotaPeriod::Unspecified.into()
            },
        })
    }

    /// What is another thing now than it is of `peer`, and nothing else: what nobody touched need not
    /// be valid by today's rules.
    pub(super) fn changes(
        &self,
        peer: &v1::Peer,
        preshared_key: &str,
        etag: &str,
    ) -> Result<v1::UpdatePeerRequest, Problem> {
        let wanted = self.create(String::new(), preshared_key)?;
        let list = |new: Vec<String>, old: &[String]| {
            (new != old).then_some(v1::StringList { values: new })
        };
        let keepalive = wanted.persistent_keepalive.unwrap_or(0);
        let quota = wanted.quota_bytes.unwrap_or(0);
        let is_other_period =
            wanted.quota_bytes.is_some() && wanted.quota_period() != peer.quota_period();
        Ok(v1::UpdatePeerRequest {
            id: peer.id.clone(),
            name: (wanted.name != peer.name).then_some(wanted.name),
            public_key: (wanted.public_key != peer.public_key).then_some(wanted.public_key),
            preshared_key: wanted.preshared_key,
            allowed_ips: list(wanted.allowed_ips, &peer.allowed_ips),
            persistent_keepalive: (keepalive != peer.persistent_keepalive).then_some(keepalive),
            labels: (wanted.labels != peer.labels).then_some(v1::Labels {
                values: wanted.labels,
            }),
            enabled: (Some(peer.enabled) != wanted.enabled).then_some(self.enabled),
            expires_at: (wanted.expires_at != peer.expires_at)
                .then(|| wanted.expires_at.unwrap_or(0)),
            dns: list(wanted.dns, &peer.dns),
            mtu: (wanted.mtu != peer.mtu).then(|| wanted.mtu.unwrap_or(0)),
            client_allowed_ips: list(wanted.client_allowed_ips, &peer.client_allowed_ips),
            quota_bytes: (quota != peer.quota_bytes.unwrap_or(0)).then_some(quota),
            quota_period: if is_other_period {
                wanted.quota_period
            } else {
                QuotaPeriod::Unspecified.into()
            },
            if_match: vec![etag.to_owned()],
            node_id: None,
        })
    }

    /// The same, shown again because of that field.
    pub(super) fn refused_at(mut self, field: &str) -> Self {
        field.clone_into(&mut self.wrong);
        self
    }
}

/// A period by its word.
///
/// # Errors
/// When there is none of that name.
pub(super) fn period(text: &str) -> Result<QuotaPeriod, Problem> {
    let found = QUOTA_PERIODS.iter().find(|(word, _)| *word == text);
    let wrong = || {
        Problem::invalid_field(
            "quota_period",
            "quota_period must be one of none, day, week, month",
        )
    };
    found.map(|(_, period)| *period).ok_or_else(wrong)
}

/// What becomes of the preshared key; `None` leaves it as it is.
pub(super) fn preshared(choice: &str, key: &str) -> Option<v1::PresharedKeyChoice> {
    let choice = match choice {
        "generate" => Choice::Generate(true),
        "given" => Choice::Key(key.to_owned()),
        "none" => Choice::None(true),
        _ => return None,
    };
    Some(v1::PresharedKeyChoice {
        choice: Some(choice),
    })
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1;

    use super::Typed;

    fn peer() -> v1::Peer {
        v1::Peer {
            id: "p".into(),
            name: "laptop".into(),
            public_key: "key".into(),
            allowed_ips: vec!["10.8.0.2/32".into(), "fd00::2/128".into()],
            persistent_keepalive: 25,
            enabled: true,
            // Long over: nothing that may be set any more.
            expires_at: Some(1_000_000_007),
            quota_bytes: Some(5_000_000_000),
            quota_period: Some(v1::QuotaPeriod::Week.into()),
            labels: [("team".into(), "sales".into())].into(),
            dns: vec!["10.8.0.1".into()],
            mtu: Some(1380),
            ..v1::Peer::default()
        }
    }

    #[test]
    fn what_nobody_touched_is_not_sent() {
        let peer = peer();
        let message = Typed::from_peer(&peer).changes(&peer, "", "v1");
        let nothing = v1::UpdatePeerRequest {
            id: "p".into(),
            if_match: vec!["v1".into()],
            ..Default::default()
        };
        assert_eq!(message.expect("valid"), nothing);
    }

    #[test]
    fn what_is_emptied_is_cleared() {
        let peer = peer();
        let typed = Typed {
            expires_at: String::new(),
            quota: String::new(),
            dns: String::new(),
            mtu: String::new(),
            keepalive: String::new(),
            labels: String::new(),
            ..Typed::from_peer(&peer)
        };
        let message = typed.changes(&peer, "", "v1").expect("valid");
        assert_eq!(message.expires_at, Some(0));
        assert_eq!(message.quota_bytes, Some(0));
        assert_eq!(message.quota_period, 0);
        assert_eq!(message.mtu, Some(0));
        assert_eq!(message.persistent_keepalive, Some(0));
        assert_eq!(message.dns, Some(v1::StringList::default()));
        assert_eq!(message.labels, Some(v1::Labels::default()));
        assert_eq!((message.name, message.allowed_ips), (None, None));
    }
}
