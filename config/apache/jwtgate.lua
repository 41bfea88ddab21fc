-- jwtgate for Apache: one question for each request, by LuaSocket. Belongs to forward-auth.conf.
local http  = require "socket.http"
local ltn12 = require "ltn12"

-- ── What depends on your machines ──
local ASK    = "http://127.0.0.1:8080/forward-auth"
local SCHEME = nil      -- "https" where TLS ends in front of this Apache
http.TIMEOUT = 2        -- seconds a client waits for a jwtgate that hangs

-- What jwtgate tells of a request that may pass.
local IDENTITY = { "X-Auth-User", "X-Auth-Email", "X-Auth-Groups", "X-Auth-Identity" }

-- Answers of jwtgate that a client is meant to see.
local REFUSALS = { [302] = true, [400] = true, [401] = true, [403] = true, [431] = true, [503] = true }

-- What the question needs of the client's headers.
local ASKED = {
  "Authorization",    -- another `header_name`: add it
  "Cookie",
  -- What tells a page load from a script, an API client or a WebSocket.
  "Accept", "X-Requested-With", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-WebSocket-Key",
  -- What makes a CORS preflight, for rules with `preflight`.
  "Origin", "Access-Control-Request-Method",
}

-- What only a gate or a proxy may say: how these names begin, in small letters and with hyphens. Programs behind Apache
-- read X_Auth_User and X.Auth.User as X-Auth-User, so whatever separates words counts as a hyphen.
local FORGED = {
  "x%-auth%-", "remote%-", "x%-remote%-", "x%-forwarded%-", "x%-original%-", "x%-rewrite%-", "x%-http%-method",
  "x%-method%-override$", "x%-real%-ip$", "forwarded$",
}

local function is_forged(name)
  local folded = name:lower():gsub("[^%w]", "-")
  for _, beginning in ipairs(FORGED) do
    if folded:find("^" .. beginning) then return true end
  end
  return false
end

function ask(r)
  local headers = {
    ["Host"]               = r.headers_in["Host"],
    ["X-Forwarded-Method"] = r.method,
    ["X-Forwarded-Proto"]  = SCHEME or (r.is_https and "https" or "http"),
    ["X-Forwarded-Host"]   = r.headers_in["Host"],
    ["X-Forwarded-Uri"]    = r.unparsed_uri,
    ["X-Forwarded-For"]    = r.useragent_ip,
  }
  for _, name in ipairs(ASKED) do headers[name] = r.headers_in[name] end
  for name in pairs(r:headers_in_table()) do
    if is_forged(name) then r.headers_in[name] = nil end
  end
  -- Apache takes out what Connection names when it passes the request on, the identity too (RFC 9110 section 7.6.1).
  local connection, upgrade = (r.headers_in["Connection"] or ""):lower(), (r.headers_in["Upgrade"] or ""):lower()
  r.headers_in["Connection"] = upgrade == "websocket" and "Upgrade" or connection:find("close") and "close" or nil
  if upgrade ~= "websocket" then r.headers_in["Upgrade"] = nil end

  local body = {}
  local question = { url = ASK, headers = headers, redirect = false, sink = ltn12.sink.table(body) }
  local is_whole, _, status, answer = pcall(http.request, question)

  -- LuaSocket takes what is no HTTP for an answer of 200 without headers; jwtgate's has all of them.
  if is_whole and status == 200 and answer and answer[IDENTITY[1]:lower()] then
    for _, name in ipairs(IDENTITY) do
      -- Set even when empty, so that an application always finds them.
      r.headers_in[name] = answer[name:lower()] or ""
    end
    local user = answer["x-auth-user"]
    if user and user ~= "" then r.user = user end
    r.headers_in["X-Forwarded-For"]   = r.useragent_ip
    r.headers_in["X-Forwarded-Proto"] = headers["X-Forwarded-Proto"]
    r.headers_in["X-Forwarded-Host"]  = headers["X-Forwarded-Host"]
    return apache2.OK
  end

  -- No answer, or one of somebody else: nobody passes.
  if not REFUSALS[status] then
    r.err_headers_out["Retry-After"] = "5"
    return 503
  end

  -- jwtgate's own answer goes to the client.
  for name, value in pairs(answer) do
    if name ~= "content-length" and name ~= "connection" and name ~= "date" and name ~= "content-type" then
      r.err_headers_out[name] = value
    end
  end
  r.status = status
  r.content_type = answer["content-type"] or "text/plain"
  r:write(table.concat(body))
  return apache2.DONE
end
