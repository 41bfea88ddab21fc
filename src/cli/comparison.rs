//! What a refused token says, beside what is expected: for `explain`.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::config::{Config, IssuerSettings};
use crate::gate::{State, verify};
use crate::jose::{ClaimPath, Claims, Json};
use crate::keys::KeySet;
use crate::reason::Reason;
use crate::request::RawToken;

use super::{inspect, print};

/// A token, and by what it was judged.
pub(super) struct Comparison<'s> {
    pub(super) config: &'s Config,
    pub(super) issuers: &'s [IssuerSettings],
    pub(super) gate: &'s State,
    pub(super) token: &'s str,
}

impl Comparison<'_> {
    /// What the token says beside what is expected, where that explains the reason. It comes unverified, so it is quoted. `judge` is the
    /// name of the issuer that judged it.
    pub(super) fn of(&self, reason: Reason, judge: Option<&str>) -> Option<(String, String)> {
        let (header, claims) = inspect::parts(self.token).ok()?;
        let member = |value: &Value, name: &str| {
            let found = value
                .get(name)
                .map_or_else(|| "absent".to_owned(), Value::to_string);
            format!("{name} {}", print::printable(&found))
        };
        if reason == Reason::TokenIssuer {
            return Some(self.issuer_or_tenant(&claims, judge.is_some(), member));
        }
        let settings = self.issuers.iter().find(|settings| {
            judge.map_or(self.issuers.len() == 1, |judge| settings.name == judge)
        })?;
        let keys = self
            .gate
            .issuers
            .all()
            .iter()
            .find(|one| *one.name == settings.name);
        let now = Timestamp::now().seconds();
        let not_later = || format!("not after now, {now}, plus {}", settings.leeway);
        let pair = match reason {
            Reason::TokenAlgorithm => (member(&header, "alg"), algorithms(&keys?.keys)),
            Reason::KeyUnknown => (member(&header, "kid"), kids(&keys?.keys)),
            Reason::TokenSigner => (member(&header, "signer"), one_of(&settings.signer)),
            Reason::TokenType => (
                member(&header, "typ"),
                settings
                    .token_type
                    .clone()
                    .unwrap_or_else(|| "no logout or event token".to_owned()),
            ),
            Reason::TokenAudience => (
                member(&claims, &settings.audience_claim),
                one_of(settings.audience.items()),
            ),
            Reason::TokenClaim => required(settings, |name| member(&claims, name)),
            Reason::TokenExpired => (
                member(&claims, "exp"),
                format!("later than now, {now}, less {}", settings.leeway),
            ),
            Reason::TokenNotYetValid => (member(&claims, "nbf"), not_later()),
            Reason::TokenIssuedInFuture => (member(&claims, "iat"), not_later()),
            Reason::IdentityUsername => (
                self.kinds(settings.username_claim.items().iter()),
                "text of 1 to 256 bytes that may stand in a header".to_owned(),
            ),
            Reason::IdentityInvalid => (
                self.kinds(self.config.identity.all_headers().values()),
                "text, or a list of text without commas, that may stand in a header".to_owned(),
            ),
            _ => return None,
        };
        Some(pair)
    }

    /// Where an issuer judged the token, its `iss` is one of several tenants', and something else does not fit that.
    fn issuer_or_tenant(
        &self,
        claims: &Value,
        is_judged: bool,
        member: impl Fn(&Value, &str) -> String,
    ) -> (String, String) {
        let known = self.issuers.iter().flat_map(IssuerSettings::spellings);
        let known: Vec<_> = known.collect();
        let iss = claims.get("iss").and_then(Value::as_str);
        match iss.filter(|iss| is_judged && known.iter().any(|known| known == iss)) {
            Some(iss) => (
                member(claims, "tid"),
                format!("the tenant of {iss}, and a key that may speak for it"),
            ),
            None => (member(claims, "iss"), one_of(&known)),
        }
    }

    /// What kind of value each of these claims has, its content left out.
    fn kinds<'f>(&self, fields: impl Iterator<Item = &'f String>) -> String {
        let payload = verify::payload_of_verified(RawToken::new(self.token.as_bytes()));
        let payload = payload.unwrap_or_default();
        let claims = Claims::parse(&payload).ok();
        let kinds: Vec<_> = fields
            .map(|field| {
                let path = ClaimPath::parse(field).ok();
                let value = path
                    .zip(claims.as_ref())
                    .and_then(|(path, claims)| path.resolve(claims).map(kind));
                format!("`{field}` is {}", value.unwrap_or("absent"))
            })
            .collect();
        kinds.join(", ")
    }
}

fn required(settings: &IssuerSettings, member: impl Fn(&str) -> String) -> (String, String) {
    let rules = &settings.required_claims;
    let found: Vec<_> = rules.keys().map(|name| member(name)).collect();
    let wanted: Vec<_> = rules
        .iter()
        .map(|(name, values)| format!("{name} {}", one_of(values.items())))
        .collect();
    (found.join(", "), wanted.join(", "))
}

fn one_of(items: &[String]) -> String {
    format!("one of {items:?}")
}

fn algorithms(keys: &KeySet) -> String {
    let mut names: Vec<_> = keys
        .keys()
        .iter()
        .flat_map(|key| key.algorithms())
        .map(|algorithm| algorithm.name().to_owned())
        .collect();
    names.dedup();
    one_of(&names)
}

fn kids(keys: &KeySet) -> String {
    let kids: Vec<_> = keys
        .keys()
        .iter()
        .filter_map(|key| key.kid().map(str::to_owned))
        .collect();
    one_of(&kids)
}

fn kind(value: &Json<'_>) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
