//! The binary under test as a child process.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::http::{Address, Request};
use super::wait;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_jwtgate");
const START: Duration = Duration::from_secs(10);

/// A running `jwtgate serve`. It is killed when it goes out of scope.
pub(crate) struct Gate {
    child: Child,
    folder: TempDir,
    printed: Printed,
    listeners: HashMap<String, Vec<Address>>,
}

/// A `jwtgate serve` that ended instead of getting ready.
#[derive(Debug)]
pub(crate) struct Exited {
    pub(crate) status: Option<ExitStatus>,
    pub(crate) output: String,
}

impl Gate {
    pub(crate) fn launch(
        folder: TempDir,
        environment: &[(String, String)],
    ) -> Result<Self, Exited> {
        let mut child = command()
            .args(["serve", "--config"])
            .arg(folder.path().join("jwtgate.toml"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let printed = Printed::default();
        printed.collect(child.stdout.take().expect("stdout is a pipe"));
        printed.collect(child.stderr.take().expect("stderr is a pipe"));
        let mut gate = Self {
            child,
            folder,
            printed,
            listeners: HashMap::new(),
        };
        let ready = gate.printed.wait(START, |lines| {
            lines.iter().any(|line| message(line) == "ready")
        });
        if !ready {
            let status = wait::until(Duration::from_secs(1), || {
                gate.child.try_wait().ok().flatten()
            });
            return Err(Exited {
                status,
                output: gate.output(),
            });
        }
        for line in gate.records("listening") {
            let name = text(&line, "listener");
            gate.listeners
                .entry(name)
                .or_default()
                .push(Address::parse(&text(&line, "address")));
        }
        Ok(gate)
    }

    /// The first main listener.
    pub(crate) fn main(&self) -> &Address {
        &self.mains()[0]
    }

    /// All main listeners, in the order of their log lines.
    pub(crate) fn mains(&self) -> &[Address] {
        self.listeners
            .get("main")
            .expect("a listening line of the main listener")
    }

    pub(crate) fn admin(&self) -> &Address {
        &self
            .listeners
            .get("admin")
            .expect("a listening line of the admin listener")[0]
    }

    /// The first address of a listener, by the name that its log line gives it.
    pub(crate) fn listener(&self, name: &str) -> &Address {
        let found = self.listeners.get(name).and_then(|all| all.first());
        found.unwrap_or_else(|| panic!("no listening line of `{name}`"))
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything printed so far, stdout and stderr.
    pub(crate) fn output(&self) -> String {
        self.printed.lines().join("\n")
    }

    /// All log records with this message.
    pub(crate) fn records(&self, wanted: &str) -> Vec<Value> {
        let lines = self.printed.lines();
        lines
            .iter()
            .filter(|line| message(line) == wanted)
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits until `count` refusals are logged, and gives them.
    pub(crate) fn refusals(&self, count: usize) -> Vec<Value> {
        let count_of = |lines: &[String]| {
            lines
                .iter()
                .filter(|line| message(line) == "refused")
                .count()
        };
        let enough = self
            .printed
            .wait(Duration::from_secs(5), |lines| count_of(lines) >= count);
        assert!(
            enough,
            "{count} refusals were expected in the log:\n{}",
            self.output()
        );
        self.records("refused")
    }

    /// The `reason.code` of the newest of `count` refusals.
    pub(crate) fn reason(&self, count: usize) -> String {
        let refusals = self.refusals(count);
        text(
            refusals.last().expect("at least one refusal"),
            "reason.code",
        )
    }

    /// Waits for a line that holds `part`.
    pub(crate) fn wait_for_line(&self, part: &str) -> bool {
        self.printed.wait(Duration::from_secs(5), |lines| {
            lines.iter().any(|line| line.contains(part))
        })
    }

    /// Stops every thread of the process (SIGSTOP) and waits until they have stopped: the signal alone is only asked for.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.child.id());
        let is_frozen = || {
            let mut tasks = fs::read_dir(&tasks).expect("the process lives");
            let all = tasks.all(|task| {
                let stat = task.map(|task| fs::read_to_string(task.path().join("stat")));
                let stat = stat.and_then(|stat| stat).unwrap_or_default();
                // The state stands behind the name, which may hold anything but a closing parenthesis at its end.
                stat.rsplit(") ")
                    .next()
                    .is_some_and(|rest| rest.starts_with('T'))
            });
            all.then_some(())
        };
        let frozen = wait::until(Duration::from_secs(5), is_frozen);
        assert!(frozen.is_some(), "the process does not stop");
    }

    /// Sends a signal by name: `TERM`, `INT`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .expect("a shell is there");
        assert!(status.success(), "SIG{name} could not be sent");
    }

    /// Waits for the end. `None` when the process still runs after `limit`.
    pub(crate) fn wait_for_exit(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait::until(limit, || {
            self.child.try_wait().expect("a child can be waited for")
        })
    }

    /// Ends the server as an operator would, and gives all it ever printed.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        assert!(
            self.wait_for_exit(Duration::from_secs(15)).is_some(),
            "SIGTERM did not end the server"
        );
        self.printed.wait_for_end();
        self.output()
    }

    /// Fails when a request of this process has panicked: a panic is caught, so only the counter and the log tell.
    pub(crate) fn assert_no_panic(&self) {
        let metrics = Request::get("/metrics").send(self.admin());
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(text.contains("jwtgate_panics_total 0"), "{text}");
        assert!(
            !self.output().contains("a panic was caught"),
            "{}",
            self.output()
        );
    }

    /// Resident memory now.
    pub(crate) fn rss_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("VmRSS is listed");
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .trim()
            .parse()
            .expect("VmRSS is a number");
        kib * 1024
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a command line printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs a command of the binary to its end.
pub(crate) fn run(arguments: &[&str], stdin: &str) -> Ran {
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    // A command that does not read its input closes the pipe: no fault of the test.
    child
        .stdin
        .take()
        .expect("stdin is a pipe")
        .write_all(stdin.as_bytes())
        .ok();
    let output = child.wait_with_output().expect("the command ends");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The binary with an environment that says nothing about jwtgate.
pub(crate) fn command() -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JWTGATE_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// The message of a log line in JSON, else "".
fn message(line: &str) -> String {
    serde_json::from_str(line)
        .map(|record| text(&record, "message"))
        .unwrap_or_default()
}

/// A field of a log record as text, else "".
pub(crate) fn text(record: &Value, field: &str) -> String {
    match &record[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The lines of both streams, shared with the threads that read them.
#[derive(Clone, Default)]
struct Printed(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    open: usize,
}

impl Printed {
    fn collect(&self, stream: impl Read + Send + 'static) {
        self.lock().open += 1;
        let shared = self.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream
                .read_until(b'\n', &mut line)
                .is_ok_and(|count| count > 0)
            {
                let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                shared.lock().lines.push(text);
                shared.0.1.notify_all();
                line.clear();
            }
            shared.lock().open -= 1;
            shared.0.1.notify_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// Waits until `found` holds. `false` when the time is over or both streams ended before that.
    fn wait(&self, limit: Duration, found: impl Fn(&[String]) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if found(&state.lines) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.open == 0 {
                return false;
            }
            (state, _) = self
                .0
                .1
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_for_end(&self) {
        wait::until(Duration::from_secs(5), || {
            (self.lock().open == 0).then_some(())
        });
    }
}
