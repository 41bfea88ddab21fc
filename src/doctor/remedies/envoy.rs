//! Envoy: `config/envoy/http.yaml` and `grpc.yaml`.

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
            "`envoy.extensions.filters.http.ext_authz.v3.ExtAuthz` in front of `name: envoy.filters.http.router`, with no ExtAuthzPerRoute that is disabled on a route to the application"
        }
        Id::AccessUpgrade => "`upgrade_configs: [{ upgrade_type: websocket }]`, and no other type",
        Id::RefusalProgram => {
            "`- exact: www-authenticate` in `allowed_client_headers:`, and `path_prefix: /ext-authz`"
        }
        Id::RefusalPageLoad => {
            "`- exact: accept` and `- exact: sec-fetch-mode` in `allowed_headers:`, `- exact: location` in `allowed_client_headers:`, and `path_prefix: /ext-authz`"
        }
        Id::RefusalReturnAddress => {
            "`- exact: x-forwarded-proto` in `allowed_headers:` and `path_prefix: /ext-authz`; jwtgate needs the host in return_hosts"
        }
        Id::RefusalCookie => "`- exact: set-cookie` in `allowed_client_headers:`",
        Id::IdentityArrives => "`allowed_upstream_headers:` with `patterns: [{ prefix: x-auth- }]`",
        Id::IdentityPlain | Id::IdentityAbsent => {
            "`- remove_on_match: { key_matcher: { prefix: x-auth- } }` in `early_header_mutation_extensions:`"
        }
        Id::IdentityUnderscore => {
            "`headers_with_underscores_action: DROP_HEADER` in `common_http_protocol_options:`"
        }
        Id::IdentitySeparator => {
            "`- remove_on_match: { key_matcher: { safe_regex: { regex: \"[a-z0-9][a-z0-9-]*[^a-z0-9-].*\" } } }` in `early_header_mutation_extensions:`"
        }
        Id::IdentityOtherGates => {
            "`- remove_on_match: { key_matcher: { prefix: remote- } }`, `- remove_on_match: { key_matcher: { prefix: x-remote- } }` and `- remove_on_match: { key_matcher: { prefix: x-forwarded- } }` in `early_header_mutation_extensions:`"
        }
        Id::IdentityConnection => {
            "`early_header_mutation_extensions:` removes a client's headers before ext_authz adds the real ones; Envoy removes Connection itself"
        }
        Id::IdentityLeak => {
            "no identity header in allowed_client_headers_on_success, nor in response_headers_to_add"
        }
        Id::IdentityLarge => {
            "Envoy has room for 60 KiB: does something stand between it and jwtgate?"
        }
        Id::ClaimsDecision => {
            "`use_remote_address: true`, and `- remove_on_match: { key_matcher: { prefix: x-forwarded- } }` in `early_header_mutation_extensions:`"
        }
        Id::ClaimsReturnAddress => {
            "`use_remote_address: true`, and no x-forwarded-host among `allowed_headers:`"
        }
        Id::ClaimsAddress => {
            "`- remove_on_match: { key_matcher: { prefix: x-forwarded- } }`, `- remove: x-real-ip` and `- remove: forwarded` in `early_header_mutation_extensions:`, and `use_remote_address: true`"
        }
        Id::ClaimsPlace => {
            "`- remove_on_match: { key_matcher: { prefix: x-forwarded- } }` in `early_header_mutation_extensions:`, and `use_remote_address: true`"
        }
        Id::ClaimsUrl => {
            "`- remove_on_match: { key_matcher: { prefix: x-original- } }`, `- remove_on_match: { key_matcher: { prefix: x-rewrite- } }` and `- remove_on_match: { key_matcher: { prefix: x-forwarded- } }` in `early_header_mutation_extensions:`"
        }
        Id::ClaimsMethod => {
            "`- remove_on_match: { key_matcher: { prefix: x-http-method } }`, `- remove: x-method-override`, `- remove_on_match: { key_matcher: { prefix: x-forwarded- } }` and `- remove_on_match: { key_matcher: { prefix: x-original- } }`"
        }
        Id::PathJudged | Id::PathDenied => {
            "`normalize_path: true` and `merge_slashes: true`, and ext_authz in front of whatever changes the path"
        }
        Id::SizeCookie => "`max_request_headers_kb: 96`",
        Id::SizeLines => "`max_headers_count: 256` in `common_http_protocol_options:`",
        Id::CheckBody => "no with_request_body in ext_authz",
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "`failure_mode_allow: false` and `status_on_error: { code: ServiceUnavailable }` in ext_authz"
        }
        Id::ClosedPatience => {
            "`server_uri: { uri: \"http://127.0.0.1:8080\", cluster: jwtgate, timeout: 2s }`; over gRPC `timeout: 2s` in `grpc_service:`"
        }
    }
}
