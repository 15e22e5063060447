//! Who calls: the client's name, its roles, and the limits that hold for every caller.
//!
//! Owns: the names of roles and clients, as listeners attach them to a connection.
//! Must never: read a request, or know a tenant: grants stand in the rack's plan.
//!
//! A listener wraps each accepted connection so that tonic puts its [`ClientIdentity`] into the extensions of every
//! request: `request.extensions().get::<ClientIdentity>()`. A request without one comes from a listener of ours that is
//! broken and is answered `CLIENT_UNKNOWN`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a client may do (design section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks: state of rack, registers and tenants; no receipts, no personal data.
    Viewer,
    /// Handles hardware: hold, release, locate, shift and swap steps.
    Technician,
    /// Submits and reads receipts of the tenants granted to it.
    Provider,
    /// Changes what stands in the rack. Holds what a viewer and a technician hold.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Technician, Self::Provider, Self::Admin];

    /// The name in error details, logs and grants.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Technician => "technician",
            Self::Provider => "provider",
            Self::Admin => "admin",
        }
    }

    /// The host group whose members hold this role on the unix socket; an admin is root.
    #[must_use]
    pub const fn group(self) -> Option<&'static str> {
        match self {
            Self::Viewer => Some("kassette"),
            Self::Technician => Some("kassette-tech"),
            Self::Provider => Some("kassette-provider"),
            Self::Admin => None,
        }
    }

    const fn holds(self, wanted: Self) -> bool {
        match self {
            Self::Admin => matches!(wanted, Self::Admin | Self::Technician | Self::Viewer),
            Self::Technician => matches!(wanted, Self::Technician | Self::Viewer),
            Self::Provider => matches!(wanted, Self::Provider),
            Self::Viewer => matches!(wanted, Self::Viewer),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who stands behind a connection. Cheap to clone: every request carries one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    name: Arc<str>,
    roles: Arc<BTreeSet<Role>>,
}

impl ClientIdentity {
    /// A client with the roles granted to it.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            name: name.into(),
            roles: Arc::new(roles.into_iter().collect()),
        }
    }

    /// The client's name in grants and logs: `uid:1000`, or `loopback` on the plain port of a test rack.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The roles granted; what they imply is told by [`ClientIdentity::has`].
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// Whether the client holds a role, granted or implied by another one.
    #[must_use]
    pub fn has(&self, wanted: Role) -> bool {
        self.roles.iter().any(|role| role.holds(wanted))
    }

    /// Whether the client holds any role at all; one that holds none is `CLIENT_UNKNOWN`.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.roles.is_empty()
    }
}

/// Limits of the interface; every caller is under them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiLimits {
    /// Largest message taken or sent, bytes.
    pub message_bytes: usize,
    /// Most calls in flight on one connection, streams included.
    pub streams_per_connection: u32,
    /// Most connections at once; further ones wait in the backlog.
    pub connections: usize,
    /// A connection that says nothing for this long is asked whether it lives.
    pub keepalive_every: Duration,
    /// A connection that does not answer that for this long is ended.
    pub keepalive_timeout: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            message_bytes: 1024 * 1024,
            streams_per_connection: 512,
            connections: 1024,
            keepalive_every: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_is_no_provider_unless_granted() {
        let admin = ClientIdentity::new("uid:0", [Role::Admin]);
        assert!(admin.has(Role::Technician) && admin.has(Role::Viewer) && !admin.has(Role::Provider));
        let provider = ClientIdentity::new("uid:1000", [Role::Provider]);
        assert!(provider.has(Role::Provider) && !provider.has(Role::Viewer) && !provider.has(Role::Admin));
        assert!(!ClientIdentity::new("uid:5", []).is_known());
    }
}
