//! Something else in the place of the gate.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use envoy_types::ext_authz::v3::CheckResponseExt as _;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse,
};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::harness::proxies::{Kind, Proxy};
use crate::harness::upstream::{Upstream, read_headers};
use crate::harness::{Address, ports, wait};

use super::behind_every_proxy;
use super::chain::{folded_headers, get};

behind_every_proxy!(
    s8_2_an_answer_without_an_identity_gives_none,
    connections_to_the_gate_are_kept,
);

/// Something that is no gate: it takes a request, says these words and closes the connection. Words that are HTTP say `Connection:
/// close`, or a proxy may send its next request on a connection that is about to go (RFC 9112 §9.6).
pub(super) fn impostor(words: &'static str) -> Address {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Go's client opens connections to spare, on which nothing comes.
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                read_headers(&mut reader).ok();
                reader.get_mut().write_all(words.as_bytes()).ok();
            });
        }
    });
    Address::Tcp(address)
}

/// Lets everything pass and names nobody, over gRPC.
#[derive(Debug)]
struct Nobody;

#[tonic::async_trait]
impl Authorization for Nobody {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(CheckResponse::with_status(Status::ok(""))))
    }
}

fn grpc_impostor() -> Address {
    let port = ports::free();
    std::thread::spawn(move || {
        let checks = Server::builder().add_service(AuthorizationServer::new(Nobody));
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(checks.serve(([127, 0, 0, 1], port).into()))
            .expect("a free port");
    });
    let up = wait::until(Duration::from_secs(5), || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    up.expect("it listens");
    Address::local(port)
}

fn s8_2_an_answer_without_an_identity_gives_none(kind: Kind) {
    let app = Upstream::start();
    let gate = match kind {
        // Nobody else speaks this.
        Kind::HaproxySpoe | Kind::Itself | Kind::Introspection => return,
        Kind::EnvoyGrpc => grpc_impostor(),
        Kind::Nginx
        | Kind::Traefik
        | Kind::Caddy
        | Kind::Haproxy
        | Kind::EnvoyHttp
        | Kind::Apache => {
            impostor("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
    };
    let Some(proxy) = Proxy::start(kind, &gate, app.port()) else {
        return;
    };
    let spoofed = ["X-Auth-User", "X-Auth-Email", "X-Auth-Groups"]
        .iter()
        .fold(get("/app"), |request, name| request.header(name, "root"));
    let answer = spoofed.send(proxy.address());
    if kind == Kind::Apache {
        // Its Lua knows that jwtgate's answer has all of them.
        assert_eq!(answer.status, 503, "{answer:?}");
        return;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in folded_headers(&answer.json()) {
        assert!(!value.contains("root"), "{name}: {value}");
    }
}

/// Lets everything pass, any number of times on a connection, and counts these.
fn counting_impostor() -> (Address, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = listener.local_addr();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while read_headers(&mut reader).is_ok_and(|lines| !lines.is_empty()) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    reader.get_mut().write_all(answer).ok();
                }
            });
        }
    });
    let address = address.expect("a bound socket has an address");
    (Address::Tcp(address), connections)
}

fn connections_to_the_gate_are_kept(kind: Kind) {
    if matches!(kind, Kind::Apache) {
        // LuaSocket keeps none.
        return;
    }
    if matches!(kind, Kind::HaproxySpoe | Kind::EnvoyGrpc | Kind::Itself) {
        // Their protocols are made for that.
        return;
    }
    let app = Upstream::start();
    let (gate, connections) = counting_impostor();
    let Some(proxy) = Proxy::start(kind, &gate, app.port()) else {
        return;
    };
    for _ in 0..30 {
        assert_eq!(get("/app").send(proxy.address()).status, 200);
    }
    let connections = connections.load(Ordering::SeqCst);
    assert!(connections <= 6, "{connections} connections for 30 checks");
}
