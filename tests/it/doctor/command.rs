//! The command itself: what it prints, how it ends, and pages that show nothing.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::scenes::{PAGE, config, doctor, settings, sidecar};
use crate::harness::process::{command, run};
use crate::harness::upstream::{Upstream, read_headers};
use crate::harness::{Address, tokens, wait};

/// A page for whoever has a token, which shows nothing of what was sent.
fn silent_page() -> Address {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let lines = read_headers(&mut reader).unwrap_or_default();
            let has_token = lines.iter().any(|(name, _)| name == "Authorization");
            let answer = if has_token {
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
            } else {
                "HTTP/1.1 401 Unauthorized\r\nServer: nginx/1.22.1\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n"
            };
            reader.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    Address::Tcp(address)
}

fn token_file(folder: &Path) -> String {
    let file = folder.join("token");
    std::fs::write(&file, tokens::good()).expect("the folder is ours");
    file.display().to_string()
}

#[test]
fn a_page_that_shows_nothing_is_never_called_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = token_file(folder.path());
    let found = doctor(&silent_page(), &["--token-file", &token]);
    assert_eq!(found.ids("hole"), [""; 0]);
    assert_eq!(found.ran.code, Some(0));
    assert_eq!(found.json["proxy"], "nginx");
    for id in [
        "identity.arrives",
        "identity.plain",
        "identity.underscore",
        "identity.separator",
        "identity.other-gates",
        "identity.connection",
        "claims.address",
        "claims.place",
        "claims.url",
        "claims.method",
        "path.denied",
        "closed.down",
    ] {
        assert_eq!(found.of(id)["verdict"], "unknown", "{id}");
    }
    assert_eq!(found.of("access.no-token")["verdict"], "closed");
}

#[test]
fn holes_are_told_with_their_directives_and_can_be_accepted() {
    let gate = sidecar("trusted_proxies = []", "strip_headers = [\"X-Auth-*\"]");
    let connect = format!("127.0.0.1:{}", gate.listener("upstream").port());
    let config = config(&gate);
    let mut arguments = vec!["doctor", PAGE, "--connect", &connect, "--config", &config];
    let told = run(&arguments, "");
    assert_eq!(told.code, Some(1), "{}", told.all());
    assert!(
        told.stderr.starts_with(&format!("asking {PAGE} ")),
        "{}",
        told.stderr
    );
    let lines: Vec<_> = told.stdout.lines().map(str::trim).collect();
    for line in [
        "✘ claims.method            X-HTTP-Method-Override, X-Forwarded-Method and such of the client's",
        "Some frameworks serve the method of these headers, which nobody has judged.",
        "upstream: `[upstream] strip_headers`: leave its default, or keep the names in it",
        "nginx: `proxy_set_header X-HTTP-Method-Override \"\";` and such a line for each of the names",
        "✔ identity.plain           a client's own identity headers, in any case, once and twice",
        "? only on the bench, where doctor plays jwtgate (--gate):",
    ] {
        assert!(lines.contains(&line), "{line}:\n{}", told.stdout);
    }
    assert!(
        lines
            .last()
            .expect("lines")
            .starts_with("http://app.example.com/app: 3 holes, ")
    );
    arguments.extend([
        "--proxy",
        "upstream",
        "--accept",
        "claims.url",
        "--accept",
        "claims.method",
    ]);
    let told = run(&arguments, "");
    assert_eq!(told.code, Some(1));
    assert!(
        told.stdout.contains("1 hole and 2 accepted"),
        "{}",
        told.stdout
    );
    assert!(!told.stdout.contains("nginx:"), "{}", told.stdout);
    arguments.extend(["--accept", "identity.other-gates"]);
    assert_eq!(run(&arguments, "").code, Some(0));
}

#[test]
fn what_cannot_be_done_is_said_with_a_hint() {
    let app = Upstream::start();
    let gate = settings().start();
    let config = config(&gate);
    let closed = Address::local(crate::harness::ports::free());
    let nowhere = format!("127.0.0.1:{}", closed.port());
    let busy = format!("127.0.0.1:{}", app.port());
    let bad = silent_page();
    let shut = format!("127.0.0.1:{}", bad.port());
    for (arguments, stdin, said) in [
        (
            &["doctor", PAGE][..],
            "",
            "a token is needed that may open the page",
        ),
        (&["doctor", "ftp://a/"], "x", "no http or https URL"),
        (
            &["doctor", PAGE, "--connect", &nowhere],
            "x",
            "does not answer",
        ),
        (&["doctor", PAGE, "--gate", &busy], "", "cannot listen on"),
        (
            &[
                "doctor",
                PAGE,
                "--gate",
                "127.0.0.1:0",
                "--connect",
                &nowhere,
            ],
            "",
            "does not answer",
        ),
        (
            &["doctor", PAGE, "--connect", &shut, "--cookie", "session"],
            "x",
            "answers 401 to the token",
        ),
        (
            &["doctor", PAGE, "--connect", &nowhere, "--config", &config],
            "",
            "does not answer",
        ),
        (
            &["doctor", PAGE, "--proxy", "iis"],
            "x",
            "one of nginx, traefik",
        ),
        (&["doctor", PAGE, "--accept", "identity"], "x", "no such id"),
        (
            &["doctor", PAGE, "--denied", "admin"],
            "x",
            "a path such as /admin",
        ),
        (&["doctor", PAGE, "--stop", "true"], "x", "--start"),
    ] {
        let told = run(arguments, stdin);
        assert_eq!(told.code, Some(2), "{arguments:?}: {}", told.all());
        assert!(told.stderr.contains(said), "{arguments:?}: {}", told.stderr);
    }
}

#[test]
fn tls_is_spoken_and_its_certificate_judged() {
    let pair = rcgen::generate_simple_self_signed(["app.example.com".to_owned()]);
    let pair = pair.expect("a certificate can be made");
    let app = Upstream::start();
    let table = format!(
        "[upstream]\nlisten = \"tls:127.0.0.1:0\"\nurl = \"http://127.0.0.1:{}\"",
        app.port()
    );
    let gate = settings()
        .server("trusted_proxies = []\ntls_certificate = \"{dir}/tls.crt\"\ntls_key = \"{dir}/tls.key\"")
        .file("tls.crt", pair.cert.pem())
        .file("tls.key", pair.signing_key.serialize_pem())
        .table(&table)
        .start();
    let connect = format!("127.0.0.1:{}", gate.listener("upstream").port());
    let own = gate.folder().join("tls.crt").display().to_string();
    let config = config(&gate);
    let ask = |more: &[&str]| {
        let page = "https://app.example.com/app";
        let mut arguments = vec!["doctor", page, "--connect", &connect, "--config", &config];
        arguments.extend(more);
        run(&arguments, "")
    };
    let untrusted = ask(&[]);
    assert_eq!(untrusted.code, Some(2), "{}", untrusted.all());
    assert!(
        untrusted.stderr.contains("does not answer"),
        "{}",
        untrusted.stderr
    );
    for more in [&["--ca-file", &own][..], &["--insecure"]] {
        let trusted = ask(more);
        // People come back to http, which is all that this configuration allows.
        assert_eq!(trusted.code, Some(1), "{}", trusted.all());
        assert!(trusted.stdout.contains(": 1 hole, "), "{}", trusted.stdout);
        assert!(
            trusted.stdout.contains("✘ refusal.return-address"),
            "{}",
            trusted.stdout
        );
    }
}

#[test]
fn a_token_is_taken_from_where_it_is_named() {
    let gate = sidecar("trusted_proxies = []", "");
    let front = gate.listener("upstream");
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, tokens::SECRET).expect("the folder is ours");
    let (secret, config) = (secret.display().to_string(), config(&gate));
    let token = token_file(folder.path());
    for arguments in [
        &["--token-file", &token][..],
        &["--token-file", &token, "--cookie", "auth_token"],
        &["--key", &secret, "--config", &config],
        &[
            "--config",
            &config,
            "--claims",
            "{\"email\":\"a@b.example\"}",
        ],
    ] {
        let found = doctor(front, arguments);
        assert_eq!(found.ids("hole"), [""; 0], "{arguments:?}");
        assert_eq!(
            found.of("identity.arrives")["verdict"],
            "closed",
            "{arguments:?}"
        );
        assert!(!found.ran.all().contains(tokens::SECRET));
        assert!(!found.ran.all().contains(&tokens::good()));
    }
    let with_email = doctor(
        front,
        &[
            "--config",
            &config,
            "--claims",
            "{\"email\":\"a@b.example\"}",
        ],
    );
    let arrives = with_email.of("identity.arrives")["found"].as_str();
    assert_eq!(arrives, Some("arrives: X-Auth-User, X-Auth-Email"));
}

#[test]
fn ctrl_c_starts_what_was_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let stop = format!("touch '{}'; sleep 30", file("stopping").display());
    let start = format!("touch '{}'", file("started").display());
    let connect = format!("127.0.0.1:{}", silent_page().port());
    let token = token_file(folder.path());
    let mut child = command()
        .args([
            "doctor",
            PAGE,
            "--connect",
            &connect,
            "--token-file",
            &token,
        ])
        .args(["--stop", &stop, "--start", &start])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let exists = |name: &str| file(name).exists().then_some(());
    let stopping = wait::until(Duration::from_secs(10), || exists("stopping"));
    assert!(stopping.is_some(), "it never came to the stop command");
    assert!(!file("started").exists());
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(sent.expect("a shell is there").success());
    let ended = wait::until(Duration::from_secs(5), || child.try_wait().ok().flatten());
    child.kill().ok();
    assert_eq!(ended.and_then(|status| status.code()), Some(2));
    assert!(file("started").exists());
}

#[test]
fn every_request_says_who_asks() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = Address::Tcp(listener.local_addr().expect("it is bound"));
    let seen = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody asks");
        let mut reader = BufReader::new(stream);
        let lines = read_headers(&mut reader).unwrap_or_default();
        reader.get_mut().write_all(b"HTTP/1.1 500 No\r\n\r\n").ok();
        lines
    });
    let connect = format!("127.0.0.1:{}", address.port());
    assert_eq!(
        run(&["doctor", PAGE, "--connect", &connect], "t").code,
        Some(2)
    );
    let lines = seen.join().expect("lines");
    let value = |name: &str| {
        let line = lines.iter().find(|(own, _)| own == name);
        line.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(
        value("User-Agent"),
        format!("jwtgate-doctor/{}", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(value("Host"), "app.example.com");
    assert_eq!(value("Authorization"), "Bearer t");
    assert!(!value("X-Jwtgate-Doctor").is_empty());
}
