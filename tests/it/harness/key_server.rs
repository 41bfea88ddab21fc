//! A scripted server of keys and discovery documents, honest or not, over HTTP or HTTPS.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::answer::{Afterwards, Answer};
use super::tls::{TlsIdentity, Transport};
use super::{upstream, wait};

/// How long a connection may stand still. Longer than any test waits, so that the client is the one to give up.
const PATIENCE: Duration = Duration::from_secs(30);
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A server on loopback. It stops when it goes out of scope.
pub(crate) struct KeyServer {
    shared: Arc<Shared>,
    port: u16,
    door: Mutex<Door>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) at: Instant,
    /// The status of the answer. `None` where it has none.
    pub(crate) status: Option<u16>,
}

impl Seen {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl KeyServer {
    pub(crate) fn start() -> Self {
        Self::start_as(None)
    }

    pub(crate) fn start_tls(identity: &TlsIdentity) -> Self {
        Self::start_as(Some(identity.clone()))
    }

    fn start_as(identity: Option<TlsIdentity>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a port");
        let address = listener.local_addr();
        let shared = Arc::new(Shared {
            identity,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let server = Self {
            shared,
            port: address.expect("a bound socket has an address").port(),
            door: Mutex::default(),
        };
        server.open(listener);
        server
    }

    /// `path` begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        match &self.shared.identity {
            None => format!("http://127.0.0.1:{}{path}", self.port),
            Some(identity) => format!("https://{}:{}{path}", identity.host, self.port),
        }
    }

    /// The URL of the server without a slash at its end.
    pub(crate) fn issuer(&self) -> String {
        self.url("")
    }

    /// What a path answers from now on, whatever the query. Paths that no test spoke of are 404.
    pub(crate) fn answers(&self, path: &str, answer: Answer) {
        self.shared.lock().answers.insert(path.to_owned(), answer);
    }

    /// Serves these JWKs under `/jwks`, and the discovery document that points there.
    pub(crate) fn publishes(&self, keys: &[Value]) {
        let document = |value: &Value| Answer::json(value).with("Cache-Control", "max-age=300");
        self.answers("/jwks", document(&json!({ "keys": keys })));
        self.answers(DISCOVERY, document(&self.metadata()));
    }

    /// The discovery document: everything that OpenID Connect Discovery 1.0 §3 requires.
    pub(crate) fn metadata(&self) -> Value {
        json!({
            "issuer": self.issuer(),
            "authorization_endpoint": self.url("/authorize"),
            "token_endpoint": self.url("/token"),
            "jwks_uri": self.url("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// The requests for a path so far, whatever the query.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let state = self.shared.lock();
        let asked = state.seen.iter().filter(|seen| seen.is_for(path));
        asked.cloned().collect()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.shared.lock().count(path)
    }

    /// How many requests arrived, whatever they asked for.
    pub(crate) fn total(&self) -> usize {
        self.shared.lock().seen.len()
    }

    /// How many connections were made, with or without a request on them.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until a path was asked for so many times.
    ///
    /// # Panics
    ///
    /// When that does not happen within ten seconds.
    pub(crate) fn wait_for_requests(&self, path: &str, count: usize) {
        let arrived = self
            .shared
            .wait(Duration::from_secs(10), |state| state.count(path) >= count);
        assert!(
            arrived,
            "{path} was asked for {} times instead of {count}",
            self.count(path)
        );
    }

    /// Refuses connections and cuts those that are open.
    pub(crate) fn go_down(&self) {
        let mut door = self.lock_door();
        let Some(acceptor) = door.acceptor.take() else {
            return;
        };
        self.shared.cut_connections();
        // Wakes the acceptor, which looks for this change after each connection only.
        TcpStream::connect(self.address()).ok();
        acceptor.join().expect("the acceptor does not panic");
        door.held = Some(hold(self.address()));
    }

    /// Listens on the same port again.
    pub(crate) fn come_back(&self) {
        let held = self.lock_door().held.take();
        let socket = held.expect("the server is down");
        socket.listen(128).expect("the port is ours");
        self.open(socket.into());
    }

    fn open(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        shared.lock().up = true;
        let acceptor = std::thread::spawn(move || accept_all(&listener, &shared));
        self.lock_door().acceptor = Some(acceptor);
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn lock_door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.go_down();
    }
}

/// Whether connections are taken: one of the two is there.
#[derive(Default)]
struct Door {
    acceptor: Option<JoinHandle<()>>,
    /// Keeps the port while the server is down, lest another test gets it.
    held: Option<Socket>,
}

/// Takes a port without listening, so that connections to it are refused.
fn hold(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
    // The connections that were just cut may linger on the port.
    let reused = socket.set_reuse_address(true);
    reused.expect("a fresh socket takes options");
    // A child process that another test starts at this moment has the old listener until it becomes its own program.
    let bound = wait::until(PATIENCE, || socket.bind(&address.into()).ok());
    bound.expect("the port was ours a moment ago");
    socket
}

/// What the threads of a server share.
struct Shared {
    identity: Option<TlsIdentity>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    up: bool,
    /// Counts the times the server went down: a connection from before stays cut when the server is back.
    downs: usize,
    answers: HashMap<String, Answer>,
    seen: Vec<Seen>,
    connections: usize,
    open: Vec<Weak<TcpStream>>,
}

impl State {
    fn count(&self, path: &str) -> usize {
        self.seen.iter().filter(|seen| seen.is_for(path)).count()
    }
}

impl Seen {
    fn is_for(&self, path: &str) -> bool {
        without_query(&self.path) == path
    }
}

fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `found` holds. `false` when the time is over before that.
    fn wait(&self, limit: Duration, found: impl Fn(&State) -> bool) -> bool {
        let result = self
            .changed
            .wait_timeout_while(self.lock(), limit, |state| !found(state));
        let (state, _) = result.unwrap_or_else(PoisonError::into_inner);
        found(&state)
    }

    fn cut_connections(&self) {
        let mut state = self.lock();
        state.up = false;
        state.downs += 1;
        for stream in state.open.drain(..).filter_map(|stream| stream.upgrade()) {
            // Fails where the client has closed it already.
            stream.shutdown(Shutdown::Both).ok();
        }
        self.changed.notify_all();
    }

    /// Counts a connection in. `None` when the server went down before.
    fn admit(&self, stream: &Arc<TcpStream>) -> Option<usize> {
        let mut state = self.lock();
        if !state.up {
            return None;
        }
        state.connections += 1;
        state.open.retain(|stream| stream.strong_count() > 0);
        state.open.push(Arc::downgrade(stream));
        Some(state.downs)
    }

    /// Notes a request, and gives what it is answered.
    fn answer(&self, mut request: Seen) -> Answer {
        let mut state = self.lock();
        let answer = state.answers.get(without_query(&request.path));
        let answer = answer.map_or_else(|| Answer::status(404), Answer::clone);
        let answer = answer.for_versions(request.header("If-None-Match"));
        request.status = answer.status_code();
        state.seen.push(request);
        self.changed.notify_all();
        answer
    }
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        let stream = Arc::new(stream);
        let Some(downs) = shared.admit(&stream) else {
            return;
        };
        let shared = Arc::clone(shared);
        // A connection that ends in the middle of something is the affair of the client, or of a test that cuts it.
        std::thread::spawn(move || serve(&stream, &shared, downs).ok());
    }
}

fn serve(stream: &TcpStream, shared: &Shared, downs: usize) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let transport: Box<dyn Transport + '_> = match &shared.identity {
        None => Box::new(stream),
        Some(identity) => match identity.accept(stream) {
            None => return Ok(()),
            Some(transport) => transport,
        },
    };
    let mut reader = BufReader::new(transport);
    let pause = |length| !shared.wait(length, |state| state.downs != downs);
    while let Some(request) = read_request(&mut reader)? {
        let method = request.method.clone();
        let answer = shared.answer(request);
        match answer.send(&method, reader.get_mut(), &pause)? {
            Afterwards::KeepOpen => {}
            Afterwards::Close => break,
            Afterwards::Drop => return Ok(()),
            Afterwards::StaySilent => {
                // Until the client has enough, or the server goes down.
                io::copy(&mut reader, &mut io::sink())?;
                return Ok(());
            }
        }
    }
    reader.get_mut().say_goodbye();
    Ok(())
}

/// The next request, without its body. `None` when the client has no more of them.
fn read_request(reader: &mut BufReader<impl Read>) -> io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let request = Seen {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        headers: upstream::read_headers(reader)?,
        at: Instant::now(),
        status: None,
    };
    let length = request.header("Content-Length").map(str::parse);
    if let Some(Ok(length)) = length {
        io::copy(&mut reader.take(length), &mut io::sink())?;
    }
    Ok(Some(request))
}
