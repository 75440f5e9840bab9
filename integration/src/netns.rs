//! Network namespaces: hosts of their own, as far as the network goes.

use std::{fs::File, os::fd::AsFd, panic, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::wg;

/// Makes a namespace, with `lo` up.
#[track_caller]
pub fn add(name: &str) {
    wg::ip(&["netns", "add", name]);
    wg::ip(&["-n", name, "link", "set", "lo", "up"]);
}

/// Makes a namespace as [`add`] does, with a wire to this one: an interface `clients` with the address
/// `here`, and `uplink` in the namespace with `there`.
#[track_caller]
pub fn add_wired(name: &str, here: &str, there: &str) {
    add(name);
    wg::ip(&[
        "link", "add", "clients", "type", "veth", "peer", "name", "uplink", "netns", name,
    ]);
    wg::ip(&["address", "add", here, "dev", "clients"]);
    wg::ip(&["link", "set", "clients", "up"]);
    wg::ip(&["-n", name, "address", "add", there, "dev", "uplink"]);
    wg::ip(&["-n", name, "link", "set", "uplink", "up"]);
}

/// Does `work` in the namespace, in a thread of its own; what it starts or opens is there too.
///
/// # Panics
/// When there is no such namespace, and as `work` does.
pub fn inside<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let enter_and_work = || {
        let namespace = File::open(format!("/run/netns/{name}")).expect("a namespace of `ip`");
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root may enter it");
        work()
    };
    let outcome = thread::scope(|scope| scope.spawn(enter_and_work).join());
    outcome.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
