//! Caddy: `config/caddy/Caddyfile`.

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
            "`forward_auth 127.0.0.1:8080 {` in the same `route {` in front of every reverse_proxy, without a matcher"
        }
        Id::AccessUpgrade => {
            "`request_header @websocket Upgrade websocket` and `request_header @no_websocket -Upgrade` in front of reverse_proxy"
        }
        Id::RefusalProgram | Id::RefusalPageLoad => {
            "`uri /forward-auth?` in forward_auth: /verify has no redirects"
        }
        Id::RefusalReturnAddress => {
            "`uri /forward-auth?` in forward_auth; jwtgate needs the host in return_hosts"
        }
        Id::RefusalCookie => {
            "`uri /forward-auth?` in forward_auth: Caddy passes on the whole answer, unless a header directive takes cookies away"
        }
        Id::IdentityArrives => {
            "`copy_headers X-Auth-User X-Auth-Email X-Auth-Groups X-Auth-Identity` in forward_auth, and `request_header -X-Auth*` in front of it, in one `route {`"
        }
        Id::IdentityPlain | Id::IdentityAbsent => {
            "`request_header -X-Auth*` in front of forward_auth, in one `route {`, and `copy_headers X-Auth-User X-Auth-Email X-Auth-Groups X-Auth-Identity`"
        }
        Id::IdentityUnderscore => {
            "`request_header -*_*` in front of forward_auth, in one `route {`"
        }
        Id::IdentitySeparator => {
            "`request_header -*.*` and `request_header -*!*`, and such a line for each sign, in front of forward_auth"
        }
        Id::IdentityOtherGates => {
            "`request_header -Remote-*`, `request_header -X-Remote*` and such a line for each of the names"
        }
        Id::IdentityConnection => {
            "`request_header -Connection` in front of forward_auth, and `request_header @websocket Connection Upgrade`"
        }
        Id::IdentityLeak => "take out the header directive that sends it to clients",
        Id::IdentityLarge => {
            "Caddy has no such limit: does something stand between it and jwtgate?"
        }
        Id::ClaimsDecision | Id::ClaimsReturnAddress => {
            "no private_ranges or 0.0.0.0/0 in trusted_proxies, and no header_up in forward_auth that copies a client's X-Forwarded-*; `request_header -X-Forwarded-Method` and its like in front of it"
        }
        Id::ClaimsAddress => {
            "`request_header -X-Real*` and `request_header -Forwarded`, and only your own proxies in trusted_proxies"
        }
        Id::ClaimsPlace => {
            "`request_header -X-Forwarded-Port` and `request_header -X-Forwarded-Server`, and only your own proxies in trusted_proxies"
        }
        Id::ClaimsUrl => {
            "`request_header -X-Original*`, `request_header -X-Rewrite*`, `request_header -X-Forwarded-Uri`, `request_header -X-Forwarded-Path` and `request_header -X-Forwarded-Prefix`"
        }
        Id::ClaimsMethod => {
            "`request_header -X-HTTP*`, `request_header -X-Method*`, `request_header -X-Forwarded-Method` and `request_header -X-Original*`"
        }
        Id::PathJudged | Id::PathDenied => {
            "`forward_auth 127.0.0.1:8080 {` in front of whatever changes the path (uri, rewrite, handle_path), and jwtgate's rules for the path that clients send"
        }
        Id::SizeCookie => "`max_header_size 60KB` in `servers {`",
        Id::SizeLines => {
            "nothing in Caddy: it asks with all headers of the client, and jwtgate reads 96 lines"
        }
        Id::CheckBody => {
            "nothing in Caddy: forward_auth asks without a body, unless header_up or method in it says otherwise"
        }
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "`handle_errors 502 504 {` with `respond \"Not available. Please try again in a moment.\" 503` and nothing that leads to the application; no handle_response in forward_auth"
        }
        Id::ClosedPatience => {
            "`response_header_timeout 2s` and `dial_timeout 1s` in `transport http {` of forward_auth"
        }
    }
}
