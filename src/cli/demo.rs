//! `jwtgate demo`: the first minute of a newcomer.

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::json;

use crate::app::{self, StartError};
use crate::clock::Timestamp;
use crate::config::{Config, LogFormat, OneOrMany, Secret};
use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, Family, jwk};
use crate::telemetry::logs::Logs;

use super::{Exit, print};

/// Try it: a gate with fresh keys in memory, a token, and three curl lines that work. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jwtgate demo\n  jwtgate demo --listen 127.0.0.1:0")]
pub(super) struct Arguments {
    /// Where to listen. When it is taken, a free port is used.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
}

const AUDIENCE: &str = "https://app.example.com/";

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    print::say("making an RSA key …");
    let private = PrivateKey::generate(Family::Rsa, 2048)?;
    let signing = SigningKey::from_private(&private, Algorithm::from_name("RS256"))?;
    let now = Timestamp::now();
    let token = signing.sign(
        Some("demo"),
        "JWT",
        &json!({
            "iss": "https://auth.example.com", "aud": AUDIENCE, "sub": "1", "username": "alice",
            "email": "alice@example.com", "groups": ["staff", "dev"],
            "iat": now.seconds(), "exp": now.seconds() + 3600,
        }),
    )?;
    let set = json!({ "keys": [jwk::to_json(private.public(), "demo", signing.algorithm())] });
    let bound = match bind(&config(&arguments.listen, &set.to_string()), now) {
        Err(StartError::Bind { .. }) => bind(&config("127.0.0.1:0", &set.to_string()), now)?,
        other => other?,
    };
    let address = bound.addresses().join("");
    tell(&address, &token);
    let settings = crate::config::Log {
        format: LogFormat::Text,
        ..crate::config::Log::default()
    };
    let _logs = Logs::start(&settings).map_err(anyhow::Error::from_boxed)?;
    super::serve::report_panics();
    bound.run()?;
    Ok(Exit::Fine)
}

fn config(listen: &str, set: &str) -> Config {
    let mut config = Config {
        jwks: Some(Secret::from(set)),
        expected_audience: AUDIENCE.into(),
        cookie_name: "auth_token".to_owned(),
        auth_url: Some("https://auth.example.com".to_owned()),
        return_hosts: vec!["app.example.com".to_owned()],
        ..Config::default()
    };
    config.server.listen = OneOrMany::One(listen.to_owned());
    config.server.workers = Some(1);
    config.admin.listen = "".into();
    config
}

fn bind(config: &Config, now: Timestamp) -> Result<app::Bound, StartError> {
    let (plan, faults) = app::plan(config, now);
    match plan {
        Some(plan) => plan.bind(|| 0),
        None => Err(std::io::Error::other(
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
        .into()),
    }
}

fn tell(address: &str, token: &str) {
    let (bold, plain) = if std::io::stdout().is_terminal() {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    print::data(format_args!(
        "\
jwtgate listens on http://{address} with a key that exists only in this process. Paste these into another terminal:

{bold}A good token passes: 200 and who it is{plain}
curl -i http://{address}/verify -H 'Authorization: Bearer {token}'

{bold}No token: 401 and WWW-Authenticate{plain}
curl -i http://{address}/verify

{bold}A person without a token is sent to sign in, and back afterwards: 302{plain}
curl -i http://{address}/forward-auth -H 'Accept: text/html' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: app.example.com' -H 'X-Forwarded-Uri: /reports?year=2026'

Refusals are logged below, each with its reason. Ctrl-C ends the demo."
    ));
}
