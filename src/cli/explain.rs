//! `jwtgate explain`: why a token passes or not, step by step, by the very code that serves.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::app;
use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Config, IssuerSettings, TokenSource};
use crate::gate::{self, Credential, State, verify};
use crate::jose::{Algorithm, ClaimPath, Claims, Json};
use crate::keys::KeySet;
use crate::reason::{Reason, Step};
use crate::request::RawToken;

use super::input::TokenInput;
use super::{ConfigFile, Exit, inspect, print};

/// Tell why a token passes or not, step by step.
///
/// It is judged by the code that serves. The answer names the step that failed, the reason code and what to do; the token itself is
/// never printed. Issuers that publish their keys are asked for them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate explain --config jwtgate.toml < token.txt\n  jwtgate explain --token-env TOKEN --json\n\nExit codes: 0 it passes, 1 it does not, 2 it cannot be told (faults in the configuration, no token)."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    token: TokenInput,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The steps that a token goes through, with what each means.
const STEPS: [(Step, &str, &str); 6] = [
    (Step::Shape, "shape", "a compact JWS of allowed length"),
    (
        Step::Header,
        "header",
        "an algorithm and a type that are allowed",
    ),
    (Step::Key, "key", "a key that may judge it"),
    (Step::Signature, "signature", "signed by that key"),
    (
        Step::Claims,
        "claims",
        "issuer, audience and time as wanted",
    ),
    (
        Step::Identity,
        "identity",
        "a username and headers that are fit",
    ),
];

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = arguments.config.load();
    let (compiled, _, found) = app::compile(&loaded.config, Timestamp::now());
    let faults = joined(loaded.faults, found, loaded.file.as_deref());
    let Some(compiled) = compiled.filter(|_| !any_stops(&faults)) else {
        for fault in &faults {
            print::say(format_args!("{fault}\n"));
        }
        bail!("the configuration has faults, so no token can be judged");
    };
    let token = arguments.token.read()?;
    let header = inspect::parts(&token).ok().map(|(header, _)| header);
    let kid = header
        .as_ref()
        .and_then(|header| header.get("kid")?.as_str());
    let (gate, asked) = app::online::ask_once(compiled, kid)?;
    for error in asked.iter().flat_map(|asked| &asked.known.record.errors) {
        print::say(format_args!("warning: keys cannot be fetched: {error}"));
    }
    let credential = Credential::new(RawToken::new(token.as_bytes()), TokenSource::Header);
    let decision = gate::admit(&gate, credential, Timestamp::now());
    let (issuers, _) = loaded.config.issuers();
    let story = Story {
        config: &loaded.config,
        issuers: &issuers,
        gate: &gate,
        token: &token,
    };
    match decision {
        Ok(permit) => {
            story.allowed(&permit, arguments.json);
            Ok(Exit::Fine)
        }
        Err(halt) => {
            story.denied(&halt.settled(), arguments.json);
            Ok(Exit::Refused)
        }
    }
}

struct Story<'s> {
    config: &'s Config,
    issuers: &'s [IssuerSettings],
    gate: &'s State,
    token: &'s str,
}

impl Story<'_> {
    fn allowed(&self, permit: &gate::Admitted, as_json: bool) {
        let identity = permit.verified().identity();
        let headers: Vec<(String, String)> = self
            .gate
            .headers
            .names()
            .zip(identity.values())
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect();
        if as_json {
            let headers: serde_json::Map<String, Value> = headers
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect();
            print::data(json!({ "result": "allowed", "headers": headers }));
            return;
        }
        for (_, name, meaning) in STEPS {
            print::data(format_args!("  ok      {name:<10} {meaning}"));
        }
        print::data("allowed, with these headers:");
        for (name, value) in headers {
            print::data(format_args!("  {name}: {value}"));
        }
    }

    fn denied(&self, refusal: &gate::Refusal, as_json: bool) {
        let reason = refusal.reason();
        let judge = refusal.token().and_then(|token| token.issuer.as_deref());
        let comparison = self.comparison(reason, judge);
        if as_json {
            let (found, expected) = comparison.unzip();
            print::data(json!({
                "result": "denied",
                "reason": reason.code(),
                "step": step_name(reason),
                "meaning": reason.meaning(),
                "hint": reason.hint(),
                "found": found,
                "expected": expected,
                "issuer": refusal.token().and_then(|token| token.issuer.as_deref()),
                "alg": refusal.token().and_then(|token| token.algorithm).map(Algorithm::name),
                "kid": refusal.token().and_then(|token| token.kid.as_deref()),
                "digest": refusal.token().map(|token| token.digest.to_string()),
            }));
            return;
        }
        for (step, name, meaning) in STEPS {
            match step.cmp(&reason.step()) {
                std::cmp::Ordering::Less => {
                    print::data(format_args!("  ok      {name:<10} {meaning}"));
                }
                std::cmp::Ordering::Equal => {
                    print::data(format_args!("  FAILED  {name:<10} {}", reason.meaning()));
                }
                std::cmp::Ordering::Greater => {
                    print::data(format_args!("  -       {name:<10} not reached"));
                }
            }
        }
        print::data(format_args!("denied: {}", reason.code()));
        if let Some((found, expected)) = comparison {
            print::data(format_args!("  found:    {found}\n  expected: {expected}"));
        }
        print::data(format_args!("  hint:     {}", reason.hint()));
    }

    /// What the token says beside what is expected, where that explains the reason. It comes unverified, so it is quoted. `judge` is the
    /// name of the issuer that judged it.
    fn comparison(&self, reason: Reason, judge: Option<&str>) -> Option<(String, String)> {
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

fn step_name(reason: Reason) -> &'static str {
    STEPS
        .iter()
        .find(|(step, ..)| *step == reason.step())
        .map_or("request", |(_, name, _)| name)
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
