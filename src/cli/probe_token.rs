//! The token that `doctor` shows: minted for a minute, as the configuration wants it.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::config::{Config, IssuerSettings, Secret};
use crate::doctor::TokenPlace;
use crate::jose::signing_key::SigningKey;
use crate::keys::file::read_secret;
use crate::keys::secret::read;

use super::mint;

/// A token, and where it goes where that is known.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) token: Option<String>,
    pub(super) place: Option<TokenPlace>,
}

/// Whom a minted token names.
const USERNAME: &str = "jwtgate-doctor";
const LIFETIME: i64 = 60;

/// Signed with a key of a file.
pub(super) fn with_key(
    file: &Path,
    config: Option<&Config>,
    claims: Map<String, Value>,
) -> anyhow::Result<Made> {
    let issuers = config.map(|config| config.issuers().0).unwrap_or_default();
    let settings = issuers.first();
    let wanted = settings
        .and_then(|settings| settings.algorithms.as_ref()?.items().first())
        .and_then(|name| crate::jose::Algorithm::from_name(name));
    let (key, kid) = mint::signing_key(file, wanted)?;
    let claims = filled(claims, settings);
    let typ = settings.and_then(|settings| settings.token_type.as_deref());
    let token = key.sign(kid.as_deref(), typ.unwrap_or("JWT"), &Value::Object(claims))?;
    Ok(Made {
        token: Some(token),
        place: settings.and_then(own_header),
    })
}

/// Signed with the secret of a configuration; `None` where it holds none.
pub(super) fn with_secret(
    config: &Config,
    claims: Map<String, Value>,
) -> anyhow::Result<Option<Made>> {
    let (issuers, _) = config.issuers();
    for settings in &issuers {
        let Some(text) = secret_of(settings)? else {
            continue;
        };
        let secret = read(&text, settings.secret_encoding)?;
        let algorithms = settings.algorithms.as_ref();
        let wanted = algorithms
            .and_then(|names| names.items().first())
            .and_then(|name| crate::jose::Algorithm::from_name(name));
        let key = SigningKey::from_secret(&secret, wanted)?;
        let claims = filled(claims, Some(settings));
        let typ = settings.token_type.as_deref().unwrap_or("JWT");
        return Ok(Some(Made {
            token: Some(key.sign(None, typ, &Value::Object(claims))?),
            place: own_header(settings),
        }));
    }
    Ok(None)
}

fn secret_of(settings: &IssuerSettings) -> anyhow::Result<Option<String>> {
    if let Some(secret) = &settings.keys.secret {
        return Ok(Some(Secret::expose(secret).to_owned()));
    }
    let file = settings.keys.secret_file.as_deref();
    let Some(file) = file.filter(|file| !file.is_empty()) else {
        return Ok(None);
    };
    // Whether it is a good one is told by `check`.
    let mut faults = Vec::new();
    let text = read_secret(file, "secret_file", &mut faults);
    let text = text.with_context(|| faults.iter().map(ToString::to_string).collect::<String>())?;
    if text.is_empty() {
        bail!("`{file}` is empty");
    }
    Ok(Some(text.to_string()))
}

/// The claims that are given, and those that an issuer asks for beside them.
pub(super) fn filled(
    mut claims: Map<String, Value>,
    settings: Option<&IssuerSettings>,
) -> Map<String, Value> {
    let now = Timestamp::now().seconds();
    let mut add = |name: &str, value: Value| {
        claims.entry(name).or_insert(value);
    };
    add("iat", now.into());
    add("exp", (now + LIFETIME).into());
    add("sub", USERNAME.into());
    let Some(settings) = settings else {
        add("username", USERNAME.into());
        return claims;
    };
    if let Some(issuer) = settings.spellings().first() {
        add("iss", issuer.as_str().into());
    }
    if let Some(audience) = settings.audience.items().first() {
        add(&settings.audience_claim, audience.as_str().into());
    }
    for (name, values) in &settings.required_claims {
        if let Some(value) = values.items().first() {
            add(name, value.as_str().into());
        }
    }
    if let Some(claim) = settings.username_claim.items().first() {
        match claim.strip_prefix('/') {
            None => add(claim, USERNAME.into()),
            Some(pointer) => {
                let mut names = pointer.split('/');
                let first = names.next().unwrap_or_default().to_owned();
                let inner = names.rev().fold(Value::from(USERNAME), |value, name| {
                    Value::Object(Map::from_iter([(name.to_owned(), value)]))
                });
                add(&first, inner);
            }
        }
    }
    claims
}

/// Some issuers' tokens stand bare in a header of their own.
fn own_header(settings: &IssuerSettings) -> Option<TokenPlace> {
    let name = settings.header_name.clone()?;
    Some(TokenPlace::Header { name, before: "" })
}

/// Where a configuration looks for tokens.
pub(super) fn place(config: Option<&Config>) -> TokenPlace {
    let usual = || TokenPlace::Header {
        name: "Authorization".to_owned(),
        before: "Bearer ",
    };
    let Some(config) = config else {
        return usual();
    };
    if config.header_name.is_empty() {
        return if config.cookie_name.is_empty() {
            usual()
        } else {
            TokenPlace::Cookie(config.cookie_name.clone())
        };
    }
    TokenPlace::Header {
        name: config.header_name.clone(),
        before: if config.header_scheme.is_empty() {
            ""
        } else {
            "Bearer "
        },
    }
}

/// The identity headers of a configuration.
pub(super) fn identity_headers(config: &Config) -> Vec<String> {
    let mut carried: Vec<_> = config.identity.all_headers().into_iter().collect();
    // The one that names the person first.
    carried.sort_by_key(|(_, carries)| carries != "username");
    let signed = config.signed_identity.header().map(str::to_owned);
    carried
        .into_iter()
        .map(|(name, _)| name)
        .chain(signed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_says_what_the_issuer_asks_for() {
        let mut config = Config {
            expected_issuer: "https://idp".into(),
            expected_audience: "app".into(),
            username_claim_field: "/person/name".into(),
            ..Config::default()
        };
        let claims = filled(Map::new(), Some(&config.default_issuer()));
        assert_eq!(claims["iss"], "https://idp");
        assert_eq!(claims["aud"], "app");
        assert_eq!(claims["person"]["name"], USERNAME);
        let exp = claims["exp"].as_i64().expect("a number");
        assert_eq!(exp - claims["iat"].as_i64().expect("a number"), 60);
        config.username_claim_field = "a.b".into();
        let given = Map::from_iter([("iss".to_owned(), "own".into())]);
        let claims = filled(given, Some(&config.default_issuer()));
        assert_eq!(
            (&claims["iss"], &claims["a.b"]),
            (&"own".into(), &USERNAME.into())
        );
    }

    #[test]
    fn the_token_goes_where_the_configuration_looks() {
        let told = |config: &Config| match place(Some(config)) {
            TokenPlace::Header { name, before } => format!("{name}: {before}"),
            TokenPlace::Cookie(name) => format!("cookie {name}"),
        };
        let mut config = Config::default();
        assert_eq!(told(&config), "Authorization: Bearer ");
        config.header_scheme = String::new();
        assert_eq!(told(&config), "Authorization: ");
        config.header_name = String::new();
        config.cookie_name = "auth".to_owned();
        assert_eq!(told(&config), "cookie auth");
        assert_eq!(identity_headers(&config)[0], "X-Auth-User");
    }
}
