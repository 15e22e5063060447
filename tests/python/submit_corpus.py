"""Submits receipts with every field that the daemon puts on documents today, and writes what became of them.

Usage: submit_corpus.py SOCKET INN REQUESTS

REQUESTS gets one JSON object a line in the form that tests/oracle/compare.py reads. Ends with 1 when a receipt is not
accepted or does not become COMPLETED: each of them is lawful.
"""

import json
import sys

import grpc
from google.protobuf import json_format
from kassette.v1 import receipt_job_pb2, receipt_pb2
from session import Client

KG, PIECE, KWH = 11, 0, 50


def item(name, price, quantity=1_000_000, vat=11, amount=None, **more):
    fields = {"payment_method": 4, "item_kind": 1, "measure": PIECE, **more}
    made = receipt_pb2.Item(name=name, price_kopecks=price, quantity_millionths=quantity, vat_rate=vat, **fields)
    if amount is not None:
        made.amount_kopecks = amount
    return made


def gross(one):
    if one.HasField("amount_kopecks"):
        return one.amount_kopecks
    return (2 * one.price_kopecks * one.quantity_millionths + 1_000_000) // 2_000_000


def receipt(items, sign=1, pay="noncash_kopecks", tax_system=1, **more):
    total = sum(gross(one) for one in items)
    made = receipt_pb2.Receipt(settlement_sign=sign, tax_system=tax_system, items=items, **more)
    if pay:
        setattr(made.payments, pay, total)
    return made


def split_payment():
    made = receipt([item("Кресло", 1_000_000)], pay=None, total_kopecks=1_000_000)
    sums = {"cash": 100_000, "noncash": 200_000, "prepaid": 300_000, "credit": 150_000, "counter_provision": 250_000}
    for name, kopecks in sums.items():
        setattr(made.payments, f"{name}_kopecks", kopecks)
    return made


def everything():
    made = receipt(
        [item("Чай \"Слон\" №1, 100 г", 12_200, additional_attribute="без сахара"), item("Сахар", 7_777, 1_500_000, 2, measure=KG)],
        cashier_name="Кассир Иванова", cashier_inn="500100732259", settlement_address="г. Москва, ул. Мира, д. 1",
        settlement_place="https://shop.example.org", sender_email="receipts@shop.example.org",
        additional_attribute="1234567890", internet_settlement=True,
    )
    made.buyer.contact = "+79161234567"
    return made


def own_attribute():
    made = receipt([item("Билет", 30_000, vat=6, item_kind=4)])
    made.user_attribute.name, made.user_attribute.value = "заказ", "A-17/2026 (срочно)"
    made.buyer.contact = "buyer@example.org"
    return made


def corpus():
    yield "plain", receipt([item("Чай", 12_200)])
    for sign in (1, 2, 3, 4):
        yield f"sign-{sign}", receipt([item("Товар", 9_999)], sign=sign)
    for rate in (2, 5, 6, 7, 8, 11):
        yield f"rate-{rate}", receipt([item("Товар по ставке", 10_007, vat=rate)])
    for rate in (4, 9, 12):
        yield f"rate-{rate}", receipt([item("Аванс", 10_007, vat=rate, payment_method=3, item_kind=10)])
    for rate in (1, 3):
        # The rate of a sale before 2026 lives on in its return.
        yield f"rate-{rate}", receipt([item("Возврат старого", 12_000, vat=rate, payment_method=4 if rate == 1 else 3, item_kind=1 if rate == 1 else 10)], sign=2)
    for tax_system in (1, 2, 4, 16, 32):
        yield f"system-{tax_system}", receipt([item("Услуга", 5_000, vat=6, item_kind=4)], tax_system=tax_system)
    yield "fractions", receipt([item("Яблоки", 9_990, 1_234_567, 2, measure=KG), item("Энергия", 601, 100_500_000, measure=KWH)])
    yield "half-kopeck", receipt([item("Скрепка", 333, 1_500_000, measure=255)])
    yield "one-kopeck", receipt([item("Копейка", 1)])
    yield "many", receipt([item(f"Строка {n}", 100 + n, vat=(11, 2, 6, 5)[n % 4]) for n in range(40)])
    yield "long-name", receipt([item("Я" * 128, 100)])
    yield "cash", receipt([item("Хлеб", 5_000, vat=2)], pay="cash_kopecks")
    yield "split", split_payment()
    yield "everything", everything()
    yield "own-attribute", own_attribute()


def line(inn, content, job):
    """What the oracle compares."""
    return {
        "receipt": json_format.MessageToDict(content, preserving_proto_field_name=True),
        "inn": inn,
        "state": receipt_job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_"),
        "job_key": job.job_key,
        "fn": job.result.fn,
        "fd": job.result.fd,
        "fp": job.result.fp,
    }


def main():
    socket, inn, requests = sys.argv[1:]
    client, failed = Client(socket, inn), 0
    with open(requests, "w", encoding="utf-8") as file:
        for name, content in corpus():
            try:
                job = client.submit(f"corpus-{name}", content).receipt_job
            except grpc.RpcError as error:
                print(f"{name}: {error.code()}: {error.details()} {dict(error.trailing_metadata())}")
                failed += 1
                continue
            if job.state != receipt_job_pb2.JOB_STATE_COMPLETED:
                print(f"{name}: {job.state} {job.reason}")
                failed += 1
            print(json.dumps(line(inn, content, job), ensure_ascii=False), file=file)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
