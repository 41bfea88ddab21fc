//! The top level: the names of the JupyterHub JWT authenticator, with their meaning, and what it lacked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Access, Admin, Cache, ExtAuthz, Identity, Introspection, IssuerTable, Keys, Log, OneOrMany,
    RuleTable, Secret, Server, SignedIdentity, Span, Spoe, Upstream,
};

/// Where a token may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenSource {
    /// The header `header_name`.
    Header,
    /// The cookie `cookie_name`.
    Cookie,
    /// The query parameter `param_name`.
    Query,
}

/// What different tokens in two sources mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnMultipleTokens {
    /// The first source of `token_sources` that holds a token decides.
    First,
    /// The request is refused.
    Reject,
}

/// How a secret is written down. It is said, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// The bytes of the text itself.
    Text,
    /// Hexadecimal digits.
    Hex,
    /// Base64 with `+` and `/`, padded or not.
    Base64,
    /// Base64 with `-` and `_`, padded or not.
    Base64url,
}

/// The whole configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "jwtgate configuration")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key that an operator sets on its own"
)]
pub struct Config {
    /// The HMAC secret that tokens are signed with. PEM text here is never an HMAC key: with an asymmetric `algorithms` it is read as the public key.
    #[schemars(example = &"0f6c…64 or more hexadecimal digits…")]
    pub secret: Option<Secret>,
    /// A file that holds the secret. One final line break is not part of it.
    #[schemars(example = &"/run/secrets/jwt-hmac")]
    pub secret_file: Option<String>,
    /// The secret before that one, while tokens signed with it live.
    #[schemars(example = &"0f6c…64 or more hexadecimal digits…")]
    pub previous_secret: Option<Secret>,
    /// A file that holds the previous secret. It may be absent or empty: then there is none.
    #[schemars(example = &"/run/secrets/jwt-hmac.previous")]
    pub previous_secret_file: Option<String>,
    /// How the secret is written down: `text`, `hex`, `base64` or `base64url`.
    pub secret_encoding: SecretEncoding,
    /// Accept a secret that is shorter than the hash of its algorithm, or a well-known one. A warning at every start.
    pub danger_allow_weak_secret: bool,
    /// PEM file or files with the issuer's certificate or public key: X.509, SPKI or PKCS#1; RSA, EC or Ed25519; several blocks are several keys.
    #[schemars(example = &"certs/adfs-signature.crt")]
    pub signing_certificate: Option<OneOrMany>,
    /// The same PEM text, inline.
    #[schemars(example = &"-----BEGIN PUBLIC KEY-----…")]
    pub signing_certificate_pem: Option<String>,
    /// Where the issuer publishes its JSON Web Key Set: one or a list. It is fetched again before it is out of date, and when a token names a key that it lacks.
    #[schemars(example = &"https://idp.example.com/jwks.json")]
    pub jwks_url: Option<OneOrMany>,
    /// A file with a JSON Web Key Set.
    #[schemars(example = &"/etc/jwtgate/jwks.json")]
    pub jwks_file: Option<String>,
    /// A JSON Web Key Set, inline, as JSON text.
    #[schemars(example = &"{\"keys\":[…]}")]
    pub jwks: Option<Secret>,
    /// Serve with the published demo keys of `certs/`. Everybody can sign with them.
    pub danger_demo_keys: bool,
    /// The algorithms to accept. Left out: all that the type of the key can check.
    #[schemars(example = ["RS256"])]
    pub algorithms: Option<OneOrMany>,
    /// The audience that a token must name (`aud`): one or a list. Empty: not checked, and `check` warns.
    #[schemars(example = &"https://myApp.domain.local/")]
    pub expected_audience: OneOrMany,
    /// The issuer that a token must name (`iss`): one or a list. Empty: not checked.
    #[schemars(example = &"https://idp.example.com")]
    pub expected_issuer: OneOrMany,
    /// The claim that holds the username: a name, a dotted path, a JSON Pointer, or a list of those that is tried in order. It may take 256 bytes as a header value.
    #[schemars(example = ["preferred_username", "sub"])]
    pub username_claim_field: OneOrMany,
    /// Keep only what stands before the first `@` of the username.
    pub extract_username: bool,
    /// How far clocks may differ when `exp`, `nbf` and `iat` are judged.
    pub leeway: Span,
    /// Refuse tokens without `exp`.
    pub require_exp: bool,
    /// The longest time between `iat` and `exp` (from now, where there is no `iat`). Left out: no limit.
    #[schemars(example = &"12h")]
    pub max_lifetime: Option<Span>,
    /// The `typ` that a token must have. Left out: not checked.
    #[schemars(example = &"at+jwt")]
    pub token_type: Option<String>,
    /// The header that holds the token. Empty: do not look.
    pub header_name: String,
    /// What stands before the token in the header: `auto` takes `Bearer TOKEN` or the bare token, a name takes only that scheme, empty takes only the bare token.
    pub header_scheme: String,
    /// The cookie that holds the token. Empty: do not look.
    #[schemars(example = &"auth_token")]
    pub cookie_name: String,
    /// The query parameter of the original URL that holds the token. Empty: do not look. Tokens in URLs end up in logs.
    #[schemars(example = &"auth_token")]
    pub param_name: String,
    /// The order in which the sources are asked.
    pub token_sources: Vec<TokenSource>,
    /// Different tokens in two sources: `first` lets the first source decide, `reject` refuses. Two in one source are always refused.
    pub on_multiple_tokens: OnMultipleTokens,
    /// Where people are sent to sign in. Left out: they get a 401.
    #[schemars(example = &"https://auth.example.com")]
    pub auth_url: Option<String>,
    /// The parameter of `auth_url` that takes the address to come back to.
    pub retpath_param: String,
    /// Hosts that people may be sent back to: `app.example.com`, `*.example.org`, `http://localhost:8080`. Empty: only the host of `public_url`.
    #[schemars(example = ["app.example.com", "*.example.org"])]
    pub return_hosts: Vec<String>,
    /// The address under which people reach the application: where they land when the address they came from is not allowed.
    #[schemars(example = &"https://app.example.com")]
    pub public_url: Option<String>,
    /// The issuers whose tokens are accepted, each with its own keys and rules.
    pub issuers: BTreeMap<String, IssuerTable>,
    /// Who may pass where. The first rule whose conditions all fit decides; once there is one, what no rule fits is denied.
    pub rules: Vec<RuleTable>,
    /// Rules that decide nothing: where they would have decided otherwise, that is counted and logged. To try out rules before they count.
    #[schemars(extend("x-like" = "rules"))]
    pub shadow_rules: Vec<RuleTable>,
    /// Who may come in at all, before any rule.
    pub access: Access,
    /// How the keys that issuers publish are fetched and kept.
    pub keys: Keys,
    /// The listeners and limits of the service.
    pub server: Server,
    /// The listener for operators: `/healthz`, `/readyz`, `/metrics`, `/keys`. Never the public one.
    pub admin: Admin,
    /// The listener for Envoy's external authorization over gRPC.
    pub ext_authz: ExtAuthz,
    /// The listener for HAProxy's agent protocol.
    pub spoe: Spoe,
    /// jwtgate itself in front of one application: it asks itself, and passes on what may pass.
    pub upstream: Upstream,
    /// Who may ask `/introspect` whether a token is good (RFC 7662). Nobody unless somebody is named.
    pub introspection: Introspection,
    /// The headers that tell the application who it is. All of them stand on every 200, empty where the token lacks the claim.
    pub identity: Identity,
    /// A short-lived JWT that says who it is, signed by jwtgate, in a header of its own.
    pub signed_identity: SignedIdentity,
    /// The cache of verified tokens.
    pub cache: Cache,
    /// Logs, on standard error.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            secret: None,
            secret_file: None,
            previous_secret: None,
            previous_secret_file: None,
            secret_encoding: SecretEncoding::Text,
            danger_allow_weak_secret: false,
            signing_certificate: None,
            signing_certificate_pem: None,
            jwks_url: None,
            jwks_file: None,
            jwks: None,
            danger_demo_keys: false,
            algorithms: None,
            expected_audience: "".into(),
            expected_issuer: "".into(),
            username_claim_field: "username".into(),
            extract_username: false,
            leeway: Span::seconds(30),
            require_exp: true,
            max_lifetime: None,
            token_type: None,
            header_name: "Authorization".to_owned(),
            header_scheme: "auto".to_owned(),
            cookie_name: String::new(),
            param_name: String::new(),
            token_sources: vec![TokenSource::Header, TokenSource::Cookie, TokenSource::Query],
            on_multiple_tokens: OnMultipleTokens::First,
            auth_url: None,
            retpath_param: "retpath".to_owned(),
            return_hosts: Vec::new(),
            public_url: None,
            issuers: BTreeMap::new(),
            rules: Vec::new(),
            shadow_rules: Vec::new(),
            access: Access::default(),
            keys: Keys::default(),
            server: Server::default(),
            admin: Admin::default(),
            ext_authz: ExtAuthz::default(),
            spoe: Spoe::default(),
            upstream: Upstream::default(),
            introspection: Introspection::default(),
            identity: Identity::default(),
            signed_identity: SignedIdentity::default(),
            cache: Cache::default(),
            log: Log::default(),
        }
    }
}
