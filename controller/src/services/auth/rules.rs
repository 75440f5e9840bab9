//! Which role each method needs, and whether a token with a label scope may call it.
//!
//! Methods ask for their role themselves; this is the same told to those who ask before they call,
//! and a test calls every method there is to see that both agree.

use crate::store::Role;

/// What one method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Service and method, such as `wgfleet.v1.PeerService/Create`.
    pub method: &'static str,
    /// The lowest role that may.
    pub role: Role,
    /// Tokens with a label scope may call it, and see nothing beyond their scope.
    pub scoped: bool,
}

macro_rules! rules {
    ($($service:ident { $($method:ident: $role:ident $whole:ident,)* })*) => {
        /// All methods.
        pub const RULES: &[Rule] = &[$($(Rule {
            method: concat!("wgfleet.v1.", stringify!($service), "/", stringify!($method)),
            role: Role::$role,
            scoped: rules!(@scoped $whole),
        },)*)*];
    };
    (@scoped scoped) => { true };
    (@scoped whole_fleet) => { false };
}

rules! {
    NodeService {
        List: Viewer scoped,
        Create: Operator scoped,
        Get: Viewer scoped,
        Update: Operator scoped,
        Delete: Operator scoped,
        Enable: Operator scoped,
        Disable: Operator scoped,
        Test: Operator scoped,
        Plan: Viewer scoped,
        Sync: Operator scoped,
        RotateSecret: Operator scoped,
    }
    PeerService {
        List: Viewer scoped,
        Create: Operator scoped,
        Get: Viewer scoped,
        Update: Operator scoped,
        Delete: Operator scoped,
        Enable: Operator scoped,
        Disable: Operator scoped,
        GetConfig: Operator scoped,
        BulkCreate: Operator scoped,
        BulkDelete: Operator scoped,
        GetQr: Operator scoped,
    }
    DispatchService {
        GetWorker: Viewer scoped,
        ListWorkers: Viewer scoped,
    }
    EventService {
        Watch: Viewer scoped,
    }
    HistoryService {
        NodeHistory: Viewer scoped,
        PeerHistory: Viewer scoped,
        FleetHistory: Viewer scoped,
        Overview: Viewer scoped,
    }
    TokenService {
        List: Admin whole_fleet,
        Create: Admin whole_fleet,
        Revoke: Admin whole_fleet,
        WhoAmI: Viewer scoped,
    }
    AuditService {
        List: Admin whole_fleet,
    }
    WebhookService {
        List: Admin whole_fleet,
        Create: Admin whole_fleet,
        Get: Admin whole_fleet,
        Update: Admin whole_fleet,
        Delete: Admin whole_fleet,
        Test: Admin whole_fleet,
        ListDeliveries: Admin whole_fleet,
    }
    BackupService {
        Create: Admin whole_fleet,
    }
}

/// The rule of a method.
#[must_use]
pub fn of(method: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.method == method)
}
