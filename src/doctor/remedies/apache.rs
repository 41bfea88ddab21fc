//! Apache httpd: `config/apache/forward-auth.conf` with `jwtgate.lua`.

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
            "`LuaHookAccessChecker /etc/apache2/jwtgate.lua ask early` in a `<Location />` around all that leads to the application, without Limit and without satisfy any"
        }
        Id::AccessUpgrade => {
            "`upgrade=websocket` at ProxyPass, and in jwtgate.lua `if upgrade ~= \"websocket\" then r.headers_in[\"Upgrade\"] = nil end`"
        }
        Id::RefusalProgram | Id::RefusalPageLoad => {
            "`local ASK = \"http://127.0.0.1:8080/forward-auth\"` and `local REFUSALS = { [302] = true, [400] = true, [401] = true, [403] = true, [431] = true, [503] = true }` in jwtgate.lua; no ErrorDocument for these"
        }
        Id::RefusalReturnAddress => {
            "`[\"X-Forwarded-Host\"] = r.headers_in[\"Host\"],` and `[\"X-Forwarded-Uri\"] = r.unparsed_uri,` in jwtgate.lua; jwtgate needs the host in return_hosts"
        }
        Id::RefusalCookie => {
            "`r.err_headers_out[name] = value` for the headers of jwtgate's answer, in jwtgate.lua"
        }
        Id::IdentityArrives => {
            "`local IDENTITY = { \"X-Auth-User\", \"X-Auth-Email\", \"X-Auth-Groups\", \"X-Auth-Identity\" }` in jwtgate.lua names each identity header, and `r.headers_in[name] = answer[name:lower()] or \"\"` sets it"
        }
        Id::IdentityPlain | Id::IdentityAbsent => {
            "`\"x%-auth%-\"` among `local FORGED` in jwtgate.lua, and `if is_forged(name) then r.headers_in[name] = nil end`"
        }
        Id::IdentityUnderscore | Id::IdentitySeparator => {
            "`local folded = name:lower():gsub(\"[^%w]\", \"-\")` in jwtgate.lua: whatever separates words counts as a hyphen"
        }
        Id::IdentityOtherGates => {
            "`\"remote%-\"`, `\"x%-remote%-\"` and `\"x%-forwarded%-\"` among `local FORGED` in jwtgate.lua"
        }
        Id::IdentityConnection => {
            "`r.headers_in[\"Connection\"] = upgrade == \"websocket\" and \"Upgrade\" or connection:find(\"close\") and \"close\" or nil` in jwtgate.lua: httpd removes what this header names after the identity was set"
        }
        Id::IdentityLeak => "take out the Header line that sends it to clients",
        Id::IdentityLarge => {
            "LuaSocket has no such limit: does something stand between Apache and jwtgate?"
        }
        Id::ClaimsDecision => {
            "jwtgate.lua says itself what is asked for: `[\"X-Forwarded-Uri\"] = r.unparsed_uri,`, `[\"X-Forwarded-Method\"] = r.method,`, `[\"X-Forwarded-For\"] = r.useragent_ip,`; none of these names among `local ASKED`"
        }
        Id::ClaimsReturnAddress => {
            "`[\"X-Forwarded-Host\"] = r.headers_in[\"Host\"],` and `[\"X-Forwarded-Uri\"] = r.unparsed_uri,` in jwtgate.lua"
        }
        Id::ClaimsAddress => {
            "`\"x%-forwarded%-\"`, `\"x%-real%-ip$\"` and `\"forwarded$\"` among `local FORGED` in jwtgate.lua, and `ProxyAddHeaders Off`: httpd appends to what a client sent"
        }
        Id::ClaimsPlace => {
            "`\"x%-forwarded%-\"` among `local FORGED` in jwtgate.lua, and `ProxyAddHeaders Off`: httpd appends to what a client sent"
        }
        Id::ClaimsUrl => {
            "`\"x%-original%-\"`, `\"x%-rewrite%-\"` and `\"x%-forwarded%-\"` among `local FORGED` in jwtgate.lua"
        }
        Id::ClaimsMethod => {
            "`\"x%-http%-method\"`, `\"x%-method%-override$\"`, `\"x%-forwarded%-\"` and `\"x%-original%-\"` among `local FORGED` in jwtgate.lua"
        }
        Id::PathJudged | Id::PathDenied => {
            "`ProxyPass / http://127.0.0.1:3000/ nocanon upgrade=websocket`, `AllowEncodedSlashes NoDecode`, `MergeSlashes Off`, and `[\"X-Forwarded-Uri\"] = r.unparsed_uri,` in jwtgate.lua"
        }
        Id::SizeCookie => "`LimitRequestFieldSize 49152`",
        Id::SizeLines => "`LimitRequestFields 200`",
        Id::CheckBody => "no source and no Content-Length in the question of jwtgate.lua",
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "`if not REFUSALS[status] then` … `return 503` at the end of jwtgate.lua, and `if is_whole and status == 200 and answer and answer[IDENTITY[1]:lower()] then` before any OK; no ErrorDocument that leads to the application"
        }
        Id::ClosedPatience => "`http.TIMEOUT = 2` in jwtgate.lua",
    }
}
