"""Compares what Posthorn reads in the corpus with five parsers that know nothing of it, field by field.

    python3 compare_parsers.py test/fixtures/eml < readings.json

Two of them are in `other_parsers.py`; what the others read comes in, by parser and message (`Reading` in
`test/support/parser-readings.ts`). Of each message the golden file says what Posthorn reads; a test keeps it so.

What two or more of the five agree on, and no more of them on anything else, is what the message says. Prints one JSON
object: for each field of how many messages there is such an agreement and how often Posthorn is part of it, and where it
is not, with all readings.
"""

import collections
import json
import pathlib
import sys

from other_parsers import PEOPLE, blanks, body, disposition, ids, no_brackets, readings

FIELDS = [
    "subject", *PEOPLE.values(), "date", "messageId", "inReplyTo", "references", "contentType", "headers", "text", "html",
    "fileNames", "contentTypes", "contentIds", "dispositions", "contents",
]


def each(form):
    return lambda values: [form(value) for value in values]


# How what comes in from JavaScript is brought into the form of `other_parsers.py`.
FORMS = {
    **{field: each(lambda one: [blanks(one[0]), one[1]]) for field in PEOPLE.values()},
    "subject": blanks, "messageId": no_brackets, "inReplyTo": ids, "references": ids,
    "text": body, "html": body,
    "fileNames": each(blanks), "contentIds": each(no_brackets), "dispositions": each(disposition),
}


def posthorn(golden):
    files = golden["attachments"]
    return {
        **{field: [[blanks(one["name"]), one["address"]] for one in golden[field]] for field in PEOPLE.values()},
        "subject": blanks(golden["subject"]),
        "date": golden["date"],
        "messageId": no_brackets(golden["messageId"]),
        "inReplyTo": ids(golden["inReplyTo"]),
        "references": [no_brackets(one) for one in golden["references"]],
        "contentType": golden["contentType"],
        "headers": [field["name"].lower() for field in golden["headers"]],
        "text": body([golden["text"]]),
        "html": body([golden["html"]]),
        "fileNames": [blanks(file["fileName"]) for file in files],
        "contentTypes": [file["contentType"] for file in files],
        "contentIds": [no_brackets(file["contentId"]) for file in files],
        "dispositions": [file["disposition"].lower() for file in files],
        "contents": [[file["size"], file["sha256"]] for file in files],
    }


def agreed(said):
    """The values that most of the parsers give, two of them at least; one, or more where as many give another."""
    votes = collections.Counter(json.dumps(value) for value in said.values())
    most = max(votes.values(), default=0)
    return [json.loads(value) for value, count in votes.items() if count == most] if most >= 2 else []


def main(folder):
    others = json.load(sys.stdin)
    counts = {field: {"agreed": 0, "same": 0} for field in FIELDS}
    differences = []
    for path in sorted(pathlib.Path(folder).glob("*.eml")):
        ours = posthorn(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        panel = readings(path.read_bytes())
        for parser, messages in others.items():
            panel[parser] = {field: FORMS.get(field, lambda value: value)(value) for field, value in messages[path.stem].items()}
        for field in FIELDS:
            said = {parser: read[field] for parser, read in panel.items() if field in read}
            values = agreed(said)
            if not values:
                continue
            counts[field]["agreed"] += 1
            if ours[field] in values:
                counts[field]["same"] += 1
            else:
                differences.append({"message": path.stem, "field": field, "posthorn": ours[field], **said})
    json.dump({"counts": counts, "differences": differences}, sys.stdout)


main(sys.argv[1])
