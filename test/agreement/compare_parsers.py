"""Compares what Posthorn reads in the corpus with two parsers that know nothing of it, field by field.

    python3 compare_parsers.py test/fixtures/eml

They are the email package of Python and fast-mail-parser, which is mailparse, written in Rust. Of each message the
golden file says what Posthorn reads; a test keeps it so. Prints one JSON object: for each field in how many messages
both, one or none of the others see it as Posthorn does, and the messages of `none` with all three readings.

Line breaks count as such however they are written, and blanks at the end of a body don't count. A parser that has no
such field, or fails, has no say.
"""

import email
import email.policy
import email.utils
import hashlib
import json
import pathlib
import re
import sys
from email.header import decode_header, make_header

import fast_mail_parser

NO_SAY = object()

FIELDS = [
    "subject", "from", "to", "cc", "bcc", "replyTo", "date", "messageId", "contentType", "headers", "text", "html",
    "fileNames", "contentTypes", "contentIds", "dispositions", "contents",
]


def blanks(text):
    return re.sub(r"\s+", " ", text or "").strip()


def body(texts):
    return "\n".join(re.sub(r"\r\n", "\n", text).rstrip("\n") for text in texts if text).strip("\n ")


def digest(content):
    return hashlib.sha256(content).hexdigest()


def no_brackets(text):
    return blanks(text).strip("<>")


def posthorn(golden):
    """The golden file in the form in which all three are compared."""
    files = golden["attachments"]
    people = lambda field: [[blanks(one["name"]), one["address"]] for one in golden[field]]
    return {
        **{field: people(field) for field in ("from", "to", "cc", "bcc", "replyTo")},
        "subject": blanks(golden["subject"]),
        "date": golden["date"],
        "messageId": no_brackets(golden["messageId"]),
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


def leaves(part):
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for inner in part.get_payload():
            yield from leaves(inner)
    else:
        yield part


def decoded_text(part):
    content = part.get_payload(decode=True) or b""
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def contents(parts):
    """Bytes without transfer encoding. Of messages within messages the email package does not keep them."""
    decoded = [part.get_payload(decode=True) or b"" for part in parts]
    return [[len(content), digest(content)] for content in decoded]


def python_email(raw):
    modern = email.message_from_bytes(raw, policy=email.policy.default)
    plain = email.message_from_bytes(raw, policy=email.policy.compat32)

    def people(name):
        try:
            found = [one for field in modern.get_all(name, []) for one in field.addresses]
            return [[blanks(one.display_name), one.addr_spec] for one in found if one.addr_spec not in ("", "<>")]
        except (AttributeError, IndexError, TypeError, ValueError, email.errors.MessageError):
            return NO_SAY

    def date():
        parsed = email.utils.parsedate_tz(str(plain["date"])) if plain["date"] is not None else None
        try:
            return None if parsed is None else int(email.utils.mktime_tz(parsed)) * 1000
        except (ValueError, OverflowError):
            return None

    def file_name(part):
        name = part.get_filename()
        return blanks(str(make_header(decode_header(name)))) if name else ""

    bodies = {"text/plain": [], "text/html": []}
    files = []
    for part in leaves(plain):
        disposition = str(part.get("content-disposition") or "").split(";")[0].strip().lower()
        if part.get_content_type() in bodies and disposition in ("", "inline"):
            bodies[part.get_content_type()].append(decoded_text(part))
        else:
            files.append((part, disposition))
    return {
        "subject": blanks(modern["subject"]),
        "from": people("from"), "to": people("to"), "cc": people("cc"), "bcc": people("bcc"),
        "replyTo": people("reply-to"),
        "date": date(),
        "messageId": no_brackets(str(plain["message-id"] or "")),
        "contentType": plain.get_content_type(),
        "headers": [name.strip().lower() for name in plain.keys()],
        "text": body(bodies["text/plain"]),
        "html": body(bodies["text/html"]),
        "fileNames": [file_name(part) for part, _ in files],
        "contentTypes": [part.get_content_type() for part, _ in files],
        "contentIds": [no_brackets(str(part.get("content-id") or "")) for part, _ in files],
        "dispositions": ["inline" if disposition == "inline" else "attachment" for _, disposition in files],
        "contents": NO_SAY if any(part.is_multipart() for part, _ in files) else contents([part for part, _ in files]),
    }


def rust_mailparse(raw):
    mail = fast_mail_parser.parse_email(raw)
    people = lambda found: [[blanks(one.display_name), one.address] for one in found or []]
    files = mail.attachments
    header = {name.lower(): values for name, values in mail.headers.items()}
    sender = mail.from_
    return {
        "subject": blanks(mail.subject),
        # It reads one author only.
        "from": NO_SAY if "," in "".join(header.get("from", [])) else people([sender] if sender else []),
        "to": people(mail.to), "cc": people(mail.cc), "bcc": people(mail.bcc), "replyTo": people(mail.reply_to),
        "date": int(mail.date_parsed.timestamp() * 1000) if mail.date_parsed else None,
        "messageId": no_brackets((header.get("message-id") or [""])[0]),
        "contentType": NO_SAY,
        "headers": NO_SAY,
        "text": body(mail.text_plain),
        "html": body(mail.text_html),
        "fileNames": [blanks(file.filename) for file in files],
        "contentTypes": [file.mimetype for file in files],
        "contentIds": [no_brackets(file.content_id) for file in files],
        "dispositions": [file.disposition if file.disposition == "inline" else "attachment" for file in files],
        "contents": [[len(file.content), digest(bytes(file.content))] for file in files],
    }


def ask(parser, raw):
    try:
        return parser(raw)
    except Exception as error:  # A parser that can't read it has no say, whatever it throws.
        return {field: NO_SAY for field in FIELDS}


def main(folder):
    counts = {field: {"both": 0, "one": 0, "none": 0} for field in FIELDS}
    differences = []
    for path in sorted(pathlib.Path(folder).glob("*.eml")):
        raw = path.read_bytes()
        ours = posthorn(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        others = {"python": ask(python_email, raw), "rust": ask(rust_mailparse, raw)}
        for field in FIELDS:
            said = {name: read[field] for name, read in others.items() if read[field] is not NO_SAY}
            same = sum(value == ours[field] for value in said.values())
            agreement = "none" if said and same == 0 else "both" if same == len(said) else "one"
            counts[field][agreement] += 1
            if agreement == "none":
                differences.append({"message": path.stem, "field": field, "posthorn": ours[field], **said})
    json.dump({"counts": counts, "differences": differences}, sys.stdout)


main(sys.argv[1])
