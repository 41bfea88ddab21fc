//! `explain --live`, and `POST /explain` of the admin listener: what the running service would answer, and nothing that it counts.

use serde_json::{Value, json};

use crate::explained::{RULES, holds_nothing_of, of_issuer, two_issuers};
use crate::harness::judge::{fresh, metadata_of, publisher_for};
use crate::harness::process::{Ran, run};
use crate::harness::tokens::{rsa, second_rsa};
use crate::harness::{Gate, Request, Response, Settings, tokens};

const SHADOW: &str = "[[shadow_rules]]\naction = \"deny\"\npath_prefix = \"/news\"";

/// A gate whose admin listener can be found by its configuration.
fn start(settings: Settings) -> Gate {
    settings.admin("listen = \"unix:{dir}/admin.sock\"").start()
}

fn with_rules() -> Gate {
    start(Settings::with_sign_in().table(RULES).table(SHADOW))
}

fn explain(gate: &Gate, arguments: &[&str], token: &str) -> Ran {
    let config = gate.folder().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(
        &[&["explain", "--config", config], arguments].concat(),
        token,
    )
}

fn post(gate: &Gate, body: impl Into<Vec<u8>>) -> Response {
    Request::new("POST", "/explain")
        .body(body)
        .send(gate.admin())
}

/// What is counted, but for what the process itself needs.
fn counted(gate: &Gate) -> Vec<String> {
    let text = Request::get("/metrics").send(gate.admin()).text();
    let lines = text.lines().filter(|line| line.starts_with("jwtgate_"));
    lines
        .filter(|line| !line.contains("_seconds ") && !line.contains("_age_"))
        .map(str::to_owned)
        .collect()
}

/// The same with its conditions in one order, which each process chooses anew (see the finding in `explained`).
fn in_order(mut told: Value) -> Value {
    if let Some(conditions) = told["conditions"].as_array_mut() {
        conditions.sort_by_key(Value::to_string);
    }
    told
}

/// A request and its token; none where it is empty.
struct Asked {
    path: &'static str,
    method: &'static str,
    headers: &'static [(&'static str, &'static str)],
    source: Option<&'static str>,
    token: String,
}

impl Asked {
    fn get(path: &'static str, token: String) -> Self {
        Self {
            path,
            method: "GET",
            headers: &[],
            source: None,
            token,
        }
    }

    fn url(&self) -> String {
        format!("https://app.example.com{}", self.path)
    }

    fn body(&self) -> String {
        let mut body = json!({"url": self.url(), "method": self.method, "headers": self.headers});
        if let Some(source) = self.source {
            body["source"] = source.into();
        }
        if !self.token.is_empty() {
            body["token"] = self.token.clone().into();
        }
        body.to_string()
    }

    fn arguments(&self) -> Vec<String> {
        let mut all = vec!["--url".to_owned(), self.url()];
        all.extend(["--method".to_owned(), self.method.to_owned()]);
        for (name, value) in self.headers {
            all.extend(["--header".to_owned(), format!("{name}: {value}")]);
        }
        if let Some(source) = self.source {
            all.extend(["--source".to_owned(), source.to_owned()]);
        }
        if self.token.is_empty() {
            all.push("--no-token".to_owned());
        }
        all
    }

    /// Asks in the three ways, which must say the same, and tells how it went.
    #[track_caller]
    fn agree(&self, gate: &Gate) -> Value {
        let arguments = self.arguments();
        let of = |more: &str| {
            let mut all: Vec<_> = arguments.iter().map(String::as_str).collect();
            all.push(more);
            let ran = explain(gate, &all, &self.token);
            holds_nothing_of(&ran.all(), &self.token);
            let told: Value = serde_json::from_str(&ran.stdout)
                .unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
            let told = in_order(told);
            let code = i32::from(told["result"] != "allowed");
            assert_eq!(ran.code, Some(code), "{}", ran.all());
            told
        };
        let mut here = of("--json");
        let live = of("--live");
        let answer = post(gate, self.body());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        holds_nothing_of(&answer.text(), &self.token);
        assert_eq!(live, in_order(answer.json()));
        // What the token says is compared on the command line only.
        for name in ["found", "expected"] {
            here.as_object_mut().expect("an object").remove(name);
        }
        assert_eq!(here, live, "{}", self.path);
        live
    }
}

/// Some of everything.
fn requests() -> Vec<(Asked, &'static str)> {
    let senior = || tokens::with(&json!({"level": 3}));
    let get = Asked::get;
    let headers: &[_] = &[
        ("Origin", "https://other.example.com"),
        ("Access-Control-Request-Method", "PUT"),
    ];
    let preflight = Asked {
        method: "OPTIONS",
        headers,
        ..get("/api/x", String::new())
    };
    let office = Asked {
        source: Some("192.0.2.7"),
        ..get("/office", tokens::good())
    };
    let overage = tokens::with(&json!({"groups": null, "hasgroups": true}));
    vec![
        (get("/admin?x=1", senior()), "allowed"),
        (get("/admin", tokens::good()), "policy.requirement"),
        (get("/admin/backup", tokens::good()), "policy.denied"),
        (get("/admin/backup", tokens::forged()), "policy.denied"),
        (get("/nowhere", tokens::good()), "policy.no_rule"),
        (get("/a%2Fb", tokens::good()), "policy.ambiguous_path"),
        (
            get("/public/../api", tokens::good()),
            "policy.ambiguous_path",
        ),
        (get("/public", tokens::expired()), "allowed"),
        (get("/news", String::new()), "allowed"),
        (get("/news", tokens::forged()), "token.signature"),
        (get("/pay", tokens::good()), "policy.authentication"),
        (
            get("/orders/7", tokens::with(&json!({"scope": ""}))),
            "policy.scope",
        ),
        (get("/api", tokens::expired()), "token.expired"),
        (get("/api", tokens::unsigned()), "token.algorithm"),
        (get("/api", "no.token".to_owned()), "token.malformed"),
        (get("/api", String::new()), "token.missing"),
        (get("/admin", overage), "identity.group_overage"),
        (preflight, "allowed"),
        (office, "allowed"),
    ]
}

#[test]
fn the_command_the_service_and_the_command_that_asks_it_agree() {
    let gate = with_rules();
    for (asked, expected) in requests() {
        let told = asked.agree(&gate);
        let found = told["reason"].as_str().unwrap_or("allowed");
        assert_eq!(found, expected, "{}", asked.path);
    }
    let issuers = start(two_issuers());
    for (name, expected) in [
        ("staff", Value::Null),
        ("partner", "policy.denied".into()),
        ("nobody", "token.issuer".into()),
    ] {
        let told = Asked::get("/internal", of_issuer(name)).agree(&issuers);
        assert_eq!(told["reason"], expected, "{name}");
    }
}

#[test]
fn what_is_explained_is_what_is_answered() {
    let gate = with_rules();
    for (asked, expected) in requests() {
        let mut request = Request::get("/verify").original(asked.method, asked.path);
        for (name, value) in asked.headers {
            request = request.header(name, value);
        }
        if let Some(source) = asked.source {
            request = request.header("X-Forwarded-For", source);
        }
        if !asked.token.is_empty() {
            request = request.bearer(&asked.token);
        }
        let status = request.send(gate.main()).status;
        assert_eq!(status == 200, expected == "allowed", "{}", asked.path);
    }
}

#[test]
fn the_service_counts_logs_and_keeps_nothing_of_what_it_explains() {
    let gate = with_rules();
    let before = counted(&gate);
    assert!(!before.is_empty());
    let lines = gate.output().lines().count();
    let all = requests();
    for (asked, _) in &all {
        for _ in 0..2 {
            assert_eq!(post(&gate, asked.body()).status, 200);
        }
        explain(&gate, &["--live"], &asked.token);
    }
    assert_eq!(post(&gate, "{").status, 400);
    assert_eq!(counted(&gate), before);
    let output = gate.output();
    assert_eq!(output.lines().count(), lines, "{output}");
    for (asked, _) in &all {
        holds_nothing_of(&output, &asked.token);
    }
}

#[test]
fn a_token_alone_is_judged_without_rules() {
    let gate = with_rules();
    for (token, code, expected) in [
        (tokens::good(), 0, Value::Null),
        (tokens::expired(), 1, "token.expired".into()),
    ] {
        let ran = explain(&gate, &["--live"], &token);
        assert_eq!(ran.code, Some(code), "{}", ran.all());
        let answer = post(&gate, json!({ "token": token }).to_string()).json();
        let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(told, answer);
        assert_eq!((&told["reason"], &told["rules"]), (&expected, &json!([])));
    }
    let none = post(&gate, "{}");
    assert_eq!(
        (none.status, &none.json()["reason"]),
        (200, &"token.missing".into())
    );
}

#[test]
fn the_own_token_of_a_request_counts_where_none_stands_beside_it() {
    let gate = with_rules();
    let token = tokens::good();
    for (name, value, query) in [
        ("AUTHORIZATION", format!("Bearer {token}"), String::new()),
        ("cookie", format!("a=b; auth_token={token}"), String::new()),
        ("Accept", "*/*".to_owned(), format!("?auth_token={token}")),
    ] {
        let url = format!("https://app.example.com/api{query}");
        let body = json!({"url": url, "headers": [[name, value]]}).to_string();
        let answer = post(&gate, body);
        assert_eq!(answer.json()["result"], "allowed", "{name}");
        holds_nothing_of(&answer.text(), &token);
    }
}

#[test]
fn questions_that_cannot_be_understood_are_400_and_say_what_is_expected() {
    let gate = with_rules();
    let token = tokens::good();
    for body in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "7".to_owned(),
        "{} {}".to_owned(),
        "{\"url\":\"https://a/\",\"url\":\"https://b/\"}".to_owned(),
        "[".repeat(100_000),
        json!({"url": 7}).to_string(),
        json!({"url": "https://a/", "colour": 1}).to_string(),
        json!({"url": "https://a/", "Token": token}).to_string(),
        json!({"url": "https://a/", "headers": {"Authorization": token}}).to_string(),
        json!({"url": "https://a/", "headers": [["Authorization"]]}).to_string(),
        json!({"url": "https://a/", "source": "localhost"}).to_string(),
        json!({"url": "https://a/", "token": [token]}).to_string(),
        json!({"url": format!("ftp://a/?{token}")}).to_string(),
        json!({"url": "https://a b/"}).to_string(),
        json!({"url": "/path"}).to_string(),
    ] {
        let start = body.get(..body.len().min(80)).unwrap_or_default();
        let answer = post(&gate, body.as_str());
        assert_eq!(answer.status, 400, "{start}");
        let error = answer.json()["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(error.len() > 20, "{start}: {error}");
        holds_nothing_of(&answer.text(), &token);
    }
    assert_eq!(post(&gate, b"{\"url\":\"https://a/\xff\"}").status, 400);
    gate.assert_no_panic();
}

#[test]
fn a_question_for_a_method_that_is_none_is_400() {
    let gate = with_rules();
    for method in ["", "GE T", "GET\n"] {
        let body = json!({"url": "https://app.example.com/public", "method": method});
        assert_eq!(post(&gate, body.to_string()).status, 400, "{method:?}");
    }
}

#[test]
fn a_question_may_be_256_kib_long_and_no_byte_longer() {
    const LIMIT: usize = 256 * 1024;
    let gate = with_rules();
    let question = json!({"url": "https://app.example.com/public"}).to_string();
    let of_length = |length: usize| question.clone() + &" ".repeat(length - question.len());
    let chunked = |body: String| {
        let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let head = "POST /explain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut connection = crate::harness::Connection::open(gate.admin()).expect("it listens");
        connection.write((head.to_owned() + &body).as_bytes()).ok();
        connection.read_response("POST").expect("an answer").status
    };
    for (length, status) in [(LIMIT, 200), (LIMIT + 1, 400), (4 * LIMIT, 400)] {
        assert_eq!(post(&gate, of_length(length)).status, status, "{length}");
        assert_eq!(chunked(of_length(length)), status, "{length} in chunks");
    }
    assert_eq!(Request::get("/healthz").send(gate.admin()).status, 200);
}

#[test]
fn only_the_admin_listener_explains_and_only_what_is_posted() {
    let gate = with_rules();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let status = Request::new(method, "/explain").send(gate.admin()).status;
        assert!([404, 405].contains(&status), "{method}: {status}");
    }
    let body = json!({"url": "https://app.example.com/public"}).to_string();
    for method in ["GET", "POST"] {
        let answer = Request::new(method, "/explain")
            .body(body.as_str())
            .send(gate.main());
        assert_eq!(answer.status, 404, "{method}");
        assert!(!answer.text().contains("rules"), "{}", answer.text());
    }
    assert_eq!(post(&gate, body).status, 200);
}

#[test]
fn an_unknown_key_is_told_and_not_fetched() {
    let server = publisher_for("https://corp.example", &[rsa().jwk("k1")]);
    let gate = start(
        Settings::empty()
            .top("username_claim_field = \"sub\"\nexpected_audience = \"app\"")
            .table(&format!(
                "[issuers.corp]\nissuer = \"https://corp.example\"\ndiscovery_url = \"{}\"",
                metadata_of(&server)
            )),
    );
    let claims = fresh(&json!({"iss": "https://corp.example", "aud": "app", "sub": "alice"}));
    let good = Asked::get("/", rsa().sign_kid("RS256", "k1", &claims));
    let unknown = Asked::get("/", second_rsa().sign_kid("RS256", "k2", &claims));
    let verified = || {
        let request = Request::get("/verify").bearer(&good.token);
        (request.send(gate.main()).status == 200).then_some(())
    };
    let limit = std::time::Duration::from_secs(5);
    assert!(crate::harness::wait::until(limit, verified).is_some());
    let fetched = server.total();
    for _ in 0..3 {
        assert_eq!(post(&gate, good.body()).json()["result"], "allowed");
        let told = post(&gate, unknown.body()).json();
        assert_eq!(
            (&told["result"], &told["step"]),
            (&"denied".into(), &"key".into())
        );
    }
    assert_eq!(server.total(), fetched);
}

#[test]
fn a_service_that_cannot_be_asked_is_exit_code_2() {
    let settings = Settings::hmac();
    for admin in [
        "listen = []",
        "listen = \"off\"",
        "listen = \"unix:{dir}/nobody.sock\"",
        "listen = \"127.0.0.1:1\"",
    ] {
        let folder = settings.clone().admin(admin).write();
        let config = folder.path().join("jwtgate.toml");
        let config = config.to_str().expect("a path in UTF-8");
        let token = tokens::good();
        let ran = run(&["explain", "--config", config, "--live"], &token);
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{admin}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        holds_nothing_of(&ran.all(), &token);
    }
}
