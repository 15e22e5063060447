//! Closing the FN: FF3D, FF3E (`shtrih-m` 3.8, `fn-ffd-ofd` A.3, B.4).

use crate::bench::{Bench, config, document_tag, error_of, number, tags, text, value};
use kassette_hw_sim::faults::{FaultKind, Trigger};

fn closable() -> Bench {
    let mut bench = Bench::in_shift(config());
    bench.receipt();
    assert_eq!(bench.error("FF 3D 1E 00 00 00"), 0x73, "the shift is open");
    bench.ask("41 1E 00 00 00");
    bench.pass_ms(1_000);
    bench
}

#[test]
fn an_fn_is_closed_by_its_last_document_and_becomes_an_archive_when_the_ofd_has_it() {
    let mut bench = closable();
    assert_eq!(bench.error("FF 3E 1E 00 00 00"), 0x02, "FF3D comes first");
    assert_eq!(bench.ask("FF 3D 1E 00 00 00"), "FF 3D 00");
    assert_eq!(bench.command("FF 01", &[])[4], 0x10);
    assert_eq!(error_of(&bench.exchange(&document_tag(1282, b"why"))), 0);
    assert_eq!(error_of(&bench.exchange(&document_tag(1008, b"a@b.ru"))), 0x0B);
    let answer = bench.command("FF 3E", &[]);
    assert_eq!((answer.len(), &answer[2..7]), (11, &[0, 5, 0, 0, 0][..]));
    let record = bench.records().pop().unwrap();
    assert_eq!((record.kind, record.fp.to_le_bytes().as_slice()), (6, &answer[7..]));
    let document = tags(&record.tlv);
    assert_eq!(text(&document, 1048).as_deref(), Some("ООО \"Пример\""));
    assert_eq!((number(&document, 1038), number(&document, 1209)), (Some(1), Some(4)));
    for present in [1009, 1187, 1021, 1282, 1157] {
        assert!(value(&document, present).is_some(), "tag {present}");
    }
    // FF0A: INN and RNM behind the numbers.
    let short = bench.command("FF 0A", &5_u32.to_le_bytes());
    assert_eq!((short[3], short.len()), (6, 3 + 2 + 5 + 8 + 32));
    assert_eq!(bench.command("FF 01", &[])[3], 0x07, "still sending");
    let mut bench = bench.restart();
    assert_eq!(bench.command("FF 01", &[])[3], 0x07);
    bench.pass_ms(1_000);
    assert_eq!(bench.command("FF 01", &[])[3], 0x0F);
    let mut bench = bench.restart();
    assert_eq!(bench.command("FF 01", &[])[3], 0x0F);
    for request in ["E0 1E 00 00 00", "FF 3D 1E 00 00 00", "FF 37 1E 00 00 00"] {
        assert_eq!(bench.error(request), 0x02, "{request}");
    }
    assert_eq!(bench.last_fd(), 5, "it still shows what it holds");
}

#[test]
fn an_fn_with_documents_that_have_no_ticket_is_not_closed() {
    let mut bench = closable();
    bench.fault(FaultKind::OfdDown { down: true }, Trigger::Now);
    bench.ask("FF 37 1E 00 00 00");
    assert_eq!(bench.command("FF 38", &[])[2], 0);
    assert_eq!(bench.error("FF 3D 1E 00 00 00"), 0x02);
    bench.fault(FaultKind::OfdDown { down: false }, Trigger::Now);
    bench.pass_ms(1_000);
    assert_eq!(bench.ask("FF 3D 1E 00 00 00"), "FF 3D 00");
}

#[test]
fn a_closed_fn_that_still_sends_makes_a_report_of_its_state_and_no_other_document() {
    let mut bench = closable();
    bench.fault(FaultKind::OfdDown { down: true }, Trigger::Now);
    bench.ask("FF 3D 1E 00 00 00");
    assert_eq!(bench.command("FF 3E", &[])[2], 0);
    assert_eq!(bench.error("FF 41 1E 00 00 00"), 0x02);
    assert_eq!(bench.ask("FF 37 1E 00 00 00"), "FF 37 00");
    let report = bench.command("FF 38", &[]);
    assert_eq!(report[11..15], [2, 0, 0, 0], "the closing and this report wait");
}
