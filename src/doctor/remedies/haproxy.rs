//! HAProxy: `config/haproxy/haproxy.cfg` with `jwtgate.lua`, or `spoe.cfg`.

use crate::doctor::finding::Id;

#[expect(clippy::too_many_lines, reason = "one table")]
pub(super) const fn directive(id: Id) -> &'static str {
    match id {
        Id::AccessNoToken
        | Id::AccessMethod
        | Id::AccessHttp10
        | Id::AccessAbsoluteForm
        | Id::AccessUserAgent
        | Id::AccessWebSocket
        | Id::AccessForgedIdentity => {
            "`http-request lua.jwtgate` and behind it `http-request deny deny_status 503 hdr Retry-After 5 hdr Cache-Control no-store unless { var(txn.jwtgate_passes) -m bool }`, without an if; over the agent protocol the deny without `status` 200"
        }
        Id::AccessUpgrade => {
            "`http-request set-header Upgrade websocket if is_websocket` and `http-request del-header Upgrade unless is_websocket`"
        }
        Id::RefusalProgram | Id::RefusalPageLoad => {
            "`local check = \"http://127.0.0.1:8080/forward-auth\"` in jwtgate.lua, and `local refusals = { [302] = true, [400] = true, [401] = true, [403] = true, [431] = true, [503] = true }`"
        }
        Id::RefusalReturnAddress => {
            "`headers[\"x-forwarded-uri\"] = { txn.f:pathq() }` and `headers[\"x-forwarded-host\"] = headers[\"host\"]` in jwtgate.lua; jwtgate needs the host in return_hosts"
        }
        Id::RefusalCookie => {
            "`for _, value in ipairs(values(lines)) do reply:add_header(name, value) end` in jwtgate.lua"
        }
        Id::IdentityArrives => {
            "`http-request set-header X-Auth-User %[var(txn.jwtgate_user)]` and such a line for each identity header, behind `http-request lua.jwtgate`"
        }
        Id::IdentityPlain | Id::IdentityAbsent => {
            "`http-request del-header X-Auth- -m beg` in front of `http-request lua.jwtgate`"
        }
        Id::IdentityUnderscore | Id::IdentitySeparator => {
            "`option http-restrict-req-hdr-names delete`"
        }
        Id::IdentityOtherGates => {
            "`http-request del-header Remote- -m beg`, `http-request del-header X-Remote- -m beg` and `http-request del-header X-Forwarded- -m beg`; `option http-restrict-req-hdr-names delete` for their other spellings"
        }
        Id::IdentityConnection => {
            "`http-request del-header Connection` and `http-request set-header Connection Upgrade if is_websocket`"
        }
        Id::IdentityLeak => "take out the http-response line that sends it to clients",
        Id::IdentityLarge => "`tune.bufsize 65536`",
        Id::ClaimsDecision => {
            "jwtgate.lua says itself what is asked for: `headers[\"x-forwarded-uri\"] = { txn.f:pathq() }`, `headers[\"x-forwarded-method\"] = { txn.f:method() }`, `headers[\"x-forwarded-for\"] = { txn.f:src() }`; none of these names in `asked`"
        }
        Id::ClaimsReturnAddress => {
            "`headers[\"x-forwarded-host\"] = headers[\"host\"]` and `headers[\"x-forwarded-uri\"] = { txn.f:pathq() }` in jwtgate.lua"
        }
        Id::ClaimsAddress => {
            "`http-request set-header X-Forwarded-For %[src]`, `http-request del-header X-Real-IP` and `http-request del-header Forwarded`"
        }
        Id::ClaimsPlace => {
            "`http-request del-header X-Forwarded- -m beg`, and behind it `http-request set-header X-Forwarded-Host %[req.hdr(Host)]` and `http-request set-header X-Forwarded-Proto http unless { ssl_fc }`"
        }
        Id::ClaimsUrl => {
            "`http-request del-header X-Original- -m beg`, `http-request del-header X-Rewrite- -m beg` and `http-request del-header X-Forwarded- -m beg`"
        }
        Id::ClaimsMethod => {
            "`http-request del-header X-HTTP-Method -m beg`, `http-request del-header X-Method-Override`, `http-request del-header X-Forwarded- -m beg` and `http-request del-header X-Original- -m beg`"
        }
        Id::PathJudged | Id::PathDenied => {
            "`http-request lua.jwtgate` in front of whatever changes the path (set-path, replace-path), and `headers[\"x-forwarded-uri\"] = { txn.f:pathq() }` in jwtgate.lua"
        }
        Id::SizeCookie => "`tune.bufsize 65536` and `tune.maxrewrite 8192`",
        Id::SizeLines => "`tune.http.maxhdr 256`",
        Id::CheckBody => {
            "`core.httpclient():get({ url = check, headers = question(txn), timeout = timeout })` in jwtgate.lua, without body and content-length"
        }
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "`http-request deny deny_status 503 hdr Retry-After 5 hdr Cache-Control no-store unless { var(txn.jwtgate_passes) -m bool }` behind `http-request lua.jwtgate`; over the agent protocol `unless { var(txn.jwtgate.status) -m int 200 }`"
        }
        Id::ClosedPatience => {
            "`local timeout = 500` in jwtgate.lua, which HAProxy 2.6 waits for four times; over the agent protocol timeout processing in spoe-agent.conf"
        }
    }
}
