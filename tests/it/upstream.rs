//! jwtgate itself in front of an application: `[upstream]`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::fetched::metric;
use crate::harness::upstream::{Upstream, echoed_headers};
use crate::harness::{Address, Connection, Gate, Request, Response, Settings, ports, tokens, wait};

/// Client → gate → application.
struct Chain {
    gate: Gate,
    app: Upstream,
}

fn table(app: u16) -> String {
    format!("[upstream]\nlisten = \"127.0.0.1:0\"\nurl = \"http://127.0.0.1:{app}\"\n")
}

impl Chain {
    fn start() -> Self {
        Self::with(Settings::with_sign_in(), "")
    }

    /// With more lines in `[upstream]`, and whatever stands behind them.
    fn with(settings: Settings, more: &str) -> Self {
        let app = Upstream::start();
        let gate = settings.table(&(table(app.port()) + more)).start();
        Self { gate, app }
    }

    fn front(&self) -> &Address {
        self.gate.listener("upstream")
    }

    fn send(&self, request: &Request) -> Response {
        request.send(self.front())
    }

    #[track_caller]
    fn reached(&self, request: &Request) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
        answer.json()
    }

    #[track_caller]
    fn refused(&self, request: &Request, status: u16) -> Response {
        let before = self.app.served();
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        assert_eq!(self.app.served(), before, "{request:?} went through");
        answer
    }
}

fn get(target: &str) -> Request {
    Request::get(target)
}

/// What opens a WebSocket (RFC 6455 §4.1).
fn to_socket() -> Request {
    get("/socket")
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

#[test]
fn a_good_token_reaches_the_application_with_its_identity_and_nothing_else_is_changed() {
    let chain = Chain::start();
    let echo = chain.reached(
        &get("/app/p%20x/a%2Fb?x=1&y=%2F&x=2")
            .bearer(tokens::good())
            .header("X-Custom", "one")
            .header("X-Custom", "two")
            .cookie("a=1; b=2"),
    );
    assert_eq!(echo["method"], "GET");
    assert_eq!(echo["target"], "/app/p%20x/a%2Fb?x=1&y=%2F&x=2");
    let headers = |name: &str| echoed_headers(&echo, name);
    assert_eq!(headers("X-Auth-User"), ["alice"]);
    assert_eq!(headers("X-Auth-Email"), ["alice@example.com"]);
    assert_eq!(headers("X-Auth-Groups"), ["dev,ops"]);
    assert_eq!(headers("X-Custom"), ["one", "two"]);
    assert_eq!(headers("Cookie"), ["a=1; b=2"]);
    assert_eq!(headers("Host"), ["app.example.com"]);
    assert_eq!(headers("Authorization").len(), 1);
    assert_eq!(headers("Via"), ["1.1 jwtgate"]);
}

#[test]
fn bad_tokens_do_not_reach_the_application() {
    let chain = Chain::start();
    let answer = chain.refused(&get("/app"), 401);
    assert_eq!(
        answer.header("WWW-Authenticate"),
        Some("Bearer realm=\"jwtgate\"")
    );
    for token in [
        tokens::expired(),
        tokens::forged(),
        tokens::unsigned(),
        tokens::wrong_audience(),
    ] {
        chain.refused(&get("/app").bearer(token), 401);
    }
    let nameless = tokens::with(&json!({"username": null}));
    chain.refused(&get("/app").bearer(nameless), 403);
    chain.refused(&get("/app").bearer("a").bearer("b"), 400);
    let page = chain.refused(&get("/a?x=1").page_load(), 302);
    assert_eq!(
        page.header("Location"),
        Some("https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fa%3Fx%3D1")
    );
    chain.gate.assert_no_panic();
}

#[test]
fn s8_3_a_spoofed_identity_never_reaches_the_application_in_any_spelling() {
    let chain = Chain::with(
        Settings::hmac().table("[[rules]]\naction = \"public\"\npath_prefix = \"/public\"\n[[rules]]\naction = \"require\"\npath_prefix = \"/\""),
        "",
    );
    let names = [
        "X-Auth-User",
        "x-auth-user",
        "X_Auth_User",
        "X-Auth_User",
        "X.Auth.User",
        "X-Auth-Email",
        "X_Auth_Groups",
        "X-Auth-Identity",
        "Remote-User",
        "REMOTE_USER",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-Auth-Request-User",
        "X-Original-URL",
        "X-Rewrite-Url",
        "X-HTTP-Method-Override",
        "X_Http_Method_Override",
    ];
    let nameless = tokens::with(&json!({"email": null, "groups": null}));
    for (target, token) in [("/app", Some(&nameless)), ("/public", None)] {
        let mut request = get(target);
        for name in names {
            request = request.header(name, "root").header(name, "root");
        }
        if let Some(token) = token {
            request = request.bearer(token);
        }
        let echo = chain.reached(&request);
        for header in echo["headers"].as_array().expect("headers") {
            assert_ne!(header[1], "root", "{header} at {target}");
        }
        let expected: &[&str] = if token.is_some() { &["alice"] } else { &[] };
        assert_eq!(echoed_headers(&echo, "X-Auth-User"), expected);
        assert_eq!(echoed_headers(&echo, "X-Auth-Email"), [""; 0]);
    }
}

#[test]
fn s8_3_what_connection_names_goes_no_further_and_takes_nothing_of_ours_along() {
    let chain = Chain::start();
    let echo = chain.reached(
        &get("/app")
            .bearer(tokens::good())
            .header(
                "Connection",
                "keep-alive, X-Auth-User, X-Hop, Host, X-Forwarded-For",
            )
            .header("X-Hop", "1")
            .header("Keep-Alive", "timeout=5")
            .header("TE", "trailers")
            .header("Proxy-Connection", "keep-alive")
            .header("Proxy-Authorization", "Basic eDp5")
            .header("Upgrade", "h2c")
            .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    );
    for name in [
        "X-Hop",
        "Keep-Alive",
        "TE",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Upgrade",
        "HTTP2-Settings",
        "Connection",
    ] {
        assert_eq!(echoed_headers(&echo, name), [""; 0], "{name}");
    }
    assert_eq!(echoed_headers(&echo, "X-Auth-User"), ["alice"]);
    assert_eq!(echoed_headers(&echo, "Host"), ["app.example.com"]);
    assert_eq!(echoed_headers(&echo, "X-Forwarded-For"), ["127.0.0.1"]);
}

#[test]
fn s10_1_what_a_client_says_about_itself_counts_from_trusted_peers_only() {
    let claims = || {
        get("/a")
            .header("X-Forwarded-For", "192.0.2.7")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "evil.example.com")
            .header("X-Forwarded-Port", "1")
            .header("X_Forwarded_For", "192.0.2.8")
            .header("X-Real-IP", "192.0.2.9")
            .header("Forwarded", "for=192.0.2.10")
    };
    let distrusting = Settings::hmac().server("trusted_proxies = []");
    let chain = Chain::with(distrusting, "");
    let echo = chain.reached(&claims().bearer(tokens::good()));
    let said = |echo: &Value, name: &str| echoed_headers(echo, name);
    assert_eq!(said(&echo, "X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(said(&echo, "X-Real-IP"), ["127.0.0.1"]);
    assert_eq!(said(&echo, "X-Forwarded-Proto"), ["http"]);
    assert_eq!(said(&echo, "X-Forwarded-Host"), ["app.example.com"]);
    for name in ["X-Forwarded-Port", "X_Forwarded_For", "Forwarded"] {
        assert_eq!(said(&echo, name), [""; 0], "{name}");
    }
    let chain = Chain::start();
    let echo = chain.reached(&claims().bearer(tokens::good()));
    assert_eq!(said(&echo, "X-Forwarded-For"), ["192.0.2.7", "127.0.0.1"]);
    assert_eq!(said(&echo, "X-Forwarded-Proto"), ["https"]);
    // What was judged, and not what somebody besides says.
    assert_eq!(said(&echo, "X-Real-IP"), ["192.0.2.7"]);
    assert_eq!(said(&echo, "X-Forwarded-Host"), ["app.example.com"]);
    for name in ["X-Forwarded-Port", "X_Forwarded_For", "Forwarded"] {
        assert_eq!(said(&echo, name), [""; 0], "{name}");
    }
    // Whoever stands in front, the host is that of the request.
    let page = chain.refused(&claims().page_load(), 302);
    let location = page.header("Location").expect("a redirect");
    assert!(!location.contains("evil"), "{location}");
}

#[test]
fn rules_see_the_client_and_the_request_itself() {
    let rules = "[[rules]]\naction = \"deny\"\npath_prefix = \"/admin\"\n[[rules]]\naction = \"require\"\npath_prefix = \"/\"\nsource = [\"127.0.0.0/8\"]";
    let chain = Chain::with(
        Settings::hmac().server("trusted_proxies = []").table(rules),
        "",
    );
    let good = |target: &str| get(target).bearer(tokens::good());
    chain.reached(&good("/app"));
    for target in [
        "/admin",
        "/admin/x?y",
        "/app/../admin",
        "//admin",
        "/app/%2e%2e/admin",
        "/%2fadmin",
        "/app/..;/admin",
    ] {
        chain.refused(&good(target), 403);
    }
    for name in ["X-Forwarded-Uri", "X-Original-URL", "X-Original-URI"] {
        chain.refused(&good("/admin").header(name, "/app"), 403);
    }
    // An absolute request line, with the same host and with another.
    chain.reached(&good("http://app.example.com/app"));
    chain.refused(&good("http://other.example.com/app"), 403);
    chain.refused(&good("http://app.example.com/admin"), 403);
}

#[test]
fn s10_2_requests_that_two_readers_read_differently_are_refused() {
    let chain = Chain::start();
    let good = || get("/app").bearer(tokens::good());
    chain.refused(&good().header("Host", "other.example.com"), 403);
    chain.refused(&good().host("a b"), 400);
    let before = chain.app.served();
    for text in [
        "CONNECT app.example.com:443 HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
        "CONNECT /app HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    ] {
        let mut connection = Connection::open(chain.front()).expect("it listens");
        connection.write(text.as_bytes()).expect("it reads");
        // Or the end without a word.
        if let Ok(answer) = connection.read_response("GET") {
            assert!((400..500).contains(&answer.status), "{text:?}: {answer:?}");
        }
    }
    assert_eq!(chain.app.served(), before);
}

#[test]
fn s16_2_a_request_with_two_lengths_is_read_as_chunked_and_ends_its_connection() {
    let chain = Chain::start();
    let token = tokens::good();
    let mut connection = Connection::open(chain.front()).expect("it listens");
    let text = format!(
        "POST /a HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {token}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.write(text.as_bytes()).expect("it reads");
    let answers = connection.read_to_end().expect("an answer and the end");
    let answers = String::from_utf8_lossy(&answers);
    assert!(!answers.contains("/smuggled"), "{answers}");
    assert!(chain.app.served() <= 1);
}

#[test]
fn bodies_stream_both_ways() {
    let chain = Chain::start();
    let body: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index * 7 % 251).to_le_bytes()[0])
        .collect();
    let echo = chain.reached(
        &Request::new("POST", "/upload")
            .bearer(tokens::good())
            .body(body.clone()),
    );
    assert_eq!(echo["body_length"], 3_000_000);
    assert_eq!(echo["body"], tokens::encode(&body));
    assert_eq!(echoed_headers(&echo, "Content-Length"), ["3000000"]);
    assert_eq!(echoed_headers(&echo, "Transfer-Encoding"), [""; 0]);
    chain.refused(&Request::new("POST", "/upload").body(vec![0; 100_000]), 401);
    let after = chain.reached(&get("/app").bearer(tokens::good()));
    assert_eq!(after["body_length"], 0);
}

#[test]
fn a_websocket_passes_and_carries_bytes_both_ways() {
    let chain = Chain::start();
    let upgrade = to_socket();
    chain.refused(&upgrade, 401);
    let mut connection = Connection::open(chain.front()).expect("it listens");
    let answer = connection
        .send(&upgrade.bearer(tokens::good()))
        .expect("an answer");
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("Upgrade"), Some("websocket"));
    for frame in [
        &b"\x81\x85\x01\x02\x03\x04ignite"[..],
        &[0, 255, 13, 10, 13, 10][..],
    ] {
        connection.write(frame).expect("the tunnel is open");
        let echo = connection.read_exactly(frame.len()).expect("an echo");
        assert_eq!(echo, frame);
    }
}

#[test]
fn a_silent_websocket_is_closed() {
    let chain = Chain::with(Settings::hmac(), "idle_timeout = \"1s\"");
    let upgrade = to_socket().bearer(tokens::good());
    let mut connection = Connection::open(chain.front()).expect("it listens");
    assert_eq!(connection.send(&upgrade).expect("an answer").status, 101);
    assert!(connection.read_to_end().expect("the end").is_empty());
}

#[test]
fn s16_3_a_dripped_head_is_cut_off_and_slow_bodies_and_tunnels_are_not() {
    let chain = Chain::with(Settings::hmac().server("header_timeout = \"1s\""), "");
    let pause = || wait::pass(Duration::from_millis(700));
    let mut connection = Connection::open(chain.front()).expect("it listens");
    let first = connection.send(&get("/app").bearer(tokens::good()));
    assert_eq!(first.expect("an answer").status, 200);
    wait::pass(Duration::from_millis(1500));
    let head = b"GET /app HTTP/1.1\r\nHost: a";
    let is_cut = head.chunks(4).any(|bytes| {
        pause();
        connection.write(bytes).is_err()
    });
    let rest = connection.read_to_end();
    assert!(is_cut || rest.is_ok_and(|rest| rest.is_empty()), "it hangs");

    let mut connection = Connection::open(chain.front()).expect("it listens");
    let head = format!(
        "POST /a HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {}\r\nContent-Length: 4\r\n\r\n",
        tokens::good()
    );
    for _ in 0..2 {
        connection.write(head.as_bytes()).expect("it reads");
        for byte in b"body" {
            pause();
            connection.write(&[*byte]).expect("it reads");
        }
        let answer = connection.read_response("POST").expect("an answer");
        assert_eq!(answer.json()["body_length"], 4);
        wait::pass(Duration::from_millis(1500));
    }

    let mut connection = Connection::open(chain.front()).expect("it listens");
    let answer = connection.send(&to_socket().bearer(tokens::good()));
    assert_eq!(answer.expect("an answer").status, 101);
    for _ in 0..4 {
        pause();
        connection.write(b"x").expect("the tunnel is open");
        assert_eq!(connection.read_exactly(1).expect("an echo"), b"x");
    }
}

#[test]
fn the_token_is_taken_out_where_that_is_wanted() {
    let chain = Chain::with(Settings::with_sign_in(), "strip_token = true");
    let token = tokens::good();
    let echo = chain.reached(
        &get("/a")
            .bearer(&token)
            .cookie(format!("a=1; auth_token={token}; b=\"x y\"")),
    );
    assert_eq!(echoed_headers(&echo, "Authorization"), [""; 0]);
    assert_eq!(echoed_headers(&echo, "Cookie"), ["a=1; b=\"x y\""]);
    let echo = chain.reached(&get(&format!("/a?x=%2F&auth_token={token}&y")));
    assert_eq!(echo["target"], "/a?x=%2F&y");
    let echo = chain
        .reached(&get(&format!("/a?auth_token={token}")).cookie(format!("auth_token={token}")));
    assert_eq!(echo["target"], "/a");
    assert_eq!(echoed_headers(&echo, "Cookie"), [""; 0]);
    assert!(!echo.to_string().contains(&token));
    // What is no token stays as it is.
    let other = get("/a")
        .header("Authorization", "Basic eDp5")
        .cookie("prefs={\"a\":1,\"b\":2}; x=1;y=2")
        .cookie(format!("a=1;  auth_token={token};b=\"x, y\" "));
    let echo = chain.reached(&other);
    assert_eq!(echoed_headers(&echo, "Authorization"), ["Basic eDp5"]);
    assert_eq!(
        echoed_headers(&echo, "Cookie"),
        ["prefs={\"a\":1,\"b\":2}; x=1;y=2", "a=1;b=\"x, y\""]
    );
}

#[test]
fn a_stalled_or_broken_upload_is_the_clients_fault_and_an_empty_one_keeps_its_length() {
    let chain = Chain::with(
        Settings::hmac(),
        "response_timeout = \"1s\"\nidle_timeout = \"2s\"",
    );
    let head = |more: &str| {
        let token = tokens::good();
        format!(
            "POST /a HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        )
    };
    for text in [
        head("Content-Length: 5\r\n") + "he",
        head("Transfer-Encoding: chunked\r\n") + "zz\r\n",
    ] {
        let mut connection = Connection::open(chain.front()).expect("it listens");
        connection.write(text.as_bytes()).expect("it reads");
        if let Ok(answer) = connection.read_response("POST") {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    let echo = chain.reached(&Request::new("POST", "/a").bearer(tokens::good()).body(""));
    assert_eq!(echoed_headers(&echo, "Content-Length"), ["0"]);
}

#[test]
fn s10_2_a_request_without_a_host_is_refused_unless_it_is_old() {
    let chain = Chain::start();
    let ask = |version: &str| {
        let token = tokens::good();
        let text = format!("GET /a {version}\r\nAuthorization: Bearer {token}\r\n\r\n");
        let mut connection = Connection::open(chain.front()).expect("it listens");
        connection.write(text.as_bytes()).expect("it reads");
        connection.read_response("GET").expect("an answer").status
    };
    assert_eq!((ask("HTTP/1.1"), ask("HTTP/1.0")), (400, 200));
}

#[test]
fn an_application_on_a_unix_socket_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let user = String::from_utf8_lossy(&head[..read]).contains("x-auth-user: alice");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{user}");
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    let table = format!(
        "[upstream]\nlisten = \"127.0.0.1:0\"\nurl = \"unix:{}\"",
        path.display()
    );
    let gate = Settings::hmac().table(&table).start();
    let answer = get("/a")
        .bearer(tokens::good())
        .send(gate.listener("upstream"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "true"));
}

#[test]
fn an_application_that_is_away_is_502_and_a_slow_one_504_and_neither_is_a_refusal() {
    let port = ports::free();
    let gate = Settings::hmac().table(&table(port)).start();
    let ask = |accept: &str| {
        get("/a")
            .bearer(tokens::good())
            .header("Accept", accept)
            .send(gate.listener("upstream"))
    };
    let json = ask("application/json");
    assert_eq!(json.status, 502);
    assert_eq!(json.json()["status"], 502);
    assert_eq!(json.header("X-Auth-User"), None);
    assert!(ask("text/html").text().contains("does not answer"));
    let failures =
        |gate: &Gate, reason: &str| metric(gate, "jwtgate_upstream_failures_total", &[reason]);
    assert!(gate.wait_for_line("upstream.unreachable"));
    assert!(
        gate.wait_for_line("Connection refused"),
        "what the system says"
    );
    assert!(gate.wait_for_line("`upstream.url` names it"), "what to do");
    assert_eq!(failures(&gate, "upstream.unreachable"), 2);
    assert_eq!(metric(&gate, "jwtgate_decisions_total", &[]), 2);
    // Without a good token nobody learns whether there is an application.
    assert_eq!(get("/a").send(gate.listener("upstream")).status, 401);
    // One that accepts and says nothing.
    let silent = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let gate = Settings::hmac()
        .table(&(table(port) + "response_timeout = \"1s\""))
        .start();
    let answer = get("/a")
        .bearer(tokens::good())
        .send(gate.listener("upstream"));
    assert_eq!(answer.status, 504);
    assert_eq!(failures(&gate, "upstream.timeout"), 1);
    assert!(gate.records("refused").is_empty());
    drop(silent);
}

#[test]
fn connections_are_kept_and_requests_on_them_do_not_mix() {
    let chain = Chain::start();
    let mut connection = Connection::open(chain.front()).expect("it listens");
    for index in 0..40 {
        let name = format!("user-{index}");
        let answer = connection
            .send(&get("/app").bearer(tokens::good_for(&name)))
            .expect("an answer");
        assert_eq!(echoed_headers(&answer.json(), "X-Auth-User"), [name]);
        let refused = connection
            .send(&get("/app").bearer(tokens::forged()))
            .expect("an answer");
        assert_eq!(refused.status, 401);
    }
}

#[test]
fn large_heads_pass_and_larger_ones_are_431() {
    let chain = Chain::start();
    let cookie = format!("a={}; auth_token={}", "x".repeat(47_000), tokens::good());
    chain.reached(&get("/app").cookie(cookie));
    let mut many = get("/app").bearer(tokens::good());
    for index in 0..150 {
        many = many.header(&format!("X-Line-{index}"), "1");
    }
    let echo = chain.reached(&many);
    assert_eq!(echoed_headers(&echo, "X-Line-149"), ["1"]);
    chain.refused(
        &get("/app")
            .bearer(tokens::good())
            .cookie("x".repeat(70_000)),
        431,
    );
    chain.refused(
        &get("/app")
            .bearer(tokens::good())
            .cookie("x".repeat(500_000)),
        431,
    );
}

#[test]
fn expect_100_continue_is_answered_only_to_who_may_send() {
    let chain = Chain::start();
    let head = |token: &str| {
        format!(
            "POST /a HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {token}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut connection = Connection::open(chain.front()).expect("it listens");
    connection
        .write(head(&tokens::good()).as_bytes())
        .expect("it reads");
    let interim = connection.read_response("POST").expect("an interim answer");
    assert_eq!(interim.status, 100);
    connection.write(b"hello").expect("it reads");
    let answer = connection.read_response("POST").expect("an answer");
    assert_eq!(answer.json()["body_length"], 5);
    let mut connection = Connection::open(chain.front()).expect("it listens");
    connection
        .write(head(&tokens::forged()).as_bytes())
        .expect("it reads");
    assert_eq!(
        connection.read_response("POST").expect("an answer").status,
        401
    );
}

#[test]
fn s18_1_a_request_in_flight_is_answered_before_the_end() {
    let mut chain = Chain::start();
    let mut connection = Connection::open(chain.front()).expect("it listens");
    let head = format!(
        "POST /a HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {}\r\nContent-Length: 5\r\n\r\nhe",
        tokens::good()
    );
    connection.write(head.as_bytes()).expect("it reads");
    let is_there = || (chain.app.served() == 1).then_some(());
    assert!(wait::until(Duration::from_secs(5), is_there).is_some());
    chain.gate.signal("TERM");
    assert!(chain.gate.wait_for_line("draining"));
    connection.write(b"llo").expect("it still reads");
    let answer = connection.read_response("POST").expect("an answer");
    assert_eq!(answer.json()["body_length"], 5);
    let ended = chain
        .gate
        .wait_for_exit(Duration::from_secs(8))
        .expect("it ends");
    assert!(ended.success());
}

#[test]
fn faults_of_the_table_are_told_together() {
    let exited = Settings::hmac()
        .table("[upstream]\nlisten = \"127.0.0.1:0\"\nidle_timeout = \"0s\"\nstrip_headers = [\"a b\"]")
        .try_start();
    let Err(exited) = exited else {
        panic!("it started")
    };
    for key in [
        "upstream.url",
        "upstream.idle_timeout",
        "upstream.strip_headers[0]",
    ] {
        assert!(exited.output.contains(key), "{key}: {}", exited.output);
    }
    let exited = Settings::hmac()
        .table("[upstream]\nurl = \"https://a\"")
        .try_start();
    let Err(exited) = exited else {
        panic!("it started")
    };
    assert!(exited.output.contains("needs no TLS"), "{}", exited.output);
    for (listen, url) in [
        ("127.0.0.1:18098", "http://127.0.0.1:18098"),
        ("0.0.0.0:18098", "http://localhost:18098"),
        ("[::1]:18098", "http://127.0.0.1:18098"),
        ("App.internal:18098", "http://app.internal:18098"),
        ("unix:/tmp/jwtgate-none.sock", "unix:/tmp/jwtgate-none.sock"),
    ] {
        let exited = Settings::hmac()
            .table(&format!(
                "[upstream]\nlisten = \"{listen}\"\nurl = \"{url}\""
            ))
            .try_start();
        let Err(exited) = exited else {
            panic!("{listen}: it started")
        };
        let output = exited.output;
        assert!(output.contains("round in a circle"), "{listen}: {output}");
    }
    assert!(
        exited.output.contains("upstream.listen"),
        "{}",
        exited.output
    );
}
