"""A client made from the .proto files alone: what a provider does, and that it holds after a crash.

Usage: session.py begin|repeat SOCKET INN NOTES

begin   submits receipts, watches them, resumes the watch from a cursor, repeats a key with the same content and with
        another one, and writes what it saw to NOTES.
repeat  after the daemon was killed and started again: everything in NOTES still holds.

Only python-grpc and the code that protoc makes of proto/api/proto are used. Each failed expectation ends it with 1.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from kassette.v1 import receipt_job_pb2, receipt_pb2, receipt_service_pb2, receipt_service_pb2_grpc, watch_pb2

WAIT = 45
COMPLETED = receipt_job_pb2.JOB_STATE_COMPLETED


def expect(holds, text):
    if not holds:
        print(f"expected: {text}")
        sys.exit(1)


def receipt(kopecks, name="Тетрадь в клетку"):
    made = receipt_pb2.Receipt(settlement_sign=1, tax_system=1, total_kopecks=kopecks)
    made.payments.noncash_kopecks = kopecks
    made.items.add(name=name, price_kopecks=kopecks, quantity_millionths=1_000_000, amount_kopecks=kopecks, vat_rate=11,
                   payment_method=4, item_kind=1, measure=0)
    return made


class Client:
    def __init__(self, socket, inn):
        # The authority of a unix target is the path, which HTTP/2 servers may refuse.
        options = [("grpc.default_authority", "localhost")]
        self.stub = receipt_service_pb2_grpc.ReceiptServiceStub(grpc.insecure_channel(f"unix:{socket}", options))
        self.parent = f"tenants/{inn}"

    def submit(self, key, content, wait=WAIT):
        request = receipt_service_pb2.SubmitReceiptRequest(parent=self.parent, external_id=key, receipt=content)
        request.wait.seconds = wait
        return self.stub.SubmitReceipt(request, timeout=WAIT + 15)

    def by_key(self, key):
        lookup = receipt_service_pb2.KeyLookup(parent=self.parent, external_id=key)
        return self.stub.GetReceipt(receipt_service_pb2.GetReceiptRequest(key=lookup), timeout=15).receipt_job

    def list(self):
        return self.stub.ListReceipts(receipt_service_pb2.ListReceiptsRequest(parent=self.parent), timeout=15)

    def watch(self, **start):
        request = receipt_service_pb2.WatchReceiptsRequest(parent=self.parent, start=watch_pb2.WatchStart(**start))
        return self.stub.WatchReceipts(request, timeout=WAIT)


def shown(job):
    result = job.result
    return {"name": job.name, "state": job.state, "hash": job.content_hash, "fn": result.fn, "fd": result.fd,
            "fp": result.fp, "revision": job.revision}


def completed_by(stream, keys):
    """Reads a watch until every key is completed; the events as key, state, revision and cursor."""
    events, open_keys = [], set(keys)
    for event in stream:
        if event.WhichOneof("event") == "receipt_job":
            job = event.receipt_job
            events.append((job.external_id, job.state, job.revision, event.cursor))
            if job.state == COMPLETED:
                open_keys.discard(job.external_id)
        if not open_keys:
            stream.cancel()
            return events
    expect(False, f"the watch to show the end of {sorted(open_keys)}")


def in_order(events):
    """Each event shows a job as it stands, at least once: its revision may repeat and never goes back."""
    last = {}
    for key, _, revision, _ in events:
        expect(revision >= last.get(key, 0), f"revisions of {key} in order: {events}")
        last[key] = revision


def last_of(events):
    """The last state and revision of each job."""
    return {key: [state, revision] for key, state, revision, *_ in events}


def refused_other_content(client, key, first):
    try:
        client.submit(key, receipt(77_700))
    except grpc.RpcError as error:
        expect(error.code() == grpc.StatusCode.ALREADY_EXISTS, f"ALREADY_EXISTS, not {error.code()}")
        metadata = dict(error.trailing_metadata())
        status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        expect(any(detail.Unpack(info) for detail in status.details), "an ErrorInfo in the status")
        expect((info.domain, info.reason) == ("kassette", "KEY_CONFLICT"), f"KEY_CONFLICT, not {info.reason}")
        expect(info.metadata["job"] == first["name"], f"the first job's name in {dict(info.metadata)}")
        expect(info.metadata["first_content_hash"] == first["hash"], f"the first hash in {dict(info.metadata)}")
        expect(info.metadata["content_hash"] not in ("", first["hash"]), f"the other hash in {dict(info.metadata)}")
        return
    expect(False, f"other content under {key} to be refused")


def begin(client, notes):
    watch = client.watch(origin=watch_pb2.WATCH_ORIGIN_OLDEST)
    keys = [f"py-{n}" for n in range(4)]
    jobs = {}
    for n, key in enumerate(keys):
        answer = client.submit(key, receipt(10_000 + n))
        expect(not answer.existing, f"{key} to be new")
        expect(answer.receipt_job.state == COMPLETED, f"{key} COMPLETED, not {answer.receipt_job}")
        expect(answer.receipt_job.result.total_kopecks == 10_000 + n, "the sum in the result")
        jobs[key] = shown(answer.receipt_job)
    events = completed_by(watch, keys)
    in_order(events)
    cut = next(at for at, event in enumerate(events) if event[0] == keys[1] and event[1] == COMPLETED)
    cursor = events[cut][3]
    resumed = completed_by(client.watch(cursor=cursor), keys[2:])
    in_order(resumed)
    expect(last_of(resumed) == last_of(events[cut + 1 :]), f"{resumed}, after {events[cut]}, not {events[cut + 1 :]}")
    again = client.submit(keys[0], receipt(10_000))
    expect(again.existing and shown(again.receipt_job) == jobs[keys[0]], f"the same job again, not {again}")
    refused_other_content(client, keys[0], jobs[keys[0]])
    with open(notes, "w", encoding="utf-8") as file:
        json.dump({"jobs": jobs, "cursor": cursor, "after": last_of(events[cut + 1 :])}, file)
    print(f"{len(keys)} receipts, {len(events)} events, resumed after {cut + 1}")


def repeat(client, notes):
    with open(notes, encoding="utf-8") as file:
        seen = json.load(file)
    for n, (key, first) in enumerate(seen["jobs"].items()):
        expect(shown(client.by_key(key)) == first, f"{key} as before the crash")
        again = client.submit(key, receipt(10_000 + n))
        expect(again.existing and shown(again.receipt_job) == first, f"{key}: the same job, not {again}")
        refused_other_content(client, key, first)
    events = completed_by(client.watch(cursor=seen["cursor"]), list(seen["jobs"])[2:])
    in_order(events)
    expect(last_of(events) == seen["after"], f"{events}, the events after the cursor")
    listed = {job.external_id for job in client.list().receipt_jobs}
    expect(listed == set(seen["jobs"]), f"no other job than {set(seen['jobs'])}, not {listed}")
    print(f"{len(listed)} jobs, all as before")


def main():
    step, socket, inn, notes = sys.argv[1:]
    client = Client(socket, inn)
    {"begin": begin, "repeat": repeat}[step](client, notes)


if __name__ == "__main__":
    main()
