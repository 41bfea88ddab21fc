//! `tls:` addresses: one certificate for every listener, replaced while the service runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{Gate, Request, Settings, tokens, wait};

struct Pair {
    certificate: String,
    key: String,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.expect("a certificate can be made");
    Pair {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

fn settings(pair: &Pair) -> Settings {
    Settings::hmac()
        .listen("[\"tls:127.0.0.1:0\", \"127.0.0.1:0\"]")
        .server("tls_certificate = \"{dir}/tls.crt\"\ntls_key = \"{dir}/tls.key\"")
        .file("tls.crt", pair.certificate.as_bytes())
        .file("tls.key", pair.key.as_bytes())
}

/// One request over TLS, by a client that trusts this certificate alone. The answer, or why there is none.
fn ask(gate: &Gate, trusted: &Pair, shown: Option<&Pair>) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    roots
        .add(der(&trusted.certificate))
        .expect("it may be trusted");
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
            let chain = vec![der(&pair.certificate)];
            config.with_client_auth_cert(chain, key).expect("they fit")
        }
    };
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let stream = TcpStream::connect(("127.0.0.1", gate.main().port())).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    let mut stream = StreamOwned::new(connection, stream);
    let request = Request::get("/verify")
        .bearer(tokens::good())
        .header("Connection", "close");
    stream
        .write_all(&request.bytes())
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(|error| error.to_string())?;
    Ok(answer)
}

#[test]
fn a_check_over_tls_is_answered() {
    let pair = pair();
    let gate = settings(&pair).start();
    let answer = ask(&gate, &pair, None).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("x-auth-user: alice"), "{answer}");
    // Plain HTTP is no TLS, and the plain address beside it serves on.
    let plain = Request::get("/verify").bearer(tokens::good());
    assert!(plain.try_send(gate.main()).is_err());
    assert_eq!(plain.send(&gate.mains()[1]).status, 200);
}

#[test]
fn s18_4_a_replaced_certificate_is_shown_from_then_on() {
    let (first, second) = (pair(), pair());
    let gate = settings(&first).start();
    assert!(ask(&gate, &first, None).is_ok());
    let write = |name: &str, text: &str| {
        std::fs::write(gate.folder().join(name), text).expect("the folder is writable");
    };
    write("tls.crt", &second.certificate);
    write("tls.key", &second.key);
    let shown = wait::until(Duration::from_secs(10), || ask(&gate, &second, None).ok());
    assert!(shown.is_some(), "{}", gate.output());
    assert!(ask(&gate, &first, None).is_err());
    // A key of somebody else changes nothing.
    write("tls.key", &first.key);
    gate.signal("HUP");
    assert!(gate.wait_for_line("the configuration was not reloaded"));
    assert!(ask(&gate, &second, None).is_ok());
}

#[test]
fn clients_must_show_a_certificate_where_authorities_are_named() {
    let (own, client, stranger) = (pair(), pair(), pair());
    let gate = settings(&own)
        .server("tls_client_authorities = \"{dir}/clients.crt\"")
        .file("clients.crt", client.certificate.as_bytes())
        .start();
    assert!(ask(&gate, &own, Some(&client)).is_ok());
    assert!(ask(&gate, &own, None).is_err());
    assert!(ask(&gate, &own, Some(&stranger)).is_err());
    // Other authorities count from the reload on, and the old ones no more.
    let file = gate.folder().join("clients.crt");
    std::fs::write(file, &stranger.certificate).expect("the folder is writable");
    let counts = wait::until(Duration::from_secs(10), || {
        ask(&gate, &own, Some(&stranger)).ok()
    });
    assert!(counts.is_some(), "{}", gate.output());
    assert!(ask(&gate, &own, Some(&client)).is_err());
}

#[test]
fn s16_3_an_unfinished_handshake_keeps_nobody_waiting_and_is_cut_off() {
    let pair = pair();
    let gate = settings(&pair).start();
    let mut silent: Vec<_> = (0..50)
        .map(|_| TcpStream::connect(("127.0.0.1", gate.main().port())).expect("it listens"))
        .collect();
    assert!(ask(&gate, &pair, None).is_ok());
    let mut first = silent.remove(0);
    first
        .set_read_timeout(Some(Duration::from_secs(9)))
        .expect("a timeout");
    let read = first.read(&mut [0; 16]);
    assert!(
        matches!(read, Ok(0))
            || read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn faults_of_certificates_are_told_together() {
    let (one, other) = (pair(), pair());
    let output = |settings: Settings| match settings.try_start() {
        Ok(_) => panic!("it started"),
        Err(exited) => exited.output,
    };
    let none = output(Settings::hmac().listen("\"tls:127.0.0.1:0\""));
    for key in ["server.tls_certificate", "server.tls_key"] {
        assert!(none.contains(key), "{none}");
    }
    let mixed = Pair {
        certificate: one.certificate,
        key: other.key,
    };
    let mixed = output(settings(&mixed));
    assert!(
        mixed.contains("the private key of that certificate"),
        "{mixed}"
    );
    let garbage = Pair {
        certificate: "x".to_owned(),
        key: "x".to_owned(),
    };
    let garbage = output(settings(&garbage));
    assert!(
        garbage.contains("no certificate in it") && garbage.contains("server.tls_key"),
        "{garbage}"
    );
}
