//! `[[rules]]`: who may pass where. `[[shadow_rules]]` have the same keys and only count.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, Span};

/// What a rule does with a request that its conditions fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// No token is needed; a good one still says who it is, and a bad one says nothing.
    Public,
    /// No token is needed; where there is one, it must be good and fit `require`.
    Optional,
    /// A good token is needed, and it must fit `require`.
    Require,
    /// Nobody may pass.
    Deny,
}

/// A rule of who may pass where. The first rule whose conditions all fit decides. Without any rule, every good token passes; as soon as there is one, what no rule fits is denied.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleTable {
    /// Its name in logs, metrics and `explain`. Left out: its place, such as `rules[0]`.
    #[schemars(example = &"admin-area")]
    pub name: Option<String>,
    /// What it does: `public`, `optional`, `require` or `deny`.
    #[schemars(example = Action::Require)]
    pub action: Option<Action>,
    /// Hosts it is for, without a port: `app.example.com`, or `*.example.com` for all names below. Left out: every host.
    #[schemars(example = &"app.example.com")]
    pub host: Option<OneOrMany>,
    /// Paths it is for, each with or without a slash at its end. With several kinds of path, one that fits is enough. Left out, all of them: every path.
    #[schemars(example = &"/health")]
    pub path: Option<OneOrMany>,
    /// Paths it is for, with everything below them: `/admin` is for `/admin` and `/admin/users`, not for `/administrator`.
    #[schemars(example = &"/admin")]
    pub path_prefix: Option<OneOrMany>,
    /// Patterns of paths: `*` stands for anything within a segment, `**` for any number of segments, `?` for one character, `{a,b}` for either; with or without a slash at the end.
    #[schemars(example = &"/projects/*/settings/**")]
    pub path_glob: Option<OneOrMany>,
    /// Regular expressions that must match the whole path, a slash at its end included.
    #[schemars(example = &"/v[0-9]+/items(/.*)?")]
    pub path_regex: Option<OneOrMany>,
    /// Take capital and small letters in paths for the same (ASCII), as some backends do. An expression says `(?i)` itself.
    pub ignore_case: bool,
    /// For a rule without paths: also pass paths that two programs may read differently (`%2F`, `//`, `;`, encoded dots and the like). They are denied otherwise.
    pub ambiguous_paths: bool,
    /// Methods it is for. Left out: every method.
    #[schemars(example = ["GET", "HEAD"])]
    pub method: Option<OneOrMany>,
    /// For CORS preflights only: `OPTIONS` with `Origin` and `Access-Control-Request-Method`. They carry no token, and pass only by a `public` rule, without identity.
    pub preflight: bool,
    /// Addresses of clients it is for, as the trusted proxy says them in `X-Forwarded-For`. Left out: every address.
    #[schemars(example = ["10.0.0.0/8", "2001:db8::/32"])]
    pub source: Option<OneOrMany>,
    /// Names of issuers whose tokens it is for. A `require` rule asks whoever comes without a good token for one. Left out: tokens of every issuer, and none.
    #[schemars(example = &"okta")]
    pub issuer: Option<OneOrMany>,
    /// A CEL expression over the request and the token that must be true for the rule to fit. One that fails denies the request.
    #[schemars(example = &"claims.department == 'finance' && request.method == 'GET'")]
    pub when: Option<String>,
    /// Whom the signed identity is for (`aud`), instead of `signed_identity.audience`: one or a list.
    #[schemars(example = &"https://orders.internal")]
    pub audience: Option<OneOrMany>,
    /// What the person or the token must be or have. Every key that is given must hold.
    pub require: ConditionTable,
    /// How the person must have signed in (`acr` claim): one of these. Else they are sent to sign in again that way (RFC 9470).
    #[schemars(example = &"urn:okta:loa:2fa:any")]
    pub acr: Option<OneOrMany>,
    /// How long ago the person may have signed in (`auth_time` claim). Else they are sent to sign in again (RFC 9470).
    #[schemars(example = &"15m")]
    pub max_age: Option<Span>,
}

/// What the person or the token must be or have. Every key that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionTable {
    /// The username is one of these.
    #[schemars(example = ["alice", "bob"])]
    pub users: Option<OneOrMany>,
    /// The person is in one of these groups.
    #[schemars(example = ["admins"])]
    pub groups: Option<OneOrMany>,
    /// The e-mail address is in one of these domains, and not said to be unverified.
    #[schemars(example = &"example.com")]
    pub domains: Option<OneOrMany>,
    /// The token has all of these scopes.
    #[schemars(example = &"orders:read")]
    pub scopes: Option<OneOrMany>,
    /// Claims of the token, each with one test.
    pub claims: Option<Vec<ClaimTestTable>>,
    /// Every one of these holds.
    #[schemars(extend("x-like" = "rules.require"))]
    pub all: Option<Vec<ConditionTable>>,
    /// At least one of these holds.
    #[schemars(extend("x-like" = "rules.require"))]
    pub any: Option<Vec<ConditionTable>>,
    /// This does not hold, and that is known: a claim of another type, or groups that stand elsewhere, are no proof.
    #[schemars(extend("x-like" = "rules.require"))]
    pub not: Option<Box<ConditionTable>>,
}

/// A test of a claim: its name, and exactly one of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimTestTable {
    /// The claim: a name, a dotted path or a JSON Pointer.
    #[schemars(example = &"department")]
    pub claim: String,
    /// It is exactly this text, number or truth value.
    #[schemars(example = Scalar::Text("finance".to_owned()))]
    pub equals: Option<Scalar>,
    /// It is one of these.
    #[schemars(example = ["finance", "sales"])]
    pub one_of: Option<Vec<Scalar>>,
    /// It is a list that holds one of these, or one of these itself. Texts are not searched.
    #[schemars(example = ["on-call"])]
    pub contains: Option<Vec<Scalar>>,
    /// It is text that this regular expression matches as a whole, or a list with such a text.
    #[schemars(example = &"L[5-9]")]
    pub matches: Option<String>,
    /// It is there (and not null), or it is not.
    #[schemars(example = true)]
    pub exists: Option<bool>,
}

/// A value that a claim is compared with; the type counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// `true` or `false`.
    Truth(bool),
    /// A number.
    Number(serde_json::Number),
}

/// As it stands in a configuration.
impl fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Truth(truth) => truth.fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}
