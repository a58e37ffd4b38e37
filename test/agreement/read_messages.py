"""Reads messages that need no repair: base64 on a line each in, a JSON array of readings out."""

import base64
import email
import email.policy
import json
import sys

from other_parsers import PEOPLE, people_by_legacy, readings


def read(raw):
    read = readings(raw)
    plain = email.message_from_bytes(raw, policy=email.policy.compat32)
    read["python"].update({field: people_by_legacy(plain, name) for name, field in PEOPLE.items()})
    return read


json.dump([read(base64.b64decode(line)) for line in sys.stdin], sys.stdout)
