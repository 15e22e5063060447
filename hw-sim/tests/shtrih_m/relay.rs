//! The exchange with the OFD through the host: FF30 to FF33, FF64 (`shtrih-m` 3.9, `fn-ffd-ofd` D).

use crate::bench::{Bench, FN, PASSWORD, config, document_tag, error_of, hex, item, tags, unhex, value};
use kassette_hw_sim::faults::{FaultKind, Trigger};

/// CRC-16 with polynomial 1021h and start FFFFh.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc.to_le_bytes()
}

/// A register whose documents the host carries, with a shift open: two documents wait.
fn relayed() -> Bench {
    let mut bench = Bench::new(config());
    bench.ask("1E 1E 00 00 00 15 01 00 02 00");
    bench.ask("E0 1E 00 00 00");
    bench.pass_ms(60_000);
    bench
}

/// The message of FF30 and FF31; empty when there is none.
fn message(bench: &mut Bench) -> Vec<u8> {
    let buffer = bench.command("FF 30", &[]);
    assert_eq!((buffer.len(), buffer[2]), (6, 0));
    let (size, block) = (
        usize::from(u16::from_le_bytes([buffer[3], buffer[4]])),
        usize::from(buffer[5]),
    );
    let mut whole = Vec::new();
    while whole.len() < size {
        let count = block.min(size - whole.len());
        let offset = (whole.len() as u16).to_le_bytes();
        let part = bench.command("FF 31", &[offset[0], offset[1], count as u8]);
        assert_eq!((part[2], part.len() - 3), (0, count));
        whole.extend_from_slice(&part[3..]);
    }
    whole
}

/// An answer of the OFD to a document: session header, container, ticket, signature.
struct Answer {
    fn_number: String,
    fd: u32,
    response: u8,
    /// Added to the sum of the container.
    wrong_sum: u8,
    length_counts_header: bool,
}

impl Answer {
    fn to(fd: u32) -> Self {
        Self {
            fn_number: FN.to_owned(),
            fd,
            response: 0,
            wrong_sum: 0,
            length_counts_header: true,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut ticket = Vec::new();
        let mut put = |tag: u16, value: &[u8]| {
            ticket.extend_from_slice(&tag.to_le_bytes());
            ticket.extend_from_slice(&(value.len() as u16).to_le_bytes());
            ticket.extend_from_slice(value);
        };
        put(1017, b"7704358518  ");
        put(1041, self.fn_number.as_bytes());
        put(1040, &self.fd.to_le_bytes());
        // 22.11.2026 09:31 UTC.
        put(1012, &1_795_339_860_u32.to_le_bytes());
        put(1068, &[0xFE, 3, 1, 0, self.response]);
        put(1078, &[0xAB; 18]);
        let mut data = [&[7, 0][..], &(ticket.len() as u16).to_le_bytes(), &ticket].concat();
        data.extend_from_slice(&[0x5A; 8]);
        let length = 32 + data.len();
        let stated = if self.length_counts_header { length } else { data.len() } as u16;
        let digits: Vec<u8> = self.fn_number.bytes().map(|b| b - b'0').collect();
        let decimal: Vec<u8> = digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect();
        let mut rest = [&[0xA5, 7, 1, 0, 0][..], &decimal, &self.fd.to_be_bytes()[1..]].concat();
        rest.resize(28, 0);
        let mut sum = crc(&[&stated.to_le_bytes()[..], &rest, &data].concat());
        sum[0] = sum[0].wrapping_add(self.wrong_sum);
        let header = [
            &[0x2A, 0x08, 0x41, 0x0A, 0x81, 0xA2, 1, 0x20][..],
            self.fn_number.as_bytes(),
            &(length as u16).to_le_bytes(),
            &[4, 0, 0, 0],
        ]
        .concat();
        [&header[..], &stated.to_le_bytes(), &sum, &rest, &data].concat()
    }
}

fn block(offset: usize, data: &[u8]) -> Vec<u8> {
    let offset = (offset as u16).to_le_bytes();
    [&unhex("FF 33")[..], &PASSWORD, &offset, &[data.len() as u8], data].concat()
}

/// Writes bytes by FF32 and FF33; the error of the last block.
fn write(bench: &mut Bench, bytes: &[u8]) -> u8 {
    let begun = bench.command("FF 32", &(bytes.len() as u16).to_le_bytes());
    assert_eq!((begun.len(), begun[2]), (4, 0));
    let mut last = 0;
    for (number, part) in bytes.chunks(usize::from(begun[3])).enumerate() {
        assert_eq!(last, 0);
        last = error_of(&bench.exchange(&block(number * usize::from(begun[3]), part)));
    }
    last
}

#[test]
fn without_a_network_documents_wait_until_the_host_brings_the_ticket_of_each_in_its_order() {
    let mut bench = relayed();
    let fd = bench.receipt();
    bench.pass_ms(60_000);
    assert_eq!(bench.ask("FF 3F 1E 00 00 00"), "FF 3F 00 03 00");
    for (waiting, due) in [(3_u8, 1_u32), (2, 2), (1, fd)] {
        let first = message(&mut bench);
        // Session header with the FN and the length behind it, container with kind and number.
        assert_eq!(first[8..24], *FN.as_bytes());
        assert_eq!(
            usize::from(u16::from_le_bytes([first[24], first[25]])),
            first.len() - 30
        );
        assert_eq!(
            u16::from_le_bytes([first[30], first[31]]),
            u16::from_le_bytes([first[24], first[25]])
        );
        assert_eq!(first[32..34], crc(&[&first[30..32], &first[34..]].concat()));
        assert_eq!(first[47..50], due.to_be_bytes()[1..]);
        let record = bench.records()[due as usize - 1].clone();
        assert_eq!(first[35], record.kind);
        assert_eq!(
            first[62..66],
            [&[record.kind, 0][..], &(record.tlv.len() as u16).to_le_bytes()].concat()
        );
        assert_eq!(first[66..66 + record.tlv.len()], record.tlv);
        assert_eq!(first.len(), 66 + record.tlv.len() + 8);
        // Read as often as one likes; it waits for its ticket now.
        assert_eq!(message(&mut bench), first);
        let state = bench.command("FF 39", &[]);
        assert_eq!(state[3..6], [0x06, 0, waiting], "to send, waits for a ticket");
        assert_eq!(write(&mut bench, &Answer::to(due).bytes()), 0);
        assert_eq!(bench.command("FF 3F", &[])[3], waiting - 1);
    }
    assert_eq!(message(&mut bench), Vec::<u8>::new());
    assert_eq!(bench.command("FF 39", &[])[3..6], [0, 0, 0]);
}

#[test]
fn a_ticket_that_the_host_brought_is_the_one_that_stands_and_survives_a_kill() {
    let mut bench = relayed();
    message(&mut bench);
    let mut answer = Answer::to(1);
    answer.response = 11;
    answer.length_counts_header = false;
    assert_eq!(write(&mut bench, &answer.bytes()), 0);
    // Response code 11 of the OFD: delivered nevertheless, and told in table 20.
    assert_eq!(bench.ask("1F 1E 00 00 00 14 01 00 07"), "1F 00 0B");
    for killed in [false, true] {
        if killed {
            bench = bench.restart();
        }
        let ticket = bench.command("FF 3C", &1_u32.to_le_bytes());
        let sign = "AB ".repeat(18);
        assert_eq!(hex(&ticket), format!("FF 3C 00 1A 0B 16 0C 1F {sign}01 00 00 00"));
        assert_eq!(bench.error("FF 3C 1E 00 00 00 02 00 00 00"), 0x08);
        assert_eq!(bench.command("FF 3F", &[])[3], 1);
        // The short record says the same.
        assert_eq!(bench.command("FF 0A", &1_u32.to_le_bytes())[4], 1);
        assert_eq!(bench.command("FF 0A", &2_u32.to_le_bytes())[4], 0);
    }
}

#[test]
fn what_is_no_ticket_for_the_oldest_document_is_refused_and_the_document_waits_on() {
    let good = Answer::to(1).bytes();
    let mut other_fn = Answer::to(1);
    other_fn.fn_number = "9999078900009999".to_owned();
    let mut wrong_sum = Answer::to(1);
    wrong_sum.wrong_sum = 1;
    let mut bad_session = good.clone();
    bad_session[26] = 5;
    let mut short = good.clone();
    short.pop();
    let mut header_only = good[..30].to_vec();
    header_only[24..26].copy_from_slice(&[0, 0]);
    let mut bench = relayed();
    for (name, bytes) in [
        ("a later document", Answer::to(2).bytes()),
        ("another FN", other_fn.bytes()),
        ("a wrong container sum", wrong_sum.bytes()),
        ("a wrong header sum", bad_session),
        ("a wrong length", short),
        ("a header alone", header_only),
    ] {
        assert_eq!(write(&mut bench, &bytes), 0x20, "{name}");
        assert_eq!(bench.command("FF 3F", &[])[3], 2, "{name}");
        assert_eq!(bench.ask("1F 1E 00 00 00 14 01 00 06"), "1F 00 20");
    }
    assert_eq!(write(&mut bench, &good), 0);
    assert_eq!(
        write(&mut bench, &good),
        0x20,
        "a second time it is for no document that waits"
    );
    assert_eq!(bench.command("FF 3F", &[])[3], 1);
}

#[test]
fn the_buffer_takes_blocks_in_order_may_take_one_again_and_is_lost_with_the_power() {
    let mut bench = relayed();
    assert_eq!(bench.error("FF 31 1E 00 00 00 00 00 10"), 0x34, "FF30 comes first");
    message(&mut bench);
    for range in ["00 00 00", "00 00 81", "FF FF 10"] {
        assert_eq!(bench.error(&format!("FF 31 1E 00 00 00 {range}")), 0x33);
    }
    let answer = Answer::to(1).bytes();
    assert_eq!(
        error_of(&bench.exchange(&block(0, &answer[..100]))),
        0x34,
        "FF32 comes first"
    );
    assert_eq!(bench.error("FF 32 1E 00 00 00 00 00"), 0x33);
    bench.command("FF 32", &(answer.len() as u16).to_le_bytes());
    assert_eq!(error_of(&bench.exchange(&block(100, &answer[100..]))), 0x33, "a gap");
    assert_eq!(error_of(&bench.exchange(&block(0, &answer[..100]))), 0);
    assert_eq!(error_of(&bench.exchange(&block(0, &answer[..100]))), 0);
    assert_eq!(
        error_of(&bench.exchange(&block(100, &[&answer[100..], &[0]].concat()))),
        0x33
    );
    let cut = FaultKind::PowerCut {
        when: kassette_hw_sim::faults::When::After,
        down_ms: 0,
    };
    bench.fault(cut, Trigger::Now);
    bench.take();
    assert_eq!(error_of(&bench.exchange(&block(100, &answer[100..]))), 0x34);
    assert_eq!(write(&mut bench, &answer), 0, "begun again it is whole");
}

#[test]
fn a_register_with_its_own_network_has_nothing_for_the_host() {
    let mut bench = Bench::in_shift(config());
    assert_eq!(bench.ask("FF 30 1E 00 00 00"), "FF 30 00 00 00 80");
    assert_eq!(write(&mut bench, &Answer::to(1).bytes()), 0x11);
    // F7 bit 44: it can do so through the host.
    assert_eq!(bench.ask("F7 01")[6..].split(' ').nth(5), Some("18"));
    // The register takes over again: a second later everything has its ticket.
    let mut bench = relayed();
    assert_eq!(bench.command("FF 3F", &[])[3], 2);
    bench.ask("1E 1E 00 00 00 15 01 00 02 01");
    assert_eq!(bench.command("FF 3F", &[])[3], 0);
    // And gives back to the host: what comes now waits.
    bench.ask("1E 1E 00 00 00 15 01 00 02 00");
    bench.receipt();
    let mut bench = bench.restart();
    bench.pass_hours(1);
    assert_eq!(bench.command("FF 3F", &[])[3], 1);
}

#[test]
fn a_tlv_longer_than_a_command_goes_through_the_buffer_into_the_document() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    bench.exchange(&item("Tea", 1_000_000, 10_000, None, 1));
    assert_eq!(bench.error("FF 64 1E 00 00 00"), 0x34);
    let tlv = document_tag(1086, &[b'x'; 250])[6..].to_vec();
    let name = document_tag(1085, b"order")[6..].to_vec();
    let user = document_tag(1084, &[name, tlv].concat())[6..].to_vec();
    assert!(user.len() > 250);
    assert_eq!(write(&mut bench, &user), 0);
    assert_eq!(bench.ask("FF 64 1E 00 00 00"), "FF 64 00");
    assert_eq!(bench.error("FF 64 1E 00 00 00"), 0x34, "once");
    assert_eq!(error_of(&bench.exchange(&crate::bench::close(0, 10_000))), 0);
    let document = tags(&bench.records()[2].tlv);
    assert_eq!(value(&document, 1084).map(|list| list.len()), Some(user.len() - 4));
}
