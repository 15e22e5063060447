//! Every command has exactly the lengths that the reference gives it.
//!
//! Owns: the table `golden/shtrih-lengths.txt` against the codec, both directions.
//! Must never: leave out a command that has a name.

use super::rows::golden;
use kassette_wire::shtrih::{Answer, AnswerFrame, CommandCode, ErrorCode, Request};
use std::collections::BTreeSet;

/// Lengths from a column: the fixed ones, and from which on all are right.
struct Lengths {
    fixed: BTreeSet<usize>,
    from: Option<usize>,
}

impl Lengths {
    fn read(column: &str) -> Self {
        let (open, fixed): (Vec<&str>, Vec<&str>) = column.split_whitespace().partition(|word| word.ends_with('+'));
        let number = |word: &str| word.trim_end_matches('+').parse::<usize>().unwrap();
        Self {
            fixed: fixed.into_iter().map(number).collect(),
            from: open.first().map(|word| number(word)),
        }
    }

    fn holds(&self, length: usize) -> bool {
        self.fixed.contains(&length) || self.from.is_some_and(|from| length >= from)
    }
}

fn rows() -> Vec<(CommandCode, Lengths, Lengths)> {
    let text = golden("shtrih-lengths.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let [code, requests, answers] = line.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let code = super::rows::unhex(code);
            let (command, rest) = CommandCode::split_request(&code).unwrap();
            assert!(rest.is_empty(), "{line}");
            (command, Lengths::read(requests), Lengths::read(answers))
        })
        .collect()
}

/// Code and 01 to the given length: a right date, direction, tax bit and count wherever one stands.
fn ones(head: &[u8], length: usize) -> Vec<u8> {
    let mut payload = head.to_vec();
    payload.resize(length, 1);
    payload
}

#[test]
fn every_named_command_stands_in_the_table_once() {
    let mut listed: Vec<CommandCode> = rows().into_iter().map(|(command, ..)| command).collect();
    listed.sort_unstable();
    let mut named = CommandCode::ALL.to_vec();
    named.sort_unstable();
    assert_eq!(listed, named);
}

#[test]
fn requests_have_the_lengths_of_the_reference_and_no_others() {
    for (command, requests, _) in rows() {
        let code = command.to_bytes();
        for length in code.len()..=255 {
            let payload = ones(&code, length);
            let decoded = Request::decode(&payload);
            assert_eq!(
                decoded.is_ok(),
                requests.holds(length),
                "{command} of {length}: {decoded:?}"
            );
            let Ok(request) = decoded else { continue };
            assert!(!matches!(request, Request::Other { .. }), "{command}");
            assert_eq!(request.command(), command);
            assert_eq!(request.encode().unwrap(), payload, "{command} of {length}");
        }
    }
}

#[test]
fn answers_have_the_lengths_of_the_reference_and_no_others() {
    for (command, _, answers) in rows() {
        let head = AnswerFrame::new(command, ErrorCode::OK, Vec::new()).encode();
        for length in head.len()..=255 {
            let payload = ones(&head, length);
            let frame = AnswerFrame::decode(&payload).unwrap();
            assert_eq!((frame.command, frame.error), (command, ErrorCode::OK));
            let decoded = Answer::decode(command, &frame.data);
            assert_eq!(
                decoded.is_ok(),
                answers.holds(length),
                "{command} of {length}: {decoded:?}"
            );
            let Ok(answer) = decoded else { continue };
            assert!(!matches!(answer, Answer::Raw(_)), "{command}");
            assert_eq!(
                answer.into_frame(command).unwrap().encode(),
                payload,
                "{command} of {length}"
            );
        }
    }
}
