"""Says which tags a submitted receipt must have on its document, and which the register may add.

Owns: the oracle's reading of kassette.v1.Receipt (as protobuf JSON) in tags, and the table of added tags.
Must never: ask the daemon, or accept a tag because it happens to be there.
"""

# Field of the contract: (tag, kind of value). Texts stand as they are; "int" also takes the text of a 64-bit number.
RECEIPT = {
    "settlement_sign": (1054, "int"),
    "tax_system": (1055, "int"),
    "cashier_name": (1021, "text"),
    "cashier_inn": (1203, "text"),
    "settlement_address": (1009, "text"),
    "settlement_place": (1187, "text"),
    "sender_email": (1117, "text"),
    "tax_service_site": (1060, "text"),
    "machine_number": (1036, "text"),
    "internet_only": (1108, "flag"),
    "internet_settlement": (1125, "flag"),
    "user_inn": (1018, "text"),
    "user_name": (1048, "text"),
    "additional_attribute": (1192, "text"),
}
ITEM = {
    "name": (1030, "text"),
    "price_kopecks": (1079, "int"),
    "quantity_millionths": (1023, "int"),
    "amount_kopecks": (1043, "int"),
    "vat_rate": (1199, "int"),
    "vat_per_unit_kopecks": (1198, "int"),
    "vat_kopecks": (1200, "int"),
    "payment_method": (1214, "int"),
    "item_kind": (1212, "int"),
    "measure": (2108, "int"),
    "unit_name": (1197, "text"),
    "additional_attribute": (1191, "text"),
    "excise_kopecks": (1229, "int"),
    "country_code": (1230, "text"),
    "customs_declaration": (1231, "text"),
    "agent_sign": (1222, "int"),
    "supplier_inn": (1226, "text"),
}
PAYMENTS = {
    "cash_kopecks": 1031,
    "noncash_kopecks": 1081,
    "prepaid_kopecks": 1215,
    "credit_kopecks": 1216,
    "counter_provision_kopecks": 1217,
}
# Formats by tag 1209.
FFD_1_05, FFD_1_2 = 2, 4
# Tags that only one format has (fn-ffd-ofd C.4). Of the two forms of the measure each format takes its own, and the
# internet flag of FFD 1.05 is the registration's 1108; anything else without a place must not be asked for.
ONLY_1_2 = {1125, 2108}
ONLY_1_05 = {1197}

# Fields that are no tag of the document.
NO_TAG = {"form", "ffd_version", "marking_policy", "items", "payments", "total_kopecks", "vat_totals", "buyer",
          "user_attribute"}
NO_TAG_ITEM = {"reference", "wholesale"}
NO_TAG_PAYMENTS = {"cash_tendered_kopecks"}

# What a register adds to a receipt by itself, and why. Nothing else may be there.
ADDED = {
    1009: "settlement address of the registration",
    1012: "time of the document",
    1018: "taxpayer of the registration",
    1021: "cashier of the register's own table, when the request names none",
    1037: "registration number",
    1038: "shift",
    1040: "document number",
    1041: "FN number",
    1042: "number within the shift",
    1048: "taxpayer's name of the registration",
    1055: "the only tax system of the registration",
    1060: "tax service site of the registration",
    1077: "fiscal sign",
    1102: "computed VAT total, 20 %",
    1103: "computed VAT total, 10 %",
    1104: "computed turnover, 0 %",
    1105: "computed turnover without VAT",
    1106: "computed VAT total, 20/120",
    1107: "computed VAT total, 10/110",
    1108: "internet flag of the registration",
    1115: "computed VAT totals of the other rates",
    1117: "sender's e-mail of the registration",
    1187: "settlement place of the registration",
    1209: "format of the document",
}
# Of these, what a receipt repeats from the registration unless it states its own (fn-ffd-ofd C.7).
OF_REGISTRATION = {1009, 1018, 1036, 1037, 1048, 1060, 1108, 1117, 1187}
ADDED_ITEM = {1200: "computed VAT of the item"}

# Share of a rate in a gross sum, as (numerator, denominator); the rates by tag 1199 (fn-ffd-ofd C.5).
VAT_SHARE = {1: (20, 120), 2: (10, 110), 3: (20, 120), 4: (10, 110), 7: (5, 105), 8: (7, 107), 9: (5, 105),
             10: (7, 107), 11: (22, 122), 12: (22, 122)}
VAT_TAG = {1: 1102, 2: 1103, 5: 1104, 6: 1105, 3: 1106, 4: 1107}


class Unreadable(ValueError):
    """A request that the oracle does not know how to expect."""


def half_up(numerator, denominator):
    """A fraction rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def value(kind, given):
    if kind == "text":
        return given
    if kind == "flag":
        return 1 if given else 0
    return int(given)


def fields(table, given, ignored, where):
    found = {}
    for name, one in given.items():
        if name in ignored:
            continue
        if name not in table:
            raise Unreadable(f"{where}.{name} is not in the oracle's table")
        tag, kind = table[name]
        found[tag] = value(kind, one)
    return found


def of_format(tags, ffd):
    """Without the tags that the format has no place for."""
    absent = ONLY_1_2 if ffd == FFD_1_05 else ONLY_1_05
    return {tag: one for tag, one in tags.items() if tag not in absent}


def item(given, ffd=FFD_1_2):
    """The tags of an item; the VAT that a client computed is compared with the register's like any other."""
    tags = of_format(fields(ITEM, given, NO_TAG_ITEM, "item"), ffd)
    if tags.get(1200) == 0 and tags.get(1199) in (5, 6):
        # An item at 0 % or without VAT has no sum of VAT on its document; a stated 0 says the same.
        del tags[1200]
    if 1043 not in tags:
        tags[1043] = half_up(tags[1079] * tags[1023], 1_000_000)
    return tags


def receipt(given, ffd=FFD_1_2):
    """The tags of the document but its items, and the tags of each item."""
    tags = of_format(fields(RECEIPT, given, NO_TAG, "receipt"), ffd)
    if tags.get(1125) == 0:
        # The flag is put on a document only when it is set.
        del tags[1125]
    items = [item(one, ffd) for one in given.get("items", [])]
    payments = given.get("payments", {})
    unknown = set(payments) - set(PAYMENTS) - NO_TAG_PAYMENTS
    if unknown:
        raise Unreadable(f"payments.{min(unknown)} is not in the oracle's table")
    # All five sums stand on every document; one that is not given is 0.
    tags.update({tag: int(payments.get(name, 0)) for name, tag in PAYMENTS.items()})
    tags[1020] = int(given.get("total_kopecks", sum(one[1043] for one in items)))
    for name, one in given.get("buyer", {}).items():
        if name != "contact":
            raise Unreadable(f"buyer.{name} is not in the oracle's table")
        tags[1008] = one
    own = given.get("user_attribute")
    if own:
        tags[1084] = [(1085, own.get("name", "")), (1086, own.get("value", ""))]
    return tags, items


def item_vat(tags):
    """The VAT of an item as the format computes it; None where the rate has none."""
    share = VAT_SHARE.get(tags.get(1199))
    return half_up(tags[1043] * share[0], share[1]) if share else None


def vat_totals(items):
    """VAT totals and turnovers by rate."""
    totals = {}
    for tags in items:
        rate = tags.get(1199)
        amount = tags[1043] if rate in (5, 6) else item_vat(tags)
        if rate is not None and amount is not None:
            totals[rate] = totals.get(rate, 0) + amount
    return totals
