-- wrk: one request for each token of TOKENS, in turn. The requests are written once, before the load begins.
local requests, count, at = {}, 0, 0

function init()
  for token in io.lines(os.getenv("TOKENS")) do
    count = count + 1
    requests[count] = "GET " .. os.getenv("REQUEST_PATH") .. " HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: wrk\r\nAccept: */*\r\n" ..
      "X-Forwarded-For: 192.0.2.7\r\nX-Original-Method: GET\r\nX-Original-URL: https://app.example.com/app/page?id=1\r\n" ..
      "Authorization: Bearer " .. token .. "\r\n\r\n"
  end
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"other_statuses":%d,"broken":%d,"p50":%d,"p99":%d}\n', summary.requests,
    summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
