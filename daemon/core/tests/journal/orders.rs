//! Orders: the plan of the rack, its versions, and the letters that are named once.
//!
//! Owns: what a repeated or an outdated order does.
//! Must never: look into a plan.

use crate::rig::{NOW, Rig, order, refusal};
use kassette_core::journal::{ApplyPlan, Command, Query, ReplyBody, Rows};
use kassette_wire::codes::Code;

fn plan(text: &str) -> ApplyPlan {
    ApplyPlan {
        plan: text.into(),
        rack_id: None,
        expected: None,
        client: "admin".into(),
        reason: None,
        request_id: None,
        tenants: vec![],
        slots: vec![],
        at: NOW,
    }
}

fn apply(rig: &mut Rig, plan: ApplyPlan) -> ReplyBody {
    rig.apply(Command::Apply(Box::new(plan)))
}

fn version(body: ReplyBody) -> u64 {
    match body {
        ReplyBody::Applied(version) => version,
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
