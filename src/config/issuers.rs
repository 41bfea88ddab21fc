//! `[issuers.NAME]`: one table for each issuer whose tokens are accepted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::presets::Preset;
use super::{Access, FieldTable, GroupOverage, OneOrMany, Secret, SecretEncoding, Span};

/// An issuer whose tokens are accepted; `NAME` is yours and stands in logs and metrics. A key counts from this table, else from its preset, else from the top level.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerTable {
    /// A provider whose addresses, claims and headers are known. See the [presets](presets.md).
    #[schemars(example = Preset::Okta)]
    pub preset: Option<Preset>,
    /// For presets: the provider's host, such as `acme.okta.com`.
    #[schemars(example = &"acme.okta.com")]
    pub domain: Option<String>,
    /// For the preset `okta`: the custom authorization server, such as `default`. Left out: the org's own.
    #[schemars(example = &"default")]
    pub authorization_server: Option<String>,
    /// For the presets `entra` and `entra-v1`: the id of the one tenant.
    #[schemars(example = &"11111111-2222-3333-4444-555555555555")]
    pub tenant: Option<String>,
    /// The ids of several tenants. `{tenantid}` in `issuer` stands for each of them, and for no other.
    #[schemars(example = ["11111111-2222-3333-4444-555555555555"])]
    pub tenants: Option<OneOrMany>,
    /// For the preset `keycloak`: the realm.
    #[schemars(example = &"main")]
    pub realm: Option<String>,
    /// For the preset `cognito`: the id of the user pool.
    #[schemars(example = &"eu-west-1_aBcDeFgHi")]
    pub user_pool: Option<String>,
    /// For the preset `cognito`: the kind of token, `access` or `id`.
    #[schemars(example = &"access")]
    pub token_use: Option<String>,
    /// The token's header must name this `signer`: one or a list. For the preset `aws-alb`: the load balancer's ARN.
    #[schemars(example = &"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188")]
    pub signer: Option<OneOrMany>,
    /// The issuer that its tokens name (`iss`): one, or a list of spellings of which the first is asked for its metadata.
    #[schemars(example = &"https://idp.example.com")]
    pub issuer: Option<OneOrMany>,
    /// The audience that its tokens must name: one or a list.
    #[schemars(example = &"https://myApp.domain.local/")]
    pub audience: Option<OneOrMany>,
    /// The claim that names the audience.
    #[schemars(example = &"client_id")]
    pub audience_claim: Option<String>,
    /// The algorithms to accept. Left out: all that its keys can check.
    #[schemars(example = ["RS256"])]
    pub algorithms: Option<OneOrMany>,
    /// The claim that holds the username: a name, a dotted path, a JSON Pointer, or a list of those that is tried in order.
    #[schemars(example = ["preferred_username", "sub"])]
    pub username_claim: Option<OneOrMany>,
    /// Keep only what stands before the first `@` of the username.
    #[schemars(example = false)]
    pub extract_username: Option<bool>,
    /// A regular expression that must match the whole username, instead of `identity.username_pattern`.
    #[schemars(example = &"[a-z][a-z0-9-]{0,30}")]
    pub username_pattern: Option<String>,
    /// Usernames that have another name here, instead of `identity.username_map`.
    pub username_map: BTreeMap<String, String>,
    /// What becomes of a token whose groups stand elsewhere, instead of `identity.group_overage`.
    #[schemars(example = GroupOverage::Ignore)]
    pub group_overage: Option<GroupOverage>,
    /// What a field is made of, key by key before `[identity.fields]`.
    #[schemars(extend("x-like" = "identity.fields.NAME"))]
    pub fields: BTreeMap<String, FieldTable>,
    /// Who of its people may come in, beside `[access]`.
    #[schemars(extend("x-like" = "access"))]
    pub access: Access,
    /// Claims that must have this value, or one of these: strings, or lists that hold one.
    pub required_claims: BTreeMap<String, OneOrMany>,
    /// How far clocks may differ.
    #[schemars(example = &"30s")]
    pub leeway: Option<Span>,
    /// Refuse tokens without `exp`.
    #[schemars(example = true)]
    pub require_exp: Option<bool>,
    /// The longest time between `iat` and `exp`.
    #[schemars(example = &"12h")]
    pub max_lifetime: Option<Span>,
    /// The `typ` that its tokens must have.
    #[schemars(example = &"at+jwt")]
    pub token_type: Option<String>,
    /// A header that holds its tokens bare; it is looked at before `header_name` of the top level.
    #[schemars(example = &"Cf-Access-Jwt-Assertion")]
    pub header_name: Option<String>,
    /// Where its metadata is (OpenID Connect Discovery, RFC 8414). Left out, with no other source of keys: derived from `issuer`.
    #[schemars(example = &"https://idp.example.com/.well-known/openid-configuration")]
    pub discovery_url: Option<String>,
    /// Where its key set is: one or a list.
    #[schemars(example = &"https://idp.example.com/jwks.json")]
    pub jwks_url: Option<OneOrMany>,
    /// Where each of its keys is, in PEM, with `{kid}` for the key's name.
    #[schemars(example = &"https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}")]
    pub key_url: Option<String>,
    /// A file with its key set.
    #[schemars(example = &"/etc/jwtgate/partner.jwks.json")]
    pub jwks_file: Option<String>,
    /// Its key set, inline, as JSON text.
    #[schemars(example = &"{\"keys\":[…]}")]
    pub jwks: Option<Secret>,
    /// PEM file or files with its certificate or public key.
    #[schemars(example = &"certs/adfs-signature.crt")]
    pub signing_certificate: Option<OneOrMany>,
    /// The same PEM text, inline.
    #[schemars(example = &"-----BEGIN PUBLIC KEY-----…")]
    pub signing_certificate_pem: Option<String>,
    /// The HMAC secret that it shares.
    #[schemars(example = &"0f6c…64 or more hexadecimal digits…")]
    pub secret: Option<Secret>,
    /// A file that holds the secret.
    #[schemars(example = &"/run/secrets/partner-hmac")]
    pub secret_file: Option<String>,
    /// The secret before that one, while tokens signed with it live.
    #[schemars(example = &"0f6c…64 or more hexadecimal digits…")]
    pub previous_secret: Option<Secret>,
    /// A file that holds the previous secret. It may be absent or empty: then there is none.
    #[schemars(example = &"/run/secrets/partner-hmac.previous")]
    pub previous_secret_file: Option<String>,
    /// How the secret is written down: `text`, `hex`, `base64` or `base64url`.
    #[schemars(example = SecretEncoding::Text)]
    pub secret_encoding: Option<SecretEncoding>,
    /// PEM certificates of the authorities that may vouch for its server, instead of `keys.ca_file`.
    #[schemars(example = &"/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")]
    pub ca_file: Option<String>,
    /// A file with a bearer token for the fetches, read anew for each.
    #[schemars(example = &"/var/run/secrets/kubernetes.io/serviceaccount/token")]
    pub bearer_file: Option<String>,
}
