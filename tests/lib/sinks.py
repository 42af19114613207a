"""Sinks as a configuration has them, and what SMTP makes of a message."""


def lua(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(map(lua, value)) + " }"
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


class Code(str):
    """Lua as it is."""


def sink(name, **options):
    """name { option = value, ... }"""
    return f"{name} {{ " + ", ".join(
        f"{key} = {lua(value)}" for key, value in options.items()) + " }"


def as_sent(data):
    """A message as it arrives by SMTP: each CR or LF that stands alone is a
    line end too, and the last line has one. With line ends as LF."""
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text if text.endswith(b"\n") else text + b"\n"
