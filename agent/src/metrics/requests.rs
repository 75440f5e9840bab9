//! Answers, by route, method and status.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::{Method, StatusCode};
use wire_contract::path::{InvalidTarget, Resource};

/// A route of the contract. Never what a client wrote: that could be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/health`
    Health,
    /// `/wg`
    Interfaces,
    /// `/wg/{interface}`
    Device,
    /// `/wg/{interface}/dump`
    Dump,
    /// `/wg/{interface}/peers`
    Peers,
    /// `/wg/{interface}/peers/{public_key}`
    Peer,
    /// Signed, and no route, or one with a name or key in it that can be none.
    Unknown,
    /// Turned away before its route was looked at: not authentic, or not whole.
    Unauthenticated,
}

impl Route {
    const ALL: [Self; 8] = [
        Self::Health,
        Self::Interfaces,
        Self::Device,
        Self::Dump,
        Self::Peers,
        Self::Peer,
        Self::Unknown,
        Self::Unauthenticated,
    ];

    /// The route a target was read as.
    #[must_use]
    pub fn of(target: &Result<Resource, InvalidTarget>) -> Self {
        match target {
            Ok(Resource::Health) => Self::Health,
            Ok(Resource::Interfaces) => Self::Interfaces,
            Ok(Resource::Device(_)) => Self::Device,
            Ok(Resource::Dump(_)) => Self::Dump,
            Ok(Resource::Peers(_)) => Self::Peers,
            Ok(Resource::Peer(..)) => Self::Peer,
            Err(_) => Self::Unknown,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Interfaces => "/wg",
            Self::Device => "/wg/{interface}",
            Self::Dump => "/wg/{interface}/dump",
            Self::Peers => "/wg/{interface}/peers",
            Self::Peer => "/wg/{interface}/peers/{public_key}",
            Self::Unknown => "unknown",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "other"];

/// Every status the contract knows.
const STATUSES: [u16; 13] = [
    200, 400, 401, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503,
];
/// What would be counted for a status that is not among them: there must be none.
const BUG: usize = 11;

/// One counter for each combination, all there from the start.
#[derive(Debug)]
pub struct RequestCounters([[[AtomicU64; STATUSES.len()]; METHODS.len()]; Route::ALL.len()]);

impl Default for RequestCounters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| {
            std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)))
        }))
    }
}

/// A counter that has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) route: &'static str,
    pub(super) method: &'static str,
    pub(super) status: u16,
    pub(super) requests: u64,
}

impl RequestCounters {
    /// Counts an answer.
    pub fn count(&self, route: Route, method: &Method, status: StatusCode) {
        let method = METHODS.iter().position(|known| *known == method.as_str());
        let method = method.unwrap_or(METHODS.len() - 1);
        let status = STATUSES.iter().position(|known| *known == status.as_u16());
        self.0[route as usize][method][status.unwrap_or(BUG)].fetch_add(1, Ordering::Relaxed);
    }

    /// All that have counted, and the one of a good `GET /health`, so that there always is one.
    pub(super) fn counted(&self) -> impl Iterator<Item = Counted> + '_ {
        Route::ALL.into_iter().flat_map(move |route| {
            METHODS
                .into_iter()
                .enumerate()
                .flat_map(move |(m, method)| {
                    let of_method = STATUSES.into_iter().zip(&self.0[route as usize][m]);
                    of_method.filter_map(move |(status, counter)| {
                        let requests = counter.load(Ordering::Relaxed);
                        let always = (route, method, status) == (Route::Health, "GET", 200);
                        (requests > 0 || always).then_some(Counted {
                            route: route.as_str(),
                            method,
                            status,
                            requests,
                        })
                    })
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use wire_contract::ErrorCode;

    use super::*;

    #[test]
    fn every_status_of_the_contract_has_a_counter() {
        let statuses = ErrorCode::ALL.iter().map(|code| code.status());
        for status in statuses.chain([200]) {
            assert!(STATUSES.contains(&status), "{status}");
        }
        assert_eq!(STATUSES[BUG], 500);
    }

    #[test]
    fn routes_are_where_their_number_says() {
        for (at, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, at, "{route:?}");
        }
    }

    #[test]
    fn what_clients_make_up_is_one_value() {
        let counters = RequestCounters::default();
        for target in [
            "/nowhere",
            "/wg/a b/dump",
            "/wg/wg0/peers/no-key",
            "/health/",
        ] {
            let route = Route::of(&Resource::parse(target));
            for method in ["BREW", "PROPFIND"] {
                let method = Method::from_bytes(method.as_bytes()).expect("a token");
                counters.count(route, &method, StatusCode::NOT_FOUND);
            }
        }
        let counted: Vec<_> = counters.counted().filter(|c| c.requests > 0).collect();
        let all = Counted {
            route: "unknown",
            method: "other",
            status: 404,
            requests: 8,
        };
        assert_eq!(counted, [all]);
    }
}
