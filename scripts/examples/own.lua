-- A sink and a source of one's own: an archive of compressed messages, and a
-- folder that other programs drop messages into.

local write = [[
  cd && mkdir -p "Archive/$1" && cd "Archive/$1" &&
  gzip > "$2.new" && sync "$2.new" && mv "$2.new" "$2.gz" && sync .
]]

local function done(result, why)
  if not result then return "later", why end
  if result.status ~= 0 then return "later", result.complaint end
  return true
end

local archive = sink("archive", {
  stage = function(m)
    return m.account -- the folder, for recover
  end,
  deliver = function(m)
    return done(exec { "sh", "-c", write, "sh", m.receipt, m.key, input = m })
  end,
  recover = function(key, receipt)
    local found = exec { "sh", "-c", 'test -f ~/Archive/"$1/$2.gz"', "sh",
                         receipt, key }
    if found then return found.status == 0 end
    return "later", "the archive cannot be looked at"
  end,
  check = function()
    return done(exec { "gzip", "--version" })
  end,
})

-- In pieces: what a program writes for exec is 1 MiB at most.
local PIECE = 512 * 1024
local read = [[
  test -e ~/Drop/"$1" || exit 4
  dd if="$HOME/Drop/$1" bs="$2" skip="$3" count=1 status=none
]]

local function piece_of(name, number)
  local found, why = exec { "sh", "-c", read, "sh", name, tostring(PIECE),
                            tostring(number) }
  if not found then return nil, why end
  if found.status == 4 then return nil end -- it is gone
  if found.status ~= 0 then return nil, found.complaint end
  return found.output
end

local drop = source("drop", {
  list = function()
    local found = assert(exec { "sh", "-c", "cd ~/Drop && ls" })
    local items = {}
    for name in found.output:gmatch "[^\n]+" do
      items[#items + 1] = { uidl = name }
    end
    return items
  end,
  fetch = function(item)
    local piece, why = piece_of(item.uidl, 0)
    if not piece then return nil, why end
    local number = 0
    return function()
      local this = piece
      if this and #this == PIECE then
        number = number + 1
        piece = assert(piece_of(item.uidl, number))
      else
        piece = nil
      end
      return this
    end
  end,
  settle = function(deeds)
    local results = {}
    for i, deed in ipairs(deeds) do
      results[i] = { done(exec { "sh", "-c", 'rm -f ~/Drop/"$1"', "sh",
                                 deed.uidl }) }
    end
    return results
  end,
})

account "drop" {
  source  = drop,
  after   = delete,
  deliver = archive,
}
