-- Training: a spam filter learns from the hand that sorts, whatever mail program
-- it uses: what is moved into Junk is spam, what is moved out of it is not.

local options = require "postrider.options"

local train = {}

local FIELDS = {
  junk = "string or table", ham = "table or string",
  account = "string or table",
}
-- What was deleted tells nothing.
local ELSEWHERE = { "*", "!Trash", "!Deleted*", "!*/Trash" }

-- What stands here learns from a message; true, or nil and why not.
local function tell(learner, m, what)
  local answer, why = learner.learn(m, { as = what })
  if not answer then return nil, why end
  m:note("learned as " .. what .. (answer.changed == false and ", once more"
                                   or ""))
  return true
end

-- With an error the hook hears of the message again at the next visits.
local function teach(learners, m, what)
  local failed = {}
  for _, learner in ipairs(learners) do
    local done, why = tell(learner, m, what)
    if not done then failed[#failed + 1] = why end
  end
  if #failed > 0 then error(table.concat(failed, "; "), 0) end
end

local function but_not(folders, junk)
  local found = {}
  for _, name in ipairs(folders) do found[#found + 1] = name end
  for _, name in ipairs(junk) do found[#found + 1] = "!" .. name end
  return found
end

-- train.with(learners, { junk = "Junk" }): each of the list, such as rspamd {
-- ... }, spamd { ... } or train.programs { ... }, is told of what other programs
-- move into the folder junk (spam), and out of it into another (ham), as hooks
-- for moved_in. The field ham has the patterns of the folders that count as
-- others, by default all but Trash; account those of the accounts
function train.with(learners, given)
  local set = options.read("train.with", given, FIELDS)
  local junk = options.list(set.junk or "Junk")
  if type(learners) ~= "table" or #learners == 0 then
    error("train.with: expects a list of learners: { rspamd {} }", 0)
  end
  on("moved_in", { account = set.account, folder = junk }, function(m)
    teach(learners, m, "spam")
  end)
  on("moved_in", { account = set.account, from = junk,
                   folder = but_not(options.list(set.ham or ELSEWHERE), junk) },
     function(m) teach(learners, m, "ham") end)
end

-- train.programs({ spam = { program, argument }, ham = { program, argument } }):
-- a learner that runs a program over each message, which it reads as its
-- standard input; status 0 is success. Further options: timeout (a time, "60s")
function train.programs(given)
  local set = options.read("train.programs", given, {
    spam = "table, required", ham = "table, required",
    timeout = "string or number",
  })
  return {
    learn = function(m, lesson)
      local call = { input = m, timeout = set.timeout or "60s" }
      for i, word in ipairs(set[lesson.as]) do call[i] = word end
      local answer, why = exec(call)
      if not answer then return nil, why end
      if answer.status == 0 then return { changed = true } end
      return nil, call[1] .. ": " .. answer.complaint .. answer.output
    end,
  }
end

-- train.sa_learn(): a learner that runs SpamAssassin's sa-learn, for those who
-- have no spamd; spamd itself learns only if it runs with --allow-tell
function train.sa_learn()
  return train.programs {
    spam = { "sa-learn", "--spam" }, ham = { "sa-learn", "--ham" },
  }
end

return train
