//! Who stands behind a unix connection: the kernel names the user, the host's groups give the roles.
//!
//! Owns: the rule from user and groups to roles (design section 8).
//! Must never: believe anything that the peer says of itself.

use crate::identity::{ClientIdentity, Role};
use kassette_core::domain::snapshot::RackKind;
use nix::unistd::{Gid, Group, Uid, User, chown, getgrouplist};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::path::Path;

/// The identity of a peer. Blocks: groups may be asked for over a network.
pub(super) fn identity(uid: u32, gid: u32, kind: RackKind) -> ClientIdentity {
    let groups = groups_of(uid, gid);
    let mine = uid == nix::unistd::geteuid().as_raw();
    let role_group = |role: Role| role.group().and_then(gid_of);
    ClientIdentity::new(
        format!("uid:{uid}"),
        roles(uid, &groups, mine && kind == RackKind::Test, role_group),
    )
}

/// In a test rack the daemon's own user may do everything, so that tests and demos need no groups.
fn roles(uid: u32, groups: &BTreeSet<u32>, all: bool, group_of: impl Fn(Role) -> Option<u32>) -> BTreeSet<Role> {
    if all {
        return Role::ALL.into_iter().collect();
    }
    let mut roles: BTreeSet<Role> = Role::ALL
        .into_iter()
        .filter(|role| group_of(*role).is_some_and(|group| groups.contains(&group)))
        .collect();
    if uid == 0 {
        roles.insert(Role::Admin);
    }
    roles
}

fn groups_of(uid: u32, gid: u32) -> BTreeSet<u32> {
    let mut groups = BTreeSet::from([gid]);
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    if let Some(name) = user.and_then(|user| CString::new(user.name).ok()) {
        let listed = getgrouplist(&name, Gid::from_raw(gid)).unwrap_or_default();
        groups.extend(listed.into_iter().map(Gid::as_raw));
    }
    groups
}

fn gid_of(group: &str) -> Option<u32> {
    Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw())
}

/// Gives the socket to the group that every client is a member of. Only root may; an ordinary user's socket stays in
/// the user's own group.
pub(super) fn give_to_group(socket: &Path) -> io::Result<()> {
    let group = Role::Viewer.group().and_then(gid_of);
    match group.filter(|_| nix::unistd::geteuid().is_root()) {
        Some(group) => chown(socket, None, Some(Gid::from_raw(group))).map_err(io::Error::from),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group_of(role: Role) -> Option<u32> {
        match role {
            Role::Viewer => Some(500),
            Role::Technician => Some(501),
            Role::Provider => Some(502),
            Role::Admin => None,
        }
    }

    #[test]
    fn roles_come_from_groups_and_root_is_admin_but_no_provider() {
        let roles_of = |uid, groups: &[u32], all| roles(uid, &groups.iter().copied().collect(), all, group_of);
        assert_eq!(
            roles_of(1000, &[1000, 500, 502], false),
            BTreeSet::from([Role::Viewer, Role::Provider])
        );
        assert_eq!(roles_of(1000, &[1000], false), BTreeSet::new());
        assert_eq!(roles_of(0, &[0], false), BTreeSet::from([Role::Admin]));
        assert_eq!(roles_of(1000, &[1000], true), Role::ALL.into_iter().collect());
    }

    #[test]
    fn the_own_user_is_everything_in_a_test_rack_alone() {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let test = identity(uid, gid, RackKind::Test);
        assert_eq!(
            (test.name(), test.has(Role::Provider)),
            (format!("uid:{uid}").as_str(), true)
        );
        assert!(!identity(uid.wrapping_add(1), gid.wrapping_add(77_777), RackKind::Test).has(Role::Admin));
    }
}
