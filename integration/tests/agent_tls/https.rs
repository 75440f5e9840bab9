//! What is said over TLS, and to whom.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::Arc,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::json;
use wgfleet_integration::{
    agent::{Config, SECRET},
    client::{Address, Client, Request},
    tls::{Authority, believing},
    wg::numbered_key,
};

use crate::common::{PATIENCE, Secured};

fn tcp(client: &Address) -> std::net::SocketAddr {
    match client {
        Address::Tcp(address) => *address,
        Address::Unix(path) => panic!("{}", path.display()),
    }
}

#[test]
fn the_contract_is_served_over_https() {
    let secured = Secured::start();
    assert!(
        secured
            .agent
            .log()
            .contains("listening on https://127.0.0.1:")
    );
    let clients = [secured.client(), secured.client().keep_alive()];
    for (number, client) in (1..).zip(clients) {
        assert_eq!(client.get("/health").status, 200);
        assert_eq!(
            client.dump("wg0")["peers"].as_array().map(Vec::len),
            Some(3)
        );
        let key = numbered_key(number);
        let added = client.post_peer("wg0", &json!({"public_key": key}));
        assert_eq!(added.status, 200, "{added:?}");
        assert_eq!(client.delete_peer("wg0", &key).status, 200);
    }
    let stranger = secured.agent.client_with("not the secret of this agent");
    assert_eq!(
        stranger.secured(&secured.trust()).get("/health").status,
        401
    );
}

#[test]
fn curl_believes_it_as_well() {
    let secured = Secured::start();
    let ca = secured.directory.path().join("ca.pem");
    fs::write(&ca, secured.authority.pem()).expect("written");
    let signed = secured.client().prepare(&Request::get("/wg/wg0/dump"));
    let curl = |ca: &std::path::Path| {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "--max-time", "20", "--cacert"])
            .arg(ca);
        for name in ["X-Timestamp", "X-Signature"] {
            let value = String::from_utf8_lossy(signed.value(name).expect("signed")).into_owned();
            command.args(["-H", &format!("{name}: {value}")]);
        }
        let url = format!("https://{}/wg/wg0/dump", tcp(secured.agent.address()));
        command.args(["-w", "\n%{http_code}"]).arg(url);
        command.output().expect("curl runs")
    };
    let answer = curl(&ca);
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(
        answer.status.success() && text.ends_with("\n200"),
        "{answer:?}"
    );
    assert!(
        text.starts_with(r#"{"interface":"wg0","peers":[{"public_key":"#),
        "{text}"
    );
    fs::write(&ca, Authority::new().pem()).expect("written");
    let refused = curl(&ca);
    // What it says differs with the name of the authority.
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said == "\n000", "{refused:?}");
}

#[test]
fn another_authority_is_not_believed() {
    let secured = Secured::start();
    let client = secured
        .agent
        .client()
        .secured(&believing(&[&Authority::new()]));
    client.connect().expect_err("an unknown issuer");
    assert_eq!(secured.client().get("/health").status, 200);
}

#[test]
fn the_protocol_agreed_on_is_http_1_1() {
    let secured = Secured::start();
    let mut tls = (*secured.trust()).clone();
    let mut shake = |protocols: &[&[u8]]| {
        tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let address = tcp(secured.agent.address());
        let mut stream = TcpStream::connect(address).expect("a connection");
        let mut connection =
            ClientConnection::new(Arc::new(tls.clone()), ServerName::from(address.ip()))
                .expect("a client");
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let stream = StreamOwned::new(connection, stream);
        Ok::<_, std::io::Error>(stream.conn.alpn_protocol().map(<[u8]>::to_vec))
    };
    let http1 = b"http/1.1".as_slice();
    assert_eq!(
        shake(&[b"h2", http1]).expect("agreed"),
        Some(http1.to_vec())
    );
    assert_eq!(shake(&[]).expect("agreed"), None);
    shake(&[b"h2"]).expect_err("nothing in common");
}

#[test]
fn plain_http_gets_no_answer_and_unix_sockets_stay_plain() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    let listen = format!("unix:{}", socket.display());
    let secured = Secured::start_with(&["--listen", &listen]);
    let mut plain = TcpStream::connect(tcp(secured.agent.address())).expect("a connection");
    plain.set_read_timeout(Some(PATIENCE)).expect("a socket");
    plain
        .write_all(b"GET /health HTTP/1.1\r\nHost: agent\r\n\r\n")
        .expect("written");
    let mut answer = Vec::new();
    // Closed or reset: either way nothing of HTTP came.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let unix = Client::new(Address::Unix(socket), SECRET);
    assert_eq!(unix.get("/health").status, 200);
    assert_eq!(secured.client().get("/health").status, 200);
}

#[test]
fn without_a_certificate_nothing_changes() {
    let agent = Config::simulated("wg0", 0).start();
    assert!(agent.log().contains("listening on http://"));
    assert_eq!(agent.client().get("/health").status, 200);
}
