//! Who comes in: asked before a request is looked at any further, so that a stranger learns nothing of
//! what is wrong with a body, and nobody's body is read for nothing.

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use wgfleet_proto::v1;

use super::{Facade, caller::Caller, problem::Problem};

/// What every route that takes a token begins with.
pub(super) const PREFIX: &str = "/api/v1";

/// The method of a service behind each route. One that is not here is open to all who have a token
/// until its service says otherwise.
const METHODS: &[(Method, &str, &str)] = &[
    (Method::GET, "/nodes", "NodeService/List"),
    (Method::POST, "/nodes", "NodeService/Create"),
    (Method::POST, "/nodes/test", "NodeService/Test"),
    (Method::GET, "/nodes/{id}", "NodeService/Get"),
    (Method::PATCH, "/nodes/{id}", "NodeService/Update"),
    (Method::DELETE, "/nodes/{id}", "NodeService/Delete"),
    (Method::POST, "/nodes/{id}/enable", "NodeService/Enable"),
    (Method::POST, "/nodes/{id}/disable", "NodeService/Disable"),
    (Method::POST, "/nodes/{id}/test", "NodeService/Test"),
    (Method::GET, "/nodes/{id}/plan", "NodeService/Plan"),
    (Method::POST, "/nodes/{id}/sync", "NodeService/Sync"),
    (
        Method::POST,
        "/nodes/{id}/secret",
        "NodeService/RotateSecret",
    ),
    (Method::GET, "/peers", "PeerService/List"),
    (Method::POST, "/peers", "PeerService/Create"),
    (Method::POST, "/peers/bulk/create", "PeerService/BulkCreate"),
    (Method::POST, "/peers/bulk/delete", "PeerService/BulkDelete"),
    (Method::GET, "/peers/{id}", "PeerService/Get"),
    (Method::PATCH, "/peers/{id}", "PeerService/Update"),
    (Method::DELETE, "/peers/{id}", "PeerService/Delete"),
    (Method::POST, "/peers/{id}/enable", "PeerService/Enable"),
    (Method::POST, "/peers/{id}/disable", "PeerService/Disable"),
    (Method::GET, "/peers/{id}/config", "PeerService/GetConfig"),
    (Method::GET, "/peers/{id}/qr", "PeerService/GetQr"),
    (
        Method::GET,
        "/nodes/{id}/history",
        "HistoryService/NodeHistory",
    ),
    (
        Method::GET,
        "/peers/{id}/history",
        "HistoryService/PeerHistory",
    ),
    (Method::GET, "/overview", "HistoryService/Overview"),
    (
        Method::GET,
        "/overview/history",
        "HistoryService/FleetHistory",
    ),
    (Method::GET, "/tokens", "TokenService/List"),
    (Method::POST, "/tokens", "TokenService/Create"),
    (Method::DELETE, "/tokens/{id}", "TokenService/Revoke"),
    (Method::GET, "/whoami", "TokenService/WhoAmI"),
    (Method::GET, "/audit", "AuditService/List"),
    (Method::GET, "/events", "EventService/Watch"),
    (Method::GET, "/webhooks", "WebhookService/List"),
    (Method::POST, "/webhooks", "WebhookService/Create"),
    (Method::GET, "/webhooks/{id}", "WebhookService/Get"),
    (Method::PATCH, "/webhooks/{id}", "WebhookService/Update"),
    (Method::DELETE, "/webhooks/{id}", "WebhookService/Delete"),
    (Method::POST, "/webhooks/{id}/test", "WebhookService/Test"),
    (
        Method::GET,
        "/webhooks/{id}/deliveries",
        "WebhookService/ListDeliveries",
    ),
    (Method::POST, "/backup", "BackupService/Create"),
];

/// Lets a request in whose caller may make it. What is asked of the services for it afterwards was
/// counted here.
pub(super) async fn check(
    State(mut facade): State<Facade>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    let message = v1::WhoAmIRequest {
        may_call: may_call(request.method(), route).unwrap_or_default(),
    };
    let caller = Caller::of(request.headers(), request.extensions());
    match facade.tokens.who_am_i(caller.request(message)).await {
        Ok(_) => {
            request.extensions_mut().insert(caller.counted());
            next.run(request).await
        }
        Err(status) => Problem::from(status).into_response(),
    }
}

fn may_call(method: &Method, route: &str) -> Option<String> {
    service_method(method, route.strip_prefix(PREFIX)?)
}

/// The method of a service behind a route, which is named without its prefix.
pub(super) fn service_method(method: &Method, route: &str) -> Option<String> {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut methods = METHODS.iter();
    let found = methods.find(|(known, path, _)| known == method && *path == route);
    found.map(|(_, _, name)| format!("wgfleet.v1.{name}"))
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::{METHODS, may_call};
    use crate::services::auth::rules;

    /// Methods that no route leads to.
    const WITHOUT_A_ROUTE: [&str; 2] = [
        "wgfleet.v1.DispatchService/GetWorker",
        "wgfleet.v1.DispatchService/ListWorkers",
    ];

    #[test]
    fn each_method_with_a_route_is_asked_for_before_it_is_called() {
        let named = |method: &str| {
            let mut methods = METHODS.iter();
            methods.any(|(_, _, name)| method == format!("wgfleet.v1.{name}"))
        };
        for rule in rules::RULES {
            let has_route = !WITHOUT_A_ROUTE.contains(&rule.method);
            assert_eq!(named(rule.method), has_route, "{}", rule.method);
        }
    }

    #[test]
    fn the_methods_behind_routes_are_there() {
        for (_, route, name) in METHODS {
            let name = format!("wgfleet.v1.{name}");
            assert!(rules::of(&name).is_some(), "{route}: {name}");
        }
        let head = may_call(&Method::HEAD, "/api/v1/peers/{id}/config");
        assert_eq!(head.as_deref(), Some("wgfleet.v1.PeerService/GetConfig"));
        assert_eq!(may_call(&Method::PUT, "/api/v1/peers"), None);
    }
}
