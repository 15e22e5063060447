//! What becomes of a receipt.

use super::{CONNECT, REGISTRATION, bench, item, key, order, ready, receipt_script, until_closing};
use crate::domain::attempt::{About, KeyPlace, Made, MadeDocument};
use crate::domain::device::{Ffd, Registration};
use crate::drivers::Driver;
use crate::parts::Point;
use kassette_receipts::model::{Cashier, Marking, UserAttribute};
use kassette_wire::codes::Code;
use kassette_wire::ffd::TlvList;
use kassette_wire::shtrih::ErrorCode;
use kassette_wire::value::{FdNumber, FiscalSign, LocalTime};

#[tokio::test(start_paused = true)]
async fn the_worked_example_is_sent_byte_for_byte_and_its_answer_understood() {
    let mut bench = ready(&receipt_script()).await;
    let made = bench.driver.make_receipt(&order()).await;
    let time = LocalTime::new(2026, 11, 22, 12, 34, 0).unwrap();
    let document = MadeDocument {
        fd: FdNumber(427),
        fp: FiscalSign(0x9ABC_DEF0),
        time: Some(time),
        shift: None,
    };
    bench.played.finish();
    assert_eq!(made, Made::Good(document));
    let points = [
        Point::DocumentOpening,
        Point::DocumentOpened,
        Point::ItemTaken,
        Point::TagsTaken,
        Point::ClosingBefore,
        Point::ClosingAnswered,
    ];
    assert_eq!(bench.points(), points);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_date_and_time_is_as_good() {
    let script = format!(
        "{}\n< 06 02 10 FF 45 00 00 00 00 00 00 AB 01 00 00 F0 DE BC 9A 08\n> 06",
        until_closing()
    );
    let mut bench = ready(&script).await;
    let made = bench.driver.make_receipt(&order()).await;
    bench.played.finish();
    assert!(
        matches!(
            made,
            Made::Good(MadeDocument {
                fd: FdNumber(427),
                time: None,
                ..
            })
        ),
        "{made:?}"
    );
}

/// Steps of the golden script, cut before the n-th command (0 = 8D) is answered.
fn cut_at(nth: usize) -> String {
    let script = receipt_script();
    let starts: Vec<usize> = script.match_indices("# ").map(|(at, _)| at).skip(2).collect();
    let tail = &script[starts[nth]..];
    let commands = tail.lines().skip(1).take_while(|line| !line.starts_with('<'));
    let asked: Vec<&str> = commands.collect();
    format!("{}{}", &script[..starts[nth]], asked.join("\n"))
}

#[tokio::test(start_paused = true)]
async fn a_nak_inside_a_document_ends_the_try_and_nothing_is_sent_again() {
    for nth in 0..5 {
        // The last line of the cut is an `ask` (which gives ACK) or a `>`; turn it into a bare frame answered by NAK.
        let cut = cut_at(nth);
        let mut bench = ready(&format!("{}\n< 15\nsilent", as_sent(&cut))).await;
        let made = bench.driver.make_receipt(&order()).await;
        bench.played.finish();
        let Made::Broken(broken) = made else {
            panic!("{nth}: {made:?}")
        };
        assert_eq!(broken.closing_sent, nth == 4, "{broken:?}");
        assert_eq!(broken.code, Code::RegisterGarbled);
        assert_eq!(frames_of(&bench.played.sent(), nth), 1, "command {nth} was sent again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silence_inside_a_document_ends_the_try_at_that_command() {
    let commands = ["8D", "FF46", "FF4D", "FF0C", "FF45"];
    for (nth, command) in commands.iter().enumerate() {
        let mut bench = ready(&format!("{}\nsilent", as_sent(&cut_at(nth)))).await;
        let made = bench.driver.make_receipt(&order()).await;
        bench.played.finish();
        let Made::Broken(broken) = made else {
            panic!("{nth}: {made:?}")
        };
        assert_eq!(
            (broken.command.as_str(), broken.closing_sent, broken.code),
            (*command, nth == 4, Code::RegisterSilent)
        );
    }
}

/// A cut whose last command gets no ACK yet.
fn as_sent(cut: &str) -> String {
    let (before, last) = cut.rsplit_once('\n').unwrap();
    match last.strip_prefix("ask ") {
        Some(payload) => {
            let bytes = crate::exchange::script::frame(&crate::exchange::script::hex(payload));
            let text: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{before}\n> {text}")
        }
        None => cut.to_owned(),
    }
}

/// How many frames of the n-th command are in what the host sent.
fn frames_of(sent: &[u8], nth: usize) -> usize {
    let heads: [&[u8]; 5] = [
        &[0x02, 0x06, 0x8D, 0x1E],
        &[0xFF, 0x46, 0x1E],
        &[0xFF, 0x4D, 0x1E],
        &[0xFF, 0x0C, 0x1E],
        &[0xFF, 0x45, 0x1E],
    ];
    sent.windows(heads[nth].len())
        .filter(|window| *window == heads[nth])
        .count()
}

#[tokio::test(start_paused = true)]
async fn each_code_of_the_closing_command_is_unsigned_only_if_its_table_says_so() {
    let unsigned: Vec<u8> = (1..=u8::MAX)
        .filter(|code| {
            super::super::refusals::before_signing(kassette_wire::shtrih::CommandCode::CLOSE_RECEIPT, ErrorCode(*code))
        })
        .collect();
    for (code, text) in ErrorCode::KNOWN.iter().filter(|(code, _)| *code != 0) {
        let script = format!("{}\n< 06\nsay FF45 {code:02X}", until_closing());
        let mut bench = ready(&script).await;
        let made = bench.driver.make_receipt(&order()).await;
        bench.played.finish();
        let Made::Refused(refusal) = made else {
            panic!("{code:02X}: {made:?}")
        };
        assert_eq!((refusal.command.as_str(), refusal.device_code), ("FF45", *code));
        assert_eq!(refusal.before_signing, unsigned.contains(code), "{code:02X}");
        assert!(
            refusal.text.contains(text) && refusal.text.contains("open document"),
            "{}",
            refusal.text
        );
        assert!(!bench.points().contains(&Point::ClosingAnswered));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_item_says_whom_it_is_about_and_that_a_document_is_open() {
    for (code, about, our) in [
        (0x33, About::Document, Code::JobRefusedByRegister),
        (0x45, About::Document, Code::JobRefusedByRegister),
        (0x73, About::Device, Code::RegisterWrongMode),
        (0x6B, About::Device, Code::PaperOut),
        (0xEE, About::Device, Code::RegisterUnknownError),
    ] {
        let mut bench = ready(&format!("{}\n< 06\nsay FF46 {code:02X}", as_sent(&cut_at(1)))).await;
        let Made::Refused(refusal) = bench.driver.make_receipt(&order()).await else {
            panic!("{code:02X}")
        };
        bench.played.finish();
        assert_eq!(
            (refusal.about, refusal.code, refusal.before_signing),
            (about, our, true)
        );
        assert!(refusal.text.contains("has to be cancelled"));
        assert!(refusal.text.ends_with("the command brought item 1"), "{}", refusal.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_of_an_earlier_receipt_is_not_taken_for_that_of_another_command() {
    // A kept FF45 answer comes between the ACK and the answer of FF46.
    let stale = "say FF45 00 0000000000 AA010000 11223344";
    let answer = "< 02 03 FF 46 00 BA";
    let script = receipt_script().replacen(answer, &format!("{stale}\n{answer}"), 1);
    let mut bench = ready(&script).await;
    let made = bench.driver.make_receipt(&order()).await;
    bench.played.finish();
    assert!(
        matches!(made, Made::Good(MadeDocument { fd: FdNumber(427), .. })),
        "{made:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_of_the_same_command_before_its_acknowledgement_is_dropped() {
    let stale = "say FF45 00 0000000000 AA010000 11223344";
    let script = receipt_script().replacen("< 06 02 15 FF 45", &format!("{stale}\n< 06 02 15 FF 45"), 1);
    let mut bench = ready(&script).await;
    let made = bench.driver.make_receipt(&order()).await;
    bench.played.finish();
    assert!(
        matches!(made, Made::Good(MadeDocument { fd: FdNumber(427), .. })),
        "{made:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_closing_answer_of_another_length_is_doubt() {
    let mut bench = ready(&format!("{}\n< 06\nsay FF45 00 AB 01", until_closing())).await;
    let Made::Broken(broken) = bench.driver.make_receipt(&order()).await else {
        panic!()
    };
    bench.played.finish();
    assert_eq!((broken.closing_sent, broken.code), (true, Code::RegisterGarbled));
}

fn registration(ffd: Ffd) -> Registration {
    Registration {
        inn: "7704358518".parse().unwrap(),
        rnm: "0000000001047868".parse().unwrap(),
        tax_systems: 1,
        work_mode: 0x20,
        ffd,
        address: None,
        place: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_is_said_before_a_byte_is_sent() {
    let bench = ready("").await;
    let says = |order: &_, ffd| {
        bench
            .driver
            .cannot_make(order, &registration(ffd))
            .map(|(code, _)| code)
    };
    assert_eq!(says(&order(), Ffd::V1_2), None);
    assert_eq!(says(&order(), Ffd::V1_05), None);
    assert_eq!(says(&order(), Ffd::V1_1), Some(Code::FfdUnsupported));
    let mut other_format = order();
    other_format.receipt.items[0].goods_code_bytes = Some(vec![0x45, 0x0D, 1]);
    assert_eq!(says(&other_format, Ffd::V1_05), None);
    assert_eq!(says(&other_format, Ffd::V1_2), Some(Code::NoRegistrationCovers));
    let mut disputed = order();
    disputed.receipt.items[0].vat_rate = Some(10);
    assert_eq!(says(&disputed, Ffd::V1_2), Some(Code::ModelUndecided));
    let mut dear = order();
    dear.receipt.items[0].price = super::kopecks(10_000_000_000);
    assert_eq!(says(&dear, Ffd::V1_2), Some(Code::ReceiptNotServedYet));
    let mut unprintable = order();
    unprintable.receipt.items[0].name = "чай «Ёж» 🦔".to_owned();
    assert_eq!(says(&unprintable, Ffd::V1_2), Some(Code::ReceiptNotServedYet));
    let mut cashier = order();
    cashier.receipt.cashier = Some(Cashier {
        name: "Иванова".to_owned(),
        inn: Some("7704358518".parse().unwrap()),
    });
    assert_eq!(says(&cashier, Ffd::V1_2), Some(Code::ReceiptInvalid));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_without_a_plan_sends_nothing_and_a_disputed_fact_is_not_the_receipts_fault() {
    let mut bench = ready("").await;
    let mut disputed = order();
    disputed.receipt.items[0].vat_rate = Some(10);
    let mut marked = order();
    marked.receipt.items[0].marking = Some(Marking {
        code: b"010460406000600021N4N57RSCBUZTQ".to_vec(),
        planned_status: None,
        mode: None,
        check_result: None,
        fraction: None,
    });
    for (order, about) in [(disputed, About::Device), (marked, About::Document)] {
        let Made::Refused(refusal) = bench.driver.make_receipt(&order).await else {
            panic!()
        };
        assert_eq!(
            (refusal.about, refusal.before_signing, refusal.device_code),
            (about, true, 0)
        );
    }
    bench.played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_knows_nothing_of_its_register_learns_it_before_the_document() {
    let mut bench = bench(&format!("{CONNECT}\n{REGISTRATION}\n{}", receipt_script()));
    assert!(matches!(bench.driver.make_receipt(&order()).await, Made::Good(_)));
    bench.played.finish();
    let mut silent = super::bench(&format!("{CONNECT}\nsilent"));
    let Made::Broken(broken) = silent.driver.make_receipt(&order()).await else {
        panic!()
    };
    assert!(!broken.closing_sent && silent.points().is_empty());
}

#[test]
fn the_job_key_stands_where_the_customer_left_room() {
    let tags = |order: &_| -> Vec<(u16, String)> {
        let packs = super::super::tags::document_tags(order, Ffd::V1_2).unwrap();
        let tlv = |pack: &super::super::packing::Pack| TlvList::decode(&pack.bytes).unwrap().items;
        packs
            .iter()
            .flat_map(tlv)
            .map(|tlv| (tlv.tag.0, String::from_utf8_lossy(&tlv.value).into_owned()))
            .collect()
    };
    let mut own = order();
    own.receipt.additional_attribute = Some("1234567890".to_owned());
    own.key_place = KeyPlace::of(&own.receipt);
    let placed = tags(&own);
    assert_eq!(
        placed
            .iter()
            .filter(|(tag, text)| *tag == 1192 && text == "1234567890")
            .count(),
        1
    );
    assert!(
        placed
            .iter()
            .any(|(tag, text)| *tag == 1084 && text.contains(&key().to_string()))
    );
    own.receipt.user_attribute = Some(UserAttribute {
        name: "a".to_owned(),
        value: "b".to_owned(),
    });
    own.key_place = KeyPlace::of(&own.receipt);
    assert!(tags(&own).iter().all(|(_, text)| !text.contains(&key().to_string())));
}

#[tokio::test(start_paused = true)]
async fn each_item_has_its_own_tags_behind_it() {
    let script = "\
        ask 8D 1E000000 02\nsay 8D 00 1E
        ask FF46 1E000000 02 40420F000000 1027000000 1027000000 FFFFFFFFFF 01 01 04 01 D2EEE2E0F0\nsay FF46 00
        ask FF4D 1E000000 3C08010000\nsay FF4D 00
        ask FF46 1E000000 02 40420F000000 1027000000 1027000000 FFFFFFFFFF 01 01 04 01 D2EEE2E0F0\nsay FF46 00
        ask FF4D 1E000000 3C0801000A A7040300 61 62 63\nsay FF4D 00
        ask FF0C 1E000000 {KEY}\nsilent";
    let bytes: String = key().to_string().bytes().map(|byte| format!("{byte:02X}")).collect();
    let mut order = order();
    order.receipt.sign = 2;
    order.receipt.buyer = None;
    order.receipt.items.push(item());
    order.receipt.total = super::kopecks(20_000);
    order.receipt.payments.electronic = order.receipt.total;
    order.receipt.items[1].measure = Some(10);
    order.receipt.items[1].additional_attribute = Some("abc".to_owned());
    let mut bench = ready(&script.replace("{KEY}", &format!("A8041000{bytes}"))).await;
    let made = bench.driver.make_receipt(&order).await;
    bench.played.finish();
    assert!(matches!(made, Made::Broken(broken) if broken.command == "FF0C" && !broken.closing_sent));
    let taken = bench
        .points()
        .iter()
        .filter(|point| **point == Point::ItemTaken)
        .count();
    assert_eq!(taken, 2);
}
