"""Judges an import of receipts of 2020: every refusal by its rule, every document tag by tag.

Usage: import_2020.py --receipts FILE --report FILE --ledger FILE --inn INN

RECEIPTS: the imported file. REPORT: what `kassettectl --json receipt import FILE --map 2020 --wait` printed.
LEDGER: what `kassette-hw-sim ledger` prints; the FNs that are registered for INN are compared.

Prints each difference as a line and at last one JSON object with counts. Ends with 1 when anything differs: a line
without an answer, a refusal by a rule that is not broken, a broken rule that was accepted, a document that is not its
line, a line with two documents, a document of no line.
"""

import argparse
import collections
import json
import sys

import compare
import receipts_2020

# Tag 1209.
FORMATS = {2: "1.05", 3: "1.1", 4: "1.2"}


def registered_for(inn, rows):
    """The documents of the FNs whose registration names this taxpayer, and the formats of those."""
    own = {fn: tags for fn, tags in compare.registrations(rows).items() if tags.get(1018) == inn}
    return [row for row in rows if row["fn"] in own], sorted({FORMATS[tags[1209]] for tags in own.values()})


def job(answer, line, inn):
    """A job as compare.py takes it."""
    document = answer["document"] or {"fn": "", "fd": 0, "fp": 0}
    key = answer["job"].rsplit("/", 1)[-1]
    return {"receipt": receipts_2020.request(line), "inn": inn, "state": answer["state"], "job_key": key, **document}


def judge_refusal(answer, line, say):
    """The first broken rule that is named; None when a rule is named that is not broken."""
    named = [one["rule"] for one in answer["refused"]["violations"]]
    broken = receipts_2020.broken(line)
    for rule in named:
        if rule not in broken:
            say(f"refused by {rule}, which it does not break; it breaks {broken}")
            return None
    if not named:
        say(f"refused without a rule: {answer['refused']['code']}: {answer['refused']['text']}")
        return None
    return named[0]


def read_report(path, say):
    """The answers by line number, and the counts of the last line."""
    answers, counts = {}, None
    for one in compare.lines(path):
        if "line" not in one:
            counts = one
        elif one["line"] in answers:
            say(f"line {one['line']} was answered twice")
        else:
            answers[one["line"]] = one
    return answers, counts


def judge(receipts, answers, inn, say):
    """The jobs, and the refusals by rule."""
    jobs, refused = [], collections.Counter()
    for number, line in enumerate(receipts, 1):
        answer = answers.get(number)

        def about(text, number=number):
            say(f"line {number}: {text}")

        if answer is None:
            about("has no answer")
        elif "refused" in answer:
            rule = judge_refusal(answer, line, about)
            if rule:
                refused[rule] += 1
        else:
            for rule, why in receipts_2020.broken(line).items():
                about(f"accepted, and breaks {rule}: {why}")
            if answer["state"] != "COMPLETED":
                about(f"accepted, and its job is {answer['state']}")
            jobs.append(job(answer, line, inn))
    return jobs, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("receipts", "report", "ledger", "inn"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    differences = 0

    def say(text):
        nonlocal differences
        differences += 1
        print(text)

    def of_document(one, row, text):
        where = f"FN {row['fn']} FD {row['fd']}: " if row else ""
        say(f"{one['job_key'] if one else '-'}: {where}{text}")

    receipts = compare.lines(arguments.receipts)
    answers, counts = read_report(arguments.report, say)
    jobs, refused = judge(receipts, answers, arguments.inn, say)
    rows, formats = registered_for(arguments.inn, compare.lines(arguments.ledger))
    compared = compare.compare_all(jobs, rows, of_document)
    if counts is None or (counts["accepted"], counts["refused"]) != (len(jobs), sum(refused.values())):
        say(f"the report counts {counts}, there are {len(jobs)} jobs and {sum(refused.values())} true refusals")
    made = {"ffd": "+".join(formats), "lines": len(receipts),
            "accepted": len(jobs), "compared": compared, "refused": sum(refused.values()),
            "refused_by": dict(sorted(refused.items())), "differences": differences}
    print(json.dumps(made))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
