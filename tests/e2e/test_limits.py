"""Large messages in little memory; a disk that fills up."""

import os
import pathlib
import shutil
import subprocess

import maildir
import messages
import pytest


def test_100_mb_message_in_less_than_40_mb(server, make_home, plain_prefix,
                                           measure):
    home = make_home(plain_prefix)
    large = messages.large(100_000_000)
    small = list(messages.mailbox(20, 600))
    server.fill([*small[:10], large, *small[10:]])
    home.configure(server, rules="""
rule("reads the header", function(m)
  if m.subject == "no such subject" then m:discard "never" end
end)
""")
    report = home.root / "cost"
    run = home.fetch(wrapper=[str(measure), str(report)])
    assert run.code == 0, run
    kib = int(report.read_text().split()[2])
    maildir.assert_same(home.mail, [*small, large])
    assert kib < 40 * 1024, f"{kib} KiB"


def test_1000_messages_in_little_memory(server, make_home, plain_prefix,
                                        measure):
    home = make_home(plain_prefix)
    sent = list(messages.mailbox(1000, 601))
    server.fill(sent)
    home.configure(server)
    report = home.root / "cost"
    assert home.fetch(wrapper=[str(measure), str(report)]).code == 0
    kib = int(report.read_text().split()[2])
    assert kib < 28 * 1024, f"{kib} KiB"


# The tmpfs lives as long as the namespace does, so all is done inside it and
# what was delivered is copied out for the test to look at.
FULL = """\
set -u
mount -t tmpfs -o size=1500k,mode=700 none "$MAIL" || exit 99
"$@"; echo $? >"$OUT/first"
cp -a "$MAIL" "$OUT/half"
mount -o remount,size=200m none "$MAIL" || exit 99
"$@"; echo $? >"$OUT/second"
cp -a "$MAIL" "$OUT/whole"
"$@" >"$OUT/third.json"; echo $? >"$OUT/third"
"""


def namespace():
    """The command that gives a mount namespace here, or None."""
    for argv in (["unshare", "-m"], ["unshare", "-rm"]):
        probe = [*argv, "sh", "-c", "mount -t tmpfs none /mnt"]
        if shutil.which("unshare") and subprocess.run(
                probe, stderr=subprocess.DEVNULL).returncode == 0:
            return argv
    return None


@pytest.mark.parametrize("after", ["keep", "delete"])
def test_full_disk_leaves_no_half_message(server, home, after):
    argv = namespace()
    if argv is None:
        pytest.skip("no mount namespace here")
    sent = list(messages.mailbox(400, 610))
    assert sum(len(one.data) for one in sent) > 3_000_000
    server.fill(sent)
    home.configure(server, after=after)
    home.mail.mkdir()
    out = pathlib.Path(home.root / "out")
    out.mkdir()
    env = home.environment(MAIL=home.mail, OUT=out)
    done = subprocess.run(
        [*argv, "sh", "-c", FULL, "sh", *home.argv("fetch", "--json")],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    words = done.stderr.decode(errors="replace")
    codes = [(out / name).read_text().strip()
             for name in ("first", "second", "third")]
    assert codes == ["75", "0", "0"], words[-3000:]
    assert "space" in words or "full" in words
    lost, doubled, alien = maildir.compare(out / "half", sent)
    assert (doubled, alien) == (0, 0) and 0 < lost < 400
    maildir.assert_same(out / "whole", sent)
    assert '"message"' not in (out / "third.json").read_text()
    assert len(server.list_uids()) == (400 if after == "keep" else 0)


def test_state_folder_that_cannot_be_written(server, home):
    if os.getuid() == 0:
        home.state.write_text("a file where the folder should be")
    else:
        home.state.mkdir(mode=0o500)
    server.fill(messages.mailbox(3, 620))
    home.configure(server)
    run = home.fetch()
    assert run.code not in (0, 70), run
    assert str(home.state) in run.err
    assert maildir.entries(home.inbox) == []
