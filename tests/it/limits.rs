//! What is too large, too slow or no HTTP at all.

use std::io;
use std::time::{Duration, Instant};

use crate::harness::{Connection, Gate, Request, Response, Settings, tokens};

/// Sends bytes as they are. `Err` when the server closes without an answer.
fn raw(gate: &Gate, bytes: &[u8]) -> io::Result<Response> {
    let mut connection = Connection::open(gate.main())?;
    // The server may close before it has read everything.
    connection.write(bytes).ok();
    connection.read_response("GET")
}

/// A good request that has `lines` header lines.
fn with_lines(lines: usize) -> Request {
    let request = Request::get("/verify").bearer(tokens::good());
    (2..lines).fold(request, |request, index| {
        request.header(&format!("X-Filler-{index}"), "x")
    })
}

/// A token that is good in every respect and at least `length` bytes long.
fn long_token(length: usize) -> String {
    let filler = "x".repeat(length * 3 / 4);
    tokens::with(&serde_json::json!({"filler": filler}))
}

#[test]
fn s16_1_47_kb_of_cookies_pass() {
    let gate = Settings::with_sign_in().start();
    let cookies = format!(
        "a={}; auth_token={}; b={}",
        "x".repeat(23_500),
        tokens::good(),
        "y".repeat(23_500)
    );
    assert!(cookies.len() > 47_000);
    assert_eq!(
        Request::get("/verify")
            .cookie(&cookies)
            .send(gate.main())
            .status,
        200
    );
    let lines = (0..6).fold(
        Request::get("/verify").bearer(tokens::good()),
        |request, index| request.cookie(format!("c{index}={}", "z".repeat(7_800))),
    );
    assert_eq!(lines.send(gate.main()).status, 200);
}

#[test]
fn s16_1_96_header_lines_pass_and_more_are_431() {
    let gate = Settings::hmac().start();
    assert_eq!(with_lines(96).send(gate.main()).status, 200);
    for lines in [97, 98, 128, 500] {
        assert_eq!(
            with_lines(lines).send(gate.main()).status,
            431,
            "{lines} lines"
        );
    }
}

#[test]
fn s16_1_a_header_block_over_64_kib_is_431() {
    let gate = Settings::hmac().start();
    for size in [66_000, 100_000, 300_000] {
        let request = Request::get("/verify")
            .bearer(tokens::good())
            .cookie(format!("a={}", "x".repeat(size)));
        assert_eq!(request.send(gate.main()).status, 431, "{size} bytes");
    }
    assert_eq!(
        Request::get("/verify")
            .bearer(tokens::good())
            .send(gate.main())
            .status,
        200
    );
}

#[test]
fn max_header_bytes_is_configurable() {
    let gate = Settings::hmac().server("max_header_bytes = 4096").start();
    let sized = |size| {
        Request::get("/verify")
            .bearer(tokens::good())
            .cookie(format!("a={}", "x".repeat(size)))
    };
    assert_eq!(sized(2_000).send(gate.main()).status, 200);
    assert_eq!(sized(5_000).send(gate.main()).status, 431);
}

#[test]
fn a_long_request_line_is_414_or_431() {
    let gate = Settings::hmac().start();
    let status = |length| {
        let target = format!("/verify?{}", "x".repeat(length));
        Request::get(target)
            .bearer(tokens::good())
            .send(gate.main())
            .status
    };
    assert_eq!(status(16_000), 200);
    assert_eq!(status(17_000), 431);
    // Beyond 64 KiB the HTTP parser itself refuses the target.
    assert_eq!(status(100_000), 400);
}

#[test]
fn s5_6_a_token_over_16_kib_is_401_with_its_reason() {
    let gate = Settings::with_sign_in().start();
    assert_eq!(
        Request::get("/verify")
            .bearer(long_token(12_000))
            .send(gate.main())
            .status,
        200
    );
    let long = long_token(16_500);
    assert!(long.len() > 16 * 1024);
    assert_eq!(
        Request::get("/verify")
            .bearer(&long)
            .send(gate.main())
            .status,
        401
    );
    assert_eq!(gate.reason(1), "token.too_large");
    assert_eq!(
        Request::get("/verify")
            .cookie(format!("auth_token={long}"))
            .send(gate.main())
            .status,
        401
    );
    assert_eq!(gate.reason(2), "token.too_large");
}

#[test]
fn max_token_bytes_is_configurable() {
    let gate = Settings::hmac().server("max_token_bytes = 1024").start();
    assert_eq!(
        Request::get("/verify")
            .bearer(tokens::good())
            .send(gate.main())
            .status,
        200
    );
    assert_eq!(
        Request::get("/verify")
            .bearer(long_token(2_000))
            .send(gate.main())
            .status,
        401
    );
    assert_eq!(gate.reason(1), "token.too_large");
}

#[test]
fn s5_6_tokens_made_to_cost_much_cost_little() {
    let gate = Settings::hmac().start();
    let deep = format!("{}{}", "[".repeat(2_900), "]".repeat(2_900));
    let payload = |text: &str| {
        let header = tokens::encode(tokens::header("HS256").to_string());
        format!(
            "{header}.{}.{}",
            tokens::encode(text),
            tokens::encode([0; 32])
        )
    };
    let costly = [
        ".".repeat(16_000),
        format!("{}.a.b", tokens::encode(&deep)),
        payload(&format!("{{\"exp\":{deep}}}")),
        payload("{\"exp\":1e999999999}"),
        payload(&format!("{{\"exp\":{}}}", "9".repeat(3_000))),
    ];
    for token in costly {
        let start = Instant::now();
        let status = Request::get("/verify")
            .bearer(&token)
            .send(gate.main())
            .status;
        assert_eq!(status, 401, "{}", &token[..60]);
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?} for {}",
            start.elapsed(),
            &token[..60]
        );
    }
}

#[test]
fn s16_2_malformed_header_lines_are_400() {
    let gate = Settings::hmac().start();
    all_malformed(
        &gate,
        &[
            ("a blank before the colon", "X-A : b"),
            ("a tab before the colon", "X-A\t: b"),
            ("a line without a colon", "X-A"),
            ("an empty name", ": b"),
            ("a NUL in a value", "X-A: a\0b"),
            ("a NUL in a name", "X-\0A: b"),
            ("a bare CR in a value", "X-A: a\rX-B: b"),
            ("a folded line", "X-A: a\r\n b"),
            ("a control character in a value", "X-A: a\x01b"),
        ]
        .map(|(name, line)| (name, head("GET /verify HTTP/1.1", line))),
    );
}

#[test]
fn s16_2_bodies_of_uncertain_length_are_400() {
    let gate = Settings::hmac().start();
    all_malformed(
        &gate,
        &[
            ("two lengths", "Content-Length: 5\r\nContent-Length: 6"),
            ("two lengths in one line", "Content-Length: 5, 6"),
            (
                "length and chunked",
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
            ),
            ("a length with a sign", "Content-Length: +5"),
            ("a negative length", "Content-Length: -1"),
            ("a length that is no number", "Content-Length: 0x5"),
            ("an unknown transfer coding", "Transfer-Encoding: xchunked"),
        ]
        .map(|(name, lines)| (name, head("POST /verify HTTP/1.1", lines) + "hello")),
    );
}

#[test]
fn s16_2_malformed_request_lines_are_400() {
    let gate = Settings::hmac().start();
    all_malformed(
        &gate,
        &[
            ("no version", "GET /verify"),
            ("an unknown version", "GET /verify HTTP/9.9"),
            ("a method that is no token", "G(T /verify HTTP/1.1"),
            ("a blank in the target", "GET /ver ify HTTP/1.1"),
            ("a NUL in the target", "GET /verify\0 HTTP/1.1"),
            ("a TLS hello", "\x16\x03\x01\x02\x01\x7f\x03\x03"),
        ]
        .map(|(name, line)| (name, head(line, "X-A: b"))),
    );
}

/// A request with a good token and these lines.
fn head(request_line: &str, lines: &str) -> String {
    let token = tokens::good();
    format!("{request_line}\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{lines}\r\n\r\n")
}

/// Each is 400, and the gate goes on serving others.
fn all_malformed(gate: &Gate, cases: &[(&str, String)]) {
    let mut wrong = Vec::new();
    for (name, text) in cases {
        match raw(gate, text.as_bytes()) {
            Ok(answer) if answer.status == 400 => {}
            Ok(answer) => wrong.push(format!("{name}: {}", answer.status)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let good = Request::get("/verify").bearer(tokens::good());
    assert_eq!(good.send(gate.main()).status, 200);
}

#[test]
fn s16_3_a_client_that_sends_its_headers_slowly_is_cut_off() {
    let gate = Settings::hmac().server("header_timeout = \"1s\"").start();
    for start in [
        &b"GET /verify HTTP/1.1\r\nHost: a\r\nX-A: "[..],
        &b"GET"[..],
        b"\r\n",
        // Nothing at all holds a place, too.
        b"",
    ] {
        let mut slow = Connection::open(gate.main()).expect("the gate listens");
        let begun = Instant::now();
        slow.write(start).expect("the gate reads");
        let answer = slow.read_to_end().expect("the gate closes");
        let text = String::from_utf8_lossy(&answer);
        assert!(
            text.starts_with("HTTP/1.1 408") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
        let waited = begun.elapsed();
        assert!(
            waited > Duration::from_millis(500) && waited < Duration::from_secs(4),
            "{waited:?}"
        );
    }
}

#[test]
fn s16_3_a_later_request_that_comes_slowly_is_cut_off_too() {
    let gate = Settings::hmac().server("header_timeout = \"1s\"").start();
    let whole = b"GET /verify HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = b"POST /verify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx";
    for (first, then) in [
        (&whole[..], &b"G"[..]),
        (&b"GET /verify HTTP/1.1\r\nHost: a\r\n\r\nG"[..], &b""[..]),
        (&chunked[..], &b"y"[..]),
    ] {
        let mut slow = Connection::open(gate.main()).expect("the gate listens");
        slow.write(first).expect("the gate reads");
        assert_eq!(slow.read_response("GET").expect("an answer").status, 401);
        slow.write(then).ok();
        let begun = Instant::now();
        slow.read_to_end().expect("the gate closes");
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
}

#[test]
fn an_answer_to_a_body_that_is_not_read_arrives_whole_and_is_no_reset() {
    let gate = Settings::hmac().start();
    let mut connection = Connection::open(gate.main()).expect("the gate listens");
    connection
        .write(b"POST /verify HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhel")
        .expect("the gate reads");
    assert_eq!(
        connection.read_response("POST").expect("an answer").status,
        401
    );
    connection.write(b"lo").expect("it still takes the body");
    connection.write(b"lol").expect("it still takes the body");
}

#[test]
fn a_connection_that_idles_between_whole_requests_is_kept() {
    let gate = Settings::hmac().server("header_timeout = \"1s\"").start();
    let mut connection = Connection::open(gate.main()).expect("the gate listens");
    let good = Request::get("/verify").bearer(tokens::good());
    for _ in 0..2 {
        assert_eq!(connection.send(&good).expect("an answer").status, 200);
        // Longer than the limit on a head, without a byte: nothing but time can show that nothing happens.
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(Duration::from_millis(1_500));
    }
}

#[test]
fn s16_3_many_slow_clients_do_not_stop_good_ones() {
    let gate = Settings::hmac().start();
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let mut connection = Connection::open(gate.main()).expect("the gate accepts");
            connection
                .write(b"GET /verify HTTP/1.1\r\nX-Slow: ")
                .expect("the gate reads");
            connection
        })
        .collect();
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(
            Request::get("/verify")
                .bearer(tokens::good())
                .send(gate.main())
                .status,
            200
        );
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    drop(slow);
}

#[test]
fn requests_in_one_packet_are_answered_in_order() {
    let gate = Settings::hmac().start();
    let mut connection = Connection::open(gate.main()).expect("the gate listens");
    let requests = [
        Request::get("/verify").bearer(tokens::good()),
        Request::get("/verify"),
        Request::get("/verify").bearer(tokens::good_for("bob")),
    ];
    let bytes: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
    connection.write(&bytes).expect("the gate reads");
    let answers: Vec<_> = (0..3)
        .map(|_| connection.read_response("GET").expect("an answer"))
        .collect();
    let users: Vec<_> = answers
        .iter()
        .map(|answer| answer.header("X-Auth-User"))
        .collect();
    assert_eq!(users, [Some("alice"), None, Some("bob")]);
}

#[test]
fn s16_3_more_connections_than_allowed_wait_until_one_is_closed() {
    let gate = Settings::hmac()
        .server("workers = 1\nmax_connections = 2")
        .start();
    let ask = Request::get("/verify").bearer(tokens::good());
    let mut first = Connection::open(gate.main()).expect("the gate listens");
    let mut second = Connection::open(gate.main()).expect("the gate listens");
    assert_eq!(first.send(&ask).expect("an answer").status, 200);
    assert_eq!(second.send(&ask).expect("an answer").status, 200);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let third = scope.spawn(|| {
            let answer = ask.send(gate.main());
            sender.send(answer.status).expect("somebody waits");
        });
        assert!(receiver.recv_timeout(Duration::from_millis(500)).is_err());
        drop(first);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(4)), Ok(200));
        third.join().expect("it ended");
    });
    assert_eq!(second.send(&ask).expect("an answer").status, 200);
}
