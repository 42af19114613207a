"""Odd mail: what is in tests/data/odd, one fault each, and what is too large to
lie in a file."""

import base64
import io
import pathlib
import zipfile

FILES = pathlib.Path(__file__).resolve().parent.parent / "data" / "odd"
MULTIPART = b"Content-Type: multipart/mixed; boundary=%s\n\n"

# Where the structure that Dovecot tells is another than the one read here:
# "shape" if the tree is, "text" if sizes, names or texts are; and why that
# cannot be helped. All else must be the same.
NO_END = ("text", "without an empty line Dovecot takes all for the header")
TOO_DEEP = ("shape", "Dovecot reads no deeper than 99")
BROKEN = ("text", "of a value that may not stand there Dovecot takes the "
          "beginning")
TOLD_OTHERWISE = {
    "no-header": NO_END, "no-empty-line": NO_END,
    "part-without-header": NO_END,
    "charsets": BROKEN, "type-parameters-broken": BROKEN,
    "rfc2231-gaps": ("text", "a parameter in two forms, or with gaps"),
    "ids-odd": ("text", "Dovecot leaves out a Content-ID without brackets"),
    "boundary-comment": ("shape", "GMime takes a comment behind a boundary for "
                         "a part of it"),
    "boundary-odd": ("text", "for Dovecot a boundary may go on with other "
                     "text"),
    "boundary-long": ("text", "the size of a multipart without parts"),
    "boundary-empty": ("shape", "for Dovecot a boundary may be empty"),
    "boundary-spaces": ("shape", "for Dovecot spaces at the end of a boundary "
                        "count"),
    "multipart-cut": ("shape", "for Dovecot a boundary has a line end"),
    "100 deep": TOO_DEEP, "100 deep, no ends": TOO_DEEP,
    "1,000 deep": TOO_DEEP, "messages 100 deep": TOO_DEEP,
    "10,000 parts": ("text", "the rest is the last part that Dovecot tells of"),
    "5,000 parameters": ("text", "where a name is cut"),
}


def nested(depth, closed=True):
    """Multiparts in one another, the text in the innermost."""
    opened = b"".join(MULTIPART % b"n%dx" % i + b"--n%dx\n" % i
                      for i in range(depth))
    ends = b"".join(b"--n%dx--\n" % i for i in reversed(range(depth)))
    return b"Subject: deep\n" + opened + \
        b"Content-Type: text/plain\n\nbottom\n" + (ends if closed else b"")


def nested_messages(depth):
    return b"".join(b"Subject: level %d\nContent-Type: message/rfc822\n\n" % i
                    for i in range(depth)) + b"Subject: innermost\n\ntext\n"


def zip_of(count):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(f"../{number}/\u202ename.txt", b"")
    return base64.encodebytes(out.getvalue())


def large():
    """(name, octets) of each, with LF line ends."""
    part = b"--b\nContent-Type: application/zip; name=n%d.zip\n\nPK\3\4\n"
    yield "98 deep", nested(98)
    yield "100 deep", nested(100)
    yield "100 deep, no ends", nested(100, False)
    yield "1,000 deep", nested(1000)
    yield "messages 100 deep", nested_messages(100)
    yield "10,000 parts", MULTIPART % b"b" + b"".join(
        part % i for i in range(10_000)) + b"--b--\n"
    yield "boundaries alone", MULTIPART % b"b" + b"--b\n" * 50_000
    yield "one name for 1,000 parts", MULTIPART % b"b" + (
        b"--b\nContent-Disposition: attachment; filename=\"=?utf-8?Q?=C3=BC?="
        b"\"\n\nx\n" * 1_000)
    yield "a field of 1 MB", b"Subject: " + b"x" * 1_000_000 + b"\n\ntext\n"
    yield "a folded field of 1 MB", b"Subject: " + b"word\n " * 170_000 + \
        b"\n\ntext\n"
    yield "100,000 header lines", b"Subject: many\n" + b"".join(
        b"X-A: %d\n" % i for i in range(100_000)) + b"\ntext\n"
    yield "20,000 addresses", b"From: a@example.org\nTo: " + b",\n ".join(
        b"\"p %d\" <p%d@example.org>" % (i, i) for i in range(20_000)) + \
        b"\n\ntext\n"
    yield "comments in comments", b"From: " + b"(" * 100_000 + b"\nTo: " + \
        b"(x" * 50_000 + b")" * 50_000 + b" <a@example.org>\n\ntext\n"
    yield "groups in groups", b"To: " + b"g:" * 50_000 + b";" * 50_000 + \
        b"\nCc: " + b"<" * 50_000 + b"@x>\nBcc: " + b"\\\"" * 50_000 + b"\n\n"
    yield "20,000 encoded words", b"Subject: " + \
        b"=?utf-8?Q?=C3=BC?=\n " * 20_000 + b"x\n\ntext\n"
    yield "words in 4,000 charsets", b"Subject: " + b"".join(
        b"=?x-%d?Q?=FC?=\n " % i for i in range(4_000)) + b"x\n\ntext\n"
    yield "20,000 references", b"References: " + b"\n ".join(
        b"<%d@example.org>" % i for i in range(20_000)) + b"\n\ntext\n"
    yield "20,000 results", b"Authentication-Results: mx.example.org" + \
        b"".join(b";\n m%d=pass (a) x.y=z" % i for i in range(20_000)) + \
        b"\n\ntext\n"
    yield "5,000 parameters", b"Content-Type: application/x-y" + b"".join(
        b";\n name*%d*=%%c3%%bc" % i for i in range(5_000)) + b"\n\ntext\n"
    yield "a zip of 20,000", (b"Content-Type: application/zip; name=z.zip\n"
                              b"Content-Transfer-Encoding: base64\n\n" +
                              zip_of(20_000))
    yield "a line of 3 MB", b"Subject: line\n\n" + b"x" * 3_000_000
    yield "base64 in one line", (
        b"Content-Type: text/plain; charset=utf-16\n"
        b"Content-Transfer-Encoding: base64\n\n" +
        base64.b64encode(b"\xfe\xff" + b"\xd8\x00" * 500_000))
    yield "NUL alone", b"\0" * 300_000
    yield "CR alone", b"Subject: a\n\n" + b"\r" * 300_000
    yield "empty lines alone", b"\n" * 300_000


def small():
    """(name, octets) of each file, in the order of their names."""
    for path in sorted(FILES.glob("*.eml")):
        yield path.stem, path.read_bytes()


def everything():
    yield from small()
    yield from large()
