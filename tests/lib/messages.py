"""Realistic mail from a seed: the same seed gives the same octets everywhere.

mailbox(count, seed) yields Message objects: personal mail in several languages
and charsets, alternatives, attachments, mailing lists, newsletters, spam,
invitations, bounces, signed and forwarded mail, and the odd ones that real
mailboxes hold (8-bit headers, no body, no final line end, long folded fields).
sized(count, seed) yields mail whose sizes are distributed as in real mailboxes.
"""

import base64
import dataclasses
import datetime
import email.header
import email.utils
import math
import quopri
import random
import urllib.parse

START = 1_735_725_600  # 2025-01-01 10:00 UTC


@dataclasses.dataclass
class Message:
    """data has CRLF line ends, as it travels; delivered has LF."""
    data: bytes
    kind: str
    message_id: str
    date: float
    flags: tuple = ()
    list_id: str = ""
    subject: str = ""

    @property
    def delivered(self):
        return self.data.replace(b"\r\n", b"\n")


WORDS = {
    "en": "the project meeting moved again please read before we send it "
          "tomorrow because nobody answered about last week report and some "
          "numbers look wrong on page four thanks for your patience",
    "de": "das Gespräch über die Prüfung wurde verschoben bitte lies vorher "
          "die Anlage weil größere Änderungen nötig sind schöne Grüße aus "
          "Köln und bis nächste Woche müssen wir zurückrufen",
    "fr": "le rendez-vous a été déplacé merci de relire avant de répondre "
          "parce que plusieurs élèves ont déjà posé la même question à côté "
          "de l'hôtel où nous étions cœur garçon naïveté",
    "es": "la reunión del próximo miércoles será más tarde mañana te envío "
          "el informe con los números del año pasado señor ¿qué opinión "
          "tienes sobre la situación económica?",
    "ru": "завтра встреча переносится пожалуйста прочитайте отчёт до вечера "
          "потому что никто не ответил на прошлой неделе спасибо за терпение "
          "и хорошего дня",
    "ja": "明日の会議は 延期に なりました 資料を 確認して ください "
          "よろしく お願いします 東京の 事務所 から 報告書を 送ります "
          "来週 まで",
    "zh": "明天的 会议 推迟了 请 提前 阅读 附件 因为 上周 没有人 回答 "
          "谢谢 您的 耐心 北京 办公室 报告",
    "el": "η συνάντηση αναβάλλεται παρακαλώ διαβάστε την αναφορά πριν "
          "απαντήσετε ευχαριστώ πολύ καλημέρα από την Αθήνα",
}

CHARSETS = {
    "en": ["us-ascii", "utf-8", "iso-8859-1"],
    "de": ["iso-8859-1", "iso-8859-15", "utf-8", "windows-1252"],
    "fr": ["iso-8859-15", "utf-8", "windows-1252"],
    "es": ["iso-8859-1", "utf-8"],
    "ru": ["koi8-r", "windows-1251", "utf-8"],
    "ja": ["iso-2022-jp", "utf-8", "euc-jp"],
    "zh": ["gb18030", "utf-8", "gb2312"],
    "el": ["iso-8859-7", "utf-8"],
}

PEOPLE = [
    ("Ann Archer", "ann@example.com"), ("Bob Baker", "bob@example.net"),
    ("Jürgen Groß", "juergen@beispiel.example"),
    ("Zoë Lefèvre", "zoe@exemple.example"),
    ("José Núñez", "jose@ejemplo.example"),
    ("Иван Петров", "ivan@primer.example"),
    ("山田太郎", "yamada@rei.example"), ("王小明", "wang@lizi.example"),
    ("Νίκος Παπαδόπουλος", "nikos@paradeigma.example"),
    ("Smith, John (Sales)", "john.smith@sales.example.com"),
    ("", "noreply@service.example"),
]

LISTS = [("dev", "Developers"), ("users", "Users' questions"),
         ("announce", "Announcements")]


class Maker:
    """One stream of random choices, and the parts messages are made of."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.number = 0
        pool = random.Random(f"pool {seed}").randbytes(6 * 1024 * 1024)
        self.pool = base64.encodebytes(pool).replace(b"\n", b"\r\n")

    def pick(self, options):
        return self.random.choice(options)

    def sentence(self, lang, low=4, high=14):
        words = WORDS[lang].split()
        count = self.random.randint(low, high)
        chosen = [self.pick(words) for _ in range(count)]
        joint = "" if lang in ("ja", "zh") else " "
        text = joint.join(chosen)
        return text[:1].upper() + text[1:] + ("。" if not joint else ".")

    def text(self, lang, paragraphs):
        return "\n\n".join(
            "\n".join(self.sentence(lang)
                      for _ in range(self.random.randint(1, 5)))
            for _ in range(paragraphs)) + "\n"

    def language(self):
        return self.random.choices(
            list(WORDS), weights=[40, 15, 10, 8, 9, 8, 6, 4])[0]

    def base64(self, octets):
        """About that many octets of base64 lines, as of a packed file."""
        lines = max(1, octets // 78)
        out = []
        while lines > 0:
            whole = len(self.pool) // 78
            start = self.random.randrange(whole)
            take = min(lines, whole - start)
            out.append(self.pool[start * 78:(start + take) * 78])
            lines -= take
        return b"".join(out)


def encoded(value, charset="utf-8"):
    """A header value in RFC 2047 words, folded, in CRLF."""
    if value.isascii():
        return value
    try:
        words = email.header.Header(value, charset, maxlinelen=70)
    except UnicodeError:
        words = email.header.Header(value, "utf-8", maxlinelen=70)
    # Python's own name of the codec is none that mail has.
    return words.encode().replace("\n", "\r\n") \
        .replace("=?eucgb2312_cn?", "=?gb2312?")


def address(person, charset="utf-8"):
    name, mailbox = person
    if not name:
        return mailbox
    if name.isascii():
        return email.utils.formataddr((name, mailbox))
    return f"{encoded(name, charset)} <{mailbox}>"


def quoted_printable(raw):
    return quopri.encodestring(raw).replace(b"\r\n", b"\n") \
        .replace(b"\n", b"\r\n")


def text_part(text, charset, encoding, subtype="plain"):
    """Header lines and body of one text part."""
    raw = text.encode(charset, "replace").replace(b"\n", b"\r\n")
    if encoding == "base64":
        body = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        body = quoted_printable(text.encode(charset, "replace"))
    else:
        body = raw
    head = (f"Content-Type: text/{subtype}; charset={charset}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n").encode()
    return head, body


def join(boundary, parts):
    mark = b"--" + boundary.encode()
    return b"".join(mark + b"\r\n" + head + b"\r\n" + body + b"\r\n"
                    for head, body in parts) + mark + b"--\r\n"


class Draft:
    """A message being written: its header lines, then its body."""

    def __init__(self, maker, kind, sender=None, subject=None, lang=None):
        self.maker, self.kind = maker, kind
        maker.number += 1
        rand = maker.random
        self.lang = lang or maker.language()
        self.charset = maker.pick(CHARSETS[self.lang])
        self.sender = sender or maker.pick(PEOPLE)
        self.subject = subject or maker.sentence(self.lang, 2, 8)[:-1]
        self.date = START + maker.number * 977 + rand.randrange(900)
        self.message_id = (f"<{rand.getrandbits(64):016x}.{maker.number}"
                           f"@{self.sender[1].partition('@')[2]}>")
        self.list_id = ""
        self.lines = []
        self.boundary = f"=_{rand.getrandbits(96):024x}"
        self.body = b""

    def add(self, name, value):
        self.lines.append(f"{name}: {value}\r\n".encode())

    def common(self, to="Alice <alice@example.org>"):
        host = self.sender[1].partition("@")[2]
        zone = datetime.timezone(datetime.timedelta(
            hours=self.maker.random.choice([-7, -5, 0, 1, 2, 3, 8, 9])))
        when = datetime.datetime.fromtimestamp(self.date, zone)
        stamp = email.utils.format_datetime(when)
        self.add("Return-Path", f"<{self.sender[1]}>")
        self.add("Received", f"from mx.{host} (mx.{host} [192.0.2."
                 f"{self.maker.random.randrange(1, 255)}])\r\n\tby "
                 f"mail.example.org (Postfix) with ESMTPS id "
                 f"{self.maker.random.getrandbits(40):010X}\r\n\tfor "
                 f"<alice@example.org>; {stamp}")
        self.add("Date", stamp)
        self.add("From", address(self.sender, self.charset))
        self.add("To", to)
        self.add("Subject", encoded(self.subject, self.charset))
        self.add("Message-ID", self.message_id)
        self.add("MIME-Version", "1.0")
        return self

    def multipart(self, subtype, parts, more=""):
        self.lines.append(
            f"Content-Type: multipart/{subtype};{more}\r\n"
            f"\tboundary=\"{self.boundary}\"\r\n".encode())
        self.body = join(self.boundary, parts)
        return self

    def single(self, part):
        head, self.body = part
        self.lines.append(head)
        return self

    def done(self, flags=None):
        rand = self.maker.random
        if flags is None:
            flags = []
            if rand.random() < 0.6:
                flags.append("\\Seen")
            if rand.random() < 0.15:
                flags.append("\\Answered")
            if rand.random() < 0.05:
                flags.append("\\Flagged")
        return Message(b"".join(self.lines) + b"\r\n" + self.body, self.kind,
                       self.message_id, float(self.date), tuple(flags),
                       self.list_id, self.subject)


def encoding_of(draft):
    if draft.charset in ("us-ascii", "iso-2022-jp"):
        return "7bit"
    return draft.maker.pick(["8bit", "quoted-printable", "base64"])


def body_text(draft, paragraphs=None):
    count = paragraphs or draft.maker.random.randint(1, 12)
    return text_part(draft.maker.text(draft.lang, count), draft.charset,
                     encoding_of(draft))


def personal(maker):
    draft = Draft(maker, "personal").common()
    if maker.random.random() < 0.4:
        draft.add("In-Reply-To", f"<{maker.random.getrandbits(64):x}@x>")
        draft.add("References", "\r\n ".join(
            f"<{maker.random.getrandbits(64):x}@x.example>"
            for _ in range(maker.random.randint(1, 12))))
    return draft.single(body_text(draft)).done()


def boss(maker):
    draft = Draft(maker, "boss", ("The Boss", "boss@example.org")).common()
    draft.add("Importance", "high")
    return draft.single(body_text(draft, 2)).done(())


def html_of(draft):
    text = draft.maker.text(draft.lang, draft.maker.random.randint(2, 20))
    rows = "".join(f'<p style="margin:0 0 12px 0;font-family:sans-serif">'
                   f"{line}</p>\n" for line in text.split("\n"))
    html = f"<!DOCTYPE html>\n<html><body>\n{rows}</body></html>\n"
    return text_part(html, draft.charset, encoding_of(draft), "html")


def alternative(maker):
    draft = Draft(maker, "alternative").common()
    return draft.multipart("alternative",
                           [body_text(draft), html_of(draft)]).done()


def newsletter(maker):
    draft = Draft(maker, "newsletter", ("Shop News", "news@shop.example"),
                  lang=maker.pick(["en", "de", "fr"])).common()
    draft.add("List-Unsubscribe", "<https://shop.example/u/"
              f"{maker.random.getrandbits(64):x}>")
    draft.add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    draft.add("Precedence", "bulk")
    return draft.multipart("alternative",
                           [body_text(draft), html_of(draft)]).done()


def mailing_list(maker):
    name, title = maker.pick(LISTS)
    draft = Draft(maker, "list", lang=maker.pick(["en", "en", "de"]))
    draft.subject = f"[{name}] " + draft.subject
    draft.common(to=f"{name}@lists.example.org")
    draft.list_id = f"{name}.lists.example.org"
    draft.add("List-Id", f"{title} <{draft.list_id}>")
    draft.add("List-Post", f"<mailto:{name}@lists.example.org>")
    draft.add("List-Archive", f"<https://lists.example.org/{name}>")
    draft.add("Precedence", "list")
    head, body = body_text(draft)
    return draft.single((head, body)).done()


def spam(maker):
    subject = maker.pick(["You have WON $1,000,000!!!", "Cheap meds online",
                          "Re: your outstanding payment",
                          "Lose 20 kg in two weeks", "Верный заработок"])
    draft = Draft(maker, "spam", ("Lucky Prize",
                  f"winner{maker.random.randrange(9999)}@prize.example"),
                  subject).common(to="undisclosed-recipients:;")
    draft.add("X-Spam-Flag", "YES")
    draft.add("X-Spam-Score", f"{maker.random.uniform(6, 30):.1f}")
    return draft.single(html_of(draft)).done(())


def attachment(maker, kind="attachment", low=3_000, high=60_000, **more):
    draft = Draft(maker, kind, **more).common()
    count = maker.random.randint(1, 3) if kind == "attachment" else 1
    parts = [body_text(draft, 2)]
    for _ in range(count):
        type_, ending, magic = maker.pick([
            ("application/pdf", "pdf", b"%PDF-1.7\n"),
            ("image/png", "png", b"\x89PNG\r\n\x1a\n"),
            ("application/zip", "zip", b"PK\x03\x04"),
            ("application/octet-stream", "bin", b"")]
            if kind == "attachment" else
            [("application/pdf", "pdf", b"%PDF-1.7\n")])
        stem = "invoice" if kind == "invoice" else \
            maker.pick(["report", "Übersicht 2025", "été", "отчёт", "資料",
                        'a "quoted" name', "very long name " * 6])
        name = f"{stem}-{maker.number}.{ending}"
        if name.isascii():
            safe = name.replace('"', '\\"')
            field = f'filename="{safe}"'
        elif len(name) < 14:
            field = f'filename="{encoded(name)}"'  # wrong, and common
        else:
            field = "filename*=utf-8''" + urllib.parse.quote(name)
        head = (f"Content-Type: {type_}\r\nContent-Disposition: attachment;"
                f"\r\n {field}\r\nContent-Transfer-Encoding: base64\r\n")
        first = base64.b64encode(magic.ljust(57, b"\0")) + b"\r\n"
        body = first + maker.base64(maker.random.randint(low, high))
        parts.append((head.encode(), body))
    return draft.multipart("mixed", parts).done()


def invoice(maker):
    return attachment(maker, "invoice",
                      sender=("Billing", "billing@supplier.example"),
                      subject=f"Invoice {20250000 + maker.number}", lang="en")


def signed(maker):
    draft = Draft(maker, "signed").common()
    signature = (b"-----BEGIN PGP SIGNATURE-----\r\n\r\n" + maker.base64(700)
                 + b"-----END PGP SIGNATURE-----\r\n")
    return draft.multipart("signed", [
        body_text(draft, 3),
        (b"Content-Type: application/pgp-signature; name=signature.asc\r\n",
         signature)],
        ' micalg=pgp-sha256;\r\n\tprotocol="application/pgp-signature";'
    ).done()


def invitation(maker):
    draft = Draft(maker, "invitation").common()
    day = datetime.datetime.fromtimestamp(draft.date, datetime.timezone.utc)
    text = ("BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\n"
            f"UID:{maker.random.getrandbits(64):x}\n"
            f"DTSTART:{day:%Y%m%dT%H%M%SZ}\nSUMMARY:{draft.subject}\n"
            "END:VEVENT\nEND:VCALENDAR\n")
    calendar = text_part(text, "utf-8", "base64", "calendar")
    return draft.multipart("alternative",
                           [body_text(draft, 1), calendar]).done()


def bounce(maker):
    draft = Draft(maker, "bounce", ("Mail Delivery System",
                  "MAILER-DAEMON@mx.example.net"),
                  "Undelivered Mail Returned to Sender", "en").common()
    draft.lines[0] = b"Return-Path: <>\r\n"
    report = (b"Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: "
              b"rfc822; nobody@example.net\r\nAction: failed\r\n"
              b"Status: 5.1.1\r\n")
    return draft.multipart("report", [
        body_text(draft, 1),
        (b"Content-Type: message/delivery-status\r\n", report),
        (b"Content-Type: message/rfc822\r\n", personal(maker).data)],
        " report-type=delivery-status;").done()


def forward(maker):
    draft = Draft(maker, "forward").common()
    inner = alternative(maker) if maker.random.random() < 0.5 \
        else personal(maker)
    return draft.multipart("mixed", [
        body_text(draft, 1),
        (b"Content-Type: message/rfc822\r\n"
         b"Content-Disposition: inline\r\n", inner.data)]).done()


def folded(maker):
    draft = Draft(maker, "folded").common(to=",\r\n ".join(
        address(maker.pick(PEOPLE)) for _ in range(80)))
    draft.add("X-Long", "word " * 180)
    draft.add("X-Folded", "\r\n\t".join(f"piece{i}" for i in range(200)))
    for i in range(25):
        draft.add("Received", f"from hop{i}.example by hop{i + 1}.example;"
                  "\r\n\tWed, 1 Jan 2025 10:00:00 +0000")
    return draft.single(body_text(draft, 2)).done()


def odd(maker):
    """What no standard allows, and every mailbox has."""
    which = maker.number % 9
    draft = Draft(maker, "odd")
    draft.common()
    if which == 0:      # raw 8-bit header in an unnamed charset
        draft.lines.append("Subject: Größe und Prüfung\r\n".encode("latin-1"))
        draft.single(body_text(draft, 1))
    elif which == 1:    # nothing below the header
        draft.body = b""
    elif which == 2:    # no line end at the end
        draft.body = b"the last line does not end"
    elif which == 3:    # a line that is not a header field
        draft.lines.append(b"this is no header field\r\n")
        draft.body = b"text\r\n"
    elif which == 4:    # a charset nobody knows
        draft.add("Content-Type", "text/plain; charset=x-unknown-9")
        draft.body = bytes(range(128, 256)) + b"\r\n"
    elif which == 5:    # a multipart without an end, lines like From and dot
        draft.lines.append(b"Content-Type: multipart/mixed; boundary=b\r\n")
        draft.body = (b"--b\r\n\r\nFrom here\r\n>From there\r\n.\r\n..\r\n"
                      b"--b\r\nContent-Type: text/html\r\n\r\n<p>open")
    elif which == 6:    # a bare CR, a form feed, a very long line
        draft.body = b"one\rtwo\x0cthree\r\n" + b"x" * 20_000 + b"\r\n"
    elif which == 7:    # broken encoded words and addresses
        draft.add("Cc", "=?utf-8?B?////?= <broken@@example>, , (only words")
        draft.body = b")\r\n* OK [ALERT] text that looks like IMAP\r\n"
    else:               # deep nesting
        body = b"Content-Type: text/plain\r\n\r\nbottom\r\n"
        for i in range(20):
            body = (f"Content-Type: multipart/mixed; boundary=n{i}\r\n\r\n"
                    f"--n{i}\r\n").encode() + body + f"--n{i}--\r\n".encode()
        head, _, rest = body.partition(b"\r\n\r\n")
        draft.lines.append(head + b"\r\n")
        draft.body = rest
    return draft.done()


KINDS = [(personal, 24), (alternative, 12), (mailing_list, 18),
         (newsletter, 9), (spam, 8), (attachment, 7), (invoice, 4), (boss, 3),
         (signed, 3), (invitation, 3), (bounce, 2), (forward, 3), (folded, 1),
         (odd, 3)]


def mailbox(count, seed=1, kinds=None):
    """count messages; kinds narrows them to these functions' names."""
    maker = Maker(seed)
    chosen = [(make, weight) for make, weight in KINDS
              if kinds is None or make.__name__ in kinds]
    makers, weights = zip(*chosen)
    for number in range(count):
        # The first ones are one of each kind, so that small boxes have all.
        if number < len(makers):
            yield makers[number](maker)
        else:
            yield maker.random.choices(makers, weights)[0](maker)


def sized(count, seed=1, median=6_000, sigma=1.87, largest=8_000_000):
    """Mail of log-normal sizes: a median of about 6 KB, a few of megabytes,
    34 KB on average."""
    maker = Maker(seed)
    rand = maker.random
    for _ in range(count):
        size = int(min(largest, max(900, math.exp(
            rand.gauss(math.log(median), sigma)))))
        draft = Draft(maker, "sized").common()
        head = sum(map(len, draft.lines))
        if size < 12_000:
            lines, length = [], head + 80
            while length < size:
                line = maker.sentence("en", 6, 12).encode() + b"\r\n"
                lines.append(line)
                length += len(line)
            draft.add("Content-Type", "text/plain; charset=us-ascii")
            draft.body = b"".join(lines)
        else:
            draft.multipart("mixed", [
                body_text(draft, 3),
                (b"Content-Type: application/octet-stream; name=data.bin\r\n"
                 b"Content-Transfer-Encoding: base64\r\n",
                 maker.base64(size - head - 1_000))])
        yield draft.done()


def large(octets, seed=1):
    """One message of at least that many octets, made of slices."""
    maker = Maker(seed)
    draft = Draft(maker, "large", subject="A large one", lang="en").common()
    draft.multipart("mixed", [
        body_text(draft, 1),
        (b"Content-Type: application/octet-stream; name=large.bin\r\n"
         b"Content-Transfer-Encoding: base64\r\n", maker.base64(octets))])
    return draft.done(())
