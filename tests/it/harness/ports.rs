//! Free ports, for programs that cannot be told "port 0".

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what Linux hands out for "port 0" and for outgoing connections (`ip_local_port_range`): between the moment a port is found
/// free and the moment a program listens on it, nobody but another test run would take it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port on loopback that nobody listened on a moment ago, and another one each time.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs at the same time begin in different places.
    let start = std::process::id().wrapping_mul(97);
    let mut candidates = std::iter::repeat_with(|| {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = start.wrapping_add(step) % u32::from(COUNT);
        FIRST + u16::try_from(offset).unwrap_or_default()
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates
        .by_ref()
        .take(usize::from(COUNT))
        .find(is_free)
        .expect("loopback has a free port")
}
