-- Attachments: saved as files.

local options = require "postrider.options"

local attachments = {}

local FIELDS = {
  types = "table or string", names = "table or string",
  larger = "number", smaller = "number", true_type = "boolean",
  by = "string",
}

local function any_matches(patterns, text)
  if not patterns then return true end
  for _, pattern in ipairs(patterns) do
    if pattern:match(text) then return true end
  end
  return false
end

local function globs(value)
  if not value then return nil end
  local found = {}
  for i, pattern in ipairs(options.list(value)) do
    found[i] = glob(pattern:lower())
  end
  return found
end

local function filter(what, given)
  local set = options.read(what, given, FIELDS)
  return {
    types = globs(set.types), names = globs(set.names),
    larger = set.larger, smaller = set.smaller,
    true_type = set.true_type, by = set.by,
  }
end

local function takes(set, part)
  return not part.is_multipart
      and (not set.larger or part.size > set.larger)
      and (not set.smaller or part.size < set.smaller)
      and any_matches(set.names, part.filename:lower())
      and any_matches(set.types,
                      set.true_type and part:true_type() or part.type)
end

-- attachments.find(m, { types = { "application/pdf" } }): list of the parts that
-- are attachments and pass the filter: types and names are patterns, larger and
-- smaller octets as encoded; true_type: the type is told by the octets
function attachments.find(m, given)
  local set = filter("attachments.find", given)
  local found = {}
  for _, part in ipairs(m.attachments) do
    if takes(set, part) then found[#found + 1] = part end
  end
  return found
end

-- attachments.save(folder, { types = { "application/pdf" }, by = "%Y/%m" }):
-- function for a rule that saves attachments which pass the filter (see
-- attachments.find) below the folder, one that options { save = { ... } } opens;
-- by: in folders by the day the message came (as date has it). No file is ever
-- replaced. The message goes on
function attachments.save(folder, given)
  local set = filter("attachments.save", given)
  folder = folder:gsub("/*$", "") .. "/"
  return function(m)
    for _, part in ipairs(m.attachments) do
      if takes(set, part) then
        part:save(folder .. (set.by and date(set.by, m.received) .. "/" or ""))
      end
    end
  end
end

return attachments
