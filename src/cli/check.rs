//! `jwtgate check`: every fault and weakness of a configuration at once.

use clap::Args;
use serde_json::json;

use crate::app;
use crate::clock::Timestamp;
use crate::config::fault::joined;
use crate::config::{Fault, Severity};

use super::{ConfigFile, Exit, print};

/// Tell every fault and weakness of a configuration at once.
///
/// Each comes with its path, what was found, what was expected and a hint.
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
    let faults = joined(loaded.faults, found, loaded.file.as_deref());
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
