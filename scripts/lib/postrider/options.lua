-- Tables of options that a module is given: what is unknown or of the wrong type
-- is told where the configuration is read, not when mail comes.

local options = {}

local function known(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

local function is_one_of(value, kinds)
  for kind in kinds:gmatch "%a+" do
    if type(value) == kind then return true end
  end
  return false
end

-- options.read(what, given, fields): table of the options given, checked
-- against fields, a table of type names by name ("string", "table or function",
-- "string, required"); an error tells what is wrong with those of `what`
function options.read(what, given, fields)
  given = given or {}
  if type(given) ~= "table" then
    error(what .. ": expects a table { name = value }, got " .. type(given), 0)
  end
  for name, value in pairs(given) do
    local kinds = fields[name]
    if not kinds then
      error(what .. ": there is no option \"" .. tostring(name) ..
            "\": there are " .. known(fields), 0)
    end
    if not is_one_of(value, kinds) then
      error(what .. ": " .. name .. ": expects " ..
            kinds:gsub(", required", "") .. ", got " .. type(value), 0)
    end
  end
  for name, kinds in pairs(fields) do
    if kinds:find "required" and given[name] == nil then
      error(what .. ": needs " .. name, 0)
    end
  end
  return given
end

-- options.list(value): list of what is a list, or one, or nil
function options.list(value)
  if type(value) == "table" then return value end
  return { value }
end

return options
