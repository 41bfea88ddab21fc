//! jwtgate itself in front of the application: `[upstream]`.

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
            "`[[rules]]`: the first that fits must not be `public`, and nothing but jwtgate may reach the application: `[upstream] url` on a Unix socket or loopback"
        }
        Id::AccessUpgrade => {
            "jwtgate opens WebSockets and nothing else: nothing but jwtgate may reach the application"
        }
        Id::RefusalProgram => {
            "nothing stands between jwtgate and the client: does another proxy change its answers?"
        }
        Id::RefusalPageLoad => "`auth_url`, and `return_hosts` with the host of the page",
        Id::RefusalReturnAddress => {
            "`return_hosts` with the host of the page; where TLS ends in front of jwtgate, that proxy in `[server] trusted_proxies`"
        }
        Id::RefusalCookie => {
            "nothing stands between jwtgate and the client: does another proxy take cookies away?"
        }
        Id::IdentityArrives => {
            "`[identity] headers`: the token must hold the claims that they carry"
        }
        Id::IdentityPlain | Id::IdentityUnderscore | Id::IdentitySeparator | Id::IdentityAbsent => {
            "jwtgate strips the headers of `[identity]` and those of `[upstream] strip_headers`: name the header in one of them"
        }
        Id::IdentityConnection => {
            "jwtgate hands no Connection on: does another proxy stand behind it?"
        }
        Id::IdentityLeak => "the application sends it: jwtgate does not",
        Id::IdentityLarge => "the application must take 8 KiB in one header",
        Id::ClaimsDecision | Id::ClaimsReturnAddress => {
            "`[server] trusted_proxies`: leave out the network of the clients; with no proxy in front of jwtgate, `trusted_proxies = []`"
        }
        Id::ClaimsAddress | Id::ClaimsPlace => {
            "`[server] trusted_proxies`: leave out the network of the clients, loopback too where they come from there; with no proxy in front of jwtgate, `trusted_proxies = []`"
        }
        Id::IdentityOtherGates | Id::ClaimsUrl | Id::ClaimsMethod => {
            "`[upstream] strip_headers`: leave its default, or keep the names in it"
        }
        Id::PathJudged | Id::PathDenied => {
            "`[[rules]]` by `path_prefix`, which fold all spellings into one; the application must read paths no other way"
        }
        Id::SizeCookie => "`[server] max_header_bytes`: at least 65536, its default",
        Id::SizeLines => {
            "nothing in jwtgate: it takes 200 lines in front of an application; does the application take fewer?"
        }
        Id::CheckBody => "nothing: jwtgate asks itself",
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "nothing but jwtgate may reach the application: `[upstream] url` on a Unix socket or loopback"
        }
        Id::ClosedPatience => "`[upstream] response_timeout`",
    }
}
