//! The command line: what `check` finds, what `serve` refuses, and what the environment may say.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::process::{Ran, run};
use crate::harness::{Gate, Request, Settings, ports, tokens};

/// Runs `check` on these settings.
fn check(settings: &Settings, more: &[&str]) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(&[&["check", "--config", config], more].concat(), "")
}

/// Nothing for `check` to say, not even a warning.
fn flawless() -> Settings {
    Settings::hmac().top(
        "cookie_name = \"auth_token\"\nauth_url = \"https://auth.example.com/login\"\n\
         public_url = \"https://app.example.com\"\nreturn_hosts = [\"app.example.com\"]",
    )
}

fn fault(settings: Settings) -> String {
    match settings.try_start() {
        Ok(gate) => panic!("the server started:\n{}", gate.output()),
        Err(exited) => exited.output,
    }
}

#[test]
fn check_of_good_settings_is_exit_code_0() {
    let ran = check(&flawless(), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let strict = check(&flawless(), &["--strict"]);
    assert_eq!(strict.code, Some(0), "{}", strict.all());
}

#[test]
fn check_names_all_values_of_a_wrong_type_at_once() {
    let settings = Settings::hmac()
        .top("on_multiple_tokens = \"last\"\nleeway = \"soon\"\nrequire_exp = \"maybe\"")
        .server("max_token_bytes = -1\nworkers = \"many\"");
    names_all(
        &settings,
        &[
            "on_multiple_tokens",
            "leeway",
            "require_exp",
            "server.max_token_bytes",
            "server.workers",
        ],
    );
}

#[test]
fn check_names_all_values_without_sense_at_once() {
    let settings = Settings::empty()
        .top("secret = \"short\"\nalgorithms = [\"HS256\", \"HS257\"]\nauth_url = \"not a url\"")
        .top("return_hosts = [\"https://app.example.com/path\"]")
        .server("trusted_proxies = [\"not-a-network\"]");
    names_all(
        &settings,
        &[
            "algorithms",
            "auth_url",
            "return_hosts",
            "server.trusted_proxies",
        ],
    );
}

/// One run names every path, each with what was found, what was expected and a hint.
fn names_all(settings: &Settings, paths: &[&str]) {
    let ran = check(settings, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    let said = ran.all();
    for path in paths {
        assert!(said.contains(path), "no word about {path}:\n{said}");
    }
    for word in ["found", "expected", "hint"] {
        assert!(
            said.matches(word).count() >= paths.len(),
            "{word} is missing somewhere:\n{said}"
        );
    }
}

#[test]
fn check_warns_about_what_is_weak_and_strict_makes_it_a_fault() {
    let weak = [
        (
            Settings::empty().top(&format!("secret = \"{}\"", tokens::SECRET)),
            "expected_audience",
        ),
        (flawless().top("param_name = \"auth_token\""), "param_name"),
        (
            Settings::hmac().top("auth_url = \"https://auth.example.com\""),
            "return_hosts",
        ),
        (
            Settings::empty()
                .top(&format!("expected_audience = \"{}\"", tokens::AUDIENCE))
                .file("idp.crt", tokens::p256().expired_certificate_pem())
                .top("signing_certificate = \"{dir}/idp.crt\""),
            "signing_certificate",
        ),
        (
            flawless()
                .file("key.pem", tokens::p256().public_pem())
                .top("signing_certificate = \"{dir}/key.pem\""),
            "secret",
        ),
    ];
    for (settings, path) in weak {
        let ran = check(&settings, &[]);
        assert_eq!(ran.code, Some(0), "{path}: {}", ran.all());
        assert!(
            ran.all().contains("warning") && ran.all().contains(path),
            "{path}: {}",
            ran.all()
        );
        let strict = check(&settings, &["--strict"]);
        assert_eq!(strict.code, Some(1), "{path}: {}", strict.all());
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["check", "--no-such-flag"][..],
        &["no-such-command"],
        &["serve", "--config"],
    ] {
        let ran = run(arguments, "");
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.all());
        assert!(
            ran.stdout.is_empty(),
            "talk belongs on stderr: {}",
            ran.stdout
        );
    }
}

#[test]
fn a_config_file_that_is_not_there_or_no_toml_is_a_fault_with_its_path() {
    let absent = run(&["check", "--config", "/no/such/jwtgate.toml"], "");
    assert_eq!(absent.code, Some(1), "{}", absent.all());
    assert!(
        absent.all().contains("/no/such/jwtgate.toml"),
        "{}",
        absent.all()
    );
    let ran = check(&Settings::empty().top("secret = = 1"), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.all().contains("jwtgate.toml"), "{}", ran.all());
}

#[test]
fn check_never_prints_a_secret() {
    let ran = check(&Settings::hmac().top("algorithms = [\"RS256\"]"), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(!ran.all().contains(&tokens::SECRET[..16]), "{}", ran.all());
    let short = "short-and-secret";
    let ran = check(
        &Settings::empty().top(&format!("secret = \"{short}\"\nalgorithms = [\"HS256\"]")),
        &[],
    );
    assert!(
        ran.code == Some(1) && !ran.all().contains(short),
        "{}",
        ran.all()
    );
}

#[test]
fn s18_3_unknown_keys_are_refused_with_the_nearest_name() {
    let cases = [
        (
            Settings::hmac().top("expected_audiense = \"x\""),
            "expected_audience",
        ),
        (
            Settings::hmac().top("username_claim = \"x\""),
            "username_claim_field",
        ),
        (
            Settings::hmac().server("trusted_proxys = []"),
            "trusted_proxies",
        ),
        (
            Settings::hmac().table("[identity]\nnon_asci = \"utf8\""),
            "non_ascii",
        ),
        (
            Settings::hmac().table("[identitty]\nnon_ascii = \"utf8\""),
            "identity",
        ),
    ];
    for (settings, nearest) in cases {
        let ran = check(&settings, &[]);
        assert_eq!(ran.code, Some(1), "{}", ran.all());
        assert!(
            ran.all().contains(nearest),
            "no `{nearest}` in:\n{}",
            ran.all()
        );
        assert!(fault(settings).contains(nearest));
    }
}

#[test]
fn unknown_environment_variables_are_refused_with_the_nearest_name() {
    for (name, nearest) in [
        ("JWTGATE_EXPECTED_AUDIENSE", "JWTGATE_EXPECTED_AUDIENCE"),
        ("JWTGATE_SERVER__REALMS", "JWTGATE_SERVER__REALM"),
        ("JWTGATE_SERVER_REALM", "JWTGATE_SERVER__REALM"),
    ] {
        let said = fault(Settings::hmac().env(name, "x"));
        assert!(said.contains(name) && said.contains(nearest), "{said}");
    }
}

#[test]
fn what_kubernetes_puts_into_every_pod_is_no_fault() {
    let gate = [
        ("JWTGATE_SERVICE_HOST", "10.0.0.1"),
        ("JWTGATE_SERVICE_PORT", "80"),
        ("JWTGATE_SERVICE_PORT_HTTP", "80"),
        ("JWTGATE_PORT", "tcp://10.0.0.1:80"),
        ("JWTGATE_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("JWTGATE_PORT_80_TCP_ADDR", "10.0.0.1"),
    ]
    .into_iter()
    .fold(Settings::hmac(), |settings, (name, value)| {
        settings.env(name, value)
    })
    .start();
    assert_eq!(status(&gate, &tokens::good()), 200);
}

fn status(gate: &Gate, token: &str) -> u16 {
    Request::get("/verify")
        .bearer(token)
        .send(gate.main())
        .status
}

#[test]
fn a_list_in_the_environment_is_a_json_array_or_one_plain_item() {
    let for_audience = |audience: &str| tokens::with(&serde_json::json!({"aud": audience}));
    let list = Settings::hmac()
        .env("JWTGATE_EXPECTED_AUDIENCE", "[\"one\", \"two\"]")
        .start();
    for (audience, expected) in [("one", 200), ("two", 200), ("three", 401)] {
        assert_eq!(
            status(&list, &for_audience(audience)),
            expected,
            "{audience}"
        );
    }
    let item = Settings::hmac()
        .env("JWTGATE_EXPECTED_AUDIENCE", "one,two")
        .start();
    for (audience, expected) in [("one", 401), ("two", 401), ("one,two", 200)] {
        assert_eq!(
            status(&item, &for_audience(audience)),
            expected,
            "{audience}"
        );
    }
    let digits = Settings::hmac()
        .env("JWTGATE_EXPECTED_AUDIENCE", "12")
        .start();
    assert_eq!(
        status(&digits, &for_audience("12")),
        200,
        "a value is never typed by guess"
    );
}

#[test]
fn an_empty_value_in_the_environment_is_set_to_empty() {
    let gate = Settings::hmac()
        .env("JWTGATE_HEADER_NAME", "")
        .env("JWTGATE_COOKIE_NAME", "auth_token")
        .start();
    assert_eq!(status(&gate, &tokens::good()), 401);
    let cookie = Request::get("/verify").cookie(format!("auth_token={}", tokens::good()));
    assert_eq!(cookie.send(gate.main()).status, 200);
}

#[test]
fn serve_refuses_the_published_demo_keys_unless_the_danger_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs");
    let files = fs::read_dir(&folder).expect("certs/ is shipped");
    let mut tried = 0;
    for path in files.map(|entry| entry.expect("a readable folder").path()) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if !text.contains("BEGIN CERTIFICATE") && !text.contains("BEGIN PUBLIC KEY") {
            continue;
        }
        tried += 1;
        let settings = || {
            Settings::empty()
                .top("expected_audience = \"demo\"")
                .top(&format!("signing_certificate = \"{}\"", path.display()))
        };
        let said = fault(settings());
        assert!(said.contains("demo"), "{}: {said}", path.display());
        let gate = settings().top("danger_demo_keys = true").start();
        assert!(gate.wait_for_line("\"WARN\""), "{}", gate.output());
    }
    assert!(tried > 0, "no demo key was found in certs/");
}

#[test]
fn the_schema_is_json_and_knows_every_key_of_the_jupyterhub_authenticator() {
    let ran = run(&["config", "schema"], "");
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let schema: Value = serde_json::from_str(&ran.stdout).expect("the schema is JSON");
    for key in [
        "secret",
        "signing_certificate",
        "expected_audience",
        "username_claim_field",
        "auth_url",
        "retpath_param",
        "header_name",
        "cookie_name",
        "param_name",
        "algorithms",
        "extract_username",
    ] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn the_example_is_a_config_that_check_reads() {
    let ran = run(&["config", "example"], "");
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("jwtgate.toml");
    fs::write(&path, &ran.stdout).expect("the temporary folder is writable");
    let checked = run(
        &["check", "--config", path.to_str().expect("a path in UTF-8")],
        "",
    );
    assert!(!checked.all().contains("unknown"), "{}", checked.all());
    let reference = run(&["config", "reference"], "");
    assert!(
        reference.code == Some(0) && reference.stdout.contains("retpath_param"),
        "{}",
        reference.all()
    );
}

#[test]
fn health_asks_the_admin_listener() {
    let port = ports::free();
    let gate = Settings::hmac()
        .admin(&format!("listen = \"127.0.0.1:{port}\""))
        .start();
    let config = gate.folder().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    for arguments in [
        &["health", "--config", config][..],
        &["health", "--ready", "--config", config],
    ] {
        let ran = run(arguments, "");
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.all());
    }
    let folder = Settings::hmac()
        .admin(&format!("listen = \"127.0.0.1:{}\"", ports::free()))
        .write();
    let config = folder.path().join("jwtgate.toml");
    let ran = run(
        &[
            "health",
            "--config",
            config.to_str().expect("a path in UTF-8"),
        ],
        "",
    );
    assert_eq!(ran.code, Some(1), "{}", ran.all());
}

#[test]
fn the_version_is_that_of_the_package() {
    let ran = run(&["--version"], "");
    assert_eq!(
        (ran.code, ran.stdout.trim()),
        (Some(0), concat!("jwtgate ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn s3_5_a_well_known_secret_stops_the_start_unless_the_danger_is_named() {
    let known = || {
        Settings::empty()
            .top("expected_audience = \"app\"")
            .top("secret = \"a-string-secret-at-least-256-bits-long\"")
    };
    assert!(fault(known()).contains("everybody knows"));
    let gate = known().top("danger_allow_weak_secret = true").start();
    assert!(gate.wait_for_line("everybody knows"), "{}", gate.output());
}

#[test]
fn s17_3_a_secret_file_that_everybody_can_read_is_a_warning() {
    let gate = Settings::empty()
        .top("expected_audience = \"app\"\nsecret_file = \"{dir}/secret.txt\"")
        .file("secret.txt", "0f6c1f0b8e2d4c6aa1b2c3d4e5f60718")
        .start();
    assert!(
        gate.wait_for_line("every user of this machine can read"),
        "{}",
        gate.output()
    );
}
