//! The link layers on golden bytes: v2 whole, and v1 as a register behind TCP speaks it.
//!
//! Owns: what each worked frame of v2 means, and every captured v2 frame both ways.
//! Must never: unstuff or sum a frame by itself; that is the codec's.

use super::rows::{Direction, captured, golden, unhex, v2_frame};
use kassette_wire::link::shtrih_v1::{self, ACK, NAK, TCP_STRAY, encode_frame};
use kassette_wire::link::shtrih_v2::{Damage, Event, FIRST_NUMBER, Frame, FrameScanner};
use kassette_wire::shtrih::{AnswerFrame, CommandCode, Echo, Password, Request};

#[test]
fn the_worked_v2_frames_mean_what_the_text_says_and_encode_to_its_bytes() {
    let text = golden("shtrih-v2-examples.txt");
    let frames: Vec<Frame> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| v2_frame(&unhex(line.rsplit(" | ").next().unwrap())))
        .collect();
    let state = Request::ShortState(Password::SYSADMIN).encode().unwrap();
    let expected = [
        Frame::Sync,
        Frame::numbered(FIRST_NUMBER, Vec::new()),
        Frame::numbered(2, Request::DeviceType.encode().unwrap()),
        Frame::numbered(0x008F, state),
    ];
    assert_eq!(frames, expected);
}

#[test]
fn every_captured_v2_frame_decodes_and_encodes_back_to_the_same_bytes() {
    let rows = captured("shtrih-v2.jsonl");
    let whole = rows.iter().map(|row| v2_frame(&row.bytes())).collect::<Vec<_>>();
    println!("link v2: {} frames of {}", whole.len(), rows.len());
    let syncs = whole.iter().filter(|frame| **frame == Frame::Sync).count();
    // Counted in the file by a script of its own.
    assert_eq!((whole.len(), syncs), (139, 1));
}

#[test]
fn the_captured_v2_byte_stream_splits_into_its_rows() {
    for direction in [Direction::ToRegister, Direction::ToHost] {
        let rows = captured("shtrih-v2.jsonl");
        let rows: Vec<_> = rows.iter().filter(|row| row.direction() == direction).collect();
        let stream: Vec<u8> = rows.iter().flat_map(|row| row.bytes()).collect();
        let expected: Vec<Event> = rows.iter().map(|row| Event::Frame(v2_frame(&row.bytes()))).collect();
        assert_eq!(FrameScanner::new().push_all(&stream), expected);
    }
}

fn numbered(frame: Frame) -> Option<(u16, Vec<u8>)> {
    match frame {
        Frame::Numbered { number, data } if !data.is_empty() => Some((number, data)),
        _ => None,
    }
}

#[test]
fn a_captured_v2_answer_may_carry_the_number_of_a_request_and_belong_to_an_older_one() {
    let rows = captured("shtrih-v2.jsonl");
    let (mut same, mut stale) = (0, Vec::new());
    for pair in rows.windows(2) {
        if (pair[0].direction(), pair[1].direction()) != (Direction::ToRegister, Direction::ToHost) {
            continue;
        }
        let (asked, answered) = (
            numbered(v2_frame(&pair[0].bytes())),
            numbered(v2_frame(&pair[1].bytes())),
        );
        let (Some((asked_as, request)), Some((answered_as, answer))) = (asked, answered) else {
            continue;
        };
        // Rows of other numbers stand beside each other where the log has a gap.
        if asked_as != answered_as {
            continue;
        }
        let (command, _) = CommandCode::split_request(&request).unwrap();
        match AnswerFrame::decode(&answer).unwrap().echo(command) {
            Echo::Same => same += 1,
            other => stale.push((asked_as, command, other)),
        }
    }
    assert_eq!(same, 51);
    assert_eq!(stale, [(0x0018, CommandCode::FULL_STATE, Echo::Other)]);
}

#[test]
fn a_captured_v2_frame_with_any_bit_flipped_never_passes_as_another() {
    let rows = captured("shtrih-v2.jsonl");
    for row in rows.iter().take(12) {
        let bytes = row.bytes();
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            let events = FrameScanner::new().push_all(&damaged);
            let passed = events.iter().any(|event| matches!(event, Event::Frame(_)));
            assert!(!passed, "bit {at} of {bytes:02X?}");
        }
    }
}

#[test]
fn a_v2_answer_cut_anywhere_leaves_the_next_one_readable() {
    let rows = captured("shtrih-v2.jsonl");
    let bytes = rows.iter().map(|row| row.bytes()).max_by_key(Vec::len).unwrap();
    for cut in 1..bytes.len() {
        let events = FrameScanner::new().push_all(&[&bytes[..cut], &bytes[..]].concat());
        let expected = [Event::Damaged(Damage::Cut), Event::Frame(v2_frame(&bytes))];
        assert_eq!(events, expected, "cut at {cut}");
    }
}

/// `shtrih-m` 1.2 step 7 and captures: the FF after the host's ACK may arrive at once or late, before the NAK to the
/// next ENQ or before the ACK to the next frame; not every TCP device sends it. Inside a frame FF is data.
#[test]
fn the_stray_byte_of_the_tcp_variant_is_told_apart_wherever_it_arrives() {
    use shtrih_v1::{Event, FrameScanner};
    let payload = vec![0x10, 0x00, TCP_STRAY, TCP_STRAY];
    let frame = encode_frame(&payload).unwrap();
    let stray = || Event::Stray(TCP_STRAY);
    let answer = || Event::Frame(payload.clone());
    let cases: [(Vec<u8>, Vec<Event>); 4] = [
        (
            [&[ACK][..], &frame, &[TCP_STRAY]].concat(),
            vec![Event::Ack, answer(), stray()],
        ),
        ([TCP_STRAY, NAK].to_vec(), vec![stray(), Event::Nak]),
        (
            [&[TCP_STRAY, ACK][..], &frame].concat(),
            vec![stray(), Event::Ack, answer()],
        ),
        (
            [&[ACK, TCP_STRAY][..], &frame].concat(),
            vec![Event::Ack, stray(), answer()],
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(FrameScanner::new().push_all(&bytes), expected, "{bytes:02X?}");
    }
}
