//! The settings tables, all of them, through 1E, 1F, 2D and 2E (`shtrih-m` 3.3, the vendor's settings guide).

use crate::bench::{Bench, config, error_of, hex, text};
use kassette_hw_sim::faults::{FaultKind, Trigger};

/// Table, rows, fields, as the guide lists them; written apart from the register's own list.
const TABLES: [(u8, u16, u8); 22] = [
    (1, 1, 45),
    (2, 30, 2),
    (4, 14, 1),
    (5, 16, 1),
    (6, 10, 2),
    (7, 16, 1),
    (8, 1, 23),
    (9, 17, 5),
    (10, 1, 11),
    (11, 1, 9),
    (12, 1, 3),
    (13, 1, 4),
    (14, 1, 6),
    (15, 1, 6),
    (16, 1, 18),
    (17, 1, 36),
    (18, 1, 23),
    (19, 1, 4),
    (20, 1, 17),
    (21, 1, 10),
    (23, 1, 12),
    (24, 1, 14),
];

/// Fields that 1E refuses with 7A: table and field.
fn read_only(table: u8, field: u8) -> bool {
    match table {
        14 | 20 => true,
        10 => field == 7,
        16 => field == 2,
        18 => field <= 6,
        21 => matches!(field, 5 | 10),
        23 => (7..=11).contains(&field),
        _ => false,
    }
}

fn write(bench: &mut Bench, table: u8, row: u16, field: u8, value: &[u8]) -> u8 {
    let row = row.to_le_bytes();
    error_of(&bench.command("1E", &[&[table, row[0], row[1], field][..], value].concat()))
}

fn read(bench: &mut Bench, table: u8, row: u16, field: u8) -> Vec<u8> {
    let row = row.to_le_bytes();
    let answer = bench.command("1F", &[table, row[0], row[1], field]);
    assert_eq!(answer[1], 0, "1F {table}/{field}");
    answer[2..].to_vec()
}

#[test]
fn every_table_of_the_guide_is_there_with_its_rows_and_fields_and_no_other() {
    let mut bench = Bench::new(config());
    for number in 0..=255 {
        let answer = bench.command("2D", &[number]);
        match TABLES.iter().find(|(table, ..)| *table == number) {
            Some((_, rows, fields)) => {
                let row_bytes = rows.to_le_bytes();
                assert_eq!(answer[42..], [row_bytes[0], row_bytes[1], *fields], "table {number}");
                assert_ne!(answer[2], 0, "a name");
                let next = rows + 1;
                assert_eq!(write(&mut bench, number, next, 1, &[0]), 0x33, "row behind the last");
                assert_eq!(write(&mut bench, number, 1, fields + 1, &[0]), 0x33);
            }
            None => assert_eq!(hex(&answer), "2D 5D", "table {number}"),
        }
    }
}

/// Writes least, most and one more than that into a number, or a full and an overlong text.
fn try_field(bench: &mut Bench, table: u8, field: u8) {
    let structure = bench.command("2E", &[table, field]);
    assert_eq!(structure[1], 0, "2E {table}/{field}");
    let (kind, size, limits) = (structure[42], usize::from(structure[43]), &structure[44..]);
    let shown = read(bench, table, 1, field);
    assert_eq!(shown.len(), size, "1F {table}/{field}");
    if kind == 1 {
        assert!(limits.is_empty(), "{table}/{field}");
        let code = if read_only(table, field) || (table, field) == (5, 1) {
            0x7A
        } else {
            0
        };
        assert_eq!(
            write(bench, table, 1, field, &vec![b'x'; size]),
            code,
            "{table}/{field}"
        );
        let code = if code == 0 { 0x7E } else { code };
        assert_eq!(
            write(bench, table, 1, field, &vec![b'x'; size + 1]),
            code,
            "{table}/{field}"
        );
        return;
    }
    assert_eq!(limits.len(), 2 * size, "{table}/{field}");
    let (least, most) = limits.split_at(size);
    if read_only(table, field) {
        assert_eq!(write(bench, table, 1, field, least), 0x7A, "{table}/{field}");
        return;
    }
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
    for value in [least, most] {
        assert_eq!(write(bench, table, 1, field, value), 0, "{table}/{field}");
        assert_eq!(read(bench, table, 1, field), value, "{table}/{field}");
    }
    let above = number(most) + 1;
    if above < 1 << (8 * size) {
        let above = &above.to_le_bytes()[..size];
        assert_eq!(
            write(bench, table, 1, field, above),
            0x33,
            "{table}/{field} above its limit"
        );
    }
    if number(least) > 0 {
        let below = &(number(least) - 1).to_le_bytes()[..size];
        assert_eq!(
            write(bench, table, 1, field, below),
            0x33,
            "{table}/{field} below its limit"
        );
    }
    assert_eq!(write(bench, table, 1, field, &vec![0; size + 1]), 0x7E);
    assert_eq!(write(bench, table, 1, field, &shown), 0, "{table}/{field} back");
}

#[test]
fn every_field_keeps_its_size_and_limits_and_its_first_value_is_one_it_takes() {
    let mut bench = Bench::new(config());
    for (table, _, fields) in TABLES {
        for field in 1..=fields {
            try_field(&mut bench, table, field);
        }
    }
}

#[test]
fn a_fresh_register_has_the_values_of_the_guide() {
    let mut bench = Bench::new(config());
    for (table, row, field, value) in [
        (1, 1, 29, &[4_u8][..]),
        (10, 1, 10, &[30]),
        (16, 1, 3, &[192]),
        (16, 1, 6, &[111]),
        (17, 1, 3, &[2]),
        (17, 1, 7, &[0]),
        (17, 1, 8, &[1]),
        (17, 1, 17, &[4]),
        (17, 1, 36, &[0]),
        (18, 1, 22, &[0, 0, 0, 0x80]),
        (19, 1, 4, &[100, 0]),
        (21, 1, 2, &[1]),
        (21, 1, 4, &[0x62, 0x1E]),
        (2, 28, 1, &[28, 0, 0, 0]),
    ] {
        assert_eq!(read(&mut bench, table, row, field), value, "{table}/{row}/{field}");
    }
    let name = read(&mut bench, 9, 17, 5);
    assert_eq!(name.len(), 30);
    let name = kassette_wire::text::decode_cp1251(kassette_wire::text::until_nul(&name));
    assert_eq!(name, "СУММА СТОРНО НАДБАВКИ");
}

#[test]
fn what_follows_the_registration_and_the_rates_wait_for_the_closing_of_the_shift() {
    let mut bench = Bench::in_shift(config());
    for (table, field, value) in [
        (18, 7, &b"x"[..]),
        (17, 17, &[2]),
        (6, 1, &[0, 0]),
        (6, 2, b"x"),
        (1, 14, &[1]),
    ] {
        assert_eq!(write(&mut bench, table, 1, field, value), 0xC7, "{table}/{field}");
    }
    assert_eq!(write(&mut bench, 18, 1, 1, b"x"), 0x7A);
    bench.ask("41 1E 00 00 00");
    assert_eq!(write(&mut bench, 6, 1, 1, &[0, 0]), 0);
}

#[test]
fn a_cash_core_model_numbers_its_tables_as_f7_says() {
    let mut config = config();
    config.switches.cash_core = true;
    config.switches.char_values_unpadded = true;
    let mut bench = Bench::new(config);
    // FN table, OFD table, embedded devices, table and field of the format, one byte more (captures).
    assert!(bench.ask("F7 01").ends_with("0D 0E 10 0A 1D 11"));
    assert_eq!(read(&mut bench, 13, 1, 1), b"0012345678901234");
    assert_eq!(read(&mut bench, 13, 1, 2), b"7704358518");
    assert_eq!(read(&mut bench, 10, 1, 29), [4]);
    for absent in [18, 19, 24, 22] {
        assert_eq!(bench.error(&format!("1F 1E 00 00 00 {absent:02X} 01 00 01")), 0x5D);
        assert_eq!(bench.error(&format!("2D 1E 00 00 00 {absent:02X}")), 0x5D);
    }
    assert_eq!(bench.error("1F 1E 00 00 00 0A 01 00 1C"), 0x33);
    // What is written stays under its number, and does there what it does.
    assert_eq!(bench.ask("1E 1E 00 00 00 10 01 00 0D 02"), "1E 00");
    assert_eq!(write(&mut bench, 13, 1, 7, &[b'x'; 246]), 0);
    let mut bench = bench.restart();
    assert_eq!(read(&mut bench, 16, 1, 13), [2]);
    assert_eq!(read(&mut bench, 13, 1, 7), [b'x'; 246]);
    assert_eq!(
        bench.ask("8D 1E 00 00 00 00"),
        "8D 00 1E",
        "24/1/13 = 2 opens the shift"
    );
}

#[test]
fn table_20_says_what_ff39_says() {
    let mut bench = Bench::in_shift(config());
    bench.fault(FaultKind::OfdDown { down: true }, Trigger::Now);
    let fd = bench.receipt();
    bench.pass_ms(5_000);
    let state = bench.command("FF 39", &[]);
    assert_eq!(read(&mut bench, 20, 1, 1), state[3..4]);
    assert_eq!(read(&mut bench, 20, 1, 3), state[5..7]);
    assert_eq!(read(&mut bench, 20, 1, 4), state[7..11]);
    assert_eq!(
        state[5..7],
        [3, 0],
        "registration, shift, receipt: all three came less than a second ago"
    );
    let date = read(&mut bench, 20, 1, 5);
    assert_eq!(&date[..14], b"22.11.26 12:30");
    assert_eq!(text(&bench.read_document(fd), 1018).as_deref(), Some("7704358518  "));
    bench.fault(FaultKind::OfdDown { down: false }, Trigger::Now);
    assert_eq!(read(&mut bench, 20, 1, 3), [0, 0]);
    assert_eq!(&read(&mut bench, 20, 1, 5)[..14], b"00.00.00 00:00");
}
