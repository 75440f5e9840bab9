//! `make demo` as a newcomer tries it, in a browser: a fourth agent becomes a node, a client comes up, and
//! what `wg set` breaks is seen and mended.
//!
//! The fleet is in the lab, the browser outside; `browser/stories/newcomer.mjs` tells what is done.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    browser,
    client::Address,
    demo::Demo,
    lab, netns,
    relay::{self, Near},
    wg,
};

/// A kernel with eight programs on one processor.
const A_STORY: Duration = Duration::from_secs(240);
const LIMITS: lab::Limits = lab::Limits {
    time: Duration::from_secs(480),
    memory_mib: 1024,
};
const WG0: &str = "wg0";
const SECRET: &str = "the secret of the agent that was started by hand";
/// Of the fourth node, and where its clients reach it.
const POOL: &str = "10.8.4.0/24";
const ADDRESS: &str = "10.8.4.1/24";
const ENDPOINT: &str = "192.0.2.1:51820";
/// A service of the node that nobody serves.
const SERVICE: &str = "10.8.4.1:9";
/// The client's host and its tunnel.
const CLIENT: &str = "client";
const TUNNEL: &str = "laptop";

#[test]
fn a_newcomer_adds_a_node_and_a_peer_and_sees_drift_heal() {
    if lab::is_inside() {
        return inside();
    }
    let name = "a_newcomer_adds_a_node_and_a_peer_and_sees_drift_heal";
    let (lab, line) = lab::Beside::start(module_path!(), name, LIMITS);
    let opened = Near::open(line);
    let Ok((near, mut told)) = opened else {
        panic!("{}", lab.ended().expect_err("it said nothing"));
    };
    told["origin"] = json!(format!("http://{}", carried(&near, &told["controller"])));
    let acts = TcpStream::connect(carried(&near, &told["acts"])).expect("the relay listens");
    let mut answers = BufReader::new(acts.try_clone().expect("a socket")).lines();
    browser::play("newcomer", &told, A_STORY, |request| {
        writeln!(&acts, "{request}").map_err(|error| error.to_string())?;
        let answer = answers.next().ok_or("the lab is gone")?;
        let answer = answer.map_err(|error| error.to_string())?;
        serde_json::from_str(&answer).map_err(|error| error.to_string())
    });
    drop(near);
    lab.ended().unwrap_or_else(|failure| panic!("{failure}"));
}

/// An address here for one in the lab.
fn carried(near: &Near, there: &Value) -> SocketAddr {
    let there = there.as_str().and_then(|address| address.parse().ok());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let here = listener.local_addr().expect("it listens");
    near.forward(listener, there.expect("an address"));
    here
}

fn inside() {
    let mut demo = Demo::start(&[]);
    let fourth = fourth_agent();
    netns::add_wired(CLIENT, "192.0.2.1/24", "192.0.2.2/24");
    let acts = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let Address::Tcp(agent) = fourth.address() else {
        panic!("it listens on TCP");
    };
    let told = json!({
        "controller": said(&demo, "REST API is at http://"),
        "tokens": {"admin": said(&demo, "token is ")},
        "acts": acts.local_addr().expect("it listens").to_string(),
        "spare": {"agent_url": format!("http://{agent}"), "secret": SECRET, "interface": WG0},
        "endpoint": ENDPOINT,
        "pool": POOL,
    });
    relay::serve(lab::line().expect("a line"), &told).expect("somebody listens");
    let (stream, _) = acts.accept().expect("the story's test connects");
    let requests = BufReader::new(stream.try_clone().expect("a socket")).lines();
    // Until the story is over.
    for request in requests.map_while(Result::ok) {
        let request = serde_json::from_str(&request).expect("a story asks in JSON");
        let answer = act(&request).unwrap_or_else(|error| json!({ "error": error }));
        if writeln!(&stream, "{answer}").is_err() {
            break;
        }
    }
    let (status, left) = demo.interrupt();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

/// What follows these words in what the demo says.
fn said(demo: &Demo, words: &str) -> String {
    let said = demo.said();
    let (_, rest) = said.split_once(words).expect("the demo says it");
    rest.split_whitespace().next().expect("a word").to_owned()
}

/// An agent on the controller's own host, and what it serves.
fn fourth_agent() -> Agent {
    wg::add_interface_with_key(WG0);
    wg::wg(&["set", WG0, "listen-port", "51820"], "");
    wg::ip(&["address", "add", ADDRESS, "dev", WG0]);
    agent::Config::kernel().secrets(&[SECRET]).start()
}

/// What the story asks for.
fn act(request: &Value) -> Result<Value, String> {
    let text = |name: &str| request[name].as_str().ok_or(format!("no {name}"));
    match text("do")? {
        "client_up" => {
            let config = text("config")?;
            netns::inside(CLIENT, || wg::quick_up(TUNNEL, config));
        }
        "client_talks" => return Ok(json!({"received": talk()})),
        "set_peer" => {
            let settings = request["settings"].as_array().ok_or("no settings")?;
            let settings: Vec<_> = settings.iter().filter_map(Value::as_str).collect();
            wg::set_peer(WG0, text("key")?, &settings);
        }
        "shown" => {
            let peers = wg::show(WG0).peers.into_iter();
            let peers: BTreeMap<_, _> = peers
                .map(|peer| (peer.public_key, peer.allowed_ips))
                .collect();
            return Ok(json!(peers));
        }
        other => return Err(format!("nothing is named {other:?}")),
    }
    Ok(json!({}))
}

/// Sends one datagram through the tunnel, which the node answers as one for nobody. Gives how many bytes
/// have come through so far.
fn talk() -> u64 {
    netns::inside(CLIENT, || {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        // Without a handshake it waits for one.
        let _ = socket.send_to(&[7; 1000], SERVICE);
        wg::show(TUNNEL).peers[0].transfer_rx
    })
}
