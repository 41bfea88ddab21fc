//! HAProxy's agent protocol, spoken by hand: what `[spoe]` does with frames that HAProxy would not send. What HAProxy itself sends and
//! does is tried behind the real one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Gate, Settings, tokens};

fn gate() -> Gate {
    Settings::with_sign_in()
        .table("[spoe]\nlisten = \"127.0.0.1:0\"")
        .start()
}

/// A connection on which frames are written and read raw.
struct Wire(TcpStream);

impl Wire {
    fn open(gate: &Gate) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", gate.listener("spoe").port()));
        let stream = stream.expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(8)))
            .expect("a timeout");
        Self(stream)
    }

    /// One that has said hello.
    fn greeted(gate: &Gate) -> Self {
        let mut wire = Self::open(gate);
        wire.send(&hello("2.0", 65_532));
        let answer = wire.read().expect("an answer");
        assert_eq!(answer[0], AGENT_HELLO, "{answer:?}");
        wire
    }

    fn send(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).expect("a short frame");
        self.0.write_all(&length.to_be_bytes()).expect("it reads");
        self.0.write_all(frame).expect("it reads");
    }

    /// The next frame; `None` when the connection has ended.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("a length");
        let mut frame = vec![0; length];
        self.0.read_exact(&mut frame).ok()?;
        Some(frame)
    }
}

const HAPROXY_HELLO: u8 = 1;
const NOTIFY: u8 = 3;
const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;
const ACK: u8 = 103;

/// Type, flags (the last fragment), stream and frame.
fn head(kind: u8, stream: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0, 1, stream, stream]
}

fn varint(value: usize, out: &mut Vec<u8>) {
    let mut value = u64::try_from(value).expect("a length");
    if value < 240 {
        out.push(u8::try_from(value).expect("it fits"));
        return;
    }
    out.push((value | 0xf0).to_le_bytes()[0]);
    value = (value - 240) >> 4;
    while value >= 128 {
        out.push((value | 0x80).to_le_bytes()[0]);
        value = (value - 128) >> 7;
    }
    out.push(u8::try_from(value).expect("it fits"));
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    varint(text.len(), out);
    out.extend_from_slice(text);
}

fn hello(version: &str, frame_size: usize) -> Vec<u8> {
    let mut frame = head(HAPROXY_HELLO, 0);
    string(b"supported-versions", &mut frame);
    frame.push(8);
    string(version.as_bytes(), &mut frame);
    string(b"max-frame-size", &mut frame);
    frame.push(3);
    varint(frame_size, &mut frame);
    string(b"capabilities", &mut frame);
    frame.push(8);
    string(b"pipelining,async", &mut frame);
    frame
}

/// A message with method, target and header lines.
fn notify(stream: u8, name: &str, target: &str, lines: &[(&str, &[u8])]) -> Vec<u8> {
    let mut frame = head(NOTIFY, stream);
    string(name.as_bytes(), &mut frame);
    frame.push(5);
    for (argument, value) in [("method", "GET"), ("target", target)] {
        string(argument.as_bytes(), &mut frame);
        frame.push(8);
        string(value.as_bytes(), &mut frame);
    }
    let mut packed = Vec::new();
    for (name, value) in lines {
        string(name.as_bytes(), &mut packed);
        string(value, &mut packed);
    }
    packed.extend_from_slice(&[0, 0]);
    string(b"headers", &mut frame);
    frame.push(9);
    string(&packed, &mut frame);
    string(b"client", &mut frame);
    frame.extend_from_slice(&[6, 127, 0, 0, 1]);
    string(b"tls", &mut frame);
    frame.push(0x11);
    frame
}

/// Whether an answer holds these bytes.
fn holds(frame: &[u8], text: &str) -> bool {
    frame
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[test]
fn checks_are_answered_by_variables_whatever_their_order() {
    let gate = gate();
    let mut wire = Wire::greeted(&gate);
    let good = format!("Bearer {}", tokens::good());
    wire.send(&notify(
        1,
        "check",
        "/a?x=1",
        &[
            ("host", b"app.example.com"),
            ("authorization", good.as_bytes()),
        ],
    ));
    wire.send(&notify(2, "check", "/a", &[("host", b"app.example.com")]));
    for _ in 0..2 {
        let frame = wire.read().expect("an answer");
        assert_eq!(frame[0], ACK);
        assert_eq!(
            holds(&frame, "x_auth_user") && holds(&frame, "alice"),
            frame[5] == 1
        );
        assert_eq!(holds(&frame, "www_authenticate"), frame[5] == 2);
    }
    gate.assert_no_panic();
}

#[test]
fn s18_7_a_message_that_cannot_be_read_gets_no_status() {
    let gate = gate();
    let mut wire = Wire::greeted(&gate);
    let mut odd = notify(2, "check", "/a", &[]);
    // `headers` of another length than it says.
    let place = odd
        .windows(7)
        .position(|part| part == b"headers")
        .expect("it is there");
    odd[place + 8] = 1;
    odd.remove(place + 9);
    for (frame, name) in [
        (notify(1, "other", "/a", &[]), "another message"),
        (odd, "half a list"),
    ] {
        wire.send(&frame);
        let answer = wire.read().expect("an answer");
        assert_eq!(answer[0], ACK, "{name}");
        assert!(!holds(&answer, "status"), "{name}");
    }
    // The connection serves on, with bytes that are no text.
    wire.send(&notify(3, "check", "/a", &[("x", b"\xff\xfe")]));
    assert!(holds(&wire.read().expect("an answer"), "status"));
}

#[test]
fn a_socket_where_nobody_calls_keeps_no_place_from_the_others() {
    let gate = Settings::with_sign_in()
        .server("workers = 1\nmax_connections = 1")
        .table("[spoe]\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\", \"127.0.0.1:0\"]")
        .start();
    for _ in 0..3 {
        drop(Wire::greeted(&gate));
    }
}

#[test]
fn s10_1_only_trusted_proxies_may_ask() {
    let gate = Settings::hmac()
        .server("trusted_proxies = []")
        .table("[spoe]\nlisten = \"127.0.0.1:0\"")
        .start();
    // Before anything that they say is read.
    let mut wire = Wire::open(&gate);
    wire.0.write_all(&[0; 4]).ok();
    assert_eq!(wire.read(), None);
    assert_eq!(gate.reason(1), "proxy.untrusted");
}

#[test]
fn s16_2_what_is_no_frame_ends_its_connection_and_nothing_else() {
    let gate = gate();
    let mut steady = Wire::greeted(&gate);
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[255; 64],
        &[0, 0, 0, 0],
        &[0, 0, 0, 1, 0],
    ] {
        let mut wire = Wire::open(&gate);
        wire.0.write_all(garbage).expect("it reads");
        // A word of farewell, perhaps.
        while let Some(frame) = wire.read() {
            assert_eq!(frame[0], AGENT_DISCONNECT, "{garbage:?}");
        }
    }
    let mut other = Wire::open(&gate);
    other.send(&hello("1.0", 65_532));
    assert_eq!(other.read().map(|frame| frame[0]), Some(AGENT_DISCONNECT));
    let mut early = Wire::open(&gate);
    early.send(&notify(1, "check", "/a", &[]));
    assert_eq!(early.read().map(|frame| frame[0]), Some(AGENT_DISCONNECT));
    steady.send(&notify(1, "check", "/a", &[]));
    assert!(holds(&steady.read().expect("an answer"), "status"));
    gate.assert_no_panic();
}

#[test]
fn s16_1_an_answer_that_fits_no_frame_fails_nobody_elses_check() {
    let gate = gate();
    let mut wire = Wire::open(&gate);
    wire.send(&hello("2.0", 16_380));
    assert_eq!(wire.read().map(|frame| frame[0]), Some(AGENT_HELLO));
    // Each of these takes five bytes in the return address.
    let target = format!("/{}", "\"".repeat(8_000));
    let page: [(&str, &[u8]); 2] = [("host", b"app.example.com"), ("accept", b"text/html")];
    let good = format!("Bearer {}", tokens::good());
    wire.send(&notify(1, "check", &target, &page));
    wire.send(&notify(
        2,
        "check",
        "/a",
        &[("authorization", good.as_bytes())],
    ));
    for _ in 0..2 {
        let frame = wire.read().expect("an answer");
        assert_eq!(frame[0], ACK);
        assert_eq!(holds(&frame, "x_auth_user"), frame[5] == 2);
        assert_eq!(holds(&frame, "retry_after"), frame[5] == 1, "{frame:?}");
    }
}
