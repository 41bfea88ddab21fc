//! Every reason for which a request does not pass.
//!
//! A leaf, and the only list: the log, the metrics, `explain` and the reference page take their codes from here, and
//! `server/respond.rs` takes the outward answer from [`Reason::outward`]. Codes are stable: they are what an operator greps for.

/// Why a request was refused. One variant, one stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No configured source holds a token.
    TokenMissing,
    /// Two different tokens where one is expected.
    TokenAmbiguous,
    /// The token is longer than `server.max_token_bytes`.
    TokenTooLarge,
    /// Not a compact JWS: three parts of canonical base64url, a JSON object in the first.
    TokenMalformed,
    /// The header asks for what nobody here understands: `crit`, `b64`.
    TokenCritical,
    /// An encrypted, compressed or nested token.
    TokenEncrypted,
    /// The token's algorithm is not one that the key allows.
    TokenAlgorithm,
    /// The token's `typ` is not the configured `token_type`.
    TokenType,
    /// The token's header does not name the `signer` that is wanted.
    TokenSigner,
    /// The token names a key (`kid`) that the set does not hold.
    KeyUnknown,
    /// The token names a key that the set does not hold, and the issuer cannot be asked now.
    KeyPending,
    /// There is no usable key to judge this token with.
    KeyUnavailable,
    /// The signature does not fit.
    TokenSignature,
    /// The payload is not one JSON object with unique members.
    TokenPayload,
    /// A registered claim has the wrong type.
    TokenClaimType,
    /// `iss` is absent or not the expected one.
    TokenIssuer,
    /// `aud` is absent or does not hold the expected one.
    TokenAudience,
    /// A claim is not what `required_claims` wants.
    TokenClaim,
    /// There is no `exp`, and `require_exp` is on.
    TokenNoExpiry,
    /// `exp` has passed.
    TokenExpired,
    /// `nbf` has not come yet.
    TokenNotYetValid,
    /// `iat` lies in the future.
    TokenIssuedInFuture,
    /// The token lives longer than `max_lifetime` allows.
    TokenLifetime,
    /// The token is bound to a key (`cnf`) that a bearer cannot prove.
    TokenBound,
    /// The username is missing or not fit for a header.
    IdentityUsername,
    /// Another identity claim is not fit for a header.
    IdentityInvalid,
    /// The identity headers are too large.
    IdentityTooLarge,
    /// The groups stand elsewhere, since there are too many for the token.
    IdentityOverage,
    /// A `blocked_…` list of `[access]` keeps the person out.
    AccessBlocked,
    /// An `allowed_…` list of `[access]` does not let the person in.
    AccessNotAllowed,
    /// A rule denies the request.
    PolicyDenied,
    /// There are rules, and none is for the request.
    PolicyNoRule,
    /// The path can be read in different ways, so that no rule can let it pass.
    PolicyAmbiguousPath,
    /// The token does not meet a condition of the rule.
    PolicyRequirement,
    /// The token lacks a scope that the rule wants.
    PolicyScope,
    /// The person has not signed in in the way, or as recently, as the rule wants.
    PolicyAuthentication,
    /// A peer that is not in `server.trusted_proxies` says what the original request was.
    ProxyUntrusted,
    /// The proxy's headers contradict each other.
    RequestAmbiguous,
    /// The proxy's headers cannot be understood.
    RequestMalformed,
    /// The request's header block is larger than `server.max_header_bytes`.
    RequestTooLarge,
    /// Something inside failed; the log says what.
    Internal,
}

/// What the outside may learn of a refusal. All bad tokens look alike (RFC 6750 §3.1; `facts` of a token are for the log).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outward {
    /// No token was sent: 401 without an error code.
    NoToken,
    /// A token was sent and is not good: 401 `invalid_token`.
    BadToken,
    /// The credentials are ambiguous: 400 `invalid_request`.
    BadRequest,
    /// What the proxy sent cannot be understood: 400, or 403 where the caller knows no 400.
    Malformed,
    /// The person is known, or the caller is, and may not: 403.
    Forbidden,
    /// The token lacks a scope: 403 `insufficient_scope` (RFC 6750 §3.1).
    LacksScope,
    /// The person must sign in again, in another way or more recently: 401 `insufficient_user_authentication` (RFC 9470 §3).
    MustSignInAgain,
    /// The header block is too large: 431.
    TooLarge,
    /// It cannot be decided now: 503.
    Unavailable,
}

/// The step of the pipeline at which a refusal happens, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Reading what the proxy says.
    Request,
    /// Finding the token.
    Extract,
    /// Taking it apart.
    Shape,
    /// Reading its header.
    Header,
    /// Choosing the key.
    Key,
    /// Checking the signature.
    Signature,
    /// Judging the claims.
    Claims,
    /// Making the identity headers.
    Identity,
    /// Asking who may come in at all.
    Access,
    /// Asking the rules.
    Rules,
}

impl Reason {
    /// Every reason, in the order of the pipeline: what the reference page lists.
    pub const ALL: [Self; 41] = [
        Self::ProxyUntrusted,
        Self::RequestAmbiguous,
        Self::RequestMalformed,
        Self::RequestTooLarge,
        Self::TokenMissing,
        Self::TokenAmbiguous,
        Self::TokenTooLarge,
        Self::TokenMalformed,
        Self::TokenCritical,
        Self::TokenEncrypted,
        Self::TokenAlgorithm,
        Self::TokenType,
        Self::TokenSigner,
        Self::KeyUnknown,
        Self::KeyPending,
        Self::KeyUnavailable,
        Self::TokenSignature,
        Self::TokenPayload,
        Self::TokenClaimType,
        Self::TokenIssuer,
        Self::TokenAudience,
        Self::TokenClaim,
        Self::TokenNoExpiry,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::TokenIssuedInFuture,
        Self::TokenLifetime,
        Self::TokenBound,
        Self::IdentityUsername,
        Self::IdentityInvalid,
        Self::IdentityTooLarge,
        Self::IdentityOverage,
        Self::AccessBlocked,
        Self::AccessNotAllowed,
        Self::PolicyDenied,
        Self::PolicyNoRule,
        Self::PolicyAmbiguousPath,
        Self::PolicyRequirement,
        Self::PolicyScope,
        Self::PolicyAuthentication,
        Self::Internal,
    ];

    /// The stable code, as it stands in logs, metrics and `explain`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.facts().code
    }

    /// What happened, in one sentence for a person.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.facts().meaning
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        self.facts().hint
    }

    /// What the outside is told.
    #[must_use]
    pub const fn outward(self) -> Outward {
        self.facts().outward
    }

    /// Where in the pipeline it happens.
    #[must_use]
    pub const fn step(self) -> Step {
        self.facts().step
    }

    #[expect(clippy::too_many_lines, reason = "a table, one entry for each reason")]
    const fn facts(self) -> Facts {
        use Outward::{
            BadRequest, BadToken, Forbidden, LacksScope, Malformed, MustSignInAgain, NoToken,
            TooLarge, Unavailable,
        };
        match self {
            Self::ProxyUntrusted => Facts {
                code: "proxy.untrusted",
                meaning: "A peer outside `server.trusted_proxies` sent headers that describe another request.",
                hint: "Add the proxy's address to `server.trusted_proxies`, or find out who calls jwtgate past the proxy.",
                outward: Forbidden,
                step: Step::Request,
            },
            Self::RequestAmbiguous => Facts {
                code: "request.ambiguous",
                meaning: "The proxy's headers name two different original requests.",
                hint: "Let the proxy set each header once; `server.original_request` pins `X-Original-URL` or `X-Original-URI`.",
                outward: Forbidden,
                step: Step::Request,
            },
            Self::RequestMalformed => Facts {
                code: "request.malformed",
                meaning: "The proxy's headers do not describe a valid HTTP request.",
                hint: "Compare the proxy's configuration with the shipped example; the method, scheme, host and URI must be plain.",
                outward: Malformed,
                step: Step::Request,
            },
            Self::RequestTooLarge => Facts {
                code: "request.too_large",
                meaning: "The header block of the check request is larger than `server.max_header_bytes`.",
                hint: "Let the proxy send only the headers the check needs, or raise `server.max_header_bytes`.",
                outward: TooLarge,
                step: Step::Request,
            },
            Self::TokenMissing => Facts {
                code: "token.missing",
                meaning: "No configured source holds a token.",
                hint: "Check `header_name`, `header_scheme`, `cookie_name` and `param_name`, and that the proxy passes them on.",
                outward: NoToken,
                step: Step::Extract,
            },
            Self::TokenAmbiguous => Facts {
                code: "token.ambiguous",
                meaning: "There are two different tokens where one is expected.",
                hint: "Clear the stale cookie or header; `on_multiple_tokens` says what happens across sources.",
                outward: BadRequest,
                step: Step::Extract,
            },
            Self::TokenTooLarge => Facts {
                code: "token.too_large",
                meaning: "The token is longer than `server.max_token_bytes`.",
                hint: "Ask the issuer for a smaller token (fewer groups), or raise `server.max_token_bytes`.",
                outward: BadToken,
                step: Step::Shape,
            },
            Self::TokenMalformed => Facts {
                code: "token.malformed",
                meaning: "The token is not a compact JWS: three base64url parts without padding, a JSON object in the first.",
                hint: "Send the token exactly as the issuer gave it: no quotes, blanks, padding or percent-encoding.",
                outward: BadToken,
                step: Step::Shape,
            },
            Self::TokenCritical => Facts {
                code: "token.critical",
                meaning: "The token's header demands an extension (`crit`, `b64`) that is not supported.",
                hint: "Have the issuer leave `crit` and `b64` out.",
                outward: BadToken,
                step: Step::Header,
            },
            Self::TokenEncrypted => Facts {
                code: "token.encrypted",
                meaning: "The token is encrypted, compressed or nested.",
                hint: "Have the issuer send a signed token (JWS); jwtgate decrypts nothing.",
                outward: BadToken,
                step: Step::Header,
            },
            Self::TokenAlgorithm => Facts {
                code: "token.algorithm",
                meaning: "The token's algorithm is not one that the configured key allows.",
                hint: "Compare the token's `alg` (see `jwtgate inspect`) with `algorithms` and the type of the key.",
                outward: BadToken,
                step: Step::Header,
            },
            Self::TokenType => Facts {
                code: "token.type",
                meaning: "The token's kind (`typ`, or an `events` claim) is not one that is accepted here.",
                hint: "Send the kind of token that `token_type` names, for example an access token (`at+jwt`), not an ID token.",
                outward: BadToken,
                step: Step::Header,
            },
            Self::TokenSigner => Facts {
                code: "token.signer",
                meaning: "The token's header does not name the `signer` that is wanted.",
                hint: "Compare `signer` with the token's header (`jwtgate inspect`): it is the whole ARN of the load balancer.",
                outward: BadToken,
                step: Step::Header,
            },
            Self::KeyUnknown => Facts {
                code: "key.unknown",
                meaning: "The token names a key (`kid`) that the key set does not hold; where it is fetched, it was fetched again and does not hold it either.",
                hint: "Check that the token comes from the configured issuer and is not older than its keys; `jwtgate keys` lists them.",
                outward: BadToken,
                step: Step::Key,
            },
            Self::KeyPending => Facts {
                code: "key.pending",
                meaning: "The token names a key that the key set does not hold yet, and the issuer was asked too recently or does not answer.",
                hint: "Ask again in a moment; `jwtgate keys` tells how it stands with the issuer. Many of these at once are made-up keys, or an issuer that is down.",
                outward: Unavailable,
                step: Step::Key,
            },
            Self::KeyUnavailable => Facts {
                code: "key.unavailable",
                meaning: "There is no usable key to judge the token with.",
                hint: "See `/readyz` on the admin listener, `jwtgate keys`, and `jwtgate check --online`.",
                outward: Unavailable,
                step: Step::Key,
            },
            Self::TokenSignature => Facts {
                code: "token.signature",
                meaning: "The signature does not fit the token and the key.",
                hint: "The token was changed, or signed with another key: compare the issuer's key with the configured one.",
                outward: BadToken,
                step: Step::Signature,
            },
            Self::TokenPayload => Facts {
                code: "token.payload",
                meaning: "The token's payload is not one JSON object with unique members.",
                hint: "The issuer signed something that is no set of claims; see `jwtgate inspect`.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenClaimType => Facts {
                code: "token.claim_type",
                meaning: "A registered claim (`exp`, `nbf`, `iat`, `aud`, `iss`) has the wrong type.",
                hint: "RFC 7519 §4.1 wants numbers for times, a string for `iss`, a string or a list of strings for `aud`.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenIssuer => Facts {
                code: "token.issuer",
                meaning: "The token's `iss` is no issuer that is configured here.",
                hint: "`iss` is compared with `issuer` (`expected_issuer` at the top level) byte for byte: a closing slash counts. `jwtgate inspect` shows it.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenAudience => Facts {
                code: "token.audience",
                meaning: "The token's audience (`aud`) does not hold `audience` (`expected_audience` at the top level).",
                hint: "The token was made for another application, or it is not spelled as the issuer spells it.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenClaim => Facts {
                code: "token.claim",
                meaning: "A claim is not one of the values that `required_claims` wants.",
                hint: "Compare `required_claims` with the token's claims (`jwtgate inspect`).",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenNoExpiry => Facts {
                code: "token.no_expiry",
                meaning: "The token has no `exp`.",
                hint: "Have the issuer set `exp`; `require_exp = false` accepts tokens that never end.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenExpired => Facts {
                code: "token.expired",
                meaning: "The token's `exp` has passed.",
                hint: "Get a new token. If it is new, compare the clocks of the issuer and of this machine.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenNotYetValid => Facts {
                code: "token.not_yet_valid",
                meaning: "The token's `nbf` has not come yet.",
                hint: "Compare the clocks of the issuer and of this machine; `leeway` bridges small differences.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenIssuedInFuture => Facts {
                code: "token.issued_in_future",
                meaning: "The token's `iat` lies in the future.",
                hint: "Compare the clocks of the issuer and of this machine; `leeway` bridges small differences.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenLifetime => Facts {
                code: "token.lifetime",
                meaning: "The token lives longer than `max_lifetime`.",
                hint: "Have the issuer sign for a shorter time, or raise `max_lifetime`. Times are in seconds, not milliseconds.",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::TokenBound => Facts {
                code: "token.bound",
                meaning: "The token is bound to a key (`cnf`), and a bearer cannot prove that it holds it.",
                hint: "Ask the issuer for a bearer token (RFC 9449 §7.1, RFC 8705 §3).",
                outward: BadToken,
                step: Step::Claims,
            },
            Self::IdentityUsername => Facts {
                code: "identity.username",
                meaning: "The token is good, but its username is missing or not fit for a header.",
                hint: "Compare `username_claim` (`username_claim_field` at the top level) with the token's claims (`jwtgate inspect`).",
                outward: Forbidden,
                step: Step::Identity,
            },
            Self::IdentityInvalid => Facts {
                code: "identity.invalid",
                meaning: "The token is good, but a claim for an identity header has the wrong type or holds what no header may.",
                hint: "Check `identity.headers` against the token's claims (`jwtgate inspect`).",
                outward: Forbidden,
                step: Step::Identity,
            },
            Self::IdentityTooLarge => Facts {
                code: "identity.too_large",
                meaning: "The identity headers are larger than `identity.max_value_bytes` or `identity.max_total_bytes`; the log names the header.",
                hint: "Filter the list (`only_prefix` and others in `[identity.fields.groups]`), or raise the limit together with nginx's `proxy_buffer_size` (of the check's location; its default is 4k), HAProxy's `tune.bufsize`, and what the application takes.",
                outward: Forbidden,
                step: Step::Identity,
            },
            Self::IdentityOverage => Facts {
                code: "identity.group_overage",
                meaning: "The token says that the groups stand elsewhere, since there are too many for it.",
                hint: "In Entra ID, let the token hold only groups assigned to the application, or use app roles (`roles`); `group_overage = \"ignore\"` lets such tokens pass without groups.",
                outward: Forbidden,
                step: Step::Identity,
            },
            Self::AccessBlocked => Facts {
                code: "access.blocked",
                meaning: "A `blocked_…` list of `[access]` keeps the person out; the log names it.",
                hint: "Take the entry out of the list if the person may come in. Who has no good e-mail address or no readable groups is kept out by a list of blocked domains or groups.",
                outward: Forbidden,
                step: Step::Access,
            },
            Self::AccessNotAllowed => Facts {
                code: "access.not_allowed",
                meaning: "An `allowed_…` list of `[access]` does not hold the person; the log names it.",
                hint: "Add the person, domain, group or scope to the list; every list that is given must be met.",
                outward: Forbidden,
                step: Step::Access,
            },
            Self::PolicyDenied => Facts {
                code: "policy.denied",
                meaning: "A rule denies the request; the log names it.",
                hint: "The first rule that fits decides: put one that allows this request in front of it.",
                outward: Forbidden,
                step: Step::Rules,
            },
            Self::PolicyNoRule => Facts {
                code: "policy.no_rule",
                meaning: "There are rules, and none of them is for this request.",
                hint: "Add a rule for its host, path and method; `jwtgate explain --url URL` tells why none fits.",
                outward: Forbidden,
                step: Step::Rules,
            },
            Self::PolicyAmbiguousPath => Facts {
                code: "policy.ambiguous_path",
                meaning: "Programs read the path in different ways (an encoded slash, `//`, `;`, an encoded dot and the like), so that no rule can let it pass.",
                hint: "Have the client send the plain path; where a backend needs such paths, give it a rule without paths and with `ambiguous_paths = true`.",
                outward: Forbidden,
                step: Step::Rules,
            },
            Self::PolicyRequirement => Facts {
                code: "policy.requirement",
                meaning: "The token is good, and the person is not whom the rule lets pass; the log names the rule.",
                hint: "Compare the rule's `require` with the token's claims (`jwtgate explain`).",
                outward: Forbidden,
                step: Step::Rules,
            },
            Self::PolicyScope => Facts {
                code: "policy.scope",
                meaning: "The token is good and lacks a scope that the rule wants; the log names the rule.",
                hint: "Have the client ask the issuer for a token with the scope.",
                outward: LacksScope,
                step: Step::Rules,
            },
            Self::PolicyAuthentication => Facts {
                code: "policy.authentication",
                meaning: "The person has not signed in in the way (`acr`), or as recently (`max_age`), as the rule wants.",
                hint: "Let the person sign in again, in that way; the token must carry `acr` and `auth_time`, which some issuers add only when they are asked for them.",
                outward: MustSignInAgain,
                step: Step::Rules,
            },
            Self::Internal => Facts {
                code: "internal",
                meaning: "Something inside jwtgate failed.",
                hint: "This is a bug: please report it with the log line that stands beside it.",
                outward: Unavailable,
                step: Step::Request,
            },
        }
    }
}

struct Facts {
    code: &'static str,
    meaning: &'static str,
    hint: &'static str,
    outward: Outward,
    step: Step,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_of_the_documented_form() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for code in codes {
            assert!(
                code.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_')
            );
        }
    }

    #[test]
    fn the_list_is_complete() {
        let described = include_str!("reason.rs")
            .matches("                code: \"")
            .count();
        assert_eq!(described, Reason::ALL.len());
    }

    #[test]
    fn the_list_follows_the_pipeline() {
        let steps: Vec<_> = Reason::ALL.iter().map(|reason| reason.step()).collect();
        let without_internal = &steps[..steps.len() - 1];
        assert!(without_internal.is_sorted());
    }
}
