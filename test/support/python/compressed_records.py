"""Writes and reads records as librdkafka does, for test/integration/compression.test.ts.

`write BROKERS TOPIC CODEC`: the lines of stdin are the values, in one batch. `read BROKERS TOPIC`: the values, a line each,
of partition 0 to its end.
"""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition

action, brokers, topic = sys.argv[1:4]
if action == "write":
    producer = Producer({"bootstrap.servers": brokers, "compression.codec": sys.argv[4], "linger.ms": 200})
    for line in sys.stdin.read().splitlines():
        producer.produce(topic, value=line.encode("utf-8"), partition=0)
    assert producer.flush(30) == 0
else:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic, "isolation.level": "read_committed"})
    partition = TopicPartition(topic, 0)
    end = consumer.get_watermark_offsets(partition, timeout=30)[1]
    consumer.assign([TopicPartition(topic, 0, 0)])
    while consumer.position([partition])[0].offset < end:
        message = consumer.poll(1)
        if message is None:
            continue
        assert message.error() is None, message.error()
        print(message.value().decode("utf-8"))
    consumer.close()
