//! Free ports, for programs that cannot be told "port 0".

use std::net::TcpListener;

/// A port on loopback that nobody listened on a moment ago.
pub(crate) fn free() -> u16 {
    let probe = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    probe
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
