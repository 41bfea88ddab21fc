//! Listeners, signals, and the end of a process that loses no request.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::http::closed_without_answer;
use crate::harness::{Address, Connection, Gate, Request, Settings, tokens, wait};

fn good() -> Request {
    Request::get("/verify").bearer(tokens::good())
}

#[test]
fn a_unix_socket_is_served_with_mode_0660() {
    let gate = Settings::hmac().listen("\"unix:{dir}/gate.sock\"").start();
    let path = gate.folder().join("gate.sock");
    let mode = std::fs::metadata(&path)
        .expect("the socket exists")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
    assert_eq!(good().send(gate.main()).status, 200);
    assert_eq!(good().send(&Address::Unix(path)).status, 200);
}

#[test]
fn a_stale_unix_socket_is_replaced() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("stale.sock");
    drop(UnixListener::bind(&path).expect("a socket can be made"));
    assert!(path.exists(), "a closed socket leaves its file behind");
    let gate = Settings::hmac()
        .listen(&format!("[\"unix:{}\"]", path.display()))
        .start();
    assert_eq!(good().send(gate.main()).status, 200);
}

#[test]
fn a_file_that_is_no_socket_is_never_replaced() {
    let settings = Settings::hmac()
        .file("data", "precious")
        .listen("[\"unix:{dir}/data\"]");
    let folder = settings.write();
    let path = folder.path().join("data");
    let exited = Gate::launch(folder, &[])
        .err()
        .expect("the server must not start");
    assert!(
        exited.output.contains(&path.display().to_string()),
        "{}",
        exited.output
    );
}

#[test]
fn several_listeners_are_served_at_once() {
    let gate = Settings::hmac()
        .listen("[\"127.0.0.1:0\", \"unix:{dir}/gate.sock\", \"127.0.0.1:0\"]")
        .start();
    assert_eq!(gate.mains().len(), 3);
    for address in gate.mains() {
        assert_eq!(good().send(address).status, 200, "{address:?}");
    }
}

#[test]
fn an_address_in_use_is_refused_with_its_name() {
    let first = Settings::hmac().start();
    let address = format!("127.0.0.1:{}", first.main().port());
    let exited = Settings::hmac()
        .listen(&format!("\"{address}\""))
        .try_start()
        .err()
        .expect("the address is in use");
    assert!(exited.output.contains(&address), "{}", exited.output);
    assert!(
        exited.status.is_some_and(|status| !status.success()),
        "{exited:?}"
    );
}

#[test]
fn s18_1_sigterm_under_load_loses_no_request() {
    drains_without_loss("TERM");
}

#[test]
fn s18_1_sigint_under_load_loses_no_request() {
    drains_without_loss("INT");
}

/// Clients keep connections and behave as a proxy that follows readiness: they open no new ones once the gate says that it
/// is not ready.
fn drains_without_loss(signal: &str) {
    let mut gate = Settings::hmac()
        .server("drain_delay = \"300ms\"\ndrain_timeout = \"5s\"")
        .start();
    let (unready, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (address, admin) = (gate.main().clone(), gate.admin().clone());
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| client(&address, &unready, &served)))
            .collect();
        let busy = wait::until(Duration::from_secs(10), || {
            (served.load(Ordering::SeqCst) > 300).then_some(())
        });
        assert!(busy.is_some(), "the clients are not served");
        gate.signal(signal);
        let seen = wait::until(Duration::from_secs(5), || {
            let ready = Request::get("/readyz")
                .try_send(&admin)
                .map(|answer| answer.status);
            (!matches!(ready, Ok(200))).then_some(())
        });
        unready.store(true, Ordering::SeqCst);
        assert!(seen.is_some(), "/readyz never said that the end is near");
        for client in clients {
            client
                .join()
                .expect("a client ended")
                .unwrap_or_else(|failure| panic!("a request was lost: {failure}"));
        }
        let status = gate
            .wait_for_exit(Duration::from_secs(10))
            .expect("the drain ends");
        assert_eq!(status.code(), Some(0), "{}", gate.output());
    });
}

/// Sends request after request until the gate is gone. An error is a request that was lost.
fn client(address: &Address, unready: &AtomicBool, served: &AtomicUsize) -> Result<(), String> {
    let request = good();
    loop {
        let gone = unready.load(Ordering::SeqCst);
        let mut connection = match Connection::open(address) {
            Ok(connection) if !gone => connection,
            Err(error) if !gone => return Err(format!("no connection while ready: {error}")),
            _ => return Ok(()),
        };
        let mut answered = 0;
        loop {
            match connection.send(&request) {
                Ok(answer) if answer.status == 200 => {
                    answered += 1;
                    served.fetch_add(1, Ordering::SeqCst);
                    if answer
                        .header("Connection")
                        .is_some_and(|value| value.eq_ignore_ascii_case("close"))
                    {
                        break;
                    }
                }
                Ok(answer) => return Err(format!("status {}", answer.status)),
                // A kept connection may be closed while it is idle: every client repeats on a new one (RFC 9112 §9.3.1).
                Err(error) if answered > 0 && closed_without_answer(&error) => break,
                Err(error) => return Err(format!("{error} after {answered} answers")),
            }
        }
    }
}

#[test]
fn readiness_ends_first_and_service_goes_on_during_the_drain_delay() {
    let mut gate = Settings::hmac().server("drain_delay = \"30s\"").start();
    assert_eq!(Request::get("/readyz").send(gate.admin()).status, 200);
    gate.signal("TERM");
    let unready = wait::until(Duration::from_secs(5), || {
        (Request::get("/readyz").send(gate.admin()).status == 503).then_some(())
    });
    assert!(unready.is_some(), "/readyz stays 200 after SIGTERM");
    let last = good().send(gate.main());
    assert_eq!(last.status, 200);
    assert_eq!(last.header("Connection"), Some("close"));
    assert_eq!(Request::get("/healthz").send(gate.admin()).status, 200);
    assert!(
        gate.wait_for_exit(Duration::from_millis(200)).is_none(),
        "it ended within the drain delay"
    );
}

#[test]
fn a_hang_up_does_not_end_the_service() {
    let gate = Settings::hmac().start();
    gate.signal("HUP");
    assert!(gate.wait_for_line("the configuration was reloaded"));
    assert_eq!(good().send(gate.main()).status, 200);
}

#[test]
fn a_living_socket_is_never_replaced_even_when_it_cannot_be_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stream = folder.path().join("stream.sock");
    let datagram = folder.path().join("datagram.sock");
    let _listener = UnixListener::bind(&stream).expect("a socket");
    let _datagram = std::os::unix::net::UnixDatagram::bind(&datagram).expect("a socket");
    for path in [&stream, &datagram] {
        let exited = Settings::hmac()
            .listen(&format!("\"unix:{}\"", path.display()))
            .try_start()
            .err()
            .expect("it does not start");
        assert!(
            exited.output.contains("another process has this socket"),
            "{}",
            exited.output
        );
        assert!(path.exists());
    }
}

#[test]
fn s18_1_a_second_signal_ends_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let mut gate = Settings::hmac()
            .server("drain_delay = \"30s\"\ndrain_timeout = \"30s\"")
            .start();
        gate.signal(first);
        let heard = wait::until(Duration::from_secs(5), || {
            (Request::get("/readyz").send(gate.admin()).status == 503).then_some(())
        });
        assert!(heard.is_some(), "SIG{first} was not heard");
        let start = Instant::now();
        gate.signal(second);
        assert!(
            gate.wait_for_exit(Duration::from_secs(2)).is_some(),
            "SIG{second} was not heard"
        );
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn an_idle_server_ends_at_once_with_exit_code_0() {
    for signal in ["TERM", "INT"] {
        let mut gate = Settings::hmac().start();
        let idle = Connection::open(gate.main()).expect("the gate listens");
        gate.signal(signal);
        let status = gate
            .wait_for_exit(Duration::from_secs(3))
            .expect("an idle connection does not hold up the end");
        assert_eq!(status.code(), Some(0));
        drop(idle);
    }
}

#[test]
fn the_socket_file_is_gone_after_the_end() {
    let mut gate = Settings::hmac().listen("\"unix:{dir}/gate.sock\"").start();
    let path = gate.folder().join("gate.sock");
    gate.signal("TERM");
    assert!(gate.wait_for_exit(Duration::from_secs(5)).is_some());
    assert!(!path.exists(), "the next start would find a stale socket");
}

#[test]
fn a_start_is_quick() {
    let start = Instant::now();
    let gate = Settings::hmac().start();
    assert_eq!(good().send(gate.main()).status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}
