"""The manual and the program say the same."""

import pathlib
import re
import subprocess

import messages
import pytest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
MANUAL = SOURCE / "contrib" / "man"
CONFIGURED = """
local mail = maildir "~/Mail"
account "work" {
  source = imap { host = "localhost", user = "a", password = env "P" },
  deliver = mail,
}
"""


def examples(name):
    """What stands in a page as it would in a file."""
    found = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed",
                       (MANUAL / name).read_text(), re.DOTALL | re.MULTILINE)
    return [one.replace("\\e", "\\") for one in found]


def names_in_manual():
    """Fields of a message as they are, methods with a colon before them."""
    text = (MANUAL / "postrider-rules.5").read_text()
    text = (text[text.index(".Ss Final actions"):text.index(".Ss Hooks")]
            + text[text.index(".Ss What a message"):text.index(".Ss Addresses")])
    names = set()
    for line in re.findall(r"^\.It Ic (.*)$", text, re.MULTILINE):
        names.update(f":{one}" for one in re.findall(r"\bm:(\w+)", line))
        names.update(re.findall(r"\bm\.(\w+)", line))
    return names


def test_the_manual_closes_what_it_opens_where_it_ends():
    """Pq and Qq take in the rest of their line: f(a, g(b)) for f(a), g(b)."""
    for page in sorted(MANUAL.iterdir()):
        for line in page.read_text().splitlines():
            if line.startswith("."):
                assert not re.search(r" [PQ]q .* (?:Ic|No|[{}])(?: |$)", line), \
                    (page.name, line)


def words_of(section, until):
    """The names that a section explains, without arguments."""
    text = (MANUAL / "postrider-rules.5").read_text()
    text = text[text.index(f".Ss {section}"):text.index(f".Ss {until}")]
    found = set()
    for line in re.findall(r"^\.It Ic (.*)$", text, re.MULTILINE):
        if not line.startswith('"'):
            found.update(re.findall(r"(?:^|Ic )([\w.:]+)", line))
            continue
        line = line.replace("\\(dq", "")
        for _ in range(9): # without arguments, the innermost first
            line = re.sub(r"[({[][^(){}[\]]*[)}\]]", "", line)
        found.update(re.findall(r'(?:"|, )([\w.:]+)', line))
    return found


def names_in_program():
    def table(file, name):
        text = (SOURCE / "core" / "lua" / file).read_text()
        text = text[text.index(f"{name}[] = {{"):]
        return re.findall(r'\{"(\w+)",', text[:text.index("};")])

    return {*table("message.c", "fields"),
            *(f":{one}" for one in table("message.c", "readers")),
            *(f":{one}" for one in table("actions.c", "message_actions"))}


def test_the_readme_shows_configurations_that_hold(home):
    text = (SOURCE / "README.md").read_text()
    found = re.findall(r"```lua\n(.*?)```", text, re.DOTALL)
    assert len(found) == 2
    for one in found:
        home.config.write_text(one)
        run = home.run("check", "--offline")
        assert run.code == 0, run


def test_the_manual_shows_configurations_that_hold(home):
    whole = examples("postrider-config.5")[0]
    rules = CONFIGURED + "\n".join(examples("postrider-rules.5"))
    for one in (whole, rules):
        home.config.write_text(one)
        run = home.run("check", "--offline")
        assert run.code == 0, run
    run = home.run("test")
    assert run.code == 0 and "2 passed, 0 failed" in run.out, run


def classes_of(home, role):
    return set(re.findall(rf"^  (\w+) +{role} ", home.run("plugins").out,
                          re.MULTILINE))


def test_the_manual_shows_every_source_and_sink(home):
    """Each has a section with an example that holds, and options that it has."""
    text = (MANUAL / "postrider-config.5").read_text()
    sections = dict(re.findall(r"^\.Ss (\w+)\n(.*?)(?=^\.S[sh] )",
                               text[text.index(".Sh SOURCES"):],
                               re.MULTILINE | re.DOTALL))
    whole = ""
    for name in classes_of(home, "source") | classes_of(home, "sink"):
        example = re.search(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed",
                            sections[name], re.MULTILINE | re.DOTALL).group(1)
        assert re.search(rf"\b{name} [\"{{]", example), name
        whole += example
        shown = home.run("plugins", name).out
        options = re.findall(r"^  (\w+) ", shown, re.MULTILINE)
        for line in re.findall(r"^\.It Ic (.*)$", sections[name],
                               re.MULTILINE):
            assert set(line.split(" , ")) <= set(options), (name, line)
    home.config.write_text(whole)
    home.config.chmod(0o600)
    run = home.run("check", "--offline")
    assert run.code == 0, run


def explained(home, text):
    """Every rule of this configuration runs over mail of all kinds: none may
    fail. What they ask of programs and servers is not there to answer."""
    home.config.write_text(text)
    home.config.chmod(0o600)
    for name in re.findall(r'(?:in_file|map) "([^"/]+)"', text):
        (home.root / name).write_text("boss@example.org\n")
    rules = set(re.findall(r'^rule\("([^"]+)"', text, re.MULTILINE))
    ran = set()
    for number, one in enumerate(messages.mailbox(14, seed=960)):
        path = home.root / f"{number}.eml"
        path.write_bytes(one.data)
        run = home.run("explain", str(path))
        assert run.code == 0, run
        ran |= {name for name in rules if name in run.out}
    assert ran == rules, (ran, rules)


@pytest.mark.parametrize("path", sorted((SOURCE / "scripts" / "examples")
                                        .glob("*.lua")),
                         ids=lambda path: path.stem)
def test_every_example_runs_over_mail_and_passes_its_tests(home, path):
    explained(home, path.read_text())
    run = home.run("test")
    assert run.code == 0 or "there are no tests" in run.err, run


def test_the_examples_of_the_manual_and_the_readme_run_over_mail(home):
    explained(home, CONFIGURED + "\n".join(
        one for one in examples("postrider-rules.5")))
    explained(home, examples("postrider-config.5")[0])
    for one in re.findall(r"```lua\n(.*?)```",
                          (SOURCE / "README.md").read_text(), re.DOTALL):
        explained(home, one)


def test_the_manual_names_every_field_and_action():
    assert names_in_manual() == names_in_program()


def test_the_manual_names_every_helper_and_method_there_is():
    """What it explains can be reached, and what parts can do is explained."""
    program = "".join(path.read_text() for path in
                      (*sorted((SOURCE / "core" / "lua").glob("*.c")),
                       *sorted((SOURCE / "plugins").glob("*/*.c"))))
    part = (SOURCE / "core" / "lua" / "part.c").read_text()
    part = part[part.index("luaL_Reg methods[] = {"):]
    methods = re.findall(r'\{"(\w+)",', part[:part.index("};")])
    assert {one for one in words_of("Parts", "Helpers") if ":" in one} \
        == {f"part:{one}" for one in methods}
    helpers = words_of("Helpers", "Limits")
    assert {"re", "map", "seen", "store.get", "ratelimit", "http.post",
            "expression:gsub", "map:get", "rspamd.check", "all"} <= helpers
    for name in helpers:
        word = re.split("[.:]", name)[-1]
        assert re.search(rf'"{word}"[,)]', program), name


def test_the_manual_lists_every_name_of_rules():
    """What is annotated stands there, but for what makes a configuration, and
    for sweeps, hooks and sinks, which the text tells of."""
    text = (MANUAL / "postrider-rules.5").read_text()
    owners = {"Message": "m", "Part": "part", "Addresses": "addresses",
              "Expression": "expression", "Glob": "glob", "Map": "map",
              "Stream": "stream"}
    items = "\n".join(re.findall(r"^\.It Ic .*$", text, re.M))
    for owner, members in members_annotated().items():
        for name in members if owner in owners else ():
            assert re.search(rf"\b{owners[owner]}[.:]{name}\b", items), name
    for name in re.findall(r"^function ([\w.]+)\(", annotated()[
            :annotated().index("---@class postrider.account")], re.M):
        if "." in name and not name.startswith("folders."):
            assert re.search(rf"\b{name}\b", items), name


def test_the_manual_says_of_names_what_their_comments_say(tmp_path):
    page = tmp_path / "page"
    kept = (MANUAL / "postrider-rules.5").read_text()
    page.write_text(kept)
    subprocess.run([SOURCE / "contrib" / "annotate", "--manual", page],
                   check=True)
    assert page.read_text() == kept, "run contrib/annotate --manual"
    for module in ("lists", "bulk", "duplicates", "vacation", "attachments",
                   "train", "notmuch"):
        assert f"\n.Ss {module}\n" in kept


def test_every_field_in_the_manual_can_be_read(server, home):
    server.fill(messages.mailbox(1, 950))
    names = sorted(names_in_manual())
    read = "\n".join(f"  n = n + 1; local _ = m.{name.lstrip(':')}"
                     for name in names)
    home.configure(server, rules=f"""
rule("all", function(m)
  local n = 0
{read}
  m:discard("read " .. n)
end)
""")
    run = home.fetched()
    assert run.messages[0]["action"] == "discard", run
    assert f"read {len(names)}" in home.run(
        "why", run.messages[0]["message_id"]).out


def test_the_annotations_are_those_of_the_program(home):
    written = subprocess.run(
        [SOURCE / "contrib" / "annotate", home.prefix / "bin" / "postrider"],
        stdout=subprocess.PIPE, text=True, check=True,
        env=home.environment()).stdout
    kept = SOURCE / "scripts" / "lib" / "postrider.d.lua"
    assert kept.read_text() == written, "run contrib/annotate"
    for path in (SOURCE / "scripts" / "lib" / "postrider").glob("*.lua"):
        for name in re.findall(r"^function ([a-z]+\.[a-z_]+)\(",
                               path.read_text(), re.M):
            assert f"\nfunction {name}(" in written, name


# What Lua has of itself: editors know it.
LUA = {"_G", "_VERSION", "assert", "collectgarbage", "error", "getmetatable",
       "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget",
       "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring",
       "type", "xpcall", "math", "table", "utf8",
       *(f"string.{one}" for one in
         ("byte", "char", "find", "format", "gmatch", "gsub", "len", "match",
          "pack", "packsize", "rep", "reverse", "sub", "unpack"))}
TYPE = re.compile(r"""(?:fun\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)
                      |\{[^{}]*\}|"[^"]*"|[A-Za-z_][\w.]*(?:<[^<>]*>)?)
                      (?:\[\])*\??""", re.X)


def annotated():
    return (SOURCE / "scripts" / "lib" / "postrider.d.lua").read_text()


def names_annotated():
    """Globals, fields of tables and string:methods as string.methods."""
    text = annotated()
    globals_ = re.findall(r"^(?:function )?([a-z_0-9]+)(?:\(| = )", text, re.M)
    in_tables = re.findall(r"^function ([a-z]+[.:][a-z_0-9]+)\(", text, re.M)
    values = re.findall(r"^([a-z]+[.][a-z_0-9]+) = ", text, re.M)
    return {*globals_, *values, *(one.replace(":", ".") for one in in_tables)}


def members_annotated():
    """{class: its fields and methods}"""
    found = {}
    for name, block in re.findall(
            r"^---@class postrider\.(\w+)\n((?:---.*\n)*)local \1 = ",
            annotated(), re.M):
        found[name] = {*re.findall(r"^---@field (\w+)", block, re.M),
                       *re.findall(rf"^function {name}:(\w+)\(", annotated(),
                                   re.M)}
    return found


def test_every_global_of_the_program_is_annotated(home):
    """The configuration itself walks over all that it is given."""
    known = "".join(f'["{one}"] = true, ' for one in names_annotated() | LUA)
    home.config.write_text(CONFIGURED + f"""
local known, missing = {{ {known} }}, {{}}
local lua = {{ _G = true, math = true, table = true, utf8 = true }}
for name, value in pairs(_G) do
  if name ~= "string" and not known[name] then
    missing[#missing + 1] = name
  end
  if type(value) == "table" and (name == "string" or not lua[name]) then
    for field in pairs(value) do
      if not known[name .. "." .. field] then
        missing[#missing + 1] = name .. "." .. field
      end
    end
  end
end
assert(#missing == 0, table.concat(missing, " "))
assert(known.pop3 and known.sweep and known["dns.rbl"] and known["string.has"])
""")
    run = home.run("check", "--offline")
    assert run.code == 0, run


# Whose methods a file of the program has.
METHODS = {"actions.c": "Message", "message.c": "Message",
           "address.c": "Addresses", "box.c": "Box", "delivery.c": "Delivery",
           "part.c": "Part", "re.c": "Expression", "set.c": "Set",
           "stream.c": "Stream", "strings.c": "Glob", "map.c": "Map"}


def test_every_method_of_the_program_is_annotated():
    members = members_annotated()
    seen = set()
    for path in sorted((SOURCE / "core" / "lua").glob("*.c")):
        text = path.read_text()
        for table, rows in re.findall(
                r"luaL_Reg (\w+)\[\] = \{(.*?)\};", text, re.S):
            names = {one for one in re.findall(r'\{"(\w+)",', rows)
                     if not one.startswith("__")}
            if not names or table == "functions":
                continue # metamethods, and what _G is seen to have
            assert path.name in METHODS, (path.name, table)
            assert names <= members[METHODS[path.name]], (path.name, names)
            seen.add(METHODS[path.name])
    assert {"Message", "Set", "Expression"} <= seen
    assert members["Map"] == {"has", "get"}
    for file, name in ("part.c", "Part"), ("address.c", "Addresses"), \
                      ("box.c", "Box"):
        text = (SOURCE / "core" / "lua" / file).read_text()
        text = text[text.index("_index(lua_State *L)"):]
        text = text[text.index("names[] = {"):]
        assert set(re.findall(r'"(\w+)"', text[:text.index("NULL")])) \
            == members[name], name
    change = (SOURCE / "core" / "lua" / "hooks.c").read_text()
    change = change[change.index("change_fields[] = {"):]
    assert members["Change"] == set(re.findall(r'"(\w+)"',
                                               change[:change.index("NULL")]))
    assert {one.lstrip(":") for one in names_in_program()} \
        == members["Message"]


def test_what_is_annotated_is_there(home):
    """Each member is read at a value of its class; a name that is none is an
    error."""
    members = members_annotated()
    values = {"Message": "m", "Part": "m.parts[1]", "Addresses": "m.from",
              "Expression": "re 'a'", "Glob": "glob 'a'", "Stream": "m:raw()",
              "Map": None, "Box": None, "Set": None, "Change": None,
              "Delivery": None} # has and get are tried elsewhere; not in a rule
    assert set(members) == set(values)
    reads = "".join(f"  do local v = {value}\n"
                    + "".join(f"    _ = v.{one}\n" for one in members[name])
                    + "  end\n" for name, value in values.items() if value)
    home.config.write_text(CONFIGURED + f"""
rule("r", function(m)
  local _
{reads}
  m:discard "all"
end)
test("t", {{ text = "From: a@example.org\\n\\nx\\n" }}, {{ discarded = "all" }})
""")
    run = home.run("test")
    assert run.code == 0, run


def types_end(text):
    """Where the type that the text begins with ends; None: it is none."""
    at = 0
    while True:
        one = TYPE.match(text, at)
        if not one:
            return None
        at = one.end()
        if one.group().startswith("fun(") and text.startswith(": ", at):
            at += 2
            more = types_end(text[at:])
            if more is None:
                return None
            at += more
            while text.startswith(", ", at) and TYPE.match(text, at + 2):
                at = TYPE.match(text, at + 2).end()
        if not text.startswith("|", at):
            return at
        at += 1


def test_the_annotations_are_lua_and_in_the_language_of_editors(home):
    text = annotated()
    (home.root / "whole.lua").write_text(
        "local function unused()\n" + text + "\nend\nreturn true\n")
    home.config.write_text(CONFIGURED + 'require "whole"\n')
    run = home.run("check", "--offline")
    assert run.code == 0, run
    declared = set(re.findall(r"^---@class (postrider\.[\w.]+)", text, re.M))
    begins = {"class": r"postrider\.[\w.]+(?:: )?",
              "field": r"(?:\w+\??|\[\w+\]) ", "param": r"(?:\w+\??|\.\.\.) ",
              "return": "", "overload": "", "type": "", "meta": "",
              "operator": r"(?:\w+)(?:\([\w.]+\))?: "}
    for line in text.splitlines():
        for used in re.findall(r"postrider\.[A-Z]\w*|postrider\.(?:lib|service|"
                               r"options)\.[\w.]+", line.partition(" --")[0]):
            if line.startswith("---@"):
                assert used in declared, line
        tag = re.match(r"---@(\w+) ?", line)
        if not tag:
            assert not line.startswith("--- @") and "@" not in line[:4], line
            continue
        begin = re.compile(begins[tag.group(1)]).match(line, tag.end())
        assert begin, line
        rest = line[begin.end():]
        if tag.group(1) == "meta" or tag.group(1) == "class" and not rest:
            continue
        end = types_end(rest)
        assert end is not None and rest[end:end + 1] in ("", " "), line
    for block, name, given in re.findall(
            r"((?:^---.*\n)*)^function ([\w.:]+)\((.*?)\) end$", text, re.M):
        params = re.findall(r"^---@param (\w+|\.\.\.)", block, re.M)
        assert ", ".join(params) == given, name
        assert not block or block.startswith("---"), name
