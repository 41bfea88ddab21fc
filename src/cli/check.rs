//! `jwtgate check`: every fault and weakness of a configuration at once.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use crate::app;
use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Config, Fault, Severity};
use crate::keys::{self, remote::Origin};

use super::{ConfigFile, Exit, print, replay};

/// Tell every fault and weakness of a configuration at once.
///
/// Each comes with its path, what was found, what was expected and a hint. With --online, issuers that publish their keys are asked for
/// them, and what they answer is judged too.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate check --config jwtgate.toml\n  jwtgate check --config jwtgate.toml --strict --json\n  jwtgate check --config jwtgate.toml --online\n  jwtgate check --config jwtgate.toml --token sample.jwt\n  jwtgate check --config new.toml --against requests.jsonl\n\nExit codes: 0 fine or warnings only, 1 faults (with --online, also an issuer without keys; with --token, no identity; with --against, a request that would be answered otherwise), 2 wrong usage."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Treat warnings as faults.
    #[arg(long)]
    strict: bool,
    /// Ask every issuer for its keys, and judge them.
    #[arg(long)]
    online: bool,
    /// A file with a token (`-` is standard input): tell which identity headers it would give. Its signature and time are not asked for.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// A file with recorded requests, one JSON object a line: tell which of them would be answered otherwise.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Print the faults as a JSON list on stdout; with --against, what would change.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = arguments.config.load();
    let (_, mut found) = app::plan(&loaded.config, Timestamp::now());
    if arguments.online {
        found.extend(ask_issuers(&loaded.config)?);
    }
    let faults = joined(loaded.faults, found, loaded.file.as_deref());
    if !any_stops(&faults) && (arguments.token.is_some() || arguments.against.is_some()) {
        return try_out(arguments, &loaded.config);
    }
    let count = |severity| {
        faults
            .iter()
            .filter(|fault| fault.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Fault), count(Severity::Warning));
    if arguments.json {
        let list: Vec<_> = faults.iter().map(as_json).collect();
        print::data(serde_json::to_string_pretty(&list)?);
    } else {
        for fault in &faults {
            print::data(format_args!("{fault}\n"));
        }
        let file = loaded.file.map_or_else(
            || "the environment (no file was found)".to_owned(),
            |file| file.display().to_string(),
        );
        print::data(format_args!(
            "RSA signatures are checked by {}",
            keys::rsa_checks(&loaded.config).told()
        ));
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        print::data(format_args!("{file}: {errors}, {warnings}"));
    }
    let is_refused = errors > 0 || (arguments.strict && warnings > 0);
    Ok(if is_refused {
        Exit::Refused
    } else {
        Exit::Fine
    })
}

/// Tries a configuration without faults out on a token, or on recorded requests.
fn try_out(arguments: &Arguments, config: &Config) -> anyhow::Result<Exit> {
    let (compiled, _, _) = app::compile(config, Timestamp::now());
    let Some(compiled) = compiled else {
        bail!("the configuration has faults");
    };
    let mut is_fine = true;
    let mut all = serde_json::Map::new();
    if let Some(file) = &arguments.token {
        let text = if file == "-" {
            std::io::read_to_string(std::io::stdin().take(MAX_TOKEN))?
        } else {
            let opened = std::fs::File::open(file)
                .with_context(|| format!("cannot read `{}`", file.display()))?;
            std::io::read_to_string(opened.take(MAX_TOKEN))?
        };
        let (has_identity, told) = replay::identity(text.trim(), &compiled.gate, arguments.json)?;
        is_fine &= has_identity;
        all.insert("identity".to_owned(), told);
    }
    if let Some(file) = &arguments.against {
        let (has_changed, told) = replay::against(file, &compiled.gate, arguments.json)?;
        is_fine &= !has_changed;
        all.extend(told.as_object().cloned().unwrap_or_default());
    }
    if arguments.json {
        print::data(serde_json::Value::Object(all));
    }
    Ok(if is_fine { Exit::Fine } else { Exit::Refused })
}

/// More than any token that the service would look at.
const MAX_TOKEN: u64 = 1024 * 1024;

/// Asks every issuer for its keys. Without keys nobody with a token of it could pass; anything less is a warning.
fn ask_issuers(config: &Config) -> anyhow::Result<Vec<Fault>> {
    const EXPECTED: &str = "keys that can be fetched, each of them usable";
    let (compiled, _, _) = app::compile(config, Timestamp::now());
    let Some(compiled) = compiled else {
        // What is wrong is told already.
        return Ok(Vec::new());
    };
    let mut faults = Vec::new();
    for asked in app::online::ask_once(compiled, None)?.1 {
        let path = &asked.remote.path;
        if let Origin::ByKid(_) = asked.remote.origin {
            print::say(format_args!(
                "{path}: not asked, since each key is fetched when a token names it; `jwtgate explain` asks for that of a token"
            ));
            continue;
        }
        let lacks_keys = asked.known.holdings.is_empty();
        for error in &asked.known.record.errors {
            let hint = if lacks_keys {
                "until it answers, tokens of this issuer get 503; the address, the network, the certificate authority (`ca_file`) and the proxy (`keys.proxy`) are worth a look"
            } else {
                "what could be fetched is used"
            };
            let fault = Fault::new(path, error, EXPECTED, hint);
            faults.push(if lacks_keys {
                fault
            } else {
                Fault::warning(path, error, EXPECTED, hint)
            });
        }
        let notes = asked
            .known
            .holdings
            .iter()
            .flat_map(|one| &one.judged.notes);
        let hint = "the other keys are used; tell the issuer";
        faults.extend(notes.map(|note| Fault::warning(path, note, EXPECTED, hint)));
    }
    Ok(faults)
}

fn as_json(fault: &Fault) -> serde_json::Value {
    json!({
        "severity": fault.severity.word(),
        "path": fault.path,
        "found": fault.found,
        "expected": fault.expected,
        "hint": fault.hint,
    })
}

fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}
