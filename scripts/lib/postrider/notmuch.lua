-- notmuch: messages delivered into its database, labels as tags.

local options = require "postrider.options"

local notmuch = {}

local FIELDS = {
  tags = "table or string", folder = "string", program = "string",
  config = "string", timeout = "string or number",
}
-- What notmuch calls the flags that it knows (notmuch-config(1)).
local TAGS = {
  ["\\flagged"] = "+flagged", ["\\answered"] = "+replied",
  ["\\draft"] = "+draft", ["\\seen"] = "-unread",
}

-- A tag with its sign; nil for what notmuch could take for something else.
local function tag(text)
  if not text:find "^[+-]" then text = "+" .. text end
  return not text:find "^.%-" and not text:find "%c" and #text > 1 and text
      or nil
end

local function add_tags(call, tags)
  for _, text in ipairs(tags) do call[#call + 1] = tag(text) end
end

local function insert(set, m)
  local folder = set.folder or ""
  if m.folder ~= "" then
    folder = folder .. (folder ~= "" and "/" or "") .. m.folder
  end
  local call = { set.program or "notmuch" }
  if set.config then call[2] = "--config=" .. set.config end
  call[#call + 1] = "insert"
  call[#call + 1] = "--create-folder"
  call[#call + 1] = "--folder=" .. folder
  add_tags(call, options.list(set.tags))
  for _, flag in ipairs(m.flags) do
    if flag:sub(1, 1) == "\\" then
      call[#call + 1] = TAGS[flag:lower()]
    else
      add_tags(call, { flag })
    end
  end
  call.input, call.timeout = m, set.timeout or "60s"
  return call
end

local function run(call)
  local answer, why = exec(call)
  if not answer then return "later", why end
  if answer.status == 0 then return true end
  return "later", "notmuch: " .. answer.complaint .. answer.output
end

-- notmuch.sink(name, { tags = { "new" }, folder = "in" }): a place to deliver to,
-- by "notmuch insert": what stands behind it, as in sink / "lists/dev", is the
-- folder below notmuch's own. Messages get the tags, and those that rules label
-- them with (m:label "work"); the flags are tags as notmuch has them. A tag with
-- "-" before it is taken away. Further options: program (its path), config (its
-- configuration file), timeout (a time, "60s")
function notmuch.sink(name, given)
  local set = options.read("notmuch.sink", given, FIELDS)
  for _, text in ipairs(options.list(set.tags)) do
    if not tag(text) then
      error("notmuch.sink: tags: \"" .. text .. "\" cannot be a tag", 0)
    end
  end
  return sink(name, {
    deliver = function(m) return run(insert(set, m)) end,
    check = function()
      return run { set.program or "notmuch", "--version" }
    end,
  })
end

return notmuch
