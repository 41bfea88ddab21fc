//! Traefik: `config/traefik/traefik.yml` and `dynamic.yml`.

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
            "`middlewares: [strip, jwtgate]` at every router that leads to the application, without a second router for some methods or paths"
        }
        Id::AccessUpgrade => "Traefik 3.7.13 or later, which passes no HTTP/2 upgrade on",
        Id::RefusalProgram | Id::RefusalPageLoad => {
            "`address: \"http://127.0.0.1:8080/forward-auth\"` in `forwardAuth:`: /verify has no redirects"
        }
        Id::RefusalReturnAddress => {
            "`address: \"http://127.0.0.1:8080/forward-auth\"` and `preserveLocationHeader: true`; jwtgate needs the host in return_hosts"
        }
        Id::RefusalCookie => {
            "`address: \"http://127.0.0.1:8080/forward-auth\"`: Traefik passes on the whole answer, unless a middleware behind it takes cookies away"
        }
        Id::IdentityArrives => {
            "`authResponseHeaders:` of `forwardAuth:` names each identity header"
        }
        Id::IdentityPlain | Id::IdentityAbsent => {
            "`authResponseHeaders:` of `forwardAuth:` names each identity header, used or not: one that is not listed arrives as the client sent it"
        }
        Id::IdentityUnderscore | Id::IdentitySeparator => {
            "`aliasHeadersStrategy: delete` in `http:` of the entry point (Traefik 3.7.13 and later)"
        }
        Id::IdentityOtherGates => {
            "`Remote-User: \"\"` and such a line for each of the names, in `customRequestHeaders:` of `strip:`; `aliasHeadersStrategy: delete` for their other spellings"
        }
        Id::IdentityConnection => {
            "`middlewares: [strip, jwtgate]`: Traefik removes what Connection names before them; a later middleware must not hand Connection on"
        }
        Id::IdentityLeak => "take out the customResponseHeaders or plugin that sends it to clients",
        Id::IdentityLarge => {
            "Traefik has no such limit: does something stand between it and jwtgate?"
        }
        Id::ClaimsDecision => {
            "`trustForwardHeader: false` in `forwardAuth:`, and no forwardedHeaders with insecure at the entry point"
        }
        Id::ClaimsReturnAddress => "`trustForwardHeader: false` in `forwardAuth:`",
        Id::ClaimsAddress => {
            "no forwardedHeaders with insecure at the entry point, only trustedIPs; and `Forwarded: \"\"` in `customRequestHeaders:` of `strip:`"
        }
        Id::ClaimsPlace => "no forwardedHeaders with insecure at the entry point, only trustedIPs",
        Id::ClaimsUrl => {
            "`X-Original-URL: \"\"` and such a line for each of the names, in `customRequestHeaders:` of `strip:`"
        }
        Id::ClaimsMethod => {
            "`X-HTTP-Method-Override: \"\"` and such a line for each of the names, in `customRequestHeaders:` of `strip:`"
        }
        Id::PathJudged | Id::PathDenied => {
            "`middlewares: [strip, jwtgate]` in front of whatever changes the path (stripPrefix, replacePath), and jwtgate's rules for the path that clients send"
        }
        Id::SizeCookie => "`maxHeaderBytes: 61440` in `http:` of the entry point",
        Id::SizeLines => {
            "`authRequestHeaders:` of `forwardAuth:` names what jwtgate needs: it reads 96 lines"
        }
        Id::CheckBody => "no forwardBody in `forwardAuth:`",
        Id::ClosedDown
        | Id::ClosedHanging
        | Id::ClosedSilent
        | Id::ClosedGarbage
        | Id::ClosedError
        | Id::ClosedRedirect => {
            "`address: \"http://127.0.0.1:8080/forward-auth\"` in `forwardAuth:`, and no errors or retry middleware that leads to the application"
        }
        Id::ClosedPatience => "Traefik 3.7 has no setting for this: it gives up after 30 seconds",
    }
}
