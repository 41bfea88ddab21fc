//! WebSockets.

use crate::harness::proxies::Kind;
use crate::harness::upstream::echoed_headers;
use crate::harness::{Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, get};
use super::table::{self, Cell, Outcome};

behind_every_proxy!(
    a_websocket_passes_with_a_token_and_carries_bytes_both_ways,
    s8_3_no_other_protocol_reaches_the_application
);

fn upgrade(request: Request) -> Request {
    request
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn a_websocket_passes_with_a_token_and_carries_bytes_both_ways(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let mut connection = chain.open();
    let request = upgrade(get("/socket")).bearer(tokens::good());
    let answer = connection.send(&request).expect("an answer");
    assert_eq!(table::expected(Cell::WebSocket, kind), Outcome::Passes);
    assert_eq!(answer.status, 101, "{answer:?}");
    for frame in [
        &b"\x81\x85\x01\x02\x03\x04ignite"[..],
        &[0, 255, 13, 10, 13, 10][..],
    ] {
        connection.write(frame).expect("the tunnel is open");
        let echo = connection.read_exactly(frame.len()).expect("an echo");
        assert_eq!(echo, frame);
    }
    for refused in [
        upgrade(get("/socket")),
        upgrade(get("/socket")).bearer(tokens::forged()),
        // What a browser sends with it does not make it a page load.
        upgrade(get("/socket")).header("Accept", "text/html"),
    ] {
        let answer = chain.shows(Cell::RefusedWebSocket, &refused).answer;
        assert_eq!(answer.header("Location"), None, "{answer:?}");
    }
}

/// An application that takes HTTP/2 by an upgrade would open a tunnel in which nobody judges what comes next.
fn s8_3_no_other_protocol_reaches_the_application(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    for lines in [
        &["h2c"][..],
        &["websocket, h2c"],
        &["h2c, websocket"],
        &["websocket", "h2c"],
        &["h2c", "websocket"],
        &["h2c,websocket", "WebSocket"],
        &["websocket/13, h2c"],
    ] {
        let plain = get("/app")
            .bearer(tokens::good())
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
        let request = lines
            .iter()
            .fold(plain, |request, line| request.header("Upgrade", line));
        let shown = chain.ask(&request);
        if shown.answer.status != 200 {
            let status = shown.answer.status;
            assert!(
                (400..=503).contains(&status),
                "{lines:?}: {:?}",
                shown.answer
            );
            continue;
        }
        let arrived = echoed_headers(&shown.answer.json(), "Upgrade");
        let is_left = |line: &String| !line.eq_ignore_ascii_case("websocket");
        assert!(!arrived.iter().any(is_left), "{lines:?}: {arrived:?}");
    }
}
