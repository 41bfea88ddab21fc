//! `jwtgate bench`: what this machine does with this configuration.
//!
//! ```text
//! every algorithm ─► raw check, decisions          (measure, on this thread)
//! the subject     ─► decisions                     (measure)
//!                 ─► requests over HTTP, one core   (carried: the service itself, on loopback)
//! ```

mod carried;
mod measure;
mod subject;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::jose::{Algorithm, RsaChecks};

use super::input::TokenInput;
use super::{ConfigFile, Exit, print};

use carried::Carried;
use measure::{Decisions, Row};
use subject::Subject;

/// Measure this machine: raw cryptography, decisions a second, and what a core carries.
///
/// Three parts, about ten seconds in all. For every algorithm, with fresh keys: the raw signature check, a decision on a token that was
/// never seen (everything but the cache), and one on a token that the cache knows. Then your own configuration, where there is one, with its
/// rules and identity headers. Then the service itself with one worker, asked over loopback: the CPU time that a request takes is what says
/// how many of them a core carries.
///
/// The token is the one you give, or one that is signed with --key, with the secret of the configuration, or with a key that stands in for
/// those of your issuers. Nothing is written, and no issuer is asked unless you give a token.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate bench\n  jwtgate bench --config jwtgate.toml --url https://app.example.com/admin\n  jwtgate bench --config jwtgate.toml --token-file token.txt\n  jwtgate bench --algorithm RS256 --algorithm ES256 --seconds 1 --json\n\nA busy machine gives lower figures: run it twice. CPU time for a request varies least.\n\nExit codes: 0 measured, 2 not."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    token: TokenInput,
    /// Sign the token with this private key (PEM) or HMAC secret.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["token_file", "token_env"])]
    key: Option<PathBuf>,
    /// The URL that is asked about, for rules.
    #[arg(long, value_name = "URL", default_value = "https://app.example.com/")]
    url: String,
    /// The algorithms of the first part. Without it: all.
    #[arg(long, short, value_name = "ALG", value_parser = super::mint::algorithm)]
    algorithm: Vec<Algorithm>,
    /// How long each measurement takes; those over HTTP take at least one second.
    #[arg(long, default_value_t = 0.15, value_name = "SECONDS", value_parser = seconds)]
    seconds: f64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    // What cannot be measured is told before anything is.
    let subject = Subject::choose(arguments)?;
    let algorithms = if arguments.algorithm.is_empty() {
        Algorithm::all().collect()
    } else {
        arguments.algorithm.clone()
    };
    let telling = Telling {
        is_json: arguments.json,
        has_progress: std::io::stderr().is_terminal(),
    };
    let span = Duration::from_secs_f64(arguments.seconds);
    telling.machine();
    let mut rows = Vec::new();
    for (number, &algorithm) in algorithms.iter().enumerate() {
        telling.progress(format_args!(
            "{} ({} of {}) …",
            algorithm.name(),
            number + 1,
            algorithms.len()
        ));
        let row = Row::measure(algorithm, span)?;
        telling.row(&row);
        rows.push(row);
    }
    telling.progress(format_args!("decisions on {} …", subject.what));
    let decisions = Decisions::measure(&subject, span)?;
    telling.progress(format_args!(
        "the service, one worker, asked over loopback …"
    ));
    let carried = Carried::measure(&subject, span.max(carried::LEAST))?;
    telling.progress(format_args!(""));
    telling.end(&rows, &subject, &decisions, &carried);
    Ok(Exit::Fine)
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| (0.01..=60.0).contains(seconds))
        .ok_or("a number from 0.01 to 60")
}

struct Telling {
    is_json: bool,
    /// Whether somebody watches.
    has_progress: bool,
}

impl Telling {
    /// One line that the next one replaces.
    fn progress(&self, line: std::fmt::Arguments<'_>) {
        if self.has_progress {
            print::replace(line);
        }
    }

    fn machine(&self) {
        if self.is_json {
            return;
        }
        let cpu = cpu().unwrap_or_else(|| "this machine".to_owned());
        print::data(format_args!(
            "jwtgate {} on {cpu}, {} cores. RSA signatures (RS256, RS384, RS512) are checked by {}. Figures are for one core.\n\n{:<8} {:>14} {:>16} {:>16} {:>10}",
            env!("CARGO_PKG_VERSION"),
            cores(),
            RsaChecks::default().told(),
            "",
            "raw checks/s",
            "first time/s",
            "seen before/s",
            "raw/first"
        ));
    }

    fn row(&self, row: &Row) {
        if self.is_json {
            return;
        }
        self.progress(format_args!(""));
        print::data(format_args!(
            "{:<8} {:>14} {:>16} {:>16} {:>10.2}",
            row.algorithm.name(),
            grouped(row.raw),
            grouped(row.decisions.first),
            grouped(row.decisions.again),
            row.raw / row.decisions.first
        ));
    }

    fn end(&self, rows: &[Row], subject: &Subject, decisions: &Decisions, carried: &Carried) {
        if self.is_json {
            print::data(json!({
                "version": env!("CARGO_PKG_VERSION"),
                "cpu": cpu(),
                "cores": cores(),
                "rsa_checked_by": RsaChecks::default().told(),
                "algorithms": rows.iter().map(Row::json).collect::<Value>(),
                "subject": {"configuration": subject.file, "token": subject.token_is, "url": subject.url},
                "decisions_per_second": decisions.json(),
                "core": carried.json(),
            }));
            return;
        }
        print::data(format_args!(
            "\nWith {}\n\n{:<38} {:>16} {:>16}\n{:<38} {:>16} {:>16}",
            subject.what,
            "",
            "first time",
            "seen before",
            "decisions/s, without HTTP",
            grouped(decisions.first),
            grouped(decisions.again)
        ));
        print::data(format_args!(
            "{:<38} {:>16} {:>16}\n{:<38} {:>16} {:>16}",
            "requests/s over HTTP: a core carries",
            grouped(carried.first.a_core()),
            grouped(carried.again.a_core()),
            "CPU time for such a request, µs",
            format!("{:.1}", carried.first.microseconds()),
            format!("{:.1}", carried.again.microseconds())
        ));
    }
}

/// The name of the processor, where the system tells it.
fn cpu() -> Option<String> {
    let told = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = told.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(print::printable(name.trim()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// A whole number with commas between thousands.
fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        let told = [0.0, 999.4, 1000.0, 123_456.0, 1_234_567.0].map(grouped);
        assert_eq!(told, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
