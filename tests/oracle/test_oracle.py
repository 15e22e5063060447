"""Tests of the oracle itself: python3 -m unittest discover -s tests/oracle"""

import unittest

import compare
import expected
import import_2020
import receipts_2020
import tlv


def tag(number, value):
    return number.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value


def text(number, value):
    return tag(number, value.encode("cp866"))


ITEM = bytes.fromhex(
    "23042c00be04010003bc0401000a0604050080a2a0ade137040300a08601ff0302000001af0401000313040300a08601"
)


class Decoding(unittest.TestCase):
    """The worked bytes that the format's descriptions print."""

    def test_sums_and_quantities_read_as_printed(self):
        self.assertEqual(tlv.decode(bytes.fromhex("fc030300a08601")), [(1020, 100000)])
        self.assertEqual(tlv.decode(bytes.fromhex("ff03030003dc05")), [(1023, 1_500_000)])
        self.assertEqual(tlv.decode(bytes.fromhex("ff0302000001")), [(1023, 1_000_000)])

    def test_an_item_reads_as_printed(self):
        inner = [(1214, 3), (1212, 10), (1030, "Аванс"), (1079, 100000), (1023, 1_000_000), (1199, 3), (1043, 100000)]
        self.assertEqual(tlv.decode(ITEM), [(1059, inner)])

    def test_bytes_that_the_format_does_not_explain_are_an_error(self):
        for bad in ["fc03", "fc030300a086", "fc030700000000000000a1", "0f270000", "1e0401", "1a040200 0101"]:
            with self.assertRaises(tlv.Damaged, msg=bad):
                tlv.decode(bytes.fromhex(bad.replace(" ", "")))

    def test_a_quantity_finer_than_a_millionth_is_an_error(self):
        with self.assertRaises(tlv.Damaged):
            tlv.decode(tag(1023, bytes([7, 1])))


def request():
    return {
        "settlement_sign": 1,
        "tax_system": 1,
        "items": [{"name": "Чай", "price_kopecks": "12200", "quantity_millionths": "1000000", "vat_rate": 11,
                   "payment_method": 4, "item_kind": 1, "measure": 0}],
        "payments": {"noncash_kopecks": "12200"},
    }


def document(price=12200, vat=2200, extra=b"", key="K1", inn="7704358518"):
    item = b"".join([
        text(1030, "Чай"), tag(1079, price.to_bytes(2, "little")), tag(1023, bytes([0, 1])),
        tag(1043, (12200).to_bytes(2, "little")), tag(1199, b"\x0b"), tag(1200, vat.to_bytes(2, "little")),
        tag(1214, b"\x04"), tag(1212, b"\x01"), tag(2108, b"\x00"),
    ])
    body = b"".join([
        text(1018, inn.ljust(12)), tag(1020, (12200).to_bytes(2, "little")), tag(1031, b"\x00"),
        tag(1040, (7).to_bytes(4, "little")), text(1041, "9999078900000001"), tag(1054, b"\x01"), tag(1055, b"\x01"),
        tag(1059, item), tag(1077, b"\x31\x04" + (99).to_bytes(4, "big")), tag(1081, (12200).to_bytes(2, "little")),
        tag(1115, tag(1119, tag(1199, b"\x0b") + tag(1120, (2200).to_bytes(2, "little")))),
        text(1192, key), tag(1209, b"\x04"), tag(1215, b"\x00"), tag(1216, b"\x00"), tag(1217, b"\x00"), extra,
    ])
    return {"fn": "9999078900000001", "fd": 7, "fp": 99, "kind": 3, "tlv": tag(3, body).hex()}


def job(**changes):
    return {"receipt": request(), "inn": "7704358518", "state": "COMPLETED", "job_key": "K1",
            "fn": "9999078900000001", "fd": 7, "fp": 99, **changes}


def differences(jobs, rows):
    found = []
    compare.compare_all(jobs, rows, lambda _job, _row, what: found.append(what))
    return found


class Comparing(unittest.TestCase):
    """Each test damages one thing; the oracle must see it."""

    def test_an_equal_document_has_no_difference(self):
        self.assertEqual(differences([job()], [document()]), [])

    def test_another_price_another_vat_and_another_taxpayer_are_seen(self):
        self.assertIn("tag 1079", differences([job()], [document(price=12201)])[0])
        self.assertIn("tag 1200", differences([job()], [document(vat=2199)])[0])
        self.assertIn("tag 1018", differences([job()], [document(inn="7707083893")])[0])

    def test_a_tag_that_nobody_asked_for_is_seen(self):
        self.assertIn("1008", differences([job()], [document(extra=text(1008, "a@example.org"))])[0])

    def test_a_tag_that_is_missing_is_seen(self):
        wanted = request()
        wanted["buyer"] = {"contact": "a@example.org"}
        self.assertIn("1008", differences([job(receipt=wanted)], [document()])[0])

    def test_a_missing_a_second_and_a_foreign_document_are_seen(self):
        self.assertIn("0 documents", differences([job()], [])[0])
        again = dict(document(), fd=8)
        self.assertIn("2 documents", differences([job()], [document(), again])[0])
        self.assertEqual(["no job asked for this document"], differences([], [document()]))

    def test_a_job_that_was_refused_must_have_none(self):
        self.assertIn("REFUSED", differences([job(state="REFUSED")], [document()])[0])

    def test_a_request_that_the_oracle_cannot_read_is_no_silent_pass(self):
        wanted = dict(request(), colour="red")
        self.assertIn("colour", differences([job(receipt=wanted)], [document()])[0])

    def test_a_stated_vat_must_stand_there_unless_it_is_the_nothing_of_an_item_without_vat(self):
        one = {"name": "x", "price_kopecks": "333", "quantity_millionths": "1000000", "vat_kopecks": "0"}
        self.assertNotIn(1200, expected.item(dict(one, vat_rate=6)))
        self.assertEqual(expected.item(dict(one, vat_rate=11))[1200], 0)
        self.assertEqual(expected.item(dict(one, vat_rate=6, vat_kopecks="5"))[1200], 5)

    def test_an_absent_amount_is_rounded_half_up(self):
        one = {"name": "x", "price_kopecks": "333", "quantity_millionths": "1500000"}
        self.assertEqual(expected.item(one)[1043], 500)


LINE = {"operation_1054": 1, "taxation_1055": 1, "items": [{"name": "Чай", "price_kopecks": 12200, "quantity": "1",
        "sum_kopecks": 12200, "vat_1199": 1, "method_1214": 4, "subject_1212": 1, "measure_1197": "шт."}],
        "total_1020_kopecks": 12200, "cash_1031_kopecks": 0, "ecash_1081_kopecks": 12200, "date": "2020-09-14"}


def line(item=None, **changes):
    """The line above with changes, and with changes of its item; None takes a field away."""
    made = {**LINE, **changes, "items": [{**LINE["items"][0], **(item or {})}]}
    made["items"][0] = {name: one for name, one in made["items"][0].items() if one is not None}
    return made


def judged(receipts, answers):
    """The differences, the jobs and the refusals by rule."""
    found = []
    jobs, refused = import_2020.judge(receipts, answers, "7704358518", found.append)
    return found, jobs, dict(refused)


ACCEPTED = {"state": "COMPLETED", "job": "tenants/7704358518/receipts/K1",
            "document": {"fn": "9999078900000001", "fd": 7, "fp": 99}}


def refusal(*rules, code="RECEIPT_INVALID"):
    return {"refused": {"code": code, "text": "", "violations": [{"rule": rule} for rule in rules]}}


class Importing(unittest.TestCase):
    """Receipts of 2020: the oracle's own mapping and its own reading of the rules."""

    def test_a_lawful_line_becomes_the_request_that_stands_in_the_document(self):
        self.assertEqual(receipts_2020.broken(LINE), {})
        found, jobs, _ = judged([LINE], {1: ACCEPTED})
        self.assertEqual(found + differences(jobs, [document()]), [])

    def test_the_mapping_changes_rates_and_fills_what_is_absent_and_nothing_else(self):
        made = receipts_2020.request(line({"method_1214": 3, "vat_1199": 2}))["items"][0]
        self.assertEqual((made["vat_rate"], made["payment_method"], made["item_kind"]), (4, 3, 1))
        made = receipts_2020.request(line({"vat_1199": None, "method_1214": None, "subject_1212": None},
                                          vat_totals_kopecks={"ndsCalculated20": 1}))["items"][0]
        self.assertEqual((made["vat_rate"], made["payment_method"], made["item_kind"]), (12, 1, 10))
        returned = receipts_2020.request(line(operation_1054=2))["items"][0]
        self.assertEqual(returned["vat_rate"], 1)

    def test_each_broken_rule_is_found(self):
        cases = {
            "R9": line(taxation_1055=8), "R11": line({"name": " "}), "R13": line({"price_kopecks": 12100}),
            "R15": line(total_1020_kopecks=12199), "R16": line(ecash_1081_kopecks=1), "R17": line(cash_1031_kopecks=1),
            "R18": line({"vat_1199": None}), "R20": line({"vat_1199": 3}),
            "R21": line({"method_1214": 3, "subject_1212": 4}),
            "C7-1200": line({"vat_1199": 5, "vat_sum_1200_kopecks": 12200}),
        }
        for rule, one in cases.items():
            self.assertIn(rule, receipts_2020.broken(one))

    def test_a_false_refusal_a_false_acceptance_and_a_missing_answer_are_seen(self):
        self.assertIn("refused by R9", judged([LINE], {1: refusal("R9")})[0][0])
        self.assertIn("without a rule", judged([LINE], {1: refusal(code="KEY_CONFLICT")})[0][0])
        self.assertIn("breaks R17", judged([line(cash_1031_kopecks=1, ecash_1081_kopecks=12199)], {1: ACCEPTED})[0][0])
        self.assertIn("no answer", judged([LINE], {})[0][0])
        self.assertIn("EXPIRED", judged([LINE], {1: dict(ACCEPTED, state="EXPIRED")})[0][0])
        true = judged([line(taxation_1055=8)], {1: refusal("R9")})
        self.assertEqual((true[0], true[2]), ([], {"R9": 1}))

    def test_a_format_has_its_own_tags(self):
        asked = {"measure": 0, "unit_name": "шт.", "name": "x", "price_kopecks": 1, "quantity_millionths": 1_000_000}
        tags = {ffd: set(expected.item(asked, ffd)) for ffd in (2, 4)}
        self.assertEqual((tags[2] - tags[4], tags[4] - tags[2]), ({1197}, {2108}))
        flagged = {"internet_settlement": True}
        self.assertNotIn(1125, expected.receipt(flagged, 2)[0])
        self.assertIn(1125, expected.receipt(flagged, 4)[0])

    def test_a_document_of_another_format_than_its_fns_registration_is_seen(self):
        registered = {"fn": "9999078900000001", "fd": 1, "fp": 1, "kind": 1,
                      "tlv": tag(1, tag(1209, b"\x02")).hex()}
        found = differences([job()], [registered, document()])
        self.assertIn("tag 1209 is [4], it must be 2", found)
        self.assertIn("item 0: tag 2108 = [0] was not asked for", found)

    def test_an_address_that_the_registration_does_not_have_is_seen(self):
        body = tag(1209, b"\x04") + text(1018, "7704358518  ") + text(1187, "https://a.example.org")
        registered = {"fn": "9999078900000001", "fd": 1, "fp": 1, "kind": 1, "tlv": tag(1, body).hex()}
        self.assertEqual(differences([job()], [registered, document(extra=text(1187, "https://a.example.org"))]), [])
        found = differences([job()], [registered, document(extra=text(1187, "https://b.example.org"))])
        self.assertIn("the registration says 'https://a.example.org'", found[0])


if __name__ == "__main__":
    unittest.main()
