//! Orders: the plan of the rack, its versions, and the letters that are named once.
//!
//! Owns: what a repeated or an outdated order does.
//! Must never: look into a plan.

use crate::rig::{NOW, Rig, order, refusal};
use kassette_core::journal::{ApplyPlan, Command, Query, ReplyBody, Rows};
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use std::collections::BTreeMap;

fn plan(text: &str) -> ApplyPlan {
    ApplyPlan {
        plan: text.into(),
        rack_id: None,
        expected: None,
        client: "admin".into(),
        reason: None,
        request_id: None,
        request: None,
        tenants: BTreeMap::new(),
        slots: vec![],
        fns: std::collections::BTreeMap::new(),
        at: NOW,
    }
}

fn apply(rig: &mut Rig, plan: ApplyPlan) -> ReplyBody {
    rig.apply(Command::Apply(Box::new(plan)))
}

fn version(body: ReplyBody) -> u64 {
    match body {
        ReplyBody::Applied(version, _) => version,
        other => panic!("not applied: {other:?}"),
    }
}

#[test]
fn the_letters_of_a_rack_are_named_once() {
    let mut rig = Rig::with(|config| config.rack_id = None);
    let named = |letters: &str| ApplyPlan {
        rack_id: Some(letters.parse().unwrap()),
        ..plan("p")
    };
    assert_eq!(refusal(apply(&mut rig, named("00"))), Code::RackInvalid);
    assert_eq!(refusal(rig.apply(order("order-1"))), Code::RackIdMissing);
    version(apply(&mut rig, named("K7")));
    assert_eq!(refusal(apply(&mut rig, named("K8"))), Code::RackIdFixed);
    version(apply(&mut rig, named("K7")));
    let recovered = rig.reopen();
    assert_eq!(recovered.rack_id.map(|id| id.to_string()).as_deref(), Some("K7"));
    rig.accept("order-1");
}

#[test]
fn an_order_made_from_an_older_version_is_refused() {
    let mut rig = Rig::new();
    assert_eq!(
        version(apply(
            &mut rig,
            ApplyPlan {
                expected: Some(0),
                ..plan("a")
            }
        )),
        1
    );
    assert_eq!(
        refusal(apply(
            &mut rig,
            ApplyPlan {
                expected: Some(0),
                ..plan("b")
            }
        )),
        Code::EtagMismatch
    );
    assert_eq!(
        version(apply(
            &mut rig,
            ApplyPlan {
                expected: Some(1),
                ..plan("b")
            }
        )),
        2
    );
    assert_eq!(rig.reopen().plan, ("b".to_owned(), 2));
    let Rows::Plan(text, 2) = rig.store().read(&Query::Plan).unwrap() else {
        panic!()
    };
    assert_eq!(text, "b");
}

#[test]
fn a_repeated_order_is_done_once_and_its_request_id_names_no_other() {
    let mut rig = Rig::new();
    let order = |text| ApplyPlan {
        request_id: Some("r1".into()),
        expected: Some(0),
        ..plan(text)
    };
    assert_eq!(version(apply(&mut rig, order("a"))), 1);
    assert_eq!(
        version(apply(&mut rig, order("a"))),
        1,
        "although the version moved on meanwhile"
    );
    assert_eq!(refusal(apply(&mut rig, order("b"))), Code::RequestIdConflict);
    assert_eq!(rig.reopen().plan.1, 1);
}

#[test]
fn a_repeat_that_makes_another_plan_of_the_same_request_is_known_by_the_request() {
    let mut rig = Rig::new();
    let order = |text, request: &str| ApplyPlan {
        request_id: Some("r1".into()),
        request: Some(request.into()),
        ..plan(text)
    };
    assert_eq!(version(apply(&mut rig, order("a", "limit 5"))), 1);
    assert_eq!(version(apply(&mut rig, plan("b"))), 2);
    let ReplyBody::Applied(1, None) = apply(&mut rig, order("c", "limit 5")) else {
        panic!("plan c would be taken for the one that stands")
    };
    assert_eq!(refusal(apply(&mut rig, order("a", "limit 6"))), Code::RequestIdConflict);
    assert_eq!(rig.reopen().plan, ("b".to_owned(), 2));
}

#[test]
fn a_tenant_changes_when_its_own_row_does_and_tells_its_watchers_once() {
    let mut rig = Rig::new();
    let (first, second): (Inn, Inn) = ("7704358518".parse().unwrap(), "7707083893".parse().unwrap());
    let with = |rows: [&str; 2]| {
        let rows = rows.map(str::to_owned);
        let tenants = [first.clone(), second.clone()].into_iter().zip(rows).collect();
        let text = "p";
        ApplyPlan { tenants, ..plan(text) }
    };
    for rows in [["a", "b"], ["a", "c"], ["a", "c"], ["a", "b"]] {
        version(apply(&mut rig, with(rows)));
    }
    let recovered = rig.reopen();
    let counted = [&first, &second].map(|inn| recovered.tenant_revisions[inn]);
    assert_eq!(counted, [1, 3], "a row that comes back is another revision");
    let Rows::TenantEvents { rows, upto } = rig.store().read(&Query::TenantEvents { after: 0, limit: 10 }).unwrap()
    else {
        panic!()
    };
    let told: Vec<_> = rows.iter().map(|(_, inn)| inn).collect();
    assert_eq!(told, [&first, &second, &second, &second]);
    assert_eq!(upto, rows.last().unwrap().0);
}
