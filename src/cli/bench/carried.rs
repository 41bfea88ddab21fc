//! What a core carries: the service itself, with one worker, asked over kept connections on loopback.
//!
//! Client and service share the machine, so requests a second say little; the CPU time that the service takes for a request says what one
//! core can do. It is that of the whole process without that of this thread, which is the client.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::app;
use crate::clock::Timestamp;
use crate::config::{Admin, Config, ExtAuthz, OneOrMany, Server, Spoe, Upstream};

use super::subject::Subject;

/// Too short a time tells nothing.
pub(super) const LEAST: Duration = Duration::from_secs(1);
/// Connections, each with one request under way.
const CONNECTIONS: usize = 16;
/// How long the service may take to start, fetch keys and answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What requests took.
pub(super) struct Carried {
    /// With tokens that were never seen.
    pub(super) first: Taken,
    /// With one that the cache knows.
    pub(super) again: Taken,
}

/// CPU time for requests.
pub(super) struct Taken {
    requests: u32,
    cpu: Duration,
}

impl Carried {
    pub(super) fn measure(subject: &Subject, span: Duration) -> anyhow::Result<Self> {
        let mut keeping_nothing = subject.config.clone();
        keeping_nothing.cache.max_bytes = 0;
        Ok(Self {
            first: Taken::measure(&keeping_nothing, subject, span)?,
            again: Taken::measure(&subject.config, subject, span)?,
        })
    }

    pub(super) fn json(&self) -> Value {
        let told = |taken: &Taken| json!({"requests_per_second": taken.a_core(), "cpu_microseconds": taken.microseconds()});
        json!({"first_time": told(&self.first), "seen_before": told(&self.again)})
    }
}

impl Taken {
    /// CPU time for a request.
    pub(super) fn microseconds(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(self.requests.max(1))
    }

    /// How many requests a second take a core's whole time.
    pub(super) fn a_core(&self) -> f64 {
        1e6 / self.microseconds()
    }

    fn measure(config: &Config, subject: &Subject, span: Duration) -> anyhow::Result<Self> {
        let address = started(config)?;
        let request = request(subject);
        let mut clients = first_answers(&address, request.as_bytes())?;
        // Everything that happens once has happened: threads, pages of memory, the cache.
        ask(&mut clients, request.as_bytes(), span / 5)?;
        let before = of_the_service()?;
        let requests = ask(&mut clients, request.as_bytes(), span)?;
        let cpu = of_the_service()?.saturating_sub(before);
        Ok(Self { requests, cpu })
    }
}

/// Starts the service on a free port. It ends with this process.
fn started(config: &Config) -> anyhow::Result<String> {
    let mut config = config.clone();
    // The limits stay, but for who may connect and ask: that is this process.
    config.server = Server {
        listen: OneOrMany::One("127.0.0.1:0".to_owned()),
        workers: Some(1),
        max_header_bytes: config.server.max_header_bytes,
        max_token_bytes: config.server.max_token_bytes,
        ..Server::default()
    };
    config.admin = Admin {
        listen: OneOrMany::Many(Vec::new()),
    };
    config.ext_authz = ExtAuthz::default();
    config.spoe = Spoe::default();
    config.upstream = Upstream::default();
    config.keys.state_dir = None;
    let (plan, faults) = app::plan(&config, Timestamp::now());
    let Some(plan) = plan else {
        bail!(
            "{}",
            faults.iter().map(ToString::to_string).collect::<String>()
        );
    };
    let bound = plan.bind(|| 0)?;
    let address = bound.addresses().join("");
    let address = address.trim_start_matches("http://").to_owned();
    std::thread::Builder::new()
        .name("jwtgate-bench".to_owned())
        .spawn(move || bound.run(None))?;
    Ok(address)
}

fn request(subject: &Subject) -> String {
    let (name, value) = subject.header();
    format!(
        "GET /verify HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: jwtgate-bench\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.7\r\n\
         X-Original-Method: GET\r\nX-Original-URL: {}\r\n{name}: {value}\r\n\r\n",
        subject.url
    )
}

/// Connections that have each had a good answer. Until keys have been fetched there is none.
fn first_answers(address: &str, request: &[u8]) -> anyhow::Result<Vec<TcpStream>> {
    let began = Instant::now();
    let connect = || -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        good_answer(&mut stream)?;
        Ok(stream)
    };
    let mut clients = Vec::new();
    while clients.len() < CONNECTIONS {
        match connect() {
            Ok(stream) => clients.push(stream),
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
    Ok(clients)
}

/// Asks on every connection, again and again. How many answers there were.
fn ask(clients: &mut [TcpStream], request: &[u8], span: Duration) -> anyhow::Result<u32> {
    let began = Instant::now();
    let mut answers = 0;
    while began.elapsed() < span {
        for client in &mut *clients {
            client.write_all(request)?;
        }
        for client in &mut *clients {
            good_answer(client)?;
            answers += 1;
        }
    }
    Ok(answers)
}

/// Reads one answer, which must be a 200.
fn good_answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut room = [0; 16 * 1024];
    let mut filled = 0;
    loop {
        let free = room.get_mut(filled..).unwrap_or_default();
        let read = match stream.read(free) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.context("the service does not answer")?,
        };
        if read == 0 {
            bail!("the service has closed the connection");
        }
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut headers);
        let text = room.get(..filled).unwrap_or_default();
        if answer.parse(text)?.is_partial() {
            continue;
        }
        // The body of a 200 of this endpoint is empty.
        return match answer.code {
            Some(200) => Ok(()),
            code => bail!(
                "the service answers {}\n  hint: ask it with the same token: jwtgate explain",
                code.unwrap_or_default()
            ),
        };
    }
}

/// The CPU time that this process has taken so far, but for this thread.
fn of_the_service() -> anyhow::Result<Duration> {
    let time = |clock| -> anyhow::Result<Duration> {
        let time = clock_gettime(clock);
        Ok(Duration::try_from(time)?)
    };
    let all = time(ClockId::ProcessCPUTime)?;
    Ok(all.saturating_sub(time(ClockId::ThreadCPUTime)?))
}
