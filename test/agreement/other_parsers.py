"""What two parsers of other languages read in a message, in the form in which readings are compared.

They are the email package of Python and fast-mail-parser, which is mailparse, written in Rust. A parser that has no such
field, or fails, has no say: the field is left out. Line breaks count as such however they are written, and blanks at the
end of a body don't count.
"""

import email
import email.errors
import email.policy
import email.utils
import hashlib
import re
from email.header import decode_header, make_header

import fast_mail_parser

PEOPLE = {"from": "from", "sender": "sender", "to": "to", "cc": "cc", "bcc": "bcc", "reply-to": "replyTo"}


def blanks(text):
    return re.sub(r"\s+", " ", text or "").strip()


def body(texts):
    return "\n".join(re.sub(r"\r\n", "\n", text).rstrip("\n") for text in texts if text).strip("\n ")


def digest(content):
    return hashlib.sha256(content).hexdigest()


def no_brackets(text):
    return blanks(text).strip("<>")


def ids(text):
    return [no_brackets(one) for one in re.findall(r"<[^<>]*>", text or "")]


def disposition(text):
    return "inline" if (text or "").lower() == "inline" else "attachment"


def leaves(part):
    if part.get_content_maintype() == "multipart":
        for inner in part.get_payload() if part.is_multipart() else []:
            yield from leaves(inner)
    else:
        yield part


def decoded_text(part):
    content = part.get_payload(decode=True) or b""
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def decoded(text):
    return blanks(str(make_header(decode_header(text))))


def content_of(part):
    content = part.get_payload(decode=True) or b""
    return [len(content), digest(content)]


def people_by_legacy(plain, name):
    """The other half of the email package: it has no defect with names of several encoded words, and reads UTF-8."""
    raw_values = [value for key, value in plain.raw_items() if key.lower() == name]
    values = [value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in raw_values]
    found = email.utils.getaddresses([re.sub(r"\r?\n", "", value) for value in values])
    return [[decoded(one), address] for one, address in found if address]


def python_email(raw):
    modern = email.message_from_bytes(raw, policy=email.policy.default)
    plain = email.message_from_bytes(raw, policy=email.policy.compat32)
    read = {}

    for name, field in PEOPLE.items():
        try:
            found = [one for value in modern.get_all(name, []) for one in getattr(value, "addresses", ())]
            read[field] = [[blanks(one.display_name), one.addr_spec] for one in found if one.addr_spec not in ("", "<>")]
        except (AttributeError, IndexError, TypeError, ValueError, email.errors.MessageError):
            pass  # A parser that can't read it has no say.

    def date():
        parsed = email.utils.parsedate_tz(str(plain["date"])) if plain["date"] is not None else None
        try:
            return None if parsed is None else int(email.utils.mktime_tz(parsed)) * 1000
        except (ValueError, OverflowError):
            return None

    def file_name(part):
        name = part.get_filename()
        return decoded(name) if name else ""

    bodies = {"text/plain": [], "text/html": []}
    files = []
    for part in leaves(plain):
        said = str(part.get("content-disposition") or "").split(";")[0].strip().lower()
        if part.get_content_type() in bodies and said in ("", "inline"):
            bodies[part.get_content_type()].append(decoded_text(part))
        else:
            files.append((part, said))
    read.update({
        "subject": blanks(modern["subject"]),
        "date": date(),
        "messageId": no_brackets(str(plain["message-id"] or "")),
        "inReplyTo": ids(str(plain["in-reply-to"] or "")),
        "references": ids(" ".join(str(value) for value in plain.get_all("references", []))),
        "contentType": plain.get_content_type(),
        "headers": [name.strip().lower() for name in plain.keys()],
        "text": body(bodies["text/plain"]),
        "html": body(bodies["text/html"]),
        "fileNames": [file_name(part) for part, _ in files],
        "contentTypes": [part.get_content_type() for part, _ in files],
        "contentIds": [no_brackets(str(part.get("content-id") or "")) for part, _ in files],
        "dispositions": [disposition(said) for _, said in files],
    })
    # Of messages within messages the email package does not keep the bytes.
    if not any(part.is_multipart() for part, _ in files):
        read["contents"] = [content_of(part) for part, _ in files]
    return read


def rust_mailparse(raw):
    mail = fast_mail_parser.parse_email(raw)
    people = lambda found: [[blanks(one.display_name), one.address] for one in found or []]
    files = mail.attachments
    header = {name.lower(): values for name, values in mail.headers.items()}
    read = {
        "subject": blanks(mail.subject),
        "to": people(mail.to), "cc": people(mail.cc), "bcc": people(mail.bcc), "replyTo": people(mail.reply_to),
        "date": int(mail.date_parsed.timestamp() * 1000) if mail.date_parsed else None,
        "messageId": no_brackets((header.get("message-id") or [""])[0]),
        "inReplyTo": ids((header.get("in-reply-to") or [""])[0]),
        "references": ids(" ".join(header.get("references", []))),
        "text": body(mail.text_plain),
        "html": body(mail.text_html),
        "fileNames": [blanks(file.filename) for file in files],
        "contentTypes": [file.mimetype for file in files],
        "contentIds": [no_brackets(file.content_id) for file in files],
        "dispositions": [disposition(file.disposition) for file in files],
        "contents": [[len(file.content), digest(bytes(file.content))] for file in files],
    }
    # It reads one author only.
    if "," not in "".join(header.get("from", [])):
        read["from"] = people([mail.from_] if mail.from_ else [])
    return read


def ask(parser, raw):
    try:
        return parser(raw)
    except Exception:  # A parser that can't read it has no say, whatever it throws.
        return {}


def readings(raw):
    return {"python": ask(python_email, raw), "rust": ask(rust_mailparse, raw)}
