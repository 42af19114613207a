"""Writing sinks down as a configuration has them."""


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
