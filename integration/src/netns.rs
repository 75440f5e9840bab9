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
