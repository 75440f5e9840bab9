//! What stands in the form of a node: as the node has it, or as it was typed and refused.

use std::collections::BTreeMap;

use wgfleet_proto::v1::{self, UnmanagedPeers};

use super::super::{form::Form, refusal::Refused, text};
use crate::facade::{nodes::UNMANAGED, problem::Problem, shape::word};

/// The fields by their names in the API.
pub(super) const FIELDS: [&str; 17] = [
    "name",
    "agent_url",
    "wg_interface",
    "endpoint",
    "ip_pool_cidr",
    "weight",
    "max_peers",
    "labels",
    "reserved_ips",
    "unmanaged_peers",
    "public_key",
    "dns",
    "client_allowed_ips",
    "mtu",
    "persistent_keepalive",
    "tls_pin_sha256",
    "tls_ca_pem",
];

/// The fields of Add Node.
const NEW_FIELDS: [&str; 7] = [
    "name",
    "agent_url",
    "wg_interface",
    "endpoint",
    "ip_pool_cidr",
    "weight",
    "max_peers",
];

/// A form as it is shown.
#[derive(Default)]
pub(super) struct Typed {
    values: BTreeMap<&'static str, String>,
    /// Fields that somebody else changed meanwhile, as they are now.
    others: BTreeMap<&'static str, String>,
    refused: Option<Refused>,
}

impl Typed {
    /// An empty form with the documented defaults.
    pub(super) fn defaults() -> Self {
        let values = [
            ("weight", "100"),
            ("max_peers", "0"),
            ("wg_interface", "wg0"),
        ];
        Self {
            values: values.map(|(name, value)| (name, value.to_owned())).into(),
            ..Self::default()
        }
    }

    /// As the node has it.
    pub(super) fn of(node: &v1::Node) -> Self {
        Self {
            values: FIELDS.map(|name| (name, value_of(node, name))).into(),
            ..Self::default()
        }
    }

    /// As it was typed into the form of a node.
    pub(super) fn from(form: &Form) -> Self {
        Self::read(form, &FIELDS)
    }

    /// As it was typed into Add Node.
    pub(super) fn new_from(form: &Form) -> Self {
        let mut typed = Self::read(form, &NEW_FIELDS);
        let secret = form.raw("secret").to_owned();
        typed.values.insert("secret", secret);
        typed
    }

    fn read(form: &Form, names: &[&'static str]) -> Self {
        let value = |name: &&'static str| (*name, form.text(name).to_owned());
        Self {
            values: names.iter().map(value).collect(),
            ..Self::default()
        }
    }

    /// With why it was refused.
    pub(super) fn refused(mut self, refused: Refused) -> Self {
        self.refused = Some(refused);
        self
    }

    /// With what `node` has by now beside what was typed.
    pub(super) fn beside(mut self, node: &v1::Node) -> Self {
        let others = FIELDS.map(|name| (name, value_of(node, name)));
        let differs = |(name, value): &(&str, String)| self.value(name) != value;
        self.others = others.into_iter().filter(differs).collect();
        self
    }

    /// What stands in a field.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Why a field was refused; empty when it was not.
    pub(super) fn wrong(&self, name: &str) -> &str {
        let refused = self.refused.as_ref().filter(|it| it.field == name);
        refused.map_or("", |it| it.sentence.as_str())
    }

    /// What somebody else made of a field; empty when they left it.
    pub(super) fn other(&self, name: &str) -> &str {
        let other = self.others.get(name).map(String::as_str);
        other.map_or("", |other| if other.is_empty() { "nothing" } else { other })
    }

    /// Why the form was refused, when that is about none of the fields it has.
    pub(super) fn refused_as_a_whole(&self) -> Option<&Refused> {
        let refused = self.refused.as_ref()?;
        (!self.values.contains_key(refused.field.as_str())).then_some(refused)
    }

    /// The words for `unmanaged_peers`, what they mean, and whether it is that.
    pub(super) fn policies(&self) -> Vec<(&'static str, &'static str, bool)> {
        let chosen = self.value("unmanaged_peers");
        let policy = |(word, policy): &(&'static str, UnmanagedPeers)| {
            (*word, text::unmanaged(*policy), *word == chosen)
        };
        UNMANAGED.iter().map(policy).collect()
    }
}

/// A field of a node as a form shows it.
fn value_of(node: &v1::Node, name: &str) -> String {
    let lines = |list: &[String]| list.join("\n");
    match name {
        "name" => node.name.clone(),
        "agent_url" => node.agent_url.clone(),
        "wg_interface" => node.wg_interface.clone(),
        "endpoint" => node.endpoint.clone(),
        "ip_pool_cidr" => node.ip_pool_cidr.clone(),
        "weight" => node.weight.to_string(),
        "max_peers" => node.max_peers.to_string(),
        "labels" => {
            let pairs = node
                .labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"));
            pairs.collect::<Vec<_>>().join("\n")
        }
        "reserved_ips" => lines(&node.reserved_ips),
        "unmanaged_peers" => word(&UNMANAGED, node.unmanaged_peers()).to_owned(),
        "public_key" => node.public_key.clone(),
        "dns" => lines(&node.dns),
        "client_allowed_ips" => lines(&node.client_allowed_ips),
        "mtu" => node
            .mtu
            .filter(|mtu| *mtu != 0)
            .map_or(String::new(), |mtu| mtu.to_string()),
        "persistent_keepalive" => {
            let seconds = node.persistent_keepalive.filter(|seconds| *seconds != 0);
            seconds.map_or(String::new(), |seconds| seconds.to_string())
        }
        "tls_pin_sha256" => node.tls_pin_sha256.clone(),
        "tls_ca_pem" => node.tls_ca_pem.trim_end().to_owned(),
        _ => String::new(),
    }
}

/// A new node from what was typed.
///
/// # Errors
/// What can't be a message names its field.
pub(super) fn new_node(form: &Form) -> Result<v1::CreateNodeRequest, Problem> {
    let secret = form.raw("secret");
    Ok(v1::CreateNodeRequest {
        name: form.text("name").to_owned(),
        agent_url: form.text("agent_url").to_owned(),
        wg_interface: form.text("wg_interface").to_owned(),
        endpoint: form.text("endpoint").to_owned(),
        ip_pool_cidr: form.text("ip_pool_cidr").to_owned(),
        weight: number("weight", form.text("weight"))?,
        max_peers: number("max_peers", form.text("max_peers"))?.unwrap_or_default(),
        secret: (!secret.is_empty()).then(|| secret.to_owned()),
        ..Default::default()
    })
}

/// What has to change about `node` for it to be as it was typed. What stays is left out: sent again, it
/// would count as said anew, such as the key of an interface that is another one now.
///
/// # Errors
/// What can't be a message names its field.
pub(super) fn patch(node: &v1::Node, form: &Form) -> Result<v1::UpdateNodeRequest, Problem> {
    let mut patch = v1::UpdateNodeRequest {
        id: node.id.clone(),
        ..Default::default()
    };
    for name in FIELDS {
        let typed = form.text(name).replace("\r\n", "\n");
        if typed != value_of(node, name) {
            set(&mut patch, name, &typed)?;
        }
    }
    let enabled = form.is_ticked("enabled");
    patch.enabled = (enabled != node.enabled).then_some(enabled);
    Ok(patch)
}

fn set(patch: &mut v1::UpdateNodeRequest, name: &'static str, typed: &str) -> Result<(), Problem> {
    let text = || Some(typed.to_owned());
    let list = || {
        let values = list(typed);
        Some(v1::StringList { values })
    };
    let optional = || Ok::<_, Problem>(Some(number(name, typed)?.unwrap_or_default()));
    match name {
        "name" => patch.name = text(),
        "agent_url" => patch.agent_url = text(),
        "wg_interface" => patch.wg_interface = text(),
        "endpoint" => patch.endpoint = text(),
        "ip_pool_cidr" => patch.ip_pool_cidr = text(),
        "weight" => patch.weight = Some(number(name, typed)?.ok_or_else(|| no_number(name))?),
        "max_peers" => patch.max_peers = optional()?,
        "labels" => {
            let values = labels(typed)?;
            patch.labels = Some(v1::Labels { values });
        }
        "reserved_ips" => patch.reserved_ips = list(),
        "unmanaged_peers" => patch.set_unmanaged_peers(policy(typed)?),
        "public_key" => patch.public_key = text(),
        "dns" => patch.dns = list(),
        "client_allowed_ips" => patch.client_allowed_ips = list(),
        "mtu" => patch.mtu = optional()?,
        "persistent_keepalive" => patch.persistent_keepalive = optional()?,
        "tls_pin_sha256" => patch.tls_pin_sha256 = text(),
        _ => patch.tls_ca_pem = text(),
    }
    Ok(())
}

/// The policy that a word stands for.
///
/// # Errors
/// When it is none.
pub(super) fn policy(typed: &str) -> Result<UnmanagedPeers, Problem> {
    let found = UNMANAGED.iter().find(|(word, _)| *word == typed);
    let wrong = || Problem::invalid_field("unmanaged_peers", text::NO_SUCH_CHOICE);
    found.map(|(_, policy)| *policy).ok_or_else(wrong)
}

/// Entries on lines of their own, or between commas.
fn list(typed: &str) -> Vec<String> {
    let entries = typed.split(['\n', ',']).map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    entries.map(ToOwned::to_owned).collect()
}

fn labels(typed: &str) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |entry: String| {
        let (key, value) = entry
            .split_once('=')
            .ok_or_else(|| Problem::invalid_field("labels", text::NO_LABEL))?;
        Ok((key.trim().to_owned(), value.trim().to_owned()))
    };
    list(typed).into_iter().map(pair).collect()
}

fn number(name: &'static str, typed: &str) -> Result<Option<u32>, Problem> {
    if typed.is_empty() {
        return Ok(None);
    }
    typed.parse().map(Some).map_err(|_| no_number(name))
}

fn no_number(name: &'static str) -> Problem {
    Problem::invalid_field(name, text::NO_NUMBER)
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1;

    use super::{super::super::form::Form, Typed, patch};

    fn node() -> v1::Node {
        v1::Node {
            id: "n".into(),
            name: "a b".into(),
            weight: 100,
            enabled: true,
            labels: [("a".into(), "b".into()), ("c".into(), "d".into())].into(),
            unmanaged_peers: v1::UnmanagedPeers::Ignore.into(),
            dns: vec!["10.0.0.1".into(), "example.com".into()],
            mtu: Some(1420),
            public_key: "key".into(),
            ..v1::Node::default()
        }
    }

    /// The form of `node` with some fields typed anew.
    fn form(node: &v1::Node, anew: &[(&str, &str)]) -> Form {
        let shown = Typed::of(node);
        let mut body = form_urlencoded::Serializer::new(String::new());
        for name in super::FIELDS {
            let typed = anew.iter().find(|(known, _)| *known == name);
            let typed = typed.map_or_else(|| shown.value(name), |(_, typed)| *typed);
            // As a browser sends lines.
            body.append_pair(name, &typed.replace('\n', "\r\n"));
        }
        body.append_pair("enabled", "true");
        Form::parse(body.finish().as_bytes())
    }

    #[test]
    fn what_was_not_touched_is_not_sent() {
        let untouched = patch(&node(), &form(&node(), &[])).expect("a patch");
        let expected = v1::UpdateNodeRequest {
            id: "n".into(),
            ..Default::default()
        };
        assert_eq!(untouched, expected);
    }

    #[test]
    fn what_was_typed_is_sent() {
        let anew = [
            ("labels", "a=x\n\n e = f"),
            ("dns", "10.0.0.2, example.org\n"),
            ("mtu", ""),
            ("unmanaged_peers", "remove"),
            ("wg_interface", "wg7"),
        ];
        let sent = patch(&node(), &form(&node(), &anew)).expect("a patch");
        let expected = v1::UpdateNodeRequest {
            id: "n".into(),
            labels: Some(v1::Labels {
                values: [("a".into(), "x".into()), ("e".into(), "f".into())].into(),
            }),
            dns: Some(v1::StringList {
                values: vec!["10.0.0.2".into(), "example.org".into()],
            }),
            mtu: Some(0),
            unmanaged_peers: v1::UnmanagedPeers::Remove.into(),
            wg_interface: Some("wg7".into()),
            ..Default::default()
        };
        assert_eq!(sent, expected);
    }

    #[test]
    fn what_can_t_be_meant_names_its_field() {
        for (name, typed) in [
            ("weight", ""),
            ("weight", "-1"),
            ("mtu", "x"),
            ("labels", "alone"),
            ("unmanaged_peers", "other"),
        ] {
            let refused = patch(&node(), &form(&node(), &[(name, typed)])).expect_err(typed);
            assert_eq!(refused.field.as_deref(), Some(name));
        }
    }
}
