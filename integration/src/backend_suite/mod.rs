//! What every implementation of the WireGuard boundary must do, run through the boundary alone.
//!
//! The simulated backend, a real daemon and the real kernel pass the same cases: that is what keeps
//! the fake from drifting. The caller makes the interface and gives it a private key; each case begins with its
//! peers removed. The cases block, and are not for an async runtime's threads.

mod allowed_ips;
mod interface;
pub mod oracle;
mod peers;
mod settings;
mod snapshot;
mod subject;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use interface::check_link;
pub use snapshot::{PeerSnapshot, Snapshot};
pub use subject::Subject;

/// One promise of the boundary.
#[derive(Clone, Copy)]
pub struct Case {
    /// What is promised.
    pub name: &'static str,
    /// Panics when it is not kept.
    pub run: fn(&mut Subject<'_>),
}

macro_rules! cases {
    ($($module:ident::$case:ident,)*) => {
        /// Every case, in an order that goes from the simple to the large.
        pub const CASES: &[Case] =
            &[$(Case { name: stringify!($case), run: $module::$case },)*];
    };
}

cases! {
    interface::an_empty_device_reports_itself,
    interface::an_absent_interface_is_not_found,
    interface::a_wrong_number_is_not_written_to,
    interface::only_its_own_number_is_still_there,
    peers::an_added_peer_has_defaults,
    peers::a_removed_peer_is_gone,
    peers::absent_peers_are_left_absent,
    peers::the_own_key_is_ignored,
    peers::new_peers_go_to_the_end,
    peers::changes_apply_in_order,
    peers::a_peer_added_again_starts_anew,
    settings::the_endpoint_is_set_and_stays,
    settings::the_keepalive_is_set_and_turned_off,
    settings::the_preshared_key_is_set_and_removed,
    settings::what_is_not_named_stays,
    allowed_ips::they_are_added_at_the_end,
    allowed_ips::one_given_again_moves_to_the_end,
    allowed_ips::one_given_twice_is_kept_once,
    allowed_ips::a_list_is_replaced,
    allowed_ips::a_list_is_emptied,
    allowed_ips::one_given_to_another_peer_moves,
    allowed_ips::a_cycle_of_moves_ends_where_it_should,
    allowed_ips::those_of_a_removed_peer_are_free,
    allowed_ips::a_whole_family_is_a_network,
    allowed_ips::thousands_stay_with_one_peer,
    peers::many_peers_arrive_in_one_call,
    peers::many_peers_with_several_networks_each,
}

/// Runs every case and says at the end which ones failed.
///
/// # Panics
/// When any failed.
pub fn run(subject: &mut Subject<'_>) {
    let failed: Vec<_> = CASES
        .iter()
        .filter(|case| !passes(case, subject))
        .map(|case| case.name)
        .collect();
    assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
}

fn passes(case: &Case, subject: &mut Subject<'_>) -> bool {
    eprintln!("backend suite: {}", case.name);
    // A case that failed leaves nothing behind that the next one does not empty.
    let run = AssertUnwindSafe(|| {
        subject.empty();
        (case.run)(subject);
    });
    catch_unwind(run).is_ok()
}
