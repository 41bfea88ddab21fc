-- Asks jwtgate whether a request may pass, with HAProxy's own HTTP client (2.5 and later; nothing else is needed).

-- ── What depends on your machines ───────────────────────────────────────────────────────────────────────────────────
local check = "http://127.0.0.1:8080/forward-auth"
-- In milliseconds. HAProxy 2.6 asks four times before it gives up and cannot be told otherwise: 2 seconds in all.
local timeout = 500
-- ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- What the question needs, and nothing else of what a client sends.
local asked = {
  "authorization", -- another `header_name`: add it
  "cookie",
  -- What tells a page load from a script, an API client or a WebSocket.
  "accept", "x-requested-with", "sec-fetch-mode", "sec-fetch-dest", "sec-websocket-key",
  -- What makes a CORS preflight, for rules with `preflight`.
  "origin", "access-control-request-method",
}

local identity = {
  ["x-auth-user"] = "txn.jwtgate_user",
  ["x-auth-email"] = "txn.jwtgate_email",
  ["x-auth-groups"] = "txn.jwtgate_groups",
  ["x-auth-identity"] = "txn.jwtgate_identity",
}

-- Answers of jwtgate that a client is meant to see. Anything else comes from somebody else.
local refusals = { [302] = true, [400] = true, [401] = true, [403] = true, [431] = true, [503] = true }

-- What belongs to one connection, or is written anew.
local of_connection = {
  ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
}

-- The values of one header in their order. HAProxy counts them from 0, which neither `ipairs` nor `pairs` respects.
local function values(lines)
  local list, at = {}, 0
  while lines and lines[at] do
    list[#list + 1] = lines[at]
    at = at + 1
  end
  return list
end

local function question(txn)
  local sent = txn.http:req_get_headers()
  local headers = {}
  for _, name in ipairs(asked) do
    local lines = values(sent[name])
    if #lines > 0 then headers[name] = lines end
  end
  headers["host"] = values(sent["host"])
  headers["x-forwarded-host"] = headers["host"]
  headers["x-forwarded-method"] = { txn.f:method() }
  headers["x-forwarded-uri"] = { txn.f:pathq() }
  headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
  headers["x-forwarded-for"] = { txn.f:src() } -- rules with `source`
  return headers
end

local function refuse(txn, answer)
  local reply = txn:reply({ status = answer.status })
  for name, lines in pairs(answer.headers) do
    if not of_connection[name] then
      for _, value in ipairs(values(lines)) do reply:add_header(name, value) end
    end
  end
  if txn.f:method() ~= "HEAD" then reply:set_body(answer.body or "") end
  txn:done(reply)
end

core.register_action("jwtgate", { "http-req" }, function(txn)
  -- Until the answer says otherwise nothing passes; an error in here ends the action, and the rule behind it refuses.
  txn:set_var("txn.jwtgate_passes", false)
  local answer = core.httpclient():get({ url = check, headers = question(txn), timeout = timeout })
  if answer.status == 200 then
    for name, variable in pairs(identity) do
      local given = values(answer.headers[name])
      if given[1] then txn:set_var(variable, given[1]) end
    end
    txn:set_var("txn.jwtgate_passes", true)
  elseif refusals[answer.status] then
    refuse(txn, answer)
  end
end)
