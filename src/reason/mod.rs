//! Every reason for which a request does not pass.
//!
//! A leaf, and the only list: the log, the metrics, `explain` and the reference page take their codes from here, and
//! `server/respond.rs` takes the outward answer from [`Reason::outward`]. Codes are stable: they are what an operator greps for.

mod table;

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
    /// A rule asks for the path, and the proxy did not say it.
    PolicyUnknownPath,
    /// The expression of a rule failed.
    PolicyExpression,
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
    /// The application does not answer a request that may pass.
    UpstreamUnreachable,
    /// The application's answer to a request that may pass takes too long.
    UpstreamTimeout,
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
    /// The application does not answer: 502.
    BadGateway,
    /// The application's answer takes too long: 504.
    GatewayTimeout,
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
    /// Passing the request on to the application.
    Upstream,
}

impl Reason {
    /// Every reason, in the order of the pipeline: what the reference page lists.
    pub const ALL: [Self; 45] = [
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
        Self::PolicyUnknownPath,
        Self::PolicyExpression,
        Self::PolicyRequirement,
        Self::PolicyScope,
        Self::PolicyAuthentication,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
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
        let described = include_str!("table.rs")
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
