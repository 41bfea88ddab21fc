//! Requests with a body: the check never needs it, the application gets all of it.

use std::time::Duration;

use crate::harness::proxies::Kind;
use crate::harness::{Connection, Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, get};
use super::table::Cell;

behind_every_proxy!(
    a_body_arrives_intact_or_not_at_all,
    a_body_in_chunks_arrives_intact,
    s16_2_a_request_within_or_behind_another_one_is_judged_for_itself,
);

fn upload() -> Request {
    let body: Vec<u8> = (0..200_000_u32)
        .map(|index| (index * 7 % 251).to_le_bytes()[0])
        .collect();
    Request::new("POST", "/upload").body(body)
}

fn a_body_arrives_intact_or_not_at_all(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let request = upload().bearer(tokens::good());
    let echo = chain.shows(Cell::Body, &request).answer.json();
    assert_eq!(
        (echo["method"].as_str(), echo["body_length"].as_u64()),
        (Some("POST"), Some(200_000))
    );
    let bytes = request.bytes();
    assert_eq!(
        echo["body"],
        tokens::encode(&bytes[bytes.len() - 200_000..])
    );
    chain.shows(Cell::RefusedBody, &upload());
    chain.shows(Cell::RefusedBody, &upload().bearer(tokens::forged()));
    for method in ["PUT", "PATCH", "DELETE", "PROPFIND"] {
        let request = Request::new(method, "/app").bearer(tokens::good());
        let echo = chain.reached(&request.body("a=1"));
        assert_eq!(
            (&echo["method"], &echo["body_length"]),
            (&method.into(), &3.into())
        );
    }
}

fn a_body_in_chunks_arrives_intact(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let head = |token: String| {
        Request::new("POST", "/upload")
            .bearer(token)
            .header("Transfer-Encoding", "chunked")
    };
    let mut connection = chain.open();
    let good = head(tokens::good());
    for request in [&good, &good.clone().header("Expect", "100-continue"), &good] {
        connection.write(&request.bytes()).expect("it reads");
        let chunks = "5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\n";
        connection.write(chunks.as_bytes()).expect("it reads");
        let mut answer = connection.read_response("POST").expect("an answer");
        if answer.status == 100 {
            answer = connection.read_response("POST").expect("an answer");
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["body"], tokens::encode("hello world"));
    }
    let before = chain.app.served();
    let mut connection = chain.open();
    let forged = head(tokens::forged()).header("Expect", "100-continue");
    connection.write(&forged.bytes()).expect("it reads");
    connection.write(b"5\r\nhello\r\n0\r\n\r\n").ok();
    let mut answer = connection.read_response("POST").expect("an answer");
    if answer.status == 100 {
        answer = connection.read_response("POST").expect("an answer");
    }
    assert_eq!((answer.status, chain.app.served()), (401, before));
}

fn s16_2_a_request_within_or_behind_another_one_is_judged_for_itself(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let (good, forged) = (tokens::good(), tokens::forged());
    let denied = get("/admin").bearer(&good);
    // Whoever reads it as a request closes the connection.
    let last = denied.clone().header("Connection", "close").bytes();
    let denied = denied.bytes();
    let length = denied.len().to_string();
    let with = |headers: &[(&str, &str)], token: &str| {
        let request = Request::new("POST", "/app").bearer(token);
        let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
        headers.iter().fold(request, add).bytes()
    };
    let chunked = ("Transfer-Encoding", "chunked");
    for (first, token) in [
        (with(&[("Content-Length", "0")], &good), &good),
        (with(&[("Content-Length", &length)], &good), &good),
        (with(&[("Content-Length", &length)], &forged), &forged),
        // Two lengths: nobody may take the one and somebody else the other (RFC 9112 §6.3).
        (with(&[("Content-Length", &length), chunked], &good), &good),
        (with(&[("Content-Length", "0"), chunked], &good), &good),
        (
            with(
                &[("Content-Length", "0"), ("Content-Length", &length)],
                &good,
            ),
            &good,
        ),
        (with(&[("Content-Length", "+0")], &good), &good),
        (with(&[("Transfer-Encoding", "xchunked")], &good), &good),
        (
            with(&[("Transfer-Encoding", "chunked, identity")], &good),
            &good,
        ),
    ] {
        let shown = first.escape_ascii().to_string();
        let before = chain.app.served();
        // Some wait for more, and nothing comes.
        let patience = Duration::from_millis(500);
        let connection = Connection::open_with(chain.proxy.address(), patience);
        let mut connection = connection.expect("the proxy listens");
        let is_chunked = shown.contains("hunked");
        let end: &[u8] = if is_chunked { b"0\r\n\r\n" } else { b"" };
        let bytes = [&first, end, &denied, &last].concat();
        connection.write(&bytes).ok();
        connection.read_to_end().ok();
        let arrived = chain.app.served() - before;
        assert!(arrived <= usize::from(token == &good), "{arrived}: {shown}");
        // Whatever was left on a connection to the application or to the gate would come before this one.
        let echo = chain.reached(&get("/app").bearer(&good));
        assert_eq!(
            (&echo["target"], &echo["body_length"]),
            (&"/app".into(), &0.into())
        );
    }
}
