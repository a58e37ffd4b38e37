"""Reads and writes Posthorn's records with fastavro, for test/integration/fastavro.test.ts.

Arguments: the folder of the schemas. One JSON object a line on stdin, one on stdout for each:
{"record": NAME, "decode": HEX} answers with the value as JSON and with the value written again;
{"record": NAME, "encode": VALUE} answers with the value written. Bytes stand as {"$bytes": HEX}, times as
milliseconds.
"""

import datetime
import io
import json
import pathlib
import sys

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Record:
    def __init__(self, path):
        text = json.loads(path.read_text(encoding="utf-8"))
        self.header = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(text), "CRC-64-AVRO"))
        self.schema = fastavro.parse_schema(text)

    def decode(self, data):
        if data[:10] != self.header:
            raise ValueError(f"header {data[:10].hex()}, not {self.header.hex()}")
        body = io.BytesIO(data[10:])
        value = fastavro.schemaless_reader(body, self.schema)
        if body.read(1):
            raise ValueError("bytes left over")
        return value

    def encode(self, value):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self.schema, value)
        return self.header + body.getvalue()


def to_json(value):
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(milliseconds=1)
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value


def from_json(value):
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        if list(value) == ["$bytes"]:
            return bytes.fromhex(value["$bytes"])
        return {key: from_json(item) for key, item in value.items()}
    return value


def main():
    records = {path.stem: Record(path) for path in pathlib.Path(sys.argv[1]).glob("*.avsc")}
    for line in sys.stdin:
        task = json.loads(line)
        record = records[task["record"]]
        if "decode" in task:
            value = record.decode(bytes.fromhex(task["decode"]))
            answer = {"value": to_json(value), "bytes": record.encode(value).hex()}
        else:
            answer = {"bytes": record.encode(from_json(task["encode"])).hex()}
        print(json.dumps(answer))


main()
