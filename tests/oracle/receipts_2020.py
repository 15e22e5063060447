"""Reads a receipt of 2020 as the request of today, and says which rules of today it breaks.

Owns: the oracle's own reading of tests/data/MAPPING.md and of the rules that the 400 receipts may break.
Must never: be made from the program that maps or from the one that judges; its worth is that nothing is shared.

The request is kassette.v1.Receipt as protobuf JSON, as expected.py takes it.
"""

from decimal import ROUND_HALF_UP, Decimal

TOTALS = {"nds18": 1, "nds20": 1, "nds10": 2, "ndsCalculated18": 3, "ndsCalculated20": 3, "ndsCalculated10": 4,
          "nds0": 5, "ndsNo": 6}
TODAY = {1: 11, 3: 12}
CALCULATED = {1: 3, 2: 4, 7: 9, 8: 10, 11: 12}
MEASURES = {"шт.": 0, "тонн": 12, "Кв.м": 32, "Куб.м": 42, "кВт.ч": 50, "Гкал": 51}
PERCENT = {1: 20, 2: 10, 3: 20, 4: 10, 11: 22, 12: 22}
SYSTEMS = {1, 2, 4, 16, 32}


def only_total(line):
    """The rate of the VAT totals when they have one."""
    rates = {TOTALS[name] for name in line.get("vat_totals_kopecks", {})}
    return rates.pop() if len(rates) == 1 else None


def item(line, old):
    """The request's item; "old_rate" is the rate of 2020 that it was made from."""
    old_rate = old.get("vat_1199", only_total(line))
    method = old.get("method_1214", 1 if old_rate in (3, 4) else 4)
    is_return = line["operation_1054"] in (2, 4)
    rate = old_rate if is_return else TODAY.get(old_rate, old_rate)
    if method in (1, 2, 3):
        rate = CALCULATED.get(rate, rate)
    quantity = Decimal(old["quantity"])
    whole = quantity == quantity.to_integral_value()
    text = old.get("measure_1197")
    made = {
        "name": old["name"],
        "price_kopecks": old["price_kopecks"],
        "quantity_millionths": int(quantity * 1_000_000),
        "amount_kopecks": old["sum_kopecks"],
        "payment_method": method,
        "item_kind": old.get("subject_1212", 10 if method in (1, 2, 3, 7) else 13),
        "measure": MEASURES.get(text, 255) if text is not None else (0 if whole else 255),
    }
    if rate is not None:
        made["vat_rate"] = rate
    if "vat_sum_1200_kopecks" in old and rate == old_rate:
        made["vat_kopecks"] = old["vat_sum_1200_kopecks"]
    if text is not None:
        made["unit_name"] = text
    if "agent_1057" in line:
        made["agent_sign"] = line["agent_1057"]
    return made


def request(line):
    """The request of today. VAT totals are left out: nothing of them is sent to a register."""
    made = {
        "settlement_sign": line["operation_1054"],
        "tax_system": line["taxation_1055"],
        "items": [item(line, old) for old in line["items"]],
        "total_kopecks": line["total_1020_kopecks"],
        "payments": {"cash_kopecks": line["cash_1031_kopecks"], "noncash_kopecks": line["ecash_1081_kopecks"]},
    }
    if "internet_1125" in line:
        made["internet_settlement"] = line["internet_1125"] != 0
    if "buyer_1008" in line:
        made["buyer"] = {"contact": line["buyer_1008"]}
    return made


def broken(line):
    """The rules that the request breaks at an internet register without cash unit, in 2026, each with its proof.

    Rule numbers are those of the reference's checks before fiscalization; C7-1200 is its formula of the VAT in a sum.
    """
    made, found = request(line), {}
    if made["tax_system"] not in SYSTEMS:
        found["R9"] = f"tax system {made['tax_system']} is none of today's {sorted(SYSTEMS)}"
    total = sum(one["amount_kopecks"] for one in made["items"])
    if total != made["total_kopecks"]:
        found["R15"] = f"the items make {total}, the total is {made['total_kopecks']}"
    paid = sum(made["payments"].values())
    if paid != made["total_kopecks"]:
        found["R16"] = f"paid was {paid}, the total is {made['total_kopecks']}"
    if made["payments"]["cash_kopecks"]:
        found["R17"] = f"{made['payments']['cash_kopecks']} in cash"
    for one in made["items"]:
        found.update(broken_item(one, made["settlement_sign"]))
    return found


def broken_item(one, sign):
    found = {}
    if not one["name"].strip():
        found["R11"] = "an item without a name"
    cost = (Decimal(one["quantity_millionths"]) * one["price_kopecks"] / 1_000_000).quantize(Decimal(1), ROUND_HALF_UP)
    if abs(cost - one["amount_kopecks"]) > 1:
        found["R13"] = f"price times quantity is {cost}, the amount {one['amount_kopecks']}"
    rate, method, kind = one.get("vat_rate"), one["payment_method"], one["item_kind"]
    if rate is None:
        found["R18"] = "an item without a VAT rate"
    elif rate in (1, 3) and sign not in (2, 4):
        found["R18"] = f"rate {rate} for a sale of today"
    if (rate in (1, 2, 11) and method in (1, 2, 3)) or (rate in (3, 4, 12) and method in (4, 5, 6)):
        found["R20"] = f"rate {rate} with method {method}"
    if (method in (3, 7) and kind != 10) or (method in (4, 5, 6) and kind == 10):
        found["R21"] = f"method {method} with item kind {kind}"
    if "vat_kopecks" in one and rate is not None:
        percent = PERCENT.get(rate, 0)
        right = Decimal(one["amount_kopecks"]) * percent / (100 + percent)
        if abs(right - one["vat_kopecks"]) > 1:
            found["C7-1200"] = f"VAT {one['vat_kopecks']} of {one['amount_kopecks']} at rate {rate}"
    return found
