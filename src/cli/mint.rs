//! `jwtgate mint`: sign a token, for tests and services.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, HmacSecret, thumbprint};
use crate::keys::secret::{is_pem, without_final_line_break};

use super::{Exit, print};

/// Sign a token, for tests and services.
///
/// With a private key (PEM) or an HMAC secret. `iat` and `exp` are added unless they are given.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate mint --key private.pem --audience https://app.example.com --username alice\n  jwtgate mint --key secret.txt --claims '{\"username\":\"alice\"}' --expires-in 5m\n  jwtgate mint --key private.pem --count 1000 > tokens.txt\n\nExit codes: 0 printed, 2 not."
)]
pub(super) struct Arguments {
    /// A private key in PEM, or a file with an HMAC secret.
    #[arg(long, short, value_name = "FILE")]
    key: PathBuf,
    /// The algorithm. Without it: the first that fits the key.
    #[arg(long, short, value_name = "ALG", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
    /// The name of the key in the header. Without it: the RFC 7638 thumbprint; for a secret, none.
    #[arg(long)]
    kid: Option<String>,
    /// The kind of token (`typ`).
    #[arg(long = "type", value_name = "TYP", default_value = "JWT")]
    typ: String,
    /// Claims, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = claims)]
    claims: Option<Map<String, Value>>,
    /// The `iss` claim.
    #[arg(long)]
    issuer: Option<String>,
    /// The `aud` claim; several make a list.
    #[arg(long)]
    audience: Vec<String>,
    /// The `sub` claim.
    #[arg(long)]
    subject: Option<String>,
    /// The `username` claim.
    #[arg(long)]
    username: Option<String>,
    /// How long the token is valid.
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,
    /// Leave `exp` out.
    #[arg(long)]
    no_expiry: bool,
    /// So many tokens, a line each, every one with a `jti` of its own: for load tests.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: Option<u32>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let (key, own_kid) = signing_key(&arguments.key, arguments.algorithm)?;
    let kid = arguments.kid.as_deref().or(own_kid.as_deref());
    let mut claims = Value::Object(all_claims(arguments, Timestamp::now()));
    let Some(count) = arguments.count else {
        print::data(key.sign(kid, &arguments.typ, &claims)?);
        return Ok(Exit::Fine);
    };
    let mut out = std::io::stdout().lock();
    for number in 1..=count {
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("jti".to_owned(), format!("{number:08}").into());
        }
        let token = key.sign(kid, &arguments.typ, &claims)?;
        if writeln!(out, "{token}").is_err() {
            // Nobody reads on.
            break;
        }
    }
    Ok(Exit::Fine)
}

/// The key in a file, and the name that it has by itself.
pub(super) fn signing_key(
    file: &Path,
    algorithm: Option<Algorithm>,
) -> anyhow::Result<(SigningKey, Option<String>)> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    if !is_pem(&text) {
        let text = without_final_line_break(&text);
        let secret = HmacSecret::new(text.as_bytes().to_vec())
            .with_context(|| format!("`{}` is empty", file.display()))?;
        return Ok((SigningKey::from_secret(&secret, algorithm)?, None));
    }
    let blocks = pem::parse_many(&text)?;
    let Some(block) = blocks
        .iter()
        .find(|block| block.tag().ends_with("PRIVATE KEY"))
    else {
        bail!(
            "`{}` holds no private key: a public key cannot sign",
            file.display()
        );
    };
    let private = PrivateKey::from_der(block.contents())?;
    let kid = thumbprint::of(private.public());
    Ok((SigningKey::from_private(&private, algorithm)?, Some(kid)))
}

fn all_claims(arguments: &Arguments, now: Timestamp) -> Map<String, Value> {
    let mut claims = arguments.claims.clone().unwrap_or_default();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    set("iss", arguments.issuer.clone().map(Value::from));
    set("sub", arguments.subject.clone().map(Value::from));
    set("username", arguments.username.clone().map(Value::from));
    set(
        "aud",
        match arguments.audience.as_slice() {
            [] => None,
            [one] => Some(one.as_str().into()),
            many => Some(many.to_vec().into()),
        },
    );
    claims.entry("iat").or_insert_with(|| now.seconds().into());
    if !arguments.no_expiry {
        claims
            .entry("exp")
            .or_insert_with(|| now.plus(arguments.expires_in).seconds().into());
    }
    claims
}

pub(super) fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Algorithm::all().map(Algorithm::name).collect();
        format!("one of {}", names.join(", "))
    })
}

pub(super) fn claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("a JSON object is expected: {error}"))
}
