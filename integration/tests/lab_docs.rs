//! The pages for operators, done as they say: packages are installed in scratch roots, and a client's
//! tunnel is brought up from what comes of it.

use std::time::Duration;

use wgfleet_integration::{
    eventually, lab, netns,
    packages::{self, Root},
    pages, root_test, wg,
};

const SOON: Duration = Duration::from_secs(30);
/// As getting-started.md has it: where clients reach the host.
const HOST: &str = "192.0.2.1/24";
const CLIENT: &str = "client";

/// A client's host, on a wire to this one, and how the root's shell runs lines there. It shares the root's
/// files, so that what is copied to it is there already.
fn add_client(root: &Root) -> String {
    netns::add_wired(CLIENT, HOST, "192.0.2.2/24");
    root.share("/run/netns");
    format!("nsenter --net=/run/netns/{CLIENT} bash -euo pipefail")
}

root_test! {
    WithWireGuard fn getting_started_ends_with_a_tunnel(root) {
        let on_client = add_client(&root);
        let page = pages::page("docs/getting-started.md");
        let said = root.shell(&format!("cd /tmp\n{}", page.script(&on_client)));
        assert!(said.contains("added laptop on local with 10.8.0.2/32: applied"), "{said}");
        assert!(said.contains("3 packets transmitted, 3 received, 0% packet loss"), "{said}");

        // "With the next poll."
        eventually(SOON, "the controller knows of the handshake and of the bytes", || {
            let peers = root.shell("wgfleet peer list --output json");
            let peer = &serde_json::from_str::<serde_json::Value>(&peers).expect("JSON")[0];
            // A reply of 84 bytes is 128 in the tunnel.
            let talked = |way: &str| peer[way].as_u64().is_some_and(|bytes| bytes >= 3 * 128);
            let seen = peer["latest_handshake"].is_string() && talked("rx_bytes") && talked("tx_bytes");
            seen.then_some(())
        });

        let log = root.log("wgfleet-agent");
        assert!(!log.contains("WARN"), "{log}");
        let who = root.shell("ps -o user:20= -C wgfleet-agent,wgfleet-controller");
        assert!(!who.contains("root") && who.lines().count() == 2, "{who}");
    }
}

root_test! {
    WithWireGuard fn operating_is_as_it_says(root) {
        // The client is not what this is about.
        let begun = pages::page("docs/getting-started.md").script(":");
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
