//! `jwtgate serve`: run the service.

use clap::Args;

use crate::app::{self, ConfigSource};
use crate::clock::Timestamp;
use crate::config::fault::joined;
use crate::config::{Fault, Severity, load};
use crate::jose::RsaChecks;
use crate::keys;
use crate::telemetry::logs::Logs;

use super::{ConfigFile, Exit, environment, print};

/// Run the service.
///
/// It runs until SIGTERM or SIGINT and then finishes what is in flight. A second signal ends it at once. SIGHUP reloads the configuration,
/// and so does a change of the file or of a file that it names; one with faults changes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate serve --config jwtgate.toml\n  JWTGATE_SIGNING_CERTIFICATE=idp.crt JWTGATE_EXPECTED_AUDIENCE=app jwtgate serve\n\nExit codes: 0 stopped by a signal, 1 the configuration has faults, 2 a socket or the system refuses."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let named = arguments.config.load();
    let file = named.file.clone();
    let (source, loaded) = ConfigSource::open(named, move || load(file.as_deref(), environment()));
    let (plan, found) = app::plan(&loaded.config, Timestamp::now());
    let faults = joined(loaded.faults, found, loaded.file.as_deref());
    let Some(plan) = plan.filter(|_| !crate::config::fault::any_stops(&faults)) else {
        for fault in &faults {
            print::say(format_args!("{fault}\n"));
        }
        print::say(
            "the service was not started: mend the errors above; `jwtgate check` tells them again",
        );
        return Ok(Exit::Refused);
    };
    let logs = Logs::start(&loaded.config.log).map_err(anyhow::Error::from_boxed)?;
    report_panics();
    if let Some(file) = &loaded.file {
        tracing::info!(file = %file.display(), "configuration");
    }
    faults.iter().for_each(warn);
    if Timestamp::now() < Timestamp::YEAR_2020 {
        tracing::warn!(
            "this machine's clock is before 2020: tokens cannot be judged by time until it is set"
        );
    }
    tell_rsa(keys::rsa_checks(&loaded.config));
    let dropped = logs.dropped();
    plan.bind(move || u64::try_from(dropped.dropped_lines()).unwrap_or(u64::MAX))?
        .run(Some(source))?;
    Ok(Exit::Fine)
}

/// Which code checks RSA signatures, as somebody who looks for it in the log wants to know it.
fn tell_rsa(checks: RsaChecks) {
    let by = checks.told();
    if checks.has_failed() {
        tracing::warn!(
            rsa.checked_by = by,
            "this machine computes wrongly with AVX-512 IFMA: please report it, with the processor's name"
        );
    } else {
        tracing::info!(rsa.checked_by = by, "RSA signatures");
    }
}

fn warn(fault: &Fault) {
    debug_assert_eq!(fault.severity, Severity::Warning);
    tracing::warn!(
        config.path = fault.path,
        config.found = fault.found,
        config.expected = fault.expected,
        hint = fault.hint,
        "weak configuration"
    );
}

/// A panic says where it happened, and not what was in hand: that could be a token.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(
            panic.location = location,
            "a panic was caught: this is a bug, please report it"
        );
    }));
}
