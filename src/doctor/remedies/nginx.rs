//! nginx: `config/nginx/nginx.conf`.

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
            "`auth_request /_jwtgate/verify;` in every location that leads to the application, for all methods and without satisfy any"
        }
        Id::AccessUpgrade => {
            "`proxy_set_header Upgrade $upgrade;` and `proxy_set_header Connection $connection_upgrade;`, whose maps know WebSocket only; never $http_upgrade"
        }
        Id::RefusalProgram => {
            "`proxy_hide_header WWW-Authenticate;` and `proxy_set_header Accept $accept;` in `location @sign_in`, and `error_page 500 = @unavailable;` beside auth_request"
        }
        Id::RefusalPageLoad => {
            "`error_page 401 = @sign_in;` beside auth_request, and the `location @sign_in` that asks /sign-in"
        }
        Id::RefusalReturnAddress => {
            "`proxy_set_header X-Original-URL $scheme://$host$host_port$request_uri;` in `location @sign_in`; jwtgate needs the host in return_hosts"
        }
        Id::RefusalCookie => {
            "`error_page 401 = @sign_in;`, which passes on the whole answer; a return 302 of X-Auth-Redirect loses it"
        }
        Id::IdentityArrives => {
            "`auth_request_set $auth_user $upstream_http_x_auth_user;` and `proxy_set_header X-Auth-User $auth_user;`, a pair for each identity header"
        }
        Id::IdentityPlain | Id::IdentityAbsent => {
            "`proxy_set_header X-Auth-User $auth_user;` for each identity header, and `proxy_set_header X-Auth-Identity \"\";` for each that nobody fills"
        }
        Id::IdentityUnderscore => "`underscores_in_headers off;` and `ignore_invalid_headers on;`",
        Id::IdentitySeparator => "`ignore_invalid_headers on;`",
        Id::IdentityOtherGates => {
            "`proxy_set_header Remote-User \"\";` and such a line for each of the names"
        }
        Id::IdentityConnection => {
            "`proxy_set_header Connection $connection_upgrade;`, never $http_connection"
        }
        Id::IdentityLeak => "take out the add_header line that sends it to clients",
        Id::IdentityLarge => {
            "`proxy_buffer_size 32k;`, `proxy_buffers 4 32k;` and `proxy_busy_buffers_size 32k;` in `location = /_jwtgate/verify`"
        }
        Id::ClaimsDecision => {
            "`proxy_pass_request_headers off;` in `location = /_jwtgate/verify`, with `proxy_set_header X-Original-URL $scheme://$host$host_port$request_uri;` and `proxy_set_header X-Forwarded-For $remote_addr;`"
        }
        Id::ClaimsReturnAddress => {
            "`proxy_pass_request_headers off;` and `proxy_set_header X-Original-URL $scheme://$host$host_port$request_uri;` in `location @sign_in`"
        }
        Id::ClaimsAddress => {
            "`proxy_set_header X-Forwarded-For $remote_addr;`, `proxy_set_header X-Real-IP $remote_addr;` and `proxy_set_header Forwarded \"\";`"
        }
        Id::ClaimsPlace => {
            "`proxy_set_header X-Forwarded-Host $host$host_port;`, `proxy_set_header X-Forwarded-Proto $scheme;`, `proxy_set_header X-Forwarded-Port \"\";` and `proxy_set_header X-Forwarded-Server \"\";`"
        }
        Id::ClaimsUrl => {
            "`proxy_set_header X-Original-URL \"\";` and such a line for each of the names"
        }
        Id::ClaimsMethod => {
            "`proxy_set_header X-HTTP-Method-Override \"\";` and such a line for each of the names"
        }
        Id::PathJudged | Id::PathDenied => {
            "`proxy_pass http://app;` without a path, and `proxy_set_header X-Original-URL $scheme://$host$host_port$request_uri;`: $request_uri is what the application gets, $uri is not"
        }
        Id::SizeCookie => "`large_client_header_buffers 8 48k;`",
        Id::SizeLines => {
            "`proxy_pass_request_headers off;` in `location = /_jwtgate/verify`: jwtgate reads 96 lines"
        }
        Id::CheckBody => {
            "`proxy_pass_request_body off;` and `proxy_set_header Content-Length \"\";` in `location = /_jwtgate/verify`"
        }
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "`error_page 500 = @unavailable;` beside auth_request, where `location @unavailable` ends in `return 503 …`; no error_page for 500 may lead to the application"
        }
        Id::ClosedPatience => {
            "`proxy_connect_timeout 1s;` and `proxy_read_timeout 2s;` in `location = /_jwtgate/verify` and `location @sign_in`"
        }
    }
}
