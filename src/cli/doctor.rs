//! `jwtgate doctor`: looks for holes in a proxy in front of a protected page, from outside.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Map, Value};
use url::Url;

use crate::config::fault::any_stops;
use crate::config::{Config, load};
use crate::doctor::finding::Id;
use crate::doctor::remedies::Proxy;
use crate::doctor::{Outage, Plan, TokenPlace, Trust, USUAL, examine};

use super::input::TokenInput;
use super::probe_token::{self, Made};
use super::{Exit, environment, findings, mint, print};

/// Look for holes in the proxy in front of a protected page, from outside.
///
/// It asks what an attacker would: forged identity headers in every spelling, hop-by-hop tricks, X-Forwarded-* of its own, spellings of
/// paths, odd methods, large cookies, a jwtgate that is down. Each hole is told with the directive that closes it. It needs a token that
/// may open the page, and a page that shows the headers that reach it; --app plays that page, --gate plays jwtgate, so that a
/// configuration can be tried before it goes live.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate doctor https://app.example.com/whoami < token.txt\n  jwtgate doctor https://app.example.com/whoami --config jwtgate.toml --denied /admin\n  jwtgate doctor http://localhost:8000/ --gate 127.0.0.1:8080 --app 127.0.0.1:3000\n  jwtgate doctor https://app.example.com/whoami --config jwtgate.toml --stop 'systemctl stop jwtgate' --start 'systemctl start jwtgate'\n\nA few dozen requests, three at a time at most, to the host of the URL and to nobody else; each carries the header `X-Jwtgate-Doctor`.\n\nExit codes: 0 no hole, 1 holes, 2 it could not be found out."
)]
pub(super) struct Arguments {
    /// The protected page, as clients ask for it.
    #[arg(value_name = "URL")]
    url: Url,
    #[command(flatten)]
    token: TokenInput,
    /// The configuration of jwtgate: says which identity headers there are, and mints a token for a minute where it holds a secret.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Mint the token with this key: a private key in PEM, or a file with an HMAC secret. Issuer and audience are those of --config.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["token_file", "token_env"])]
    key: Option<PathBuf>,
    /// Claims of a minted token, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = mint::claims)]
    claims: Option<Map<String, Value>>,
    /// Send the token in this cookie. Without it: where --config looks, else in Authorization.
    #[arg(long, value_name = "NAME")]
    cookie: Option<String>,
    /// An identity header that you use; may be repeated. Without it: those of --config, else X-Auth-User, X-Auth-Email and X-Auth-Groups.
    #[arg(long, value_name = "NAME")]
    identity: Vec<String>,
    /// Play the application here, and see all that reaches it.
    #[arg(long, value_name = "ADDRESS")]
    app: Option<SocketAddr>,
    /// Play jwtgate here: by its contract, and wrongly on purpose.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["key", "token_file", "token_env", "denied", "stop"])]
    gate: Option<SocketAddr>,
    /// A path that the token may not open: its spellings are tried.
    #[arg(long, value_name = "PATH", value_parser = path)]
    denied: Option<String>,
    /// A command that stops jwtgate, for `sh -c`.
    #[arg(long, value_name = "COMMAND", requires = "start")]
    stop: Option<String>,
    /// A command that starts jwtgate again, and ends. It is run whatever happens.
    #[arg(long, value_name = "COMMAND", requires = "stop")]
    start: Option<String>,
    /// Which proxy it is: nginx, traefik, caddy, haproxy, envoy, apache, upstream. Without it: what it calls itself, else all are told.
    #[arg(long, value_name = "NAME", value_parser = proxy)]
    proxy: Option<Proxy>,
    /// Connect to this address in place of the host of the URL.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// Certificates of the authorities to trust, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca_file: Option<PathBuf>,
    /// Take any certificate.
    #[arg(long)]
    insecure: bool,
    /// How long to wait for an answer.
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// Do not count this hole, by its id; may be repeated.
    #[arg(long, value_name = "ID", value_parser = id)]
    accept: Vec<Id>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let config = arguments
        .config
        .as_deref()
        .map(|file| {
            let loaded = load(Some(file), environment());
            for fault in &loaded.faults {
                print::say(format_args!("{fault}\n"));
            }
            if any_stops(&loaded.faults) {
                bail!("the configuration has faults");
            }
            Ok(loaded.config)
        })
        .transpose()?;
    let (plan, source) = plan(arguments, config.as_ref())?;
    announce(&plan, &source);
    let report = examine(&plan)?;
    let proxy = arguments
        .proxy
        .or_else(|| report.server.as_deref().and_then(Proxy::from_server));
    let told = findings::Told {
        url: &plan.url,
        report: &report,
        proxy,
        is_bench: plan.gate.is_some(),
        accepted: &arguments.accept,
    };
    if arguments.json {
        print::data(serde_json::to_string_pretty(&told.json())?);
    } else {
        print::data(told.text(std::io::stdout().is_terminal()));
    }
    Ok(if report.holes(&arguments.accept) > 0 {
        Exit::Refused
    } else {
        Exit::Fine
    })
}

/// What is asked, and where the token comes from in words.
fn plan(arguments: &Arguments, config: Option<&Config>) -> anyhow::Result<(Plan, String)> {
    let (made, source) = token(arguments, config)?;
    let place = match (&arguments.cookie, made.place) {
        (Some(name), _) => TokenPlace::Cookie(name.clone()),
        (None, Some(place)) => place,
        (None, None) => probe_token::place(config),
    };
    let own = config.map(probe_token::identity_headers);
    let usual = || USUAL.map(str::to_owned).to_vec();
    let identity = match own {
        _ if !arguments.identity.is_empty() => arguments.identity.clone(),
        Some(own) => own,
        None => usual(),
    };
    let signed = config
        .filter(|_| arguments.identity.is_empty() && arguments.gate.is_none())
        .and_then(|config| config.signed_identity.header.as_ref());
    let outage = arguments.stop.clone().zip(arguments.start.clone());
    let trust = match (&arguments.ca_file, arguments.insecure) {
        (Some(file), _) => Trust::File(file.clone()),
        (None, true) => Trust::Anybody,
        (None, false) => Trust::System,
    };
    let plan = Plan {
        url: arguments.url.clone(),
        connect: arguments.connect.clone(),
        trust,
        app: arguments.app,
        gate: arguments.gate,
        token: made.token,
        place,
        must_arrive: identity.iter().take(1).chain(signed).cloned().collect(),
        knows_identity: config.is_some() || !arguments.identity.is_empty(),
        identity,
        signs_in: config.map(|config| config.auth_url.is_some()),
        retpath_param: config.map_or_else(
            || "retpath".to_owned(),
            |config| config.retpath_param.clone(),
        ),
        denied: arguments.denied.clone(),
        outage: outage.map(|(stop, start)| Outage { stop, start }),
        restarted: Rc::default(),
        patience: arguments.patience,
    };
    Ok((plan, source))
}

fn token(arguments: &Arguments, config: Option<&Config>) -> anyhow::Result<(Made, String)> {
    let claims = arguments.claims.clone().unwrap_or_default();
    if arguments.gate.is_some() {
        return Ok((
            Made::default(),
            "one that only doctor's own gate knows".to_owned(),
        ));
    }
    if let Some(file) = &arguments.key {
        let made = probe_token::with_key(file, config, claims)?;
        return Ok((made, format!("minted for a minute with {}", file.display())));
    }
    if !arguments.token.is_named()
        && let Some(config) = config
        && let Some(made) = probe_token::with_secret(config, claims)?
    {
        return Ok((
            made,
            "minted for a minute with the secret of --config".to_owned(),
        ));
    }
    let token = arguments.token.read().context(
        "a token is needed that may open the page: pipe it in, name its file (--token-file), or mint one (--config with a secret, --key)",
    )?;
    let made = Made {
        token: Some(token),
        place: None,
    };
    Ok((made, "as given".to_owned()))
}

/// Says what is going to happen, before it does.
fn announce(plan: &Plan, source: &str) {
    let place = plan.connect.as_deref().map_or_else(
        || plan.url.host_str().unwrap_or_default().to_owned(),
        |place| format!("{place} (for {})", plan.url.host_str().unwrap_or_default()),
    );
    print::say(format_args!(
        "asking {} a few dozen times, three at a time at most; nobody but {place} is asked",
        plan.url
    ));
    print::say(format_args!("token: {source}"));
    if let Some(app) = plan.app {
        print::say(format_args!("playing the application on {app}"));
    }
    if let Some(gate) = plan.gate {
        print::say(format_args!(
            "playing jwtgate on {gate}, and being down, slow and wrong there on purpose"
        ));
    }
    if let Some(outage) = &plan.outage {
        print::say(format_args!(
            "running `{}` in between, and `{}` after it, whatever happens",
            outage.stop, outage.start
        ));
    }
    print::say("");
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.len() > 1 {
        Ok(text.to_owned())
    } else {
        Err("a path such as /admin is expected".to_owned())
    }
}

fn proxy(name: &str) -> Result<Proxy, String> {
    Proxy::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Proxy::ALL.iter().map(|proxy| proxy.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

fn id(code: &str) -> Result<Id, String> {
    Id::from_code(code).ok_or_else(|| "no such id; docs/reference/doctor.md lists them".to_owned())
}
