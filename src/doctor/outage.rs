//! Stops a running jwtgate by the operator's own command, and sees to it that it is started again.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outage, Trouble};

/// How long the stop command may take.
const STOPPING: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Something that has been stopped. It is started when this is dropped, whatever happened meanwhile.
pub(super) struct Stopped {
    stopping: Child,
    start: Option<String>,
}

impl Stopped {
    /// Stops it, and waits until that is done.
    pub(super) async fn stop(commands: &Outage) -> Result<Self, Trouble> {
        let mut stopped = Self {
            stopping: shell(&commands.stop).spawn()?,
            start: Some(commands.start.clone()),
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
    pub(super) fn start(mut self) -> io::Result<()> {
        self.start_once()
    }

    fn start_once(&mut self) -> io::Result<()> {
        let Some(start) = self.start.take() else {
            return Ok(());
        };
        // One that is still stopping would end what is started now.
        if self.stopping.try_wait()?.is_none() {
            let group = format!("-{}", self.stopping.id());
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .status()?;
            self.stopping.wait()?;
        }
        let status = shell(&start).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(status.to_string()))
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Nobody is left to be told.
        self.start_once().ok();
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

    fn run(stop: &str, then: impl FnOnce(Result<Stopped, Trouble>)) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(async { then(Stopped::stop(&outage(folder.path(), stop)).await) });
        std::fs::read_to_string(folder.path().join("log")).expect("a log")
    }

    #[test]
    fn what_is_stopped_is_started_once_whatever_happens() {
        assert_eq!(
            run("true", |stopped| stopped
                .expect("stopped")
                .start()
                .expect("started")),
            "stop\nstart\n"
        );
        assert_eq!(run("true", drop), "stop\nstart\n");
        let failed = run("exit 3", |stopped| assert!(stopped.is_err()));
        assert_eq!(failed, "stop\nstart\n");
    }
}
