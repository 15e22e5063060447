//! What a plan is held to, and what is told of a difference between two.
//!
//! Owns: those tests.
//! Must never: read a file or a journal.

use super::*;

const GOOD: &str = r#"
        rack_id = "K1"
        [[tenant]]
        inn = "7704358518"
        name = "Yandex"
        [[slot]]
        label = "R1-S01"
        port = "/dev/pts/3"
        [[register]]
        serial = "0000000001"
        fn = "9999078900000001"
        tenant = "7704358518"
    "#;

#[test]
fn a_plan_is_read_checked_and_written_back_the_same() {
    let plan = RackPlan::from_toml(GOOD).unwrap();
    let checked = plan.check().unwrap();
    assert_eq!(checked.registers.values().next().unwrap().zone_minutes, 180);
    assert_eq!(RackPlan::from_toml(&plan.to_toml()).unwrap(), plan);
}

#[test]
fn every_error_of_a_plan_is_told_at_once() {
    let text = GOOD
        .replace("7704358518", "7704358519")
        .replace("/dev/pts/3", "pts3")
        .replace("R1-S01", "R1 S01");
    let paths: Vec<_> = RackPlan::from_toml(&text)
        .unwrap()
        .check()
        .unwrap_err()
        .into_iter()
        .map(|e| e.path)
        .collect();
    assert_eq!(
        paths,
        ["tenant[0].inn", "slot[0].label", "slot[0].port", "register[0].tenant"]
    );
}

#[test]
fn limits_of_a_tenant_outside_their_ranges_are_told_field_by_field() {
    let mut plan = RackPlan::from_toml(GOOD).unwrap();
    let tenant = &mut plan.tenants[0];
    (tenant.ttl_s, tenant.queue_max) = (0, 0);
    (tenant.submissions_per_second, tenant.contact_retention_s) = (RATE_MAX + 1, Some(0));
    tenant.clients = vec!["*".into(), String::new(), "a\nb".into(), "x".repeat(129)];
    let paths: Vec<_> = plan.check().unwrap_err().into_iter().map(|e| e.path).collect();
    let fields = [
        "ttl_s",
        "queue_max",
        "submissions_per_second",
        "contact_retention_s",
        "clients[1]",
        "clients[2]",
        "clients[3]",
    ];
    assert_eq!(paths, fields.map(|field| format!("tenant[0].{field}")));
}

#[test]
fn one_fn_cannot_stand_in_two_registers() {
    let mut plan = RackPlan::from_toml(GOOD).unwrap();
    let mut second = plan.registers[0].clone();
    second.serial = "0000000002".into();
    plan.registers.push(second);
    assert_eq!(plan.check().unwrap_err()[0].path, "register[1].fn");
}

#[test]
fn an_unknown_key_is_an_error() {
    assert!(RackPlan::from_toml("colour = 1").is_err());
}

#[test]
fn the_difference_names_what_is_added_changed_and_removed() {
    let before = RackPlan::from_toml(GOOD).unwrap();
    let mut after = before.clone();
    after.slots[0].port = "tcp:10.0.0.5:7778".into();
    after.registers.clear();
    let changes: Vec<_> = before
        .changes_to(&after)
        .into_iter()
        .map(|c| (c.path, c.action))
        .collect();
    let expected = [
        ("slot R1-S01", ChangeAction::Change),
        ("register shtrih-m-0000000001", ChangeAction::Remove),
    ];
    assert_eq!(changes, expected.map(|(path, action)| (path.to_owned(), action)));
}

#[test]
fn zones_are_signed_hours_and_minutes() {
    assert_eq!(zone_minutes("+03:00"), Ok(180));
    assert_eq!(zone_minutes("-09:30"), Ok(-570));
    for bad in ["3", "+3:00", "+25:00", "Moscow", "+03:60"] {
        assert!(zone_minutes(bad).is_err(), "{bad}");
    }
}
