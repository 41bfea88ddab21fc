//! `check --against`: what would become of recorded requests. `check --token`: who a token is.

use serde_json::{Value, json};

use crate::explained::{RULES, holds_nothing_of, of_issuer, two_issuers};
use crate::harness::process::{Ran, run};
use crate::harness::{Settings, tokens};

/// `check` with a file of this content beside the configuration, named by this flag.
fn check(settings: &Settings, flag: &str, content: &[u8], more: &[&str]) -> Ran {
    let folder = settings.clone().file("sample", content).write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let sample = folder.path().join("sample");
    let sample = sample.to_str().expect("a path in UTF-8");
    run(
        &[&["check", "--config", config, flag, sample], more].concat(),
        "",
    )
}

// ── Recorded requests ───────────────────────────────────────────────────────────────────────────────────────────────

fn with_rules() -> Settings {
    Settings::with_sign_in().table(RULES)
}

/// A recorded request: a path, and what else was recorded.
fn line(path: &str, more: &Value) -> String {
    let mut line = json!({ "url": format!("https://app.example.com{path}") });
    for (name, value) in more.as_object().expect("an object") {
        line[name] = value.clone();
    }
    line.to_string()
}

/// Alice, long after her token expired.
fn alice(result: &str) -> Value {
    json!({"claims": {"username": "alice", "exp": 1}, "result": result})
}

fn against(settings: &Settings, lines: &[String], more: &[&str]) -> Ran {
    check(settings, "--against", lines.join("\n").as_bytes(), more)
}

/// What `--json` says, and that the exit code says the same.
#[track_caller]
fn told(settings: &Settings, lines: &[String]) -> Value {
    let ran = against(settings, lines, &["--json"]);
    let told: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    let has_changed = told["changes"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    assert_eq!(ran.code, Some(i32::from(has_changed)), "{}", ran.all());
    told
}

/// What would become of one recorded request: it is recorded both as allowed and as denied, so that one of them is told.
#[track_caller]
fn becomes(settings: &Settings, path: &str, more: &Value) -> (String, Value, Value) {
    let as_recorded = |result: &str| {
        let mut more = more.clone();
        more["result"] = result.into();
        line(path, &more)
    };
    let told = told(settings, &[as_recorded("allowed"), as_recorded("denied")]);
    let changes = told["changes"].as_array().expect("a list");
    assert_eq!(changes.len(), 1, "{told}");
    let text = changes[0]["would_be"].as_str().expect("an answer");
    (
        text.to_owned(),
        changes[0]["reason"].clone(),
        changes[0]["rule"].clone(),
    )
}

#[track_caller]
fn allowed_by(settings: &Settings, path: &str, more: &Value, rule: &str) {
    let expected = ("allowed".to_owned(), Value::Null, rule.into());
    assert_eq!(becomes(settings, path, more), expected, "{path} {more}");
}

#[track_caller]
fn denied_for(settings: &Settings, path: &str, more: &Value, reason: &str, rule: &Value) {
    let expected = ("denied".to_owned(), reason.into(), rule.clone());
    assert_eq!(becomes(settings, path, more), expected, "{path} {more}");
}

#[test]
fn what_would_be_answered_as_recorded_changes_nothing() {
    let lines = [
        line("/api/x", &alice("allowed")),
        line("/news", &json!({"result": "allowed"})),
        line("/api/x", &json!({"result": "denied"})),
        line("/admin/backup", &alice("denied")),
        line("/nowhere", &alice("denied")),
    ];
    let ran = against(&with_rules(), &lines, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(
        ran.stdout,
        "5 recorded requests: 2 would pass, 3 would not; 0 of them otherwise than recorded\n"
    );
    assert_eq!(
        told(&with_rules(), &lines),
        json!({"requests": 5, "allowed": 2, "denied": 3, "changes": []})
    );
}

#[test]
fn what_would_be_answered_otherwise_is_told_line_by_line() {
    let post = json!({"method": "POST", "claims": {"username": "carol"}, "result": "allowed"});
    let lines = [
        line("/api/x", &alice("denied")),
        String::new(),
        line("/admin/users", &post),
        line("/nowhere", &alice("allowed")),
        line("/news", &json!({"result": "allowed"})),
    ];
    let ran = against(&with_rules(), &lines, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert_eq!(
        ran.stdout,
        "line 1: GET https://app.example.com/api/x was denied, would be allowed (-, by api)\n\
         line 3: POST https://app.example.com/admin/users was allowed, would be denied (policy.requirement, by seniors)\n\
         line 4: GET https://app.example.com/nowhere was allowed, would be denied (policy.no_rule, by -)\n\
         4 recorded requests: 2 would pass, 2 would not; 3 of them otherwise than recorded\n"
    );
    let told = told(&with_rules(), &lines);
    assert_eq!(
        told["changes"][1],
        json!({
            "line": 3, "method": "POST", "url": "https://app.example.com/admin/users", "was": "allowed",
            "would_be": "denied", "reason": "policy.requirement", "rule": "seniors",
        })
    );
}

#[test]
fn requests_without_a_result_are_counted_and_never_changed() {
    let lines = [
        line("/api/x", &json!({"claims": {"username": "alice"}})),
        line("/api/x", &json!({})),
        line(
            "/api/x",
            &json!({"claims": null, "result": null, "issuer": null, "source": null}),
        ),
    ];
    assert_eq!(
        told(&with_rules(), &lines),
        json!({"requests": 3, "allowed": 1, "denied": 2, "changes": []})
    );
}

#[test]
fn an_empty_file_holds_no_requests() {
    for content in ["", "\n", " \n\t\n\r\n"] {
        let ran = check(&with_rules(), "--against", content.as_bytes(), &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(
            ran.stdout.starts_with("0 recorded requests"),
            "{}",
            ran.all()
        );
    }
}

#[test]
fn every_part_of_a_request_is_asked_for() {
    let rules = with_rules();
    let user = json!({"username": "alice"});
    let with = |name: &str, value: Value| json!({"claims": user, name: value});
    allowed_by(
        &rules,
        "/office",
        &with("source", json!("192.0.2.7")),
        "office",
    );
    denied_for(
        &rules,
        "/office",
        &with("source", json!("198.51.100.7")),
        "policy.no_rule",
        &Value::Null,
    );
    denied_for(
        &rules,
        "/office",
        &json!({"claims": user}),
        "policy.no_rule",
        &Value::Null,
    );
    let headers = json!([
        ["ORIGIN", "https://a.example"],
        ["Access-Control-Request-Method", "PUT"]
    ]);
    let preflight = json!({"method": "OPTIONS", "headers": headers});
    allowed_by(&rules, "/api/x", &preflight, "cross-origin");
    denied_for(
        &rules,
        "/api/x",
        &json!({"method": "OPTIONS"}),
        "token.missing",
        &"api".into(),
    );
    let scopes = |scope: &str| json!({"claims": {"username": "a", "scope": scope}});
    allowed_by(
        &rules,
        "/orders/1",
        &scopes("orders:read orders:write"),
        "orders",
    );
    denied_for(
        &rules,
        "/orders/1",
        &scopes("orders:read"),
        "policy.scope",
        &"orders".into(),
    );
    denied_for(
        &rules,
        "/api/x",
        &json!({"claims": {"sub": "nobody"}}),
        "identity.username",
        &"api".into(),
    );
}

#[test]
fn without_rules_every_good_token_would_pass() {
    let lines = [
        line("/", &alice("allowed")),
        line("/", &json!({"result": "denied"})),
    ];
    assert_eq!(told(&Settings::hmac(), &lines)["changes"], json!([]));
}

#[test]
fn the_issuer_is_named_or_found_by_the_claims() {
    let rules = two_issuers();
    let of = |issuer: Option<&str>, iss: Option<&str>| {
        let mut claims = json!({"username": "alice"});
        if let Some(iss) = iss {
            claims["iss"] = iss.into();
        }
        json!({"claims": claims, "issuer": issuer})
    };
    for more in [
        of(Some("staff"), None),
        of(None, Some("https://staff.example")),
        of(Some("staff"), Some("https://partner.example")),
    ] {
        allowed_by(&rules, "/internal", &more, "for staff");
    }
    for more in [
        of(Some("partner"), None),
        of(None, Some("https://partner.example")),
    ] {
        denied_for(
            &rules,
            "/internal",
            &more,
            "policy.denied",
            &"no partners".into(),
        );
    }
    for more in [
        of(Some("nobody"), None),
        of(None, Some("https://nobody.example")),
        of(None, None),
    ] {
        denied_for(
            &rules,
            "/internal",
            &more,
            "token.issuer",
            &"for staff".into(),
        );
    }
}

#[test]
fn queries_are_never_printed() {
    let token = tokens::good();
    let path = format!("/api/x?auth_token={token}&secret=abc");
    let lines = [line(&path, &alice("denied"))];
    for more in [&[][..], &["--json"]] {
        let ran = against(&with_rules(), &lines, more);
        assert_eq!(ran.code, Some(1), "{}", ran.all());
        holds_nothing_of(&ran.all(), &token);
        assert!(!ran.all().contains("secret="), "{}", ran.all());
    }
    // Nor where the line cannot be read.
    for broken in [
        line(&format!("/a b?auth_token={token}"), &json!({})),
        line(&path, &json!({"claims": token})),
        line(&path, &json!({"result": token})),
        line(&path, &json!({ &*token: 1 })),
        line(&path, &json!({ "source": token })),
        line(&path, &json!({})).replace('}', ""),
    ] {
        let ran = against(&with_rules(), &[broken], &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        holds_nothing_of(&ran.all(), &token);
    }
}

#[test]
fn what_a_line_holds_forges_nothing_on_a_terminal() {
    let more = json!({"method": "G\u{1b}[2J\nline 9: GET", "result": "denied"});
    let lines = [line("/public/\u{9b}2J", &more), line("/public/x", &more)];
    let ran = against(&with_rules(), &lines, &[]);
    assert!(!ran.all().contains(['\u{1b}', '\u{9b}']), "{:?}", ran.all());
    assert!(!ran.all().contains("\nline 9"), "{:?}", ran.all());
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_nothing_is_judged() {
    let good = line("/api/x", &alice("denied"));
    let url = "https://app.example.com/";
    for bad in [
        "nonsense".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({"url": 7}).to_string(),
        json!({"url": url, "result": "ALLOWED"}).to_string(),
        json!({"url": url, "result": true}).to_string(),
        json!({"url": url, "source": "localhost"}).to_string(),
        json!({"url": url, "headers": {"A": "b"}}).to_string(),
        json!({"url": url, "colour": 1}).to_string(),
        json!({"url": url, "claims": 7}).to_string(),
        json!({"url": url, "claims": []}).to_string(),
        json!({"url": "/path"}).to_string(),
        json!({"url": ""}).to_string(),
        json!({"url": "https://app.example.com/#a"}).to_string(),
    ] {
        for more in [&[][..], &["--json"]] {
            let lines = [good.clone(), String::new(), bad.clone(), good.clone()];
            let ran = against(&with_rules(), &lines, more);
            assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{bad}");
            assert!(ran.stderr.contains("line 3"), "{bad}: {}", ran.stderr);
        }
    }
    let binary = check(&with_rules(), "--against", b"\n\xff\xfe\n", &[]);
    assert_eq!(binary.code, Some(2));
    assert!(binary.stderr.contains("line 2"), "{}", binary.stderr);
}

#[test]
fn a_recorded_method_that_is_none_cannot_be_read() {
    for method in ["", "GE T"] {
        let lines = [line("/public", &json!({ "method": method }))];
        let ran = against(&with_rules(), &lines, &[]);
        assert_eq!(ran.code, Some(2), "{method:?}: {}", ran.all());
    }
}

#[test]
fn a_file_that_is_not_there_and_a_configuration_with_faults_replay_nothing() {
    let folder = with_rules().write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    for flag in ["--against", "--token"] {
        let ran = run(&["check", "--config", config, flag, "/nowhere/file"], "");
        assert_eq!(ran.code, Some(2), "{flag}");
        assert!(ran.stderr.contains("/nowhere/file"), "{}", ran.stderr);
    }
    let faulty = Settings::hmac().table("[[rules]]\naction = \"perhaps\"");
    let ran = against(&faulty, &[line("/", &alice("allowed"))], &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.stdout.contains("rules[0].action"), "{}", ran.all());
    assert!(!ran.stdout.contains("recorded requests"), "{}", ran.all());
}

// ── Sample tokens ───────────────────────────────────────────────────────────────────────────────────────────────────

fn sample(settings: &Settings, token: &str) -> Ran {
    check(settings, "--token", format!("{token}\n").as_bytes(), &[])
}

/// The token would give these header lines, among others.
#[track_caller]
fn gives(settings: &Settings, changes: &Value, lines: &[&str]) {
    let token = tokens::with(changes);
    let ran = sample(settings, &token);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    for line in lines {
        let line = format!("  {line}");
        assert!(
            ran.stdout.lines().any(|printed| printed == line),
            "no {line} in:\n{}",
            ran.all()
        );
    }
    holds_nothing_of(&ran.all(), &token);
}

#[test]
fn a_token_shows_what_each_transform_makes_of_it() {
    let settings = Settings::hmac().table(
        r#"
        [identity.headers]
        X-User = "username"
        X-Team = "team"
        X-Name = "full"
        X-Roles = "roles"
        X-Groups = "groups"
        [identity.fields.team]
        claim = ["team", "org.unit"]
        lowercase = true
        map = { eng = "engineering" }
        [identity.fields.full]
        template = "{given_name} {family_name}"
        [identity.fields.roles]
        claim = ["realm_access.roles", "resource_access.app.roles"]
        merge = true
        capture = "role:(.+)"
        format = "json"
        [identity.fields.groups]
        only_prefix = "o"
        "#,
    );
    gives(
        &settings,
        &json!({
            "team": "ENG", "given_name": "Ada", "family_name": "L",
            "realm_access": {"roles": ["role:a", "other"]},
            "resource_access": {"app": {"roles": ["role:b", "role:a"]}},
        }),
        &[
            "X-User: alice",
            "X-Team: engineering",
            "X-Name: Ada L",
            r#"X-Roles: ["a","b"]"#,
            "X-Groups: ops",
        ],
    );
    gives(
        &settings,
        &json!({"org": {"unit": "Ops"}}),
        &["X-Team: ops", "X-Name: "],
    );
}

#[test]
fn signature_time_and_audience_of_a_sample_are_not_asked_for_and_rules_neither() {
    let deny = Settings::hmac().table("[[rules]]\naction = \"deny\"");
    for token in [
        tokens::expired(),
        tokens::forged(),
        tokens::unsigned(),
        tokens::wrong_audience(),
    ] {
        let ran = sample(&deny, &token);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(
            ran.stdout.contains("  X-Auth-User: alice\n"),
            "{}",
            ran.all()
        );
        assert!(ran.stdout.contains("not asked for"), "{}", ran.all());
        holds_nothing_of(&ran.all(), &token);
    }
}

#[test]
fn a_sample_may_come_by_standard_input() {
    let folder = Settings::hmac().write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let ran = run(
        &["check", "--config", config, "--token", "-"],
        &tokens::good(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stdout.contains("X-Auth-User: alice"), "{}", ran.all());
}

#[test]
fn a_token_without_an_identity_is_told_why_with_exit_code_1() {
    let blocked = Settings::hmac().table("[access]\nblocked_users = \"alice\"");
    for (settings, changes, reason) in [
        (
            Settings::hmac(),
            json!({"username": null}),
            "identity.username",
        ),
        (
            Settings::hmac(),
            json!({"username": 7}),
            "identity.username",
        ),
        (
            Settings::hmac(),
            json!({"email": {"a": 1}}),
            "identity.invalid",
        ),
        (
            Settings::hmac(),
            json!({"groups": null, "hasgroups": true}),
            "identity.group_overage",
        ),
        (blocked, json!({}), "access.blocked"),
    ] {
        let token = tokens::with(&changes);
        let ran = sample(&settings, &token);
        assert_eq!(ran.code, Some(1), "{changes}: {}", ran.all());
        assert!(ran.stdout.contains(reason), "{changes}: {}", ran.all());
        assert!(ran.stdout.contains("hint:"), "{}", ran.all());
        holds_nothing_of(&ran.all(), &token);
    }
}

#[test]
fn a_sample_that_cannot_be_read_is_exit_code_2() {
    let payload = tokens::encode("[]");
    for text in [
        String::new(),
        "no token".to_owned(),
        "a.b".to_owned(),
        "a.b.c.d".to_owned(),
        format!("{payload}.{payload}.x"),
    ] {
        let ran = sample(&Settings::hmac(), &text);
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{text}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

#[test]
fn a_sample_of_one_of_several_issuers_is_read_as_that_issuer_s() {
    let settings = Settings::empty().table(&format!(
        "[issuers.staff]\nissuer = \"https://staff.example\"\nsecret = \"{0}\"\naudience = \"a\"\n\
         [issuers.partner]\nissuer = \"https://partner.example\"\nsecret = \"{0}\"\naudience = \"b\"\n\
         username_claim = \"email\"",
        tokens::SECRET
    ));
    for (name, user) in [("staff", "alice"), ("partner", "alice@example.com")] {
        let ran = sample(&settings, &of_issuer(name));
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let line = format!("  X-Auth-User: {user}\n");
        assert!(ran.stdout.contains(&line), "{}", ran.all());
    }
    for token in [of_issuer("nobody"), tokens::good()] {
        let ran = sample(&settings, &token);
        assert_eq!(ran.code, Some(1), "{}", ran.all());
        assert!(ran.stdout.contains("token.issuer"), "{}", ran.all());
    }
}

#[test]
fn with_json_nothing_but_json_is_printed() {
    let settings = with_rules().file("token.txt", tokens::good());
    let folder = settings
        .file("requests.jsonl", line("/api/x", &alice("allowed")))
        .write();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (config, token) = (at("jwtgate.toml"), at("token.txt"));
    let requests = at("requests.jsonl");
    let start = ["check", "--config", &config, "--json", "--token", &token];
    let ran = run(&[&start[..], &["--against", &requests]].concat(), "");
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let told: Result<Value, _> = serde_json::from_str(&ran.stdout);
    assert!(told.is_ok(), "{}", ran.all());
}
