"""Tests of the oracle itself: python3 -m unittest discover -s tests/oracle"""

import unittest

import compare
import expected
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


if __name__ == "__main__":
    unittest.main()
