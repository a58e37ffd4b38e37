"""Reads a topic of Posthorn to its end, as a program in another language would: committed records only, values decoded
by the schema file. Prints one JSON line for each record."""

import io
import json
import sys

import fastavro
from kafka import KafkaConsumer, TopicPartition

brokers, topic, schema_file = sys.argv[1:4]
with open(schema_file) as file:
    schema = fastavro.parse_schema(json.load(file))

consumer = KafkaConsumer(
    bootstrap_servers=brokers.split(","),
    isolation_level="read_committed",
    enable_auto_commit=False,
    auto_offset_reset="earliest",
)
partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
consumer.assign(partitions)
consumer.seek_to_beginning(*partitions)
ends = consumer.end_offsets(partitions)
while any(consumer.position(partition) < ends[partition] for partition in partitions):
    for records in consumer.poll(timeout_ms=500).values():
        for record in records:
            assert record.value[:2] == b"\xc3\x01", "not Avro single-object encoding"
            value = fastavro.schemaless_reader(io.BytesIO(record.value[10:]), schema)
            headers = {}
            for name, content in record.headers:
                headers.setdefault(name, []).append(content.decode("utf-8"))
            print(json.dumps({
                "key": record.key.decode("utf-8"),
                "headers": headers,
                "dedupeId": value["dedupeId"],
                "messageId": value["messageId"],
                "subject": value["subject"],
                "text": value["text"],
                "attachments": value["attachments"],
            }))
consumer.close()
