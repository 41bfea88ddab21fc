//! `jwtgate demo`: the first minute of a newcomer.

use std::io::IsTerminal as _;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::json;

use crate::app::{self, StartError};
use crate::clock::Timestamp;
use crate::config::{Config, LogFormat, OneOrMany, Secret, Severity};
use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, Family, jwk};
use crate::telemetry::logs::Logs;

use super::{Exit, print};

/// Try it: fresh keys in memory, a token, and three curl lines that work.
///
/// Nothing is written anywhere. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate demo\n  jwtgate demo --listen 127.0.0.1:0\n\nExit codes: 0 ended by Ctrl-C, 2 it could not start."
)]
pub(super) struct Arguments {
    /// Where to listen. When it is taken, a free port is used.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
}

const AUDIENCE: &str = "https://app.example.com/";

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    if arguments.listen.starts_with("unix:") {
        bail!(
            "the demo listens on TCP, so that curl can be pasted: leave --listen out, or give HOST:PORT"
        );
    }
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
    let set = set.to_string();
    let bound = match plan(&config(&arguments.listen, &set), now)?.bind(|| 0) {
        Err(StartError::Bind { .. }) => plan(&config("127.0.0.1:0", &set), now)?.bind(|| 0)?,
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
    bound.run(None)?;
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

fn plan(config: &Config, now: Timestamp) -> anyhow::Result<app::Plan> {
    let (plan, faults) = app::plan(config, now);
    plan.ok_or_else(|| {
        let faults: Vec<_> = faults
            .iter()
            .filter(|fault| fault.severity == Severity::Fault)
            .map(ToString::to_string)
            .collect();
        anyhow!("the demo cannot start\n{}", faults.join("\n"))
    })
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
