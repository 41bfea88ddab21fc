-- wrk: the first token of TOKENS, each time with another signature of the same length.
local before, after, length, at = nil, "\r\n\r\n", 0, 0
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

function init()
  local token = io.lines(os.getenv("TOKENS"))()
  local message, signature = token:match("^(.*%.)([^.]*)$")
  length = #signature
  before = "GET " .. os.getenv("REQUEST_PATH") .. " HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: wrk\r\nAccept: */*\r\n" ..
    "Authorization: Bearer " .. message
  -- The last letter holds but four bits of the signature: "A" is a whole one.
  after = signature:sub(9, length - 1) .. "A" .. after
end

function request()
  at = at + 1
  local number, text = at, {}
  for place = 1, 8 do
    local digit = number % 64
    text[place] = letters:sub(digit + 1, digit + 1)
    number = (number - digit) / 64
  end
  return before .. table.concat(text) .. after
end
