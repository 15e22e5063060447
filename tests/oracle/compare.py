"""Compares what was submitted with what stands in the FNs, tag by tag.

Usage: compare.py --requests FILE --ledger FILE

REQUESTS: one JSON object a line: "receipt" (kassette.v1.Receipt as protobuf JSON with its own field names), "inn",
"state" (COMPLETED or another), "job_key", and for a completed job "fn", "fd", "fp".
LEDGER: what `kassette-hw-sim ledger` prints; only "fn", "fd", "fp", "kind" and the raw "tlv" of a line are used.

Prints each difference as a line and at last one JSON object with counts. Ends with 1 when anything differs: a tag, a
completed job without its document, a job with two, a document without a job.
"""

import argparse
import json
import sys

import expected
import tlv

RECEIPT_KINDS = (3, 31, 4, 41)
REGISTRATION_KINDS = (1, 11)


def tags_of(pairs):
    """Pairs as a map from tag to all its values."""
    found = {}
    for tag, one in pairs:
        found.setdefault(tag, []).append(one)
    return found


def compare_item(number, wanted, pairs, say):
    there = tags_of(pairs)
    for tag, one in wanted.items():
        if there.get(tag) != [one]:
            say(f"item {number}: tag {tag} is {there.get(tag)}, asked was {one!r}")
    for tag, values in there.items():
        if tag in wanted:
            continue
        if tag not in expected.ADDED_ITEM:
            say(f"item {number}: tag {tag} = {values} was not asked for")
        elif tag == 1200 and values != [expected.item_vat(wanted)]:
            say(f"item {number}: tag 1200 is {values}, the rate makes {expected.item_vat(wanted)}")


def compare_vat(items, there, say):
    """The computed totals: one kopeck for each item, as the register may round once over the sum."""
    found = {rate: there[tag][0] for rate, tag in expected.VAT_TAG.items() if tag in there}
    for pairs in there.get(1115, []):
        for _, inner in pairs:
            one = dict(inner)
            found[one[1199]] = one[1120]
    wanted = expected.vat_totals(items)
    # A register may write an empty 1104 beside 1115, so that one total of the older tags is there.
    if 5 not in wanted and found.get(5) == 0:
        del found[5]
    if set(found) != set(wanted):
        say(f"VAT totals are of the rates {sorted(found)}, the items are of {sorted(wanted)}")
    for rate in set(found) & set(wanted):
        if abs(found[rate] - wanted[rate]) > len(items):
            say(f"VAT total of rate {rate} is {found[rate]}, the items make {wanted[rate]}")


def compare_key(job_key, wanted, there, say):
    """The job key stands in 1192, or in 1084 where 1192 is the client's."""
    if 1192 not in wanted and there.get(1192) == [job_key]:
        return {1192}
    for pairs in there.get(1084, []):
        if 1084 not in wanted and dict(pairs).get(1086) == job_key:
            return {1084}
    if not (1192 in wanted and 1084 in wanted):
        say(f"the job key {job_key} stands in neither 1192 nor 1084")
    return set()


def compare_identity(job, row, registered, there, say):
    ffd = registered.get(1209, expected.FFD_1_2)
    wanted = {1018: job["inn"], 1040: row["fd"], 1041: row["fn"], 1209: ffd}
    for tag, one in wanted.items():
        if there.get(tag) != [one]:
            say(f"tag {tag} is {there.get(tag)}, it must be {one!r}")
    sign = there.get(1077, [b""])[0]
    if len(sign) != 6 or int.from_bytes(sign[2:], "big") != row["fp"]:
        say(f"tag 1077 is {sign.hex()}, the fiscal sign is {row['fp']}")


def compare_registered(registered, wanted, there, say):
    """What the register repeats of its registration must be what the registration says."""
    for tag in expected.OF_REGISTRATION & set(there) - set(wanted):
        if registered and there[tag] != [registered.get(tag)]:
            say(f"tag {tag} is {there[tag]}, the registration says {registered.get(tag)!r}")


def compare_document(job, row, registered, say):
    code, pairs = tlv.document(bytes.fromhex(row["tlv"]))
    if code != row["kind"]:
        say(f"the document says code {code}, its line {row['kind']}")
    there = tags_of(pairs)
    wanted, items = expected.receipt(job["receipt"], registered.get(1209, expected.FFD_1_2))
    key_tags = compare_key(job["job_key"], wanted, there, say)
    compare_identity(job, row, registered, there, say)
    compare_registered(registered, wanted, there, say)
    if (row["fn"], row["fd"], row["fp"]) != (job["fn"], job["fd"], job["fp"]):
        say(f"reported were {job['fn']}/{job['fd']}/{job['fp']}")
    for tag, one in wanted.items():
        if there.get(tag) != [one]:
            say(f"tag {tag} is {there.get(tag)}, asked was {one!r}")
    for tag, values in there.items():
        if tag not in wanted and tag != 1059 and tag not in key_tags and tag not in expected.ADDED:
            say(f"tag {tag} = {values} was not asked for")
    found = there.get(1059, [])
    if len(found) != len(items):
        say(f"the document has {len(found)} items, asked were {len(items)}")
    for number, (item, inner) in enumerate(zip(items, found)):
        compare_item(number, item, inner, say)
    compare_vat(items, there, say)


def keys_in(row):
    """Every text of the document that may be a job key."""
    _, pairs = tlv.document(bytes.fromhex(row["tlv"]))
    there = tags_of(pairs)
    inner = [dict(attribute).get(1086) for attribute in there.get(1084, [])]
    return set(there.get(1192, []) + inner)


def registrations(rows):
    """The tags of each FN's last registration."""
    found = {}
    for row in sorted(rows, key=lambda row: row["fd"]):
        if row["kind"] in REGISTRATION_KINDS:
            found[row["fn"]] = dict(tlv.document(bytes.fromhex(row["tlv"]))[1])
    return found


def compare_all(jobs, rows, say):
    """Every job with its document; how many were compared."""
    registered = registrations(rows)
    receipts = [row for row in rows if row["kind"] in RECEIPT_KINDS]
    keys = [(row, keys_in(row)) for row in receipts]
    explained = set()
    compared = 0
    for job in jobs:
        own = [row for row, found in keys if job["job_key"] in found]
        if job["state"] != "COMPLETED":
            for row in own:
                say(job, row, f"the job is {job['state']} and has this document")
            continue
        if len(own) != 1:
            say(job, None, f"the job is COMPLETED and has {len(own)} documents")
        for row in own:
            explained.add((row["fn"], row["fd"]))
            try:
                of_fn = registered.get(row["fn"], {})
                compare_document(job, row, of_fn, lambda text, job=job, row=row: say(job, row, text))
            except (tlv.Damaged, expected.Unreadable) as why:
                say(job, row, str(why))
            compared += 1
    for row in receipts:
        if (row["fn"], row["fd"]) not in explained:
            say(None, row, "no job asked for this document")
    return compared


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", required=True)
    parser.add_argument("--ledger", required=True)
    arguments = parser.parse_args()
    jobs, rows = lines(arguments.requests), lines(arguments.ledger)
    differences = 0

    def say(job, row, text):
        nonlocal differences
        differences += 1
        where = f"FN {row['fn']} FD {row['fd']}: " if row else ""
        print(f"{job['job_key'] if job else '-'}: {where}{text}")

    compared = compare_all(jobs, rows, say)
    print(json.dumps({"jobs": len(jobs), "compared": compared, "differences": differences}))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
