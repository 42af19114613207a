"""When files appear: the kernel's own word for it (inotify)."""

import ctypes
import os
import select
import struct
import threading
import time

IN_MOVED_TO, IN_CREATE = 0x80, 0x100
HEAD = struct.Struct("iIII")


class Arrivals:
    """The files that appear in some folders, each with its time. Use it as a
    context. The folders must exist."""

    def __init__(self, *folders):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        for folder in folders:
            if libc.inotify_add_watch(self.fd, os.fsencode(folder),
                                      IN_MOVED_TO | IN_CREATE) < 0:
                raise OSError(ctypes.get_errno(), f"inotify: {folder}")
        self.changed = threading.Condition()
        self.files = []     # (time, name)
        self.ends = os.pipe()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.ends[1], b"x")
        self.thread.join()
        for fd in (self.fd, *self.ends):
            os.close(fd)

    def wait(self, count, seconds):
        """The first `count` that appeared."""
        end = time.monotonic() + seconds
        with self.changed:
            while len(self.files) < count:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{len(self.files)} of {count} files "
                                       f"within {seconds} s")
                self.changed.wait(left)
            return self.files[:count]

    def _listen(self):
        while True:
            ready, _, _ = select.select([self.fd, self.ends[0]], [], [])
            if self.ends[0] in ready:
                return
            now = time.monotonic()
            data = os.read(self.fd, 65536)
            found = []
            while data:
                _, _, _, size = HEAD.unpack_from(data)
                name = data[HEAD.size:HEAD.size + size].rstrip(b"\0")
                found.append((now, os.fsdecode(name)))
                data = data[HEAD.size + size:]
            with self.changed:
                self.files += found
                self.changed.notify_all()
