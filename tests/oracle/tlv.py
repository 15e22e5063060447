"""Reads the TLV of a fiscal document: tag (u16 LE), length (u16 LE), value; a list of tags is a value of such tags.

Owns: the oracle's own decoder.
Must never: share a line with the crates, or pass over a byte that it cannot explain.
"""

from datetime import datetime, timezone

from tags import BITS, BYTE, BYTES, FVLN, LIST, STRING, TAGS, TIME, U16, U32, VLN

# Fixed-length texts that are padded on the right with spaces: INN, RNM, FN number.
PADDED = {1016, 1017, 1018, 1037, 1041, 1203, 1226, 1228}


class Damaged(ValueError):
    """Bytes that are not what the format says."""


def decode(data):
    """The tags in their order, as pairs of number and value; a list's value is such a list."""
    found, at = [], 0
    while at < len(data):
        if len(data) - at < 4:
            raise Damaged(f"{len(data) - at} bytes are left at {at}: no tag and length")
        tag = int.from_bytes(data[at : at + 2], "little")
        length = int.from_bytes(data[at + 2 : at + 4], "little")
        value = data[at + 4 : at + 4 + length]
        if len(value) != length:
            raise Damaged(f"tag {tag} says {length} bytes, {len(value)} are there")
        found.append((tag, read(tag, value)))
        at += 4 + length
    return found


def document(data):
    """A whole document, one list of tags under its code: the code and its tags."""
    if len(data) < 4:
        raise Damaged("no document: fewer than four bytes")
    code = int.from_bytes(data[:2], "little")
    length = int.from_bytes(data[2:4], "little")
    if length != len(data) - 4:
        raise Damaged(f"document {code} says {length} bytes, {len(data) - 4} are there")
    return code, decode(data[4:])


def read(tag, value):
    """The value of one tag: int, str, bytes, a pair for a quantity, or a list of pairs."""
    if tag not in TAGS:
        raise Damaged(f"tag {tag} is not in the table")
    _, kind, length = TAGS[tag]
    check_length(tag, len(value), length)
    if kind in (BYTE, BITS, U16, U32):
        return int.from_bytes(value, "little")
    if kind == VLN:
        if len(value) > 8:
            raise Damaged(f"tag {tag}: {len(value)} bytes are no number")
        return int.from_bytes(value, "little")
    if kind == FVLN:
        if not value:
            raise Damaged(f"tag {tag}: empty quantity")
        return millionths(value[0], int.from_bytes(value[1:], "little"))
    if kind == TIME:
        # Local wall time written as if it were UTC.
        return datetime.fromtimestamp(int.from_bytes(value, "little"), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    if kind == STRING:
        text = value.decode("cp866")
        return text.rstrip(" ") if tag in PADDED else text
    if kind == LIST:
        return decode(value)
    if kind == BYTES:
        return bytes(value)
    raise Damaged(f"tag {tag} stands on paper only")


def check_length(tag, length, rule):
    if rule is None:
        return
    if rule >= 0 and length != rule:
        raise Damaged(f"tag {tag} has {length} bytes, the format says {rule}")
    if rule < 0 and length > -rule:
        raise Damaged(f"tag {tag} has {length} bytes, the format takes at most {-rule}")


def millionths(places, number):
    """A quantity of so many decimal places in millionths."""
    if places > 6:
        if number % 10 ** (places - 6):
            raise Damaged(f"a quantity with {places} decimal places is finer than a millionth")
        return number // 10 ** (places - 6)
    return number * 10 ** (6 - places)
