//! What is measured: a configuration, and a token that it lets pass.

use std::collections::HashMap;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::app;
use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Config, IssuerSettings, Secret};
use crate::doctor::TokenPlace;
use crate::gate::State;
use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, Family, HmacSecret, jwk};

use super::super::probe_token::{self, Made};
use super::super::request_input::Given;
use super::super::{inspect, print};
use super::Arguments;

/// A configuration with a token for it.
pub(super) struct Subject {
    pub(super) config: Config,
    pub(super) gate: State,
    pub(super) token: String,
    place: TokenPlace,
    pub(super) url: String,
    /// The file of the configuration; `None`: a plain one, made for this.
    pub(super) file: Option<String>,
    /// Whose token it is.
    pub(super) token_is: &'static str,
    /// All of that in words.
    pub(super) what: String,
}

const AUDIENCE: &str = "https://app.example.com/";
const ISSUER: &str = "https://idp.example.com/realms/main";
const KID: &str = "bench";
/// What stands in for an issuer's keys where it names no algorithm.
const USUAL: &str = "RS256";
/// Longer than any measurement.
const LIFETIME: i64 = 3600;

impl Subject {
    /// The configuration that is named or found, with the token that was asked for; a plain one where there is none.
    pub(super) fn choose(arguments: &Arguments) -> anyhow::Result<Self> {
        let loaded = arguments.config.load();
        let has_keys = |config: &Config| {
            let (issuers, _) = config.issuers();
            !config.issuers.is_empty() || issuers.iter().any(|one| !one.keys.is_empty())
        };
        if loaded.file.is_none() && loaded.faults.is_empty() && !has_keys(&loaded.config) {
            if arguments.token.is_named() || arguments.key.is_some() {
                bail!(
                    "there is a token and no configuration that it is for\n  hint: name one with --config"
                );
            }
            let usual = Algorithm::from_name(USUAL).context("in the table")?;
            return Self::plain(usual);
        }
        let (compiled, _, found) = app::compile(&loaded.config, Timestamp::now());
        let faults = joined(loaded.faults, found, loaded.file.as_deref());
        let Some(compiled) = compiled.filter(|_| !any_stops(&faults)) else {
            for fault in &faults {
                print::say(format_args!("{fault}\n"));
            }
            bail!("the configuration has faults, so nothing can be measured");
        };
        let config = loaded.config;
        let file = loaded.file.map(|file| file.display().to_string());
        let usual_place = || probe_token::place(Some(&config));
        if arguments.token.is_named() {
            let token = arguments.token.read()?;
            let header = inspect::parts(&token).ok();
            let kid = header.as_ref().and_then(|(header, _)| header.get("kid"));
            let kid = kid.and_then(Value::as_str);
            let (gate, asked) = app::online::ask_once(compiled, kid)?;
            for error in asked.iter().flat_map(|asked| &asked.known.record.errors) {
                print::say(format_args!("warning: keys cannot be fetched: {error}"));
            }
            let place = usual_place();
            return Ok(Self::new(config, gate, token, place, "your token").of(file, arguments));
        }
        let own = match &arguments.key {
            Some(key) => Some(probe_token::with_key(key, Some(&config), claims())?),
            None => probe_token::with_secret(&config, claims())?,
        };
        if let Some(Made { token, place }) = own {
            let token = token.context("signed")?;
            let place = place.unwrap_or_else(usual_place);
            let (gate, _) = app::online::ask_once(compiled, None)?;
            return Ok(
                Self::new(config, gate, token, place, "a token signed for it").of(file, arguments),
            );
        }
        Self::with_stand_ins(config).map(|subject| subject.of(file, arguments))
    }

    /// A plain configuration with one fresh key, and a token of usual size: 20 groups, about 1 KB of claims.
    pub(super) fn plain(algorithm: Algorithm) -> anyhow::Result<Self> {
        let (signing, public) = fresh_key(algorithm)?;
        let config = Config {
            jwks: Some(set_of(&[&public])),
            expected_audience: AUDIENCE.into(),
            expected_issuer: ISSUER.into(),
            ..Config::default()
        };
        let settings = config.default_issuer();
        let token = signed(&signing, &settings)?;
        let gate = compiled(&config)?;
        let place = probe_token::place(Some(&config));
        let mut subject = Self::new(
            config,
            gate,
            token,
            place,
            "a token that a fresh key signed",
        );
        subject.what = format!(
            "a plain configuration and a {} token (name your own with --config):",
            algorithm.name()
        );
        Ok(subject)
    }

    /// Every issuer gets a fresh key in the place of its own, so that nobody is asked and a token can be signed. The rest stays as it is.
    fn with_stand_ins(mut config: Config) -> anyhow::Result<Self> {
        let (issuers, _) = config.issuers();
        let mut keys = HashMap::new();
        for settings in &issuers {
            let algorithm = algorithm_of(settings)?;
            if !keys.contains_key(algorithm.name()) {
                keys.insert(algorithm.name(), fresh_key(algorithm)?);
            }
            let (_, public) = keys.get(algorithm.name()).context("made above")?;
            replace_keys(&mut config, settings, set_of(&[public]));
        }
        let first = issuers.first().context("no issuer")?;
        let (signing, _) = keys
            .get(algorithm_of(first)?.name())
            .context("made above")?;
        let token = signed(signing, first)?;
        let gate = compiled(&config).context(
            "no key can stand in for those of this configuration\n  hint: give a token that it lets pass with --token-file",
        )?;
        let place = match &first.header_name {
            Some(name) => TokenPlace::Header {
                name: name.clone(),
                before: "",
            },
            None => probe_token::place(Some(&config)),
        };
        Ok(Self::new(
            config,
            gate,
            token,
            place,
            "a token that a stand-in key signed",
        ))
    }

    fn new(
        config: Config,
        gate: State,
        token: String,
        place: TokenPlace,
        token_is: &'static str,
    ) -> Self {
        Self {
            config,
            gate,
            token,
            place,
            url: AUDIENCE.to_owned(),
            file: None,
            token_is,
            what: String::new(),
        }
    }

    fn of(mut self, file: Option<String>, arguments: &Arguments) -> Self {
        self.what = format!(
            "{}, {} ({} bytes), {}:",
            file.as_deref().unwrap_or("the environment's configuration"),
            self.token_is,
            self.token.len(),
            print::printable(&arguments.url)
        );
        self.url.clone_from(&arguments.url);
        self.file = file;
        self
    }

    /// The header that carries the token.
    pub(super) fn header(&self) -> (String, String) {
        match &self.place {
            TokenPlace::Header { name, before } => {
                (name.clone(), format!("{before}{}", self.token))
            }
            TokenPlace::Cookie(name) => ("Cookie".to_owned(), format!("{name}={}", self.token)),
        }
    }

    /// The request that is asked about.
    pub(super) fn asked(&self) -> Given {
        Given::get(&self.url, self.header())
    }
}

/// The gate of a configuration that was made here.
fn compiled(config: &Config) -> anyhow::Result<State> {
    let (gate, _, faults) = app::compile_gate(config, Timestamp::now());
    match gate.filter(|_| !any_stops(&faults)) {
        Some(gate) => Ok(gate),
        None => bail!(
            "{}",
            faults.iter().map(ToString::to_string).collect::<String>()
        ),
    }
}

/// A key to sign with, and its public half or the secret, as a member of a JWKS.
fn fresh_key(algorithm: Algorithm) -> anyhow::Result<(SigningKey, Value)> {
    const MODULUS_BITS: u32 = 2048;
    if algorithm.family() == Family::Hmac {
        let mut bytes = vec![0; 64];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let secret = HmacSecret::new(bytes).context("an empty secret")?;
        let public = jwk::secret_to_json(&secret, KID, algorithm);
        return Ok((SigningKey::from_secret(&secret, Some(algorithm))?, public));
    }
    let private = PrivateKey::generate(algorithm.family(), MODULUS_BITS)?;
    let public = jwk::to_json(private.public(), KID, algorithm);
    Ok((SigningKey::from_private(&private, Some(algorithm))?, public))
}

fn set_of(keys: &[&Value]) -> Secret {
    Secret::from(json!({ "keys": keys }).to_string().as_str())
}

fn algorithm_of(settings: &IssuerSettings) -> anyhow::Result<Algorithm> {
    let named = settings.algorithms.as_ref();
    let name = named.and_then(|names| names.items().first());
    let name = name.map_or(USUAL, String::as_str);
    Algorithm::from_name(name).with_context(|| format!("`{name}` is no algorithm"))
}

fn signed(key: &SigningKey, settings: &IssuerSettings) -> anyhow::Result<String> {
    let claims = Value::Object(probe_token::filled(claims(), Some(settings)));
    let typ = settings.token_type.as_deref().unwrap_or("JWT");
    Ok(key.sign(Some(KID), typ, &claims)?)
}

/// What makes a token of usual size, beside what a configuration asks for.
fn claims() -> Map<String, Value> {
    let now = Timestamp::now().seconds();
    let groups: Vec<_> = (0..20)
        .map(|index| format!("department-{index:02}-of-the-company"))
        .collect();
    Map::from_iter([
        ("iat".to_owned(), now.into()),
        ("exp".to_owned(), (now + LIFETIME).into()),
        ("email".to_owned(), "alice@example.com".into()),
        ("groups".to_owned(), json!(groups)),
    ])
}

/// Leaves an issuer no other keys than these.
fn replace_keys(config: &mut Config, settings: &IssuerSettings, set: Secret) {
    if settings.is_default {
        config.secret = None;
        config.secret_file = None;
        config.previous_secret = None;
        config.previous_secret_file = None;
        config.signing_certificate = None;
        config.signing_certificate_pem = None;
        config.jwks_file = None;
        config.jwks_url = None;
        config.jwks = Some(set);
    } else if let Some(table) = config.issuers.get_mut(&settings.name) {
        table.secret = None;
        table.secret_file = None;
        table.previous_secret = None;
        table.previous_secret_file = None;
        table.signing_certificate = None;
        table.signing_certificate_pem = None;
        table.jwks_file = None;
        table.jwks_url = None;
        table.key_url = None;
        table.discovery_url = None;
        table.ca_file = None;
        table.bearer_file = None;
        table.jwks = Some(set);
    }
}
