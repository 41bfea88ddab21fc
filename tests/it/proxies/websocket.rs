//! WebSockets.

use crate::harness::proxies::Kind;
use crate::harness::{Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, get};
use super::table::{self, Cell, Outcome};

behind_every_proxy!(a_websocket_passes_with_a_token_and_carries_bytes_both_ways);

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
    // Another protocol is no way around anything.
    let other = get("/app")
        .bearer(tokens::good())
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
    let before = chain.app.served();
    let answer = other.send(chain.proxy.address());
    assert_ne!(answer.status, 101, "{answer:?}");
    assert!(chain.app.served() <= before + 1);
}
