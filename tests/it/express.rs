//! The express lane and actix behind it: one and the same to whoever asks.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Connection, Gate, Request, Settings, tokens, wait};

fn gate() -> Gate {
    Settings::with_sign_in()
        .table(
            "[[rules]]\naction = \"public\"\npath_prefix = \"/public\"\n\
             [[rules]]\naction = \"deny\"\npath_prefix = \"/admin\"\n\
             [[rules]]\naction = \"require\"\npath_prefix = \"/\"\n",
        )
        .start()
}

/// The same request, in a form that the lane leaves to actix.
fn behind(request: &Request) -> Request {
    request.clone().header("Content-Length", "0")
}

/// What may be asked at a path, with what a proxy says of the original request.
fn questions(path: &str) -> Vec<Request> {
    let described = |uri: &str| {
        let request = Request::get(path);
        if path.starts_with("/verify") {
            request.original("GET", uri)
        } else {
            request.forwarded("GET", uri)
        }
    };
    let good = |uri: &str| described(uri).bearer(tokens::good());
    let app = || described("/app");
    let odd = tokens::with(&json!({"name": "Ä\u{1F600}", "groups": [], "email": null}));
    vec![
        Request::get(path),
        Request::get(path).bearer(tokens::good()),
        app(),
        app().page_load(),
        app().header("Accept", "text/html"),
        good("/app?x=1"),
        good("/admin/x"),
        good("/a/%2e%2e/admin"),
        described("/public"),
        good("/public"),
        described("/public").bearer(tokens::forged()),
        app().bearer(tokens::expired()),
        app().bearer(tokens::forged()),
        app().bearer(tokens::unsigned()),
        app().bearer(tokens::wrong_audience()),
        app().bearer(odd),
        app().bearer(format!("a.{}.b", "x".repeat(17_000))),
        app().bearer("x"),
        app().header("Authorization", "Basic eDp5"),
        app().header("Authorization", [0xff, 0xfe]),
        app().cookie(format!("a=1; auth_token={}", tokens::good())),
        described(&format!("/app?auth_token={}", tokens::good())),
        good("/app").bearer(tokens::expired()),
        good("/app").header("X-Forwarded-For", "203.0.113.9, nonsense"),
        good("no path"),
        good("/a b"),
        good("/app").header("X-Padding", "x".repeat(20_000)),
        good("/app").cookie("x".repeat(70_000)),
        good("/app").header("Connection", "keep-alive"),
        good("/app").header("Host", "evil.example.com"),
        good("/app").host("a b"),
        good("/app").host(""),
        good("/app").host("evil.example.com:80:80"),
        good("/app")
            .header("X-Auth-User", "root")
            .header("x-auth-user", "root"),
    ]
}

#[test]
fn the_lane_answers_what_actix_would() {
    let gate = gate();
    for path in ["/verify", "/forward-auth", "/verify?", "/forward-auth?"] {
        for request in questions(path) {
            let in_lane = request.send(gate.main()).comparable();
            let by_actix = behind(&request).send(gate.main()).comparable();
            assert_eq!(
                format!("{in_lane:?}"),
                format!("{by_actix:?}"),
                "{path} {request:?}"
            );
        }
    }
    gate.assert_no_panic();
}

#[test]
fn an_answer_is_dated_and_has_a_length() {
    let gate = gate();
    for request in [
        Request::get("/verify").bearer(tokens::good()),
        Request::get("/forward-auth"),
    ] {
        let answer = request.send(gate.main());
        let date = answer.header("Date").expect("RFC 9110 §6.6.1");
        let date = httpdate::parse_http_date(date).expect("a date");
        let age = date.elapsed().unwrap_or_default();
        assert!(age < Duration::from_secs(5), "{age:?}");
        // The lane writes it at the end; actix draws the order of lines anew each time.
        assert_eq!(answer.names().last().map(String::as_str), Some("date"));
        let length = answer.header("Content-Length").expect("a length");
        assert_eq!(length, answer.body.len().to_string());
    }
}

#[test]
fn requests_that_come_in_pieces_or_together_are_answered_in_their_order() {
    let gate = Settings::with_sign_in().start();
    let check = |name: &str| {
        Request::get("/verify")
            .bearer(tokens::good_for(name))
            .bytes()
    };
    let mut connection = Connection::open(gate.main()).expect("it listens");
    for piece in check("in-pieces").chunks(7) {
        connection.write(piece).expect("it reads");
    }
    let answer = connection.read_response("GET").expect("an answer");
    assert_eq!(answer.header("X-Auth-User"), Some("in-pieces"));
    let names: Vec<_> = (0..50).map(|index| format!("user-{index}")).collect();
    let together: Vec<u8> = names.iter().flat_map(|name| check(name)).collect();
    connection.write(&together).expect("it reads");
    for name in &names {
        let answer = connection.read_response("GET").expect("an answer");
        assert_eq!(answer.header("X-Auth-User"), Some(name.as_str()));
    }
}

#[test]
fn s10_2_a_request_without_a_host_or_with_two_is_refused() {
    let gate = Settings::hmac().start();
    let token = tokens::good();
    for hosts in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "X-Host: a\r\n",
    ] {
        let text = format!("GET /verify HTTP/1.1\r\n{hosts}Authorization: Bearer {token}\r\n\r\n");
        let mut connection = Connection::open(gate.main()).expect("it listens");
        connection.write(text.as_bytes()).expect("it reads");
        let answer = connection.read_response("GET").expect("an answer");
        assert_eq!(answer.status, 400, "{hosts:?}");
        assert_eq!(answer.header("X-Auth-User"), None);
    }
}

/// Their answers are more than is held back before it is sent.
#[test]
fn many_requests_at_once_with_large_answers_are_all_answered() {
    const COUNT: usize = 400;
    let headers: Vec<_> = (0..60)
        .map(|index| format!("X-Auth-{index} = \"username\""))
        .collect();
    let gate = Settings::hmac()
        .table(&format!(
            "[identity]\nmax_total_bytes = 65536\n[identity.headers]\n{}",
            headers.join("\n")
        ))
        .start();
    let name = "n".repeat(200);
    let token = tokens::good_for(&name);
    let mut connection = Connection::open(gate.main()).expect("it listens");
    let one = format!("GET /verify HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n");
    connection
        .write(one.repeat(COUNT).as_bytes())
        .expect("it reads");
    for _ in 0..COUNT {
        let answer = connection.read_response("GET").expect("an answer");
        assert_eq!(answer.header("X-Auth-59"), Some(name.as_str()));
    }
}

#[test]
fn s16_2_what_is_not_plain_goes_to_actix_with_every_byte_of_it() {
    let gate = Settings::with_sign_in().start();
    let plain = Request::get("/verify").bearer(tokens::good());
    for other in [
        Request::get("/userinfo").bearer(tokens::good()),
        Request::new("POST", "/verify")
            .bearer(tokens::good())
            .body("a=1"),
        Request::new("HEAD", "/verify").bearer(tokens::good()),
        Request::get("/verify?x=1").bearer(tokens::good()),
        Request::get("/nothing"),
    ] {
        let mut connection = Connection::open(gate.main()).expect("it listens");
        let together = [plain.bytes(), other.bytes(), plain.bytes()].concat();
        connection.write(&together).expect("it reads");
        let method = |request: &Request| {
            let line = String::from_utf8_lossy(&request.bytes()).into_owned();
            line.split(' ').next().unwrap_or_default().to_owned()
        };
        let first = connection.read_response("GET").expect("an answer");
        assert_eq!(first.header("X-Auth-User"), Some("alice"));
        let second = connection
            .read_response(&method(&other))
            .expect("an answer");
        let alone = other.send(gate.main());
        assert_eq!(
            format!("{:?}", second.comparable()),
            format!("{:?}", alone.comparable()),
            "{other:?}"
        );
        // A body that nobody reads ends its connection.
        if method(&other) != "POST" {
            let third = connection.read_response("GET").expect("an answer");
            assert_eq!(third.header("X-Auth-User"), Some("alice"), "{other:?}");
        }
    }
}

#[test]
fn s16_2_two_readers_never_see_two_requests() {
    let gate = Settings::with_sign_in().start();
    let token = tokens::good();
    // Whatever the second line says, nothing behind the head is taken for a request of its own without actix.
    for lines in [
        "Content-Length: 30\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length : 30\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\tchunked\r\n",
        "content-length: 30\r\nContent-Length: 31\r\n",
        "X: y\r\n Content-Length: 30\r\n",
        "X: y\rContent-Length: 30\r\n",
        "X: y\nContent-Length: 30\r\n",
    ] {
        let text = format!(
            "GET /verify HTTP/1.1\r\nHost: a\r\n{lines}\r\nGET /verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let mut connection =
            Connection::open_with(gate.main(), Duration::from_secs(2)).expect("it listens");
        connection.write(text.as_bytes()).expect("it reads");
        let first = connection.read_response("GET").expect("an answer");
        assert_ne!(first.status, 200, "{lines:?}");
        let second = connection.read_response("GET");
        let passed = second.is_ok_and(|answer| answer.status == 200);
        assert!(!passed, "{lines:?}");
    }
    gate.assert_no_panic();
}

#[test]
fn s18_1_a_waiting_connection_of_the_lane_ends_with_the_service() {
    let mut gate = Settings::hmac().server("drain_timeout = \"60s\"").start();
    let mut connection = Connection::open(gate.main()).expect("it listens");
    let check = Request::get("/verify").bearer(tokens::good());
    assert_eq!(connection.send(&check).expect("an answer").status, 200);
    gate.signal("TERM");
    assert!(connection.read_to_end().expect("the end").is_empty());
    let ended = gate.wait_for_exit(Duration::from_secs(8)).expect("it ends");
    assert!(ended.success());
}

#[test]
fn s18_1_an_answer_while_the_service_drains_is_the_last_of_its_connection() {
    let mut gate = Settings::hmac().server("drain_delay = \"2s\"").start();
    let mut connection = Connection::open(gate.main()).expect("it listens");
    let check = Request::get("/verify").bearer(tokens::good());
    assert_eq!(connection.send(&check).expect("an answer").status, 200);
    gate.signal("TERM");
    assert!(gate.wait_for_line("draining"));
    let last = connection.send(&check).expect("an answer");
    assert_eq!(
        (last.status, last.header("Connection")),
        (200, Some("close"))
    );
    assert!(connection.read_to_end().expect("the end").is_empty());
    let ended = gate.wait_for_exit(Duration::from_secs(8)).expect("it ends");
    assert!(ended.success());
}

#[test]
fn s16_3_a_dripped_head_is_cut_off_in_the_lane() {
    let gate = Settings::hmac().server("header_timeout = \"1s\"").start();
    let mut connection = Connection::open(gate.main()).expect("it listens");
    let check = Request::get("/verify").bearer(tokens::good());
    for _ in 0..2 {
        assert_eq!(connection.send(&check).expect("an answer").status, 200);
    }
    let bytes = check.bytes();
    let is_cut = bytes.chunks(8).any(|bytes| {
        wait::pass(Duration::from_millis(300));
        connection.write(bytes).is_err()
    });
    assert!(is_cut, "it was read to its end");
}
