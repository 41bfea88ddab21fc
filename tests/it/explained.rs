//! What `jwtgate explain` prints, held against committed texts: `JWTGATE_REFRESH=1 cargo test --test it explained` writes them anew.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::process::{Ran, command, run};
use crate::harness::{Settings, tokens};

/// Set to write the texts instead of comparing them, as for the pages of the reference.
const REFRESH: &str = "JWTGATE_REFRESH";

/// Rules of every kind.
pub(crate) const RULES: &str = r#"
    [[rules]]
    name = "no backups"
    action = "deny"
    path_prefix = "/admin/backup"
    [[rules]]
    name = "seniors"
    action = "require"
    path_prefix = "/admin"
    method = ["GET", "POST"]
    [rules.require]
    users = ["alice", "bob"]
    groups = ["ops", "admins"]
    claims = [{ claim = "level", one_of = [2, 3] }]
    any = [{ domains = "example.com" }, { not = { groups = "guests" } }]
    [[rules]]
    name = "orders"
    action = "require"
    path_glob = "/orders/**"
    require = { scopes = ["orders:read", "orders:write"] }
    [[rules]]
    name = "payment"
    action = "require"
    path = "/pay"
    acr = ["urn:mfa", "urn:hwk"]
    max_age = "5m"
    [[rules]]
    name = "office"
    action = "require"
    path = "/office"
    source = "192.0.2.0/24"
    [[rules]]
    name = "cross-origin"
    action = "public"
    preflight = true
    path_prefix = "/api"
    [[rules]]
    name = "api"
    action = "require"
    path_prefix = "/api"
    [[rules]]
    name = "pages"
    action = "public"
    path_prefix = "/public"
    [[rules]]
    name = "news"
    action = "optional"
    path_prefix = "/news"
    require = { users = "alice" }
    "#;

/// Rules by expressions.
const EXPRESSIONS: &str = r#"
    [[rules]]
    name = "finance"
    action = "require"
    path_prefix = "/books"
    when = "claims.department == 'finance'"
    [[rules]]
    name = "readers"
    action = "require"
    path_prefix = "/books"
    when = "request.method == 'GET'"
    "#;

fn with_rules() -> Settings {
    Settings::with_sign_in().table(RULES)
}

fn by_expressions() -> Settings {
    Settings::hmac().table(EXPRESSIONS)
}

/// Two issuers, and rules for either.
pub(crate) fn two_issuers() -> Settings {
    let issuer = |name: &str| {
        format!(
            "[issuers.{name}]\nissuer = \"https://{name}.example\"\nsecret = \"{}\"\naudience = \"{}\"\n",
            tokens::SECRET,
            tokens::AUDIENCE
        )
    };
    Settings::empty()
        .table(&issuer("staff"))
        .table(&issuer("partner"))
        .table(
            r#"
            [[rules]]
            name = "no partners"
            action = "deny"
            issuer = "partner"
            path_prefix = "/internal"
            [[rules]]
            name = "for staff"
            action = "require"
            issuer = "staff"
            path_prefix = "/internal"
            "#,
        )
}

pub(crate) fn of_issuer(name: &str) -> String {
    tokens::with(&json!({ "iss": format!("https://{name}.example") }))
}

/// What a command prints about this token; `{dir}` in the arguments is the folder of the configuration.
fn explain(settings: &Settings, arguments: &[&str], token: &str) -> Ran {
    let folder = settings.write();
    let folder = folder.path().to_str().expect("a path in UTF-8");
    let config = format!("{folder}/jwtgate.toml");
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| argument.replace("{dir}", folder))
        .collect();
    let mut all = vec!["explain", "--config", &config];
    all.extend(arguments.iter().map(String::as_str));
    run(&all, token)
}

/// Neither the payload nor the signature stands in the text, nor any piece of them that tells something.
#[track_caller]
pub(crate) fn holds_nothing_of(text: &str, token: &str) {
    for part in token.split('.').skip(1) {
        for piece in part.as_bytes().windows(12) {
            let piece = std::str::from_utf8(piece).expect("base64url");
            assert!(
                !text.contains(piece),
                "a piece of the token is printed:\n{text}"
            );
        }
    }
}

/// The whole output, as it is committed: moments and digests are replaced.
fn shown(ran: &Ran) -> String {
    let stdout = match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(mut told) => {
            if told["digest"].is_string() {
                told["digest"] = "DIGEST".into();
            }
            format!("{told:#}\n")
        }
        Err(_) => ran.stdout.clone(),
    };
    let is_moment = |word: &str| word.len() == 10 && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut text = format!("exit code {}\n", ran.code.unwrap_or(-1));
    for (name, stream) in [("stdout", &stdout), ("stderr", &ran.stderr)] {
        if stream.is_empty() {
            continue;
        }
        text.extend(["--- ", name, "\n"]);
        for piece in stream.split_inclusive(|character: char| !character.is_ascii_digit()) {
            let digits = piece.trim_end_matches(|character: char| !character.is_ascii_digit());
            let rest = piece.get(digits.len()..).unwrap_or_default();
            text.push_str(if is_moment(digits) { "MOMENT" } else { digits });
            text.push_str(rest);
        }
    }
    text
}

/// Holds what is printed against the committed text of this name.
#[track_caller]
fn golden(name: &str, code: i32, settings: &Settings, arguments: &[&str], token: &str) {
    let ran = explain(settings, arguments, token);
    assert_eq!(ran.code, Some(code), "{}", ran.all());
    holds_nothing_of(&ran.all(), token);
    assert!(!ran.all().contains(tokens::SECRET), "{}", ran.all());
    let found = shown(&ran);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/explained/{name}.txt"));
    if std::env::var_os(REFRESH).is_some() {
        fs::write(&path, &found).expect("a writable file");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        committed,
        "{} is another text.\n  hint: {REFRESH}=1 cargo test --test it explained",
        path.display()
    );
}

/// The same as text and as JSON.
#[track_caller]
fn golden_twice(name: &str, code: i32, settings: &Settings, arguments: &[&str], token: &str) {
    golden(name, code, settings, arguments, token);
    let arguments = [arguments, &["--json"]].concat();
    golden(&format!("{name}.json"), code, settings, &arguments, token);
}

/// A URL below the host of the tests.
fn at(path: &str) -> String {
    format!("https://app.example.com{path}")
}

fn senior() -> String {
    tokens::with(&json!({"level": 3}))
}

#[test]
fn a_request_that_a_rule_with_conditions_allows() {
    let url = at("/admin/users?page=2");
    golden_twice("allowed", 0, &with_rules(), &["--url", &url], &senior());
}

#[test]
fn a_request_that_lacks_some_conditions_and_leaves_one_unclear() {
    let token = tokens::with(&json!({"groups": ["dev"], "level": "3", "email": "a@other.example"}));
    let arguments = ["--url", &at("/admin"), "--method", "POST"];
    golden_twice("conditions", 1, &with_rules(), &arguments, &token);
}

#[test]
fn a_request_that_a_deny_rule_refuses() {
    let url = at("/admin/backup/2026");
    golden_twice(
        "deny_rule",
        1,
        &with_rules(),
        &["--url", &url],
        &tokens::good(),
    );
}

#[test]
fn a_request_that_no_rule_fits() {
    let arguments = ["--url", &at("/admin"), "--method", "DELETE"];
    golden("no_rule", 1, &with_rules(), &arguments, &tokens::good());
}

#[test]
fn a_path_that_programs_read_differently() {
    let url = at("/public%2Fadmin");
    golden(
        "ambiguous_path",
        1,
        &with_rules(),
        &["--url", &url],
        &tokens::good(),
    );
}

#[test]
fn a_path_with_several_readings_that_lead_to_different_rules_or_to_one() {
    for (name, path, code) in [
        ("readings_apart", "/public/../api/x", 1),
        ("readings_together", "/api/a/../x", 0),
    ] {
        golden(
            name,
            code,
            &with_rules(),
            &["--url", &at(path)],
            &tokens::good(),
        );
    }
}

#[test]
fn a_source_that_is_unknown_another_or_the_wanted_one() {
    let url = at("/office");
    for (name, more, code) in [
        ("source_unknown", &[][..], 1),
        ("source_other", &["--source", "198.51.100.7"], 1),
        ("source_known", &["--source", "192.0.2.7"], 0),
    ] {
        let arguments = [&["--url", &url], more].concat();
        golden(name, code, &with_rules(), &arguments, &tokens::good());
    }
}

#[test]
fn a_public_page_with_a_bad_token() {
    let url = at("/public/logo.svg");
    golden_twice(
        "public_bad_token",
        0,
        &with_rules(),
        &["--url", &url],
        &tokens::expired(),
    );
}

#[test]
fn an_optional_rule_with_a_token_without_one_and_with_another_one() {
    let arguments = ["--url", &at("/news")];
    let rules = with_rules();
    golden("optional_known", 0, &rules, &arguments, &tokens::good());
    golden("optional_nobody", 0, &rules, &arguments, "");
    golden("optional_bad", 1, &rules, &arguments, &tokens::forged());
    let bob = tokens::good_for("bob");
    golden("optional_other", 1, &rules, &arguments, &bob);
}

#[test]
fn somebody_who_has_to_sign_in_again() {
    let token = tokens::with(&json!({"acr": "urn:pwd", "auth_time": tokens::now() - 60}));
    golden("step_up", 1, &with_rules(), &["--url", &at("/pay")], &token);
}

#[test]
fn a_token_without_one_of_the_scopes() {
    let token = tokens::with(&json!({"scope": "orders:read openid"}));
    let url = at("/orders/7");
    for _ in 0..16 {
        golden("scope", 1, &with_rules(), &["--url", &url], &token);
    }
}

#[test]
fn somebody_who_may_not_come_in_at_all() {
    let settings = with_rules().table("[access]\nblocked_users = \"alice\"");
    let arguments = ["--url", &at("/api/x")];
    golden("access", 1, &settings, &arguments, &tokens::good());
}

#[test]
fn an_identity_that_is_too_large() {
    let settings = Settings::hmac().table("[identity]\nmax_value_bytes = 256");
    let token = tokens::with(&json!({"groups": ["developers".repeat(20), "operators".repeat(20)]}));
    golden("identity_too_large", 1, &settings, &[], &token);
}

#[test]
fn groups_that_stand_elsewhere() {
    let token = tokens::with(&json!({"groups": null, "hasgroups": true}));
    golden(
        "group_overage",
        1,
        &with_rules(),
        &["--url", &at("/admin")],
        &token,
    );
}

#[test]
fn an_expired_token_on_a_rule_that_wants_one() {
    let url = at("/api/x");
    golden_twice(
        "expired",
        1,
        &with_rules(),
        &["--url", &url],
        &tokens::expired(),
    );
}

#[test]
fn a_request_without_a_token() {
    let url = at("/api/x");
    let arguments = ["--url", &url, "--no-token"];
    golden("no_token", 1, &with_rules(), &arguments, &tokens::good());
}

#[test]
fn a_preflight_and_what_only_looks_like_one() {
    let url = at("/api/x");
    let headers = [
        "--header",
        "Origin: https://other.example.com",
        "--header",
        "Access-Control-Request-Method: PUT",
    ];
    for (name, method, code) in [("preflight", "OPTIONS", 0), ("no_preflight", "GET", 1)] {
        let arguments = [&["--url", &url, "--method", method], &headers[..]].concat();
        golden(name, code, &with_rules(), &arguments, "");
    }
}

#[test]
fn rules_for_one_of_two_issuers() {
    let url = at("/internal/x");
    let arguments = ["--url", &url];
    for (name, code) in [("staff", 0), ("partner", 1)] {
        let golden_name = format!("issuer_{name}");
        let token = of_issuer(name);
        golden(&golden_name, code, &two_issuers(), &arguments, &token);
    }
}

#[test]
fn nobody_says_that_the_signature_of_a_token_of_nobody_known_is_good() {
    let claims = tokens::claims_with(&json!({"iss": "https://nobody.example"}));
    let forged = tokens::hmac(&[7; 64], &tokens::header("HS256"), &claims);
    let ran = explain(&two_issuers(), &[], &forged);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.stdout.contains("denied: token.issuer"), "{}", ran.all());
    assert!(!ran.stdout.contains("ok      signature"), "{}", ran.all());
}

#[test]
fn a_refusal_by_a_rule_does_not_make_a_bad_token_good_nor_none_one() {
    let backup = at("/admin/backup");
    let nowhere = at("/nowhere");
    for url in [&backup, &nowhere] {
        let forged = explain(&with_rules(), &["--url", url], &tokens::forged());
        assert_eq!(forged.code, Some(1), "{}", forged.all());
        assert!(
            forged.stdout.contains("denied: policy."),
            "{}",
            forged.all()
        );
        let none = explain(&with_rules(), &["--url", url, "--no-token"], "");
        assert!(none.stdout.contains("denied: policy."), "{}", none.all());
        let good = "ok      signature";
        assert!(!none.stdout.contains(good), "{}", none.all());
        assert!(!forged.stdout.contains(good), "{}", forged.all());
    }
}

#[test]
fn what_shadow_rules_would_do() {
    let shadow = r#"
        [[shadow_rules]]
        name = "staff only"
        action = "require"
        path_prefix = "/api"
        require = { groups = "staff" }
        [[shadow_rules]]
        name = "open orders"
        action = "public"
        path_prefix = "/orders"
        "#;
    let settings = with_rules().table(shadow);
    for (name, path, code) in [("shadow_deny", "/api/x", 0), ("shadow_allow", "/orders", 1)] {
        golden(
            name,
            code,
            &settings,
            &["--url", &at(path)],
            &tokens::good(),
        );
    }
}

#[test]
fn expressions_that_hold_do_not_hold_and_fail() {
    let url = at("/books/7");
    for (name, department, code) in [
        ("when_true", json!("finance"), 0),
        ("when_false", json!("sales"), 0),
        ("when_fails", Value::Null, 1),
    ] {
        let token = tokens::with(&json!({ "department": department }));
        golden(name, code, &by_expressions(), &["--url", &url], &token);
    }
}

#[test]
fn a_token_alone() {
    for (name, token, code) in [
        ("token_good", tokens::good(), 0),
        ("token_forged", tokens::forged(), 1),
        ("token_audience", tokens::wrong_audience(), 1),
        ("token_malformed", "no.token".to_owned(), 1),
    ] {
        golden(name, code, &with_rules(), &[], &token);
    }
}

#[test]
fn raw_requests_with_either_end_of_line_and_an_absolute_target() {
    let token = senior();
    let cookie = format!("Cookie: theme=dark; auth_token={token}");
    let lines = |target: &str, end: &str| {
        [
            &format!("GET {target} HTTP/1.1"),
            "Host: app.example.com",
            &cookie,
            "",
            "a body: not looked at",
        ]
        .join(end)
    };
    let other = "GET http://other.example.com/admin HTTP/1.1\r\n\
        Host: app.example.com\r\nAUTHORIZATION:Bearer TOKEN\r\n\r\n";
    let settings = with_rules()
        .file("crlf.http", lines("/admin?x=1", "\r\n"))
        .file("lf.http", lines("/admin?x=1", "\n"))
        .file("whole.http", other.replace("TOKEN", &token));
    // What stands on standard input is no token here: the request has its own.
    for (file, name) in [
        ("crlf", "raw"),
        ("lf", "raw"),
        ("whole", "raw_absolute_target"),
    ] {
        let file = format!("{{dir}}/{file}.http");
        let ran = explain(&settings, &["--request", &file], "");
        holds_nothing_of(&ran.all(), &token);
        golden(name, 0, &settings, &["--request", &file], "");
    }
    let piped = explain(&settings, &["--request", "-"], &lines("/admin?x=1", "\r\n"));
    let from_file = explain(&settings, &["--request", "{dir}/crlf.http"], "");
    assert_eq!((piped.code, piped.stdout), (Some(0), from_file.stdout));
}

#[test]
fn a_request_whose_own_token_is_a_header_a_cookie_or_a_parameter() {
    let token = senior();
    let bearer = format!("Authorization: Bearer {token}");
    let cookie = format!("Cookie: auth_token={token}");
    let url = at("/admin");
    let query = at(&format!("/admin?auth_token={token}"));
    for (name, arguments) in [
        ("own_token", vec!["--url", &url, "--header", &bearer]),
        ("own_token", vec!["--url", &url, "--header", &cookie]),
        ("own_token", vec!["--url", &query]),
    ] {
        for more in [&[][..], &["--json"]] {
            let ran = explain(&with_rules(), &[&arguments, more].concat(), "");
            assert_eq!(ran.code, Some(0), "{}", ran.all());
            holds_nothing_of(&ran.all(), &token);
        }
        golden(name, 0, &with_rules(), &arguments, "");
    }
    // The token that is named stands for that of the request.
    let settings = with_rules().file("token.txt", tokens::expired());
    let arguments = [
        "--url",
        &url,
        "--header",
        &bearer,
        "--token-file",
        "{dir}/token.txt",
    ];
    let ran = explain(&settings, &arguments, "");
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(
        ran.stdout.contains("denied: token.expired"),
        "{}",
        ran.all()
    );
    holds_nothing_of(&ran.all(), &token);
}

#[test]
fn a_token_from_a_variable_may_have_its_scheme_in_front() {
    let folder = with_rules().write();
    let output = command()
        .args(["explain", "--token-env", "SAMPLE", "--url", &at("/api")])
        .arg("--config")
        .arg(folder.path().join("jwtgate.toml"))
        .env("SAMPLE", format!("bearer  {}\n", tokens::good()))
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the binary can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    holds_nothing_of(&text, &tokens::good());
}
