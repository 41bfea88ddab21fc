//! `jwtgate check`: every fault and weakness of a configuration at once.

use clap::Args;
use serde_json::json;

use crate::app;
use crate::clock::Timestamp;
use crate::config::{Fault, Severity};

use super::{ConfigFile, Exit, print};

/// Tell every fault and weakness of a configuration at once, each with its path, what was found, what was expected and a hint.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate check --config jwtgate.toml\n  jwtgate check --config jwtgate.toml --strict --json\n\nExit codes: 0 fine or warnings only, 1 faults, 2 wrong usage."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Treat warnings as faults.
    #[arg(long)]
    strict: bool,
    /// Print the faults as a JSON list on stdout.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = arguments.config.load();
    let (_, found) = app::plan(&loaded.config, Timestamp::now());
    let faults = joined(loaded.faults, found);
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
        print::data(format_args!("{file}: {errors} errors, {warnings} warnings"));
    }
    let is_refused = errors > 0 || (arguments.strict && warnings > 0);
    Ok(if is_refused {
        Exit::Refused
    } else {
        Exit::Fine
    })
}

/// Faults of form first, then those of meaning. Where the form is at fault, that something is *missing* says nothing: it may be
/// what could not be read.
pub(super) fn joined(form: Vec<Fault>, mut meaning: Vec<Fault>) -> Vec<Fault> {
    if crate::config::fault::any_stops(&form) {
        meaning.retain(|fault| !fault.found.starts_with("no") && fault.found != "nothing");
    }
    form.into_iter().chain(meaning).collect()
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
