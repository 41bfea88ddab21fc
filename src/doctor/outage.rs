//! Stops a running jwtgate by the operator's own command, and sees to it that it is started again.

use std::cell::Cell;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Outage, Trouble};

/// How long the stop command may take.
const STOPPING: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// How long the start command may take, and how long it is waited for when doctor is told to end.
const STARTING: Duration = Duration::from_mins(1);
const HURRIED: Duration = Duration::from_secs(10);

/// What became of something that was stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Nothing was stopped.
    #[default]
    NotNeeded,
    /// The start command has ended well.
    Done,
    /// It has not.
    Failed,
}

/// Something that has been stopped. It is started when this is dropped, whatever happened meanwhile.
pub(super) struct Stopped {
    stopping: Child,
    start: Option<String>,
    restarted: Rc<Cell<Restart>>,
}

impl Stopped {
    /// Stops it, and waits until that is done.
    pub(super) async fn stop(
        commands: &Outage,
        restarted: &Rc<Cell<Restart>>,
    ) -> Result<Self, Trouble> {
        let mut stopped = Self {
            stopping: shell(&commands.stop).spawn()?,
            start: Some(commands.start.clone()),
            restarted: Rc::clone(restarted),
        };
        let end = Instant::now() + STOPPING;
        loop {
            match stopped.stopping.try_wait()? {
                Some(status) if status.success() => return Ok(stopped),
                Some(status) => {
                    return Err(Trouble::Shut(format!(
                        "`{}` failed: {status}",
                        commands.stop
                    )));
                }
                None if Instant::now() > end => {
                    return Err(Trouble::Shut(format!(
                        "`{}` did not end within {} seconds",
                        commands.stop,
                        STOPPING.as_secs()
                    )));
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Starts it again.
    pub(super) async fn start(mut self) -> io::Result<()> {
        let Some(mut starting) = self.begin()? else {
            return Ok(());
        };
        let end = Instant::now() + STARTING;
        loop {
            if let Some(ended) = self.ended(&mut starting, end) {
                return ended;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs the start command, once.
    fn begin(&mut self) -> io::Result<Option<Child>> {
        let Some(start) = self.start.take() else {
            return Ok(None);
        };
        self.restarted.set(Restart::Failed);
        // One that is still stopping would end what is started now.
        if self.stopping.try_wait()?.is_none() {
            let group = format!("-{}", self.stopping.id());
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .status()?;
            self.stopping.wait()?;
        }
        shell(&start).spawn().map(Some)
    }

    /// What came of the start command; `None` while it runs. One that does not end is left alone: it may be what was to be started.
    fn ended(&self, starting: &mut Child, end: Instant) -> Option<io::Result<()>> {
        match starting.try_wait() {
            Ok(Some(status)) if status.success() => {
                self.restarted.set(Restart::Done);
                Some(Ok(()))
            }
            Ok(Some(status)) => Some(Err(io::Error::other(status.to_string()))),
            Ok(None) if Instant::now() > end => Some(Err(io::Error::other(
                "it still runs: it must start jwtgate and end, as `systemctl start` does",
            ))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let Ok(Some(mut starting)) = self.begin() else {
            return;
        };
        let end = Instant::now() + HURRIED;
        while self.ended(&mut starting, end).is_none() {
            std::thread::park_timeout(PAUSE);
        }
    }
}

/// In a process group of its own, so that Ctrl-C ends doctor and not the command.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0);
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage(folder: &std::path::Path, stop: &str) -> Outage {
        let log = folder.join("log");
        let echo = |word: &str| format!("echo {word} >> '{}'", log.display());
        Outage {
            stop: format!("{}; {stop}", echo("stop")),
            start: echo("start"),
        }
    }

    async fn stopped(
        stop: &str,
        log: &std::path::Path,
    ) -> (Result<Stopped, Trouble>, Rc<Cell<Restart>>) {
        let restarted = Rc::default();
        let stopped = Stopped::stop(&outage(log, stop), &restarted).await;
        (stopped, restarted)
    }

    fn run<F: Future<Output = ()>>(
        stop: &str,
        then: impl FnOnce(Result<Stopped, Trouble>) -> F,
    ) -> (String, Restart) {
        let folder = tempfile::tempdir().expect("a folder");
        let restarted = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(async {
                let (stopped, restarted) = stopped(stop, folder.path()).await;
                then(stopped).await;
                restarted.get()
            });
        let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
        (log, restarted)
    }

    #[test]
    fn what_is_stopped_is_started_once_whatever_happens() {
        let both = ("stop\nstart\n".to_owned(), Restart::Done);
        let started = run("true", |stopped| async {
            stopped.expect("stopped").start().await.expect("started");
        });
        assert_eq!(started, both);
        assert_eq!(run("true", |stopped| async { drop(stopped) }), both);
        let failed = run("exit 3", |stopped| async move { assert!(stopped.is_err()) });
        assert_eq!(failed, both);
    }

    #[test]
    fn a_start_that_fails_is_told() {
        let commands = Outage {
            stop: "true".to_owned(),
            start: "exit 4".to_owned(),
        };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(async {
                for by_drop in [true, false] {
                    let restarted = Rc::default();
                    let stopped = Stopped::stop(&commands, &restarted).await.expect("stopped");
                    if by_drop {
                        drop(stopped);
                    } else {
                        assert!(stopped.start().await.is_err());
                    }
                    assert_eq!(restarted.get(), Restart::Failed);
                }
            });
    }
}
