//! Messages between an FN and the OFD as bytes (`fn-ffd-ofd` D.2, D.3, D.6).
//!
//! Owns: session header, container header, and what a ticket must say.
//! Must never: judge an OFD's signature: no simulator has its keys.

use super::document::{Body, find_number, find_text, number, walk};
use super::ledger::Record;
use sha2::{Digest, Sha256};

/// First bytes of a session header.
pub const SIGNATURE: [u8; 4] = [0x2A, 0x08, 0x41, 0x0A];
const SESSION_VERSION: [u8; 2] = [0x81, 0xA2];
const SESSION_HEADER: usize = 30;
const CONTAINER_HEADER: usize = 32;
/// A container follows, a reply is expected, no CRC (D.2; seen so in a recorded header).
const FLAGS: u16 = 0x0014;
/// Container to the OFD and back.
const CONTAINER_TYPE: u8 = 0xA5;
/// Document code of a ticket.
const TICKET: u8 = 7;
/// Bytes of the message sign behind a document (D.1).
const SIGN: usize = 8;

/// An answer that an FN does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TicketFacts {
    pub fd: u32,
    /// Tag 1012, UTC.
    pub time: u32,
    /// Tag 1078.
    pub sign: Vec<u8>,
    /// Tag 1022 inside 1068; 0 where there is none.
    pub response: u8,
}

/// CRC-16, polynomial 1021h, start FFFFh, not reflected.
fn crc(parts: &[&[u8]]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc
}

/// The FN's number as decimal digits, two in a byte; what is none, and what is not there, is F.
fn decimal(fn_number: &str) -> [u8; 8] {
    let digits: Vec<u8> = fn_number
        .bytes()
        .map(|b| if b.is_ascii_digit() { b - b'0' } else { 0xF })
        .collect();
    let digit = |at: usize| digits.get(at).copied().unwrap_or(0xF);
    std::array::from_fn(|at| digit(2 * at) << 4 | digit(2 * at + 1))
}

/// The whole message with a document: session header, container, TLV, sign. `None` when it is too long for one.
pub(super) fn document(fn_number: &str, ffd: [u8; 2], record: &Record) -> Option<Vec<u8>> {
    let mut data = Body::new();
    data.bytes(u16::from(record.kind), &record.tlv);
    let mut data = data.into_bytes();
    let digest = Sha256::new_with_prefix(b"message").chain_update(&record.tlv).finalize();
    data.extend_from_slice(&digest[..SIGN]);
    let length = u16::try_from(CONTAINER_HEADER + data.len()).ok()?;
    let mut rest = vec![CONTAINER_TYPE, record.kind, 1, 0, 0];
    rest.extend(decimal(fn_number));
    rest.extend_from_slice(&record.fd.to_be_bytes()[1..]);
    rest.resize(CONTAINER_HEADER - 4, 0);
    let mut message = session_header(fn_number, ffd, length);
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(&crc(&[&length.to_le_bytes(), &rest, &data]).to_le_bytes());
    message.extend_from_slice(&rest);
    message.extend_from_slice(&data);
    Some(message)
}

fn session_header(fn_number: &str, ffd: [u8; 2], length: u16) -> Vec<u8> {
    let mut padded = [b' '; 16];
    for (place, byte) in padded.iter_mut().zip(fn_number.bytes()) {
        *place = byte;
    }
    [
        &SIGNATURE[..],
        &SESSION_VERSION,
        &ffd,
        &padded,
        &length.to_le_bytes(),
        &FLAGS.to_le_bytes(),
        &[0, 0],
    ]
    .concat()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Reads the OFD's answer for this FN.
pub(super) fn ticket(fn_number: &str, message: &[u8]) -> Result<TicketFacts, Refused> {
    let body = session(fn_number, message).ok_or(Refused)?;
    let data = container(fn_number, body).ok_or(Refused)?;
    let fd = body.get(17..20).ok_or(Refused)?;
    let fd = u32::from_be_bytes([0, fd[0], fd[1], fd[2]]);
    facts(fn_number, data).filter(|facts| facts.fd == fd).ok_or(Refused)
}

/// The body behind a session header that is for this FN, whole, and right by its CRC where it has one.
fn session<'a>(fn_number: &str, message: &'a [u8]) -> Option<&'a [u8]> {
    let (header, body) = message.split_at_checked(SESSION_HEADER)?;
    let named = header.get(8..24)?.strip_prefix(fn_number.as_bytes())?;
    let length = usize::from(u16_at(header, 24)?);
    let (flags, sum) = (u16_at(header, 26)?, u16_at(header, 28)?);
    let right = match flags & 3 {
        0 => true,
        1 => sum == crc(&[&header[..28]]),
        2 => sum == crc(&[&header[..28], body]),
        _ => false,
    };
    let good = header.starts_with(&SIGNATURE) && named.iter().all(|b| *b == b' ') && length == body.len();
    (good && right).then_some(body)
}

/// The data of a container with a ticket. Its length counts the header or not: sources differ, both are taken.
fn container<'a>(fn_number: &str, body: &'a [u8]) -> Option<&'a [u8]> {
    let (header, data) = body.split_at_checked(CONTAINER_HEADER)?;
    let length = usize::from(u16_at(header, 0)?);
    let right = u16_at(header, 2)? == crc(&[&header[..2], &header[4..], data]);
    let whole = length == body.len() || length == data.len();
    let ours = header[4] == CONTAINER_TYPE && header[5] == TICKET && header[9..17] == decimal(fn_number);
    (right && whole && ours).then_some(data)
}

/// The tags of a ticket; its trailer, the OFD's signature, is not looked at.
fn facts(fn_number: &str, data: &[u8]) -> Option<TicketFacts> {
    let length = usize::from(u16_at(data, 2)?);
    if u16_at(data, 0)? != u16::from(TICKET) || data.len() < 4 + length + SIGN {
        return None;
    }
    let document = data.get(4..4 + length)?;
    let tags = walk(document)?;
    let value = |wanted: u16| tags.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let sign = value(1078).filter(|sign| (1..=18).contains(&sign.len()))?;
    if find_text(document, 1041)? != fn_number {
        return None;
    }
    let response = value(1068).and_then(|inner| find_number(inner, 1022)).unwrap_or(0);
    Some(TicketFacts {
        fd: u32::try_from(number(value(1040)?)?).ok()?,
        time: u32::try_from(number(value(1012)?)?).ok()?,
        sign: sign.to_vec(),
        response: u8::try_from(response).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        let bytes = text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap_or(0));
        bytes.collect()
    }

    #[test]
    fn headers_are_those_of_the_worked_bytes() {
        let record = Record {
            fd: 0x57,
            kind: 3,
            fp: 0,
            time: 0,
            made_unix_ms: 0,
            // The document of 209 bytes, its header of four counted.
            tlv: vec![0; 205],
        };
        let message = document("9999078900012345", [0x01, 0x05], &record).unwrap_or_default();
        let session = "2A 08 41 0A 81 A2 01 05 39 39 39 39 30 37 38 39 30 30 30 31 32 33 34 35 F9 00 14 00 00 00";
        assert_eq!(message[..30], unhex(session));
        assert_eq!(message[30..32], [0xF9, 0x00]);
        let container = "A5 03 01 00 00 99 99 07 89 00 01 23 45 00 00 57 00 00 00 00 00 00 00 00 00 00 00 00";
        assert_eq!(message[34..62], unhex(container));
        assert_eq!(message.len(), 30 + 0xF9);
    }

    #[test]
    fn the_check_sum_is_that_of_a_recorded_container() {
        let text = include_str!("../../../proto/wire/golden/captures/ofd-fn.ndjson");
        let row = text
            .lines()
            .find(|line| line.contains("\"part\": \"container\""))
            .unwrap_or_default();
        let row: serde_json::Value = serde_json::from_str(row).unwrap_or_default();
        let bytes = unhex(row["hex"].as_str().unwrap_or_default());
        assert_eq!(bytes.len(), 305);
        assert_eq!(u16_at(&bytes, 2), Some(crc(&[&bytes[..2], &bytes[4..]])));
    }
}
