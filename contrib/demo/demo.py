"""Fetches about 250 messages from a throwaway Dovecot and shows where they go.

Called by contrib/demo/run with the prefix that postrider is installed in.
With --keep the folder with the delivered mail stays.
"""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "lib"))

import dovecot  # noqa: E402
import messages  # noqa: E402

FOLDERS = {"INBOX": 150, "Projects/Räume & Pläne": 30, "Travel": 20}
USERS = {"alice": "wonder land", "bob": "builds"}


def say(text=""):
    print(text, flush=True)


def fill(server):
    total = 0
    for seed, (name, count) in enumerate(FOLDERS.items(), 11):
        server.fill(messages.mailbox(count, seed), name)
        say(f"   {count:4} messages in {name}")
        total += count
    server.create("Junk")
    server.fill(messages.mailbox(50, 21), user="bob")
    say("     50 messages of bob, to be fetched by POP3")
    return total + 50


def configure(server, place):
    text = (HERE / "config.lua.in").read_text()
    for user, word in server.users.items():
        secret = place / f"password-{user}"
        secret.write_text(word + "\n")
        secret.chmod(0o600)
    for name, value in {
            "MAIL": place / "Mail", "ARCHIVE": place / "Archive",
            "IMAP_PORT": server.imaps, "POP3_PORT": server.pop3s,
            "PASSWORD": place / "password-alice",
            "BOBS_PASSWORD": place / "password-bob",
            "CA": server.ca_file}.items():
        text = text.replace(f"@{name}@", str(value))
    path = place / "config.lua"
    path.write_text(text)
    path.chmod(0o600)


def postrider(prefix, place, *args, capture=True):
    env = dict(os.environ, XDG_STATE_HOME=str(place / "state"))
    env.pop("POSTRIDER_PLUGIN_DIR", None)
    argv = [f"{prefix}/bin/postrider", "-c", str(place / "config.lua"), *args]
    return subprocess.run(argv, env=env, text=True,
                          stdout=subprocess.PIPE if capture else None)


def where(record, place):
    short = [target.replace(f"{place}/", "~/").replace("//", "/")
             for target in record.get("targets") or []]
    if record["action"] == "deliver":
        return ", ".join(short)
    return " ".join([record["action"] + " on the server", *short])


def show(records, place):
    groups = collections.defaultdict(list)
    for record in records:
        rule = record.get("rule") or "(default)"
        groups[(rule, where(record, place))].append(record)
    say(f"   {'rule':<14}{'went to':<62}{'count':>5}  for example")
    for (rule, target), found in sorted(groups.items(),
                                        key=lambda item: -len(item[1])):
        example = (found[0].get("subject") or "")[:40]
        say(f"   {rule:<14}{target:<62}{len(found):>5}  {example}")


def show_folders(place):
    for folder in sorted((place / "Mail").rglob("cur")):
        files = [path for name in ("cur", "new")
                 for path in (folder.parent / name).iterdir()]
        flagged = sum("F" in path.name.rpartition(":2,")[2] for path in files)
        name = folder.parent.relative_to(place)
        note = f", {flagged} flagged" if flagged else ""
        say(f"   ~/{str(name):<26}{len(files):>5} messages{note}")
    for box in sorted((place / "Archive").glob("[!.]*")):
        count = box.read_bytes().count(b"\nFrom ") + 1
        say(f"   ~/{str(box.relative_to(place)):<26}{count:>5} messages, mbox")


def fetch(prefix, place):
    begin = time.monotonic()
    run = postrider(prefix, place, "fetch", "--json")
    seconds = time.monotonic() - begin
    records = [json.loads(line) for line in run.stdout.splitlines()]
    mail = [one for one in records if one["event"] == "message"]
    octets = sum(one.get("size") or 0 for one in mail)
    say(f"   {len(mail)} messages, {octets / 1e6:.1f} MB, in {seconds:.2f} s;"
        f" exit status {run.returncode}")
    return run.returncode, mail


def demonstrate(prefix, place, server):
    say("== Starting a Dovecot on loopback, with a certificate of its own")
    total = fill(server)
    configure(server, place)

    say("\n== postrider check")
    status = postrider(prefix, place, "check", capture=False).returncode
    say("\n== postrider fetch --json")
    code, mail = fetch(prefix, place)
    status = status or code
    show(mail, place)
    say("\n== What lies in the folders now")
    show_folders(place)

    chosen = [one for one in mail if one.get("rule") == "invoices"] or mail
    if chosen:
        message_id = chosen[0]["message_id"]
        say(f"\n== postrider why '{message_id}'")
        status = postrider(prefix, place, "why", message_id,
                           capture=False).returncode or status

    say("\n== postrider fetch, again: nothing is fetched twice")
    code, again = fetch(prefix, place)
    if code or again or len(mail) != total:
        say(f"demo: {len(mail)} of {total} messages came, "
            f"{len(again)} of them twice")
        status = status or code or 1
    return status


def main():
    prefix = sys.argv[1]
    place = pathlib.Path(tempfile.mkdtemp(prefix="postrider-demo."))
    try:
        with dovecot.Dovecot(USERS, pop3=True) as server:
            return demonstrate(prefix, place, server)
    finally:
        if "--keep" in sys.argv[2:]:
            say(f"\nThe mail is kept in {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
