//! `make demo` where the kernel has WireGuard.

use std::time::Duration;

use wgfleet_integration::{demo::Demo, eventually, lab, lab_test};

const SOON: Duration = Duration::from_secs(30);

lab_test! {
    fn its_interfaces_are_real_and_nothing_is_left() with (lab::Limits { time: Duration::from_secs(400), ..lab::Limits::default() }) {
        let mut demo = Demo::start(&[]);
        assert!(demo.said().contains("Real: three agents"), "{}", demo.said());
        let rx_bytes = |name: &str| {
            let peers = demo.api(&format!("GET '/peers?q={name}'"));
            peers["items"][0]["rx_bytes_total"].as_u64()
        };
        for client in ["client-1", "client-2", "client-3"] {
            let first = eventually(SOON, "bytes through the tunnel", || {
                rx_bytes(client).filter(|bytes| *bytes > 0)
            });
            eventually(SOON, "more bytes through the tunnel", || {
                rx_bytes(client).filter(|bytes| *bytes > first)
            });
        }
        let (status, left) = demo.interrupt();
        assert!(status.success(), "{status}");
        assert_eq!(left, [""; 0]);
    }
}
