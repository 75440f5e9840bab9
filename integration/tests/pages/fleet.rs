//! Three nodes, one of each kind of trouble, and an agent that is no node yet.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{self, Agent},
    browser,
    client::{Address, Request},
    controller::{self, Controller, Rest},
    eventually,
    tls::{self, Authority, CertificateFiles},
};

const SOON: Duration = Duration::from_secs(30);
const INTERFACE: &str = "wg0";
/// Names that are no more than names.
const IMAGE: &str = "<img src=x onerror=alert(1)>";
const SCRIPT: &str = "\"><script>alert(2)</script>";
const QUOTE: &str = "' autofocus onfocus='alert(3)";
const LINK: &str = "javascript:alert(4)//{{7*7}}${7*7}";

/// Peers that each agent has before the controller knows it: those of the first node are adopted,
/// those of the second left alone. The third is the one that goes, the last is no node.
const PRESENT: [u32; 4] = [12, 4, 0, 2];
const AUTHORITY: &str = "authority.pem";
const NODES: usize = 3;
const NAMES: [&str; NODES] = ["berlin-1", IMAGE, SCRIPT];
const UNMANAGED: [&str; NODES] = ["adopt", "ignore", "ignore"];

pub(crate) struct Small {
    controller: Controller,
    /// Of the nodes, then the spare one.
    agents: Vec<Agent>,
    nodes: Vec<String>,
    tokens: BTreeMap<&'static str, String>,
    secured: Option<Secured>,
}

/// What a controller that serves https shows, and what believes it.
struct Secured {
    directory: TempDir,
    spki_sha256: String,
}

impl Small {
    /// Starts it: the first two nodes are online, the third is offline; one peer of the second failed,
    /// those of the third are pending.
    pub(crate) fn start() -> Self {
        Self::over(controller::Config::new().listen(own_address(0)), None)
    }

    /// The same, with pages and REST API on https.
    pub(crate) fn secured() -> Self {
        let address = own_address(0);
        let (host, _) = address.rsplit_once(':').expect("it has a port");
        let authority = Authority::new();
        let certificate = authority.issue_for(host);
        let directory = TempDir::with_prefix("wgfleet-tls-").expect("a temporary directory");
        let files = CertificateFiles::new(directory.path(), &certificate);
        fs::write(directory.path().join(AUTHORITY), authority.pem()).expect("written");
        let config = controller::Config::new().secured(&files, tls::believing(&[&authority]));
        let secured = Secured {
            directory,
            spki_sha256: certificate.spki_sha256,
        };
        Self::over(config.listen(address), Some(secured))
    }

    fn over(config: controller::Config, secured: Option<Secured>) -> Self {
        let controller = config
            .poll_interval("500ms")
            // How often somebody may ask is tested elsewhere.
            .arguments(&["--token-rate", "0", "--auth-failure-rate", "0"])
            .start();
        let agents = (0..PRESENT.len()).map(|at| {
            agent::Config::simulated(INTERFACE, PRESENT[at])
                .secrets(&[&secret(at)])
                .listen(own_address(at + 1))
                .start()
        });
        let mut fleet = Self {
            agents: agents.collect(),
            controller,
            nodes: Vec::new(),
            tokens: BTreeMap::new(),
            secured,
        };
        fleet.add_nodes();
        fleet.add_peers();
        fleet.add_tokens();
        fleet.add_webhooks();
        fleet.agents[2].kill();
        fleet.await_status(2, "offline");
        fleet.add_pending_peers();
        fleet
    }

    /// Plays that story on it.
    #[track_caller]
    pub(crate) fn play(mut self, story: &str, within: Duration) {
        let told = self.told();
        browser::play(story, &told, within, |request| self.act(request));
        let log = self.controller.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    fn told(&self) -> Value {
        let described = |at: usize| json!({"agent_url": url(&self.agents[at]), "secret": secret(at), "interface": INTERFACE});
        let nodes = (0..NODES).map(|at| {
            let mut node = described(at);
            node["id"] = json!(self.nodes[at]);
            node["name"] = json!(NAMES[at]);
            node
        });
        let Address::Tcp(address) = self.controller.address() else {
            panic!("it listens on TCP");
        };
        let secured = self.secured.as_ref();
        let scheme = secured.map_or("http", |_| "https");
        json!({
            "origin": format!("{scheme}://{address}"),
            "authority": secured.map(|it| it.directory.path().join(AUTHORITY)),
            "spki_sha256": secured.map(|it| &it.spki_sha256),
            "tokens": self.tokens,
            "nodes": nodes.collect::<Vec<_>>(),
            "spare": described(NODES),
            "hostile": {
                "nodes": [IMAGE, SCRIPT], "peers": [IMAGE, SCRIPT, QUOTE, LINK],
                "tokens": [SCRIPT], "webhooks": [IMAGE],
            },
        })
    }

    fn act(&mut self, request: &Value) -> Result<Value, String> {
        let at = request["at"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok());
        let agent = at.and_then(|at| self.agents.get_mut(at));
        let agent = agent.ok_or_else(|| "no such agent".to_owned());
        match request["do"].as_str() {
            Some("kill_agent") => agent?.kill(),
            Some("start_agent") => agent?.restart(),
            Some("agent") => return ask(agent?, request),
            Some("restart_controller") => {
                self.controller.terminate();
                self.controller.restart();
            }
            other => return Err(format!("nothing is named {other:?}")),
        }
        Ok(json!({}))
    }

    fn rest(&self) -> Rest {
        self.controller.rest()
    }

    fn add_nodes(&mut self) {
        for at in 0..NODES {
            let node = json!({
                "name": NAMES[at], "agent_url": url(&self.agents[at]), "wg_interface": INTERFACE,
                "secret": secret(at), "endpoint": format!("vpn{at}.example.com:51820"),
                "ip_pool_cidr": format!("10.8.{at}.0/24, fd00:8:{at}::/64"),
                "weight": 100 * (at + 1), "max_peers": 100 * at, "unmanaged_peers": UNMANAGED[at],
                "labels": {"region": (["eu", "us", "ap"][at]), "tier": "prod"},
                "dns": ["10.8.0.1"],
            });
            let made = self.rest().create("/nodes", &node);
            self.nodes.push(text(&made["id"]));
        }
        for at in 0..NODES {
            self.await_status(at, "online");
        }
        eventually(SOON, "the first node's peers are adopted", || {
            let adopted = self
                .rest()
                .read(&format!("/peers?limit=1&node_id={}", self.nodes[0]));
            (adopted["total"] == PRESENT[0]).then_some(())
        });
    }

    fn add_peers(&self) {
        let day = 24 * 3600;
        let at = |node: usize, name: &str| json!({"name": name, "node_id": self.nodes[node]});
        let rest = self.rest();
        rest.create(
            "/peers",
            &with(
                at(0, "anna-laptop"),
                json!({
                    "preshared_key": "generate", "labels": {"team": "sales", "owner": "anna"},
                    "persistent_keepalive": 25,
                }),
            ),
        );
        rest.create(
            "/peers",
            &with(
                at(0, IMAGE),
                json!({
                    "quota_bytes": 5_000_000_000_u64, "quota_period": "month",
                    "expires_at": in_seconds(3 * day),
                }),
            ),
        );
        rest.create(
            "/peers",
            &with(at(0, "bert-phone"), json!({"enabled": false})),
        );
        rest.create(
            "/peers",
            &with(at(1, SCRIPT), json!({"labels": {"team": "sales"}})),
        );
        rest.create(
            "/peers",
            &with(at(1, QUOTE), json!({"expires_at": in_seconds(2)})),
        );
        // Somebody on the second node has this address already, and keeps it.
        let dump = self.agents[1].client().dump(INTERFACE);
        let taken = dump["peers"][0]["allowed_ips"][0].clone();
        rest.create(
            "/peers",
            &with(at(1, "carla-tablet"), json!({"allowed_ips": [taken]})),
        );
        eventually(SOON, "one peer has failed", || {
            (rest.read("/peers?limit=1&sync=failed")["total"] == 1).then_some(())
        });
    }

    fn add_pending_peers(&self) {
        for name in [LINK, "dora-laptop"] {
            let peer = json!({"name": name, "node_id": self.nodes[2]});
            self.rest().create("/peers", &peer);
        }
    }

    fn add_tokens(&mut self) {
        let own = std::fs::read_to_string(self.controller.data_dir().join("admin-token"));
        self.tokens
            .insert("admin", own.expect("the first token").trim().to_owned());
        for (role, name) in [("operator", SCRIPT), ("viewer", "a viewer")] {
            let made = self
                .rest()
                .create("/tokens", &json!({"name": name, "role": role}));
            self.tokens.insert(role, text(&made["token"]));
        }
        // So that the audit has somebody of that name in it.
        let operator = self.controller.rest_with(&self.tokens["operator"]);
        let peer = json!({"name": "made by an operator", "node_id": self.nodes[0]});
        operator.create("/peers", &peer);
    }

    fn add_webhooks(&self) {
        // Port 9 discards, where it is served at all.
        let hook = json!({"name": IMAGE, "url": "http://127.0.0.1:9/hook?a=1&b=%3Cscript%3E"});
        self.rest().create("/webhooks", &hook);
    }

    fn await_status(&self, at: usize, status: &str) {
        let path = format!("/nodes/{}", self.nodes[at]);
        eventually(SOON, &format!("node {at} is {status}"), || {
            (self.rest().read(&path)["status"] == status).then_some(())
        });
    }
}

/// What an agent itself answers.
fn ask(agent: &Agent, request: &Value) -> Result<Value, String> {
    let part = |name: &str| request[name].as_str().ok_or(format!("no {name}"));
    let mut asked = Request::new(part("method")?, part("target")?);
    if !request["body"].is_null() {
        asked = asked.json(&request["body"]);
    }
    let answer = agent
        .client()
        .send(&asked)
        .map_err(|error| error.to_string())?;
    let body = String::from_utf8_lossy(&answer.body);
    let body = serde_json::from_str(&body).unwrap_or_else(|_| json!(body));
    Ok(json!({"status": answer.status, "body": body}))
}

/// An address of 127.0.0.0/8 that no other program uses, with a port that stays free while its program
/// is down.
fn own_address(at: usize) -> String {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let taken = TcpListener::bind((format!("127.{}.{high}.{low}", 131 + at), 0));
    let address = taken.and_then(|listener| listener.local_addr());
    address.expect("all of 127.0.0.0/8 is here").to_string()
}

fn url(agent: &Agent) -> String {
    match agent.address() {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(path) => format!("unix://{}", path.display()),
    }
}

fn secret(at: usize) -> String {
    format!("the secret of the simulated agent {at}")
}

fn with(mut one: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut one, more) else {
        panic!("two objects");
    };
    fields.extend(more);
    one
}

/// A time as the API takes it.
fn in_seconds(seconds: u64) -> String {
    let text = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
    // Sun, 06 Nov 1994 08:49:37 GMT
    let parts: Vec<&str> = text.split(' ').collect();
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(parts[2]).expect("a month") / 3 + 1;
    format!("{}-{month:02}-{}T{}Z", parts[3], parts[1], parts[4])
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
