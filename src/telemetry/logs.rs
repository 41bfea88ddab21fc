//! Logs: text on a terminal, JSON otherwise, on standard error.
//!
//! Writing never waits: lines go through a bounded queue to a thread of its own, and when a sink is blocked or full, lines are
//! dropped and counted, and requests go on. Only what jwtgate itself says is logged below warnings: other crates' debug output may hold
//! whole requests, and no level may show a token.

use std::io::{BufWriter, IsTerminal as _};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::log::LogLevel;
use crate::config::{Log, LogFormat};

/// Lines that may wait to be written.
const QUEUE: usize = 8192;

/// Lines that have piled up are written together, up to so many bytes; as soon as none waits, what there is is written. A flood of
/// refusals would otherwise cost a system call for each.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// Keeps the writing thread alive; flushes when dropped.
pub struct Logs {
    _guard: WorkerGuard,
    dropped: ErrorCounter,
}

impl Logs {
    /// Starts logging for the whole process.
    ///
    /// # Errors
    /// Logging has been started before.
    pub fn start(
        settings: &Log,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync + 'static>> {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(QUEUE)
            .thread_name("jwtgate-log")
            .finish(BufWriter::with_capacity(WRITTEN_AT_ONCE, std::io::stderr()));
        let dropped = writer.error_counter();
        let level = settings.level.as_str();
        let others = match settings.level {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warn | LogLevel::Info | LogLevel::Debug | LogLevel::Trace => "warn",
        };
        let filter = EnvFilter::try_new(format!("{others},jwtgate={level}"))?;
        let is_terminal = std::io::stderr().is_terminal();
        let as_text = match settings.format {
            LogFormat::Auto => is_terminal,
            LogFormat::Text => true,
            LogFormat::Json => false,
        };
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            .with_ansi(is_terminal)
            .with_target(false);
        if as_text {
            subscriber.try_init()?;
        } else {
            subscriber
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .try_init()?;
        }
        Ok(Self {
            _guard: guard,
            dropped,
        })
    }

    /// How many lines were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}
