//! The pages for operators, done as they say: packages are installed in scratch roots, and a client's
//! tunnel is brought up from what comes of it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use wgfleet_integration::{
    lab, netns,
    packages::{self, Root},
    pages, root_test, wg,
};

const SOON: Duration = Duration::from_secs(20);
/// As getting-started.md has it: where clients reach the host, and the node's own address.
const HOST: &str = "192.0.2.1";
const NODE: &str = "10.8.0.1:7777";
const CLIENT: &str = "client";

/// A client's host, on a wire to this one.
fn add_client() {
    netns::add(CLIENT);
    wg::ip(&[
        "link", "add", "clients", "type", "veth", "peer", "name", "uplink", "netns", CLIENT,
    ]);
    wg::ip(&["address", "add", &format!("{HOST}/24"), "dev", "clients"]);
    wg::ip(&["link", "set", "clients", "up"]);
    wg::ip(&[
        "-n",
        CLIENT,
        "address",
        "add",
        "192.0.2.2/24",
        "dev",
        "uplink",
    ]);
    wg::ip(&["-n", CLIENT, "link", "set", "uplink", "up"]);
}

/// Sends through the tunnel, there and back.
fn talk() {
    let address: SocketAddr = NODE.parse().expect("an address");
    let listener = TcpListener::bind(address).expect("the node's own address");
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).expect("five bytes");
        stream.write_all(&bytes).expect("the way back");
    });
    let back = netns::inside(CLIENT, || {
        let mut stream =
            TcpStream::connect_timeout(&address, SOON).expect("a way through the tunnel");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        stream.write_all(b"hello").expect("the way there");
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).expect("an answer");
        bytes
    });
    assert_eq!(&back, b"hello");
    echo.join().expect("the node answered");
}

root_test! {
    WithWireGuard fn getting_started_ends_with_a_tunnel(root) {
        let page = pages::page("docs/getting-started.md");
        let said = root.shell(&format!("cd /tmp\n{}", page.script("false")));
        assert!(said.contains("added laptop on local with 10.8.0.2/32: applied"), "{said}");

        let log = root.log("wgfleet-agent");
        assert!(!log.contains("WARN"), "{log}");
        let who = root.shell("ps -o user:20= -C wgfleet-agent,wgfleet-controller");
        assert!(!who.contains("root") && who.lines().count() == 2, "{who}");

        add_client();
        let config = root.path("/tmp/laptop.conf");
        netns::inside(CLIENT, || {
            let up = Command::new("wg-quick").arg("up").arg(&config).output();
            let up = up.expect("wireguard-tools are installed");
            assert!(up.status.success(), "{up:?}");
        });
        talk();
    }
}

root_test! {
    WithWireGuard fn operating_is_as_it_says(root) {
        let begun = pages::page("docs/getting-started.md").script("false");
        let page = pages::page("docs/operating.md");
        let said = root.shell(&format!("cd /tmp\n{begun}{}", page.script("false")));
        assert!(said.contains("restored 1 nodes and 1 peers"), "{said}");
        // Some are there once something has happened.
        root.shell(
            "token=$(cat /var/lib/wgfleet-controller/admin-token)
            curl -sS --fail-with-body -H \"Authorization: Bearer $token\" -d '{\"name\":\"another\"}' \\
              http://127.0.0.1:10086/api/v1/peers",
        );
        let metrics = root.shell("curl -sS http://127.0.0.1:9587/metrics");
        for line in page.text.lines().filter(|line| line.starts_with("| `")) {
            let names = line.split('|').nth(1).expect("a column");
            for name in names.split('`').skip(1).step_by(2).filter(|name| !name.contains('.')) {
                assert!(metrics.contains(&format!("wgfleet_controller_{name}")), "{name}: {metrics}");
            }
        }
    }
}

#[test]
fn deploying_makes_a_node_of_another_host() {
    if !lab::is_inside() {
        packages::make();
    }
    let limits = lab::Limits {
        time: Duration::from_secs(400),
        ..Default::default()
    };
    let kernel = lab::Kernel::WithWireGuard;
    let name = "deploying_makes_a_node_of_another_host";
    lab::test(kernel, module_path!(), name, limits, || {
        for host in ["10.99.0.1/32", "10.99.0.2/32"] {
            wg::ip(&["address", "add", host, "dev", "lo"]);
        }
        wg::add_interface_with_key("wg0");
        let node = Root::named("node", &["wgfleet-agent"]);
        let controller = Root::named("controller", &["wgfleet-controller"]);
        controller.reach_by_ssh(&node);
        let page = pages::page("docs/deploying.md");
        let said = controller.shell(&format!(
            "cd /tmp\n{}",
            page.script("ssh 10.99.0.2 cd /tmp '&&' bash -euo pipefail")
        ));
        assert!(
            said.contains("10.8.1.2/32"),
            "the peer is in the kernel: {said}"
        );
    });
}
