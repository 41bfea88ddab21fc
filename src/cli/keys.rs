//! `jwtgate keys`: the issuers, their keys, and how it stands with them.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;

use crate::app;
use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Loaded, OneOrMany, Span};
use crate::keys::Status;
use crate::keys::status::StateWord;
use crate::server::listen::Address;

use super::{ConfigFile, Exit, health, print};

/// List the issuers with their keys: how old, when asked for again, what was left out and why.
///
/// With --config it asks every issuer once, without a service. Without, or with --running, it asks the running service at its admin
/// listener.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate keys --config jwtgate.toml\n  jwtgate keys --running --config jwtgate.toml\n  jwtgate keys --admin 127.0.0.1:8081 --json\n\nExit codes: 0 every issuer has keys and the last fetch was good, 1 an issuer lacks keys or could not be asked, 2 it cannot be told."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Ask the running service that --config describes.
    #[arg(long)]
    running: bool,
    /// Ask the running service whose admin listener is here: HOST:PORT or unix:/PATH.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Answer {
    issuers: Vec<Status>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let all = if let Some(address) = &arguments.admin {
        of_service(&OneOrMany::One(address.clone()))?
    } else {
        let loaded = arguments.config.load();
        if arguments.running || arguments.config.config.is_none() {
            of_service(&loaded.config.admin.listen)?
        } else {
            of_config(loaded)?
        }
    };
    if arguments.json {
        let json = serde_json::json!({ "issuers": all });
        print::data(serde_json::to_string_pretty(&json)?);
    } else {
        for status in &all {
            print::data(told(status));
        }
    }
    let is_fine = all
        .iter()
        .all(|status| !matches!(status.state, StateWord::Stale | StateWord::Lacking));
    Ok(if is_fine { Exit::Fine } else { Exit::Refused })
}

fn of_service(listen: &OneOrMany) -> anyhow::Result<Vec<Status>> {
    let (addresses, faults) = Address::parse_all(listen, "the admin listener");
    let Some(address) = addresses.first() else {
        let why = faults.first().map(ToString::to_string);
        bail!(
            "there is no admin listener to ask{}\n  hint: name it with --admin, or give --config to ask the issuers instead",
            why.map(|why| format!("\n{why}")).unwrap_or_default()
        );
    };
    let (status, body) = match health::ask(address, "/keys", Duration::from_secs(5)) {
        Ok(answer) => answer,
        Err(error) => bail!(
            "{address} does not answer: {error:#}\n  hint: is the service running? `jwtgate keys --config FILE` asks the issuers without it"
        ),
    };
    if status != 200 {
        bail!("{address}/keys answers {status}: is this a jwtgate of the same version?");
    }
    let answer: Answer =
        serde_json::from_str(&body).context("the answer is none of this version")?;
    Ok(answer.issuers)
}

fn of_config(loaded: Loaded) -> anyhow::Result<Vec<Status>> {
    let (compiled, _, found) = app::compile(&loaded.config, Timestamp::now());
    let faults = joined(loaded.faults, found, loaded.file.as_deref());
    let Some(compiled) = compiled.filter(|_| !any_stops(&faults)) else {
        for fault in &faults {
            print::say(format_args!("{fault}\n"));
        }
        bail!("the configuration has faults, so nobody was asked");
    };
    let (gate, asked) = app::online::ask_once(compiled, None)?;
    let issuers = gate.issuers.all().iter();
    Ok(issuers
        .map(|issuer| {
            let asked = asked.iter().find(|asked| asked.id == issuer.id);
            asked.map_or_else(
                || Status::local(&issuer.name, &issuer.keys),
                |asked| Status::fetched(&asked.remote, &asked.known),
            )
        })
        .collect())
}

fn told(status: &Status) -> String {
    let mut text = format!("{}\n", status.issuer);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<9} {}", print::printable(value.trim_end()));
    };
    let span = |seconds: u64| Span::seconds(seconds).to_string();
    line("state", &state(status));
    line(
        "source",
        &format!("{} {}", status.source, status.urls.join(" ")),
    );
    if let Some(age) = status.age_seconds {
        line("checked", &format!("{} ago", span(age)));
    }
    if let Some(next) = status.next_fetch_in_seconds {
        line("next", &format!("in {}", span(next)));
    }
    if let Some(left) = status.unusable_in_seconds {
        line("usable", &format!("for {} without news", span(left)));
    }
    for key in &status.keys {
        let kid = key.kid.as_deref().unwrap_or("(no kid)");
        let algorithms = key.algorithms.join(" ");
        line(
            "key",
            &format!("{kid}  {}  {algorithms}  {}", key.kind, key.thumbprint),
        );
    }
    for note in &status.notes {
        line("note", note);
    }
    for error in &status.errors {
        line("error", error);
    }
    text
}

fn state(status: &Status) -> String {
    let meaning = match status.state {
        StateWord::Local => "local: the keys stand in the configuration or its files",
        StateWord::Current => "current: the last fetch was good",
        StateWord::Stale => "stale: no fetch has succeeded since, older keys serve",
        StateWord::Lacking => "lacking: there are no keys, tokens of this issuer get 503",
        StateWord::Waiting => "waiting: each key is fetched when a token names it",
    };
    meaning.to_owned()
}
