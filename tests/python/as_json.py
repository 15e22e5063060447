"""Turns receipts as encoded messages into the lines that tests/oracle/compare.py reads.

Usage: as_json.py FILE REQUESTS

FILE: one JSON object a line like a line of REQUESTS, with "receipt" as the message's own bytes in hex. Only the code that
protoc makes of the .proto files reads those bytes.
"""

import json
import sys

from google.protobuf import json_format
from kassette.v1 import receipt_pb2


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as given, open(target, "w", encoding="utf-8") as file:
        for line in given:
            one = json.loads(line)
            message = receipt_pb2.Receipt.FromString(bytes.fromhex(one["receipt"]))
            one["receipt"] = json_format.MessageToDict(message, preserving_proto_field_name=True)
            print(json.dumps(one, ensure_ascii=False), file=file)


if __name__ == "__main__":
    main()
