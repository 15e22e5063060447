//! What each format has a place for.

use super::*;
use crate::model::Agent;

fn in_format(ffd: Ffd) -> RuleContext {
    let mut context = context();
    facts(&mut context).ffd = ffd;
    context
}

fn agent() -> Agent {
    Agent {
        sign: 64,
        operation: None,
        agent_phones: vec![],
        acceptor_phones: vec![],
        transfer_phones: vec![],
        transfer_name: None,
        transfer_address: None,
        transfer_inn: None,
    }
}

fn fields(receipt: &Receipt, ffd: Ffd) -> Vec<String> {
    let violations = check(receipt, &in_format(ffd));
    let c4 = violations.into_iter().filter(|violation| violation.rule == "C4");
    c4.map(|violation| violation.field).collect()
}

#[test]
fn an_agent_of_the_whole_receipt_is_lawful_in_ffd_1_05_alone() {
    let mut receipt = sample::receipt();
    receipt.agent = Some(agent());
    assert_eq!(fields(&receipt, Ffd::V1_05), Vec::<String>::new());
    assert_eq!(fields(&receipt, Ffd::V1_2), ["agent.sign"]);
    receipt.items[0].agent = receipt.agent.take();
    assert_eq!(check(&receipt, &in_format(Ffd::V1_05)), []);
    assert_eq!(check(&receipt, &in_format(Ffd::V1_2)), []);
}

#[test]
fn every_field_of_one_format_is_refused_in_the_other() {
    let everything = sample::everything();
    assert_eq!(
        fields(&everything, Ffd::V1_2),
        ["agent.sign", "items[0].goods_code_bytes"]
    );
    let of_1_2 = [
        "non_cash",
        "industry",
        "operational",
        "buyer.birth_date",
        "buyer.citizenship",
        "buyer.document_kind",
        "buyer.document_data",
        "buyer.address",
        "items[0].goods_code",
        "items[0].marking",
        "items[0].industry",
    ];
    assert_eq!(fields(&everything, Ffd::V1_05), of_1_2);
}

#[test]
fn a_measure_in_words_stands_beside_the_code_or_in_ffd_1_05() {
    let mut receipt = sample::receipt();
    receipt.items[0].measure_text = Some("кг".into());
    assert_eq!(fields(&receipt, Ffd::V1_2), Vec::<String>::new());
    receipt.items[0].measure = None;
    assert_eq!(fields(&receipt, Ffd::V1_2), ["items[0].measure_text"]);
    assert_eq!(fields(&receipt, Ffd::V1_05), Vec::<String>::new());
}

#[test]
fn what_depends_on_the_format_is_unanswered_without_a_registration() {
    let bare = RuleContext::on(date!(2026 - 11 - 22));
    assert!(!examine(&sample::supported(), &bare).unanswered.contains(&"C4"));
    for receipt in [
        Receipt {
            agent: Some(agent()),
            ..sample::receipt()
        },
        Receipt {
            industry: vec![industry(3)],
            ..sample::receipt()
        },
    ] {
        let verdict = examine(&receipt, &bare);
        assert!(verdict.unanswered.contains(&"C4"));
        assert_eq!(verdict.violations, []);
    }
}
