//! Envoy's external authorization over gRPC: `[ext_authz]`.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

use envoy_types::ext_authz::v3::pb::CheckRequest;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::google::protobuf::value::Kind;
use serde_json::json;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::grpc::{Check, channel, client, run};
use crate::harness::{Gate, Request, Settings, tokens, wait};

const LISTEN: &str = "[ext_authz]\nlisten = \"127.0.0.1:0\"\n";

fn settings() -> Settings {
    Settings::with_sign_in().table(LISTEN)
}

fn gate() -> Gate {
    settings().start()
}

#[test]
fn a_good_token_passes_with_its_identity() {
    let gate = gate();
    let told = Check::get("/app?x=1").bearer(tokens::good()).send(&gate);
    assert_eq!((told.status(), told.code()), (200, Code::Ok));
    assert_eq!(
        told.headers(),
        [
            ("x-auth-email", "alice@example.com"),
            ("x-auth-groups", "dev,ops"),
            ("x-auth-user", "alice")
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(told.metadata(), None);
}

#[test]
fn s8_2_what_a_client_sent_for_an_identity_is_replaced_or_removed_in_every_spelling() {
    let gate = gate();
    let nameless = tokens::with(&json!({"email": null, "groups": null}));
    let told = Check::get("/app")
        .bearer(nameless)
        .header("x-auth-user", "root")
        .header("x-auth_user", "root")
        .header("x.auth.user", "root")
        .header("x-auth-groups", "root")
        .header("x-other", "stays")
        .send(&gate);
    assert_eq!(told.header("x-auth-user").as_deref(), Some("alice"));
    let removed = told.removed();
    for name in [
        "x_auth_user",
        "x-auth_user",
        "x.auth.user",
        "x_auth_email",
        "x_auth_groups",
        // Without a value here, and Envoy keeps no empty ones.
        "x-auth-email",
        "x-auth-groups",
    ] {
        assert!(removed.iter().any(|one| one == name), "{name}: {removed:?}");
    }
    for name in ["x-auth-user", "x-other", "authorization"] {
        assert!(
            !removed.iter().any(|one| one == name),
            "{name}: {removed:?}"
        );
    }
}

#[test]
fn a_name_that_is_its_own_alias_is_set_and_not_removed() {
    let identity = "[identity.headers]\nUsername = \"username\"\nremote_user = \"username\"";
    let gate = Settings::hmac().table(LISTEN).table(identity).start();
    let told = Check::get("/app").bearer(tokens::good()).send(&gate);
    assert_eq!(told.header("username").as_deref(), Some("alice"));
    assert_eq!(told.removed(), [""; 0]);
    let answer = Request::get("/ext-authz/app")
        .bearer(tokens::good())
        .send(gate.main());
    assert_eq!(answer.header("Username"), Some("alice"));
    assert_eq!(answer.header("X-Envoy-Auth-Headers-To-Remove"), Some(""));
}

#[test]
fn a_refusal_is_what_forward_auth_answers() {
    let gate = gate();
    let forged = tokens::forged();
    let http = |request: Request| {
        let request = request.forwarded("GET", "/a/b?x=1");
        request.send(gate.main())
    };
    let pairs = [
        (Check::get("/a/b?x=1"), Request::get("/forward-auth")),
        (
            Check::get("/a/b?x=1").page_load(),
            Request::get("/forward-auth").page_load(),
        ),
        (
            Check::get("/a/b?x=1").bearer(&forged),
            Request::get("/forward-auth").bearer(&forged),
        ),
        (
            Check::get("/a/b?x=1")
                .header("accept", "text/html")
                .bearer(tokens::with(&json!({"username": 7}))),
            Request::get("/forward-auth")
                .header("accept", "text/html")
                .bearer(tokens::with(&json!({"username": 7}))),
        ),
        (
            Check::get("/a/b?x=1").bearer("a").bearer("b"),
            Request::get("/forward-auth").bearer("a,Bearer b"),
        ),
    ];
    for (check, request) in pairs {
        let (told, answer) = (check.send(&gate), http(request));
        assert_eq!(told.status(), i32::from(answer.status), "{check:?}");
        assert_eq!(told.body(), answer.text(), "{check:?}");
        let mut expected = 0;
        for name in answer.names() {
            if matches!(name.as_str(), "date" | "content-length" | "connection") {
                continue;
            }
            expected += 1;
            assert_eq!(
                told.header(&name).as_deref(),
                answer.header(&name),
                "{name}"
            );
        }
        assert_eq!(told.headers().len(), expected, "{told:?}");
    }
}

#[test]
fn s10_1_only_the_attributes_say_what_was_asked_for() {
    let gate = settings()
        .table("[[rules]]\naction = \"deny\"\npath_prefix = \"/admin\"\n[[rules]]\naction = \"require\"\npath_prefix = \"/\"")
        .start();
    let forged = |check: Check| {
        check
            .bearer(tokens::good())
            .header("x-forwarded-uri", "/app")
            .header("x-original-uri", "/app")
            .header("x-original-url", "https://app.example.com/app")
            .header(":path", "/app")
    };
    assert_eq!(forged(Check::get("/admin")).send(&gate).status(), 403);
    assert_eq!(forged(Check::get("/app")).send(&gate).status(), 200);
    let page = Check::get("/a")
        .page_load()
        .header("x-forwarded-host", "evil.example.com")
        .header("x-forwarded-proto", "http");
    let location = page.send(&gate).header("location").expect("a redirect");
    assert!(
        location.ends_with("retpath=https%3A%2F%2Fapp.example.com%2Fa"),
        "{location}"
    );
}

#[test]
fn s10_1_only_trusted_proxies_may_ask() {
    let gate = Settings::hmac()
        .server("trusted_proxies = []")
        .table(LISTEN)
        .start();
    // Before anything that they say is read.
    let answer = run(async {
        let port = gate.listener("ext_authz").port();
        let channel = tonic::transport::Channel::from_shared(format!("http://127.0.0.1:{port}"));
        let channel = channel.expect("a URL").connect_lazy();
        let mut client = AuthorizationClient::new(channel);
        client
            .check(Check::get("/app").bearer(tokens::good()).message())
            .await
    });
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(gate.reason(1), "proxy.untrusted");
}

#[test]
fn s10_2_malformed_attributes_are_refused() {
    let gate = gate();
    let ask = |change: fn(
        &mut envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest,
    )| {
        Check::get("/app")
            .bearer(tokens::good())
            .but(change)
            .send(&gate)
            .status()
    };
    assert_eq!(ask(|http| http.path = String::new()), 400);
    assert_eq!(ask(|http| http.path = "app".to_owned()), 400);
    assert_eq!(ask(|http| http.path = "/a#b".to_owned()), 400);
    assert_eq!(ask(|http| http.path = "/a\nb".to_owned()), 400);
    assert_eq!(ask(|http| http.fragment = "b".to_owned()), 400);
    assert_eq!(ask(|http| http.method = "G T".to_owned()), 400);
    assert_eq!(ask(|http| http.host = "a b".to_owned()), 400);
    assert_eq!(ask(|http| http.scheme = "gopher".to_owned()), 400);
    assert_eq!(
        ask(|http| http.path = format!("/{}", "a".repeat(20_000))),
        431
    );
    assert_eq!(
        ask(|http| {
            http.headers.insert("a".to_owned(), "b".repeat(70_000));
        }),
        431
    );
    let two =
        |http: &mut envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest| {
            http.path = "/app?x=1".to_owned();
            http.query = "x=2".to_owned();
        };
    assert!((400..404).contains(&ask(two)));
    gate.assert_no_panic();
}

#[test]
fn a_check_of_nothing_is_an_error_and_no_pass() {
    let gate = gate();
    let answer = run(async { client(&gate).await.check(CheckRequest::default()).await });
    assert_eq!(
        answer.expect_err("no HTTP request in it").code(),
        Code::InvalidArgument
    );
}

#[test]
fn lines_that_envoy_sends_raw_are_read() {
    let gate = gate();
    let line = |value: String| HeaderValue {
        key: "authorization".to_owned(),
        raw_value: value.into_bytes(),
        ..HeaderValue::default()
    };
    let raw = |lines: Vec<HeaderValue>| {
        Check::get("/app").but(|http| {
            http.headers.clear();
            http.header_map = Some(HeaderMap { headers: lines });
        })
    };
    let good = line(format!("Bearer {}", tokens::good()));
    assert_eq!(raw(vec![good.clone()]).send(&gate).status(), 200);
    let other = line(format!("Bearer {}", tokens::good_for("bob")));
    assert_eq!(raw(vec![good, other]).send(&gate).status(), 400);
}

#[test]
fn the_token_may_stand_in_a_cookie_or_in_the_query() {
    let gate = gate();
    let token = tokens::good();
    let cookie = Check::get("/app").header("cookie", &format!("a=1; auth_token={token}"));
    assert_eq!(cookie.send(&gate).status(), 200);
    let query = Check::get(&format!("/app?auth_token={token}&x=1"));
    assert_eq!(query.send(&gate).status(), 200);
    let split = Check::get("/app").but(|http| http.query = format!("auth_token={token}"));
    assert_eq!(split.send(&gate).status(), 200);
}

#[test]
fn claims_go_along_as_metadata_with_their_types() {
    let gate = Settings::hmac()
        .table(LISTEN)
        .table("[ext_authz.metadata]\nuser = \"username\"\ntenant = \"org.id\"\nlevels = \"/levels\"\nadmin = \"admin\"\nnone = \"none\"")
        .start();
    let token =
        tokens::with(&json!({"org": {"id": 7}, "levels": ["a", {"b": 1.5}], "admin": true}));
    let metadata = Check::get("/app").bearer(token).send(&gate).metadata();
    let metadata = metadata.expect("metadata was asked for");
    let kind = |name: &str| metadata.get(name).and_then(|value| value.kind.clone());
    assert_eq!(kind("user"), Some(Kind::StringValue("alice".to_owned())));
    assert_eq!(kind("tenant"), Some(Kind::NumberValue(7.0)));
    assert_eq!(kind("admin"), Some(Kind::BoolValue(true)));
    assert!(matches!(kind("levels"), Some(Kind::ListValue(list)) if list.values.len() == 2));
    assert_eq!(kind("none"), None);
    let refused = Check::get("/app").send(&gate);
    assert_eq!(refused.metadata(), None);
}

#[test]
fn rules_see_the_client_that_envoy_saw() {
    let gate = Settings::hmac()
        .table(LISTEN)
        .table("[[rules]]\naction = \"require\"\nsource = [\"192.0.2.0/24\"]")
        .start();
    let ask = |check: Check| check.bearer(tokens::good()).send(&gate).status();
    assert_eq!(ask(Check::get("/").from("192.0.2.7")), 200);
    assert_eq!(ask(Check::get("/").from("198.51.100.7")), 403);
    // What a client claims of itself counts only behind a proxy that is trusted.
    let claimed =
        |from: &str, line: &str| ask(Check::get("/").from(from).header("x-forwarded-for", line));
    assert_eq!(claimed("198.51.100.7", "192.0.2.7"), 403);
    assert_eq!(claimed("127.0.0.1", "192.0.2.7"), 200);
    assert_eq!(claimed("127.0.0.1", "192.0.2.7,198.51.100.7"), 403);
}

#[test]
fn many_checks_on_one_connection_do_not_mix() {
    let gate = gate();
    let told = run(async {
        let client = client(&gate).await;
        let checks = (0..300).map(|index| {
            let mut client = client.clone();
            let good = index % 3 != 0;
            let name = format!("user-{index}");
            let token = if good {
                tokens::good_for(&name)
            } else {
                tokens::forged()
            };
            let message = Check::get("/app").bearer(token).message();
            async move {
                let answer = client.check(message).await;
                (
                    good,
                    name,
                    crate::harness::grpc::Told(answer.map(tonic::Response::into_inner)),
                )
            }
        });
        futures_util::future::join_all(checks).await
    });
    assert_eq!(told.len(), 300);
    for (good, name, told) in told {
        assert_eq!(told.status(), if good { 200 } else { 401 });
        if good {
            assert_eq!(told.header("x-auth-user"), Some(name));
        }
    }
    gate.assert_no_panic();
}

fn health(gate: &Gate, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = run(async { HealthClient::new(channel(gate).await).check(request).await });
    answer
        .expect("the health service answers")
        .into_inner()
        .status()
}

#[test]
fn the_health_service_says_whether_checks_can_be_answered() {
    let gate = gate();
    let name = "envoy.service.auth.v3.Authorization";
    let serves = |gate: &Gate, service| {
        let is_up = || (health(gate, service) == ServingStatus::Serving).then_some(());
        wait::until(Duration::from_secs(5), is_up).is_some()
    };
    assert!(serves(&gate, "") && serves(&gate, name));
    // Nobody listens there.
    let lacking = Settings::empty()
        .top("jwks_url = \"http://127.0.0.1:9/jwks\"\nexpected_audience = \"a\"")
        .table("[keys]\ndanger_allow_http = true")
        .table(LISTEN)
        .start();
    let is_down = || (health(&lacking, name) == ServingStatus::NotServing).then_some(());
    assert!(wait::until(Duration::from_secs(5), is_down).is_some());
}

#[test]
fn s18_1_checks_in_flight_are_answered_before_the_end() {
    let mut gate = gate();
    let told = run(async {
        let mut client = client(&gate).await;
        let before = client
            .check(Check::get("/app").bearer(tokens::good()).message())
            .await;
        gate.signal("TERM");
        before
    });
    assert!(told.is_ok());
    let ended = gate.wait_for_exit(Duration::from_secs(8)).expect("it ends");
    assert!(ended.success());
}

#[test]
fn an_address_that_another_listener_has_is_a_fault() {
    let exited = Settings::hmac()
        .listen("[\"127.0.0.1:18099\"]")
        .table("[ext_authz]\nlisten = \"127.0.0.1:18099\"")
        .try_start();
    let Err(exited) = exited else {
        panic!("it started");
    };
    assert!(
        exited.output.contains("ext_authz.listen"),
        "{}",
        exited.output
    );
}

#[test]
fn faults_of_the_metadata_are_told_together() {
    let exited = settings()
        .table("[ext_authz.metadata]\na = \"\"\nb = \"/~2\"\n\"\" = \"username\"")
        .try_start();
    let Err(exited) = exited else {
        panic!("it started");
    };
    for key in ["\"a\"", "\"b\"", "\"\""] {
        let key = format!("ext_authz.metadata.{key}");
        assert!(exited.output.contains(&key), "{key}: {}", exited.output);
    }
}

#[test]
fn s16_3_a_connection_that_never_says_what_it_wants_is_closed_and_one_that_waits_is_kept() {
    let gate = Settings::with_sign_in()
        .table("[ext_authz]\nlisten = \"127.0.0.1:0\"\nkeep_alive = \"1s\"")
        .start();
    let port = gate.listener("ext_authz").port();
    let mut silent = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    silent
        .set_read_timeout(Some(Duration::from_secs(8)))
        .expect("a timeout");
    let told = run(async {
        let mut client = client(&gate).await;
        let check = || Check::get("/app").bearer(tokens::good()).message();
        client.check(check()).await.expect("an answer");
        tokio::time::sleep(Duration::from_secs(5)).await;
        client.check(check()).await
    });
    assert!(told.is_ok(), "{told:?}");
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).expect("the end");
}

#[test]
fn s18_1_who_watches_the_health_is_told_of_the_end_and_does_not_delay_it() {
    let mut gate = settings().server("drain_timeout = \"60s\"").start();
    let name = "envoy.service.auth.v3.Authorization";
    let told = run(async {
        let request = HealthCheckRequest {
            service: name.to_owned(),
        };
        let mut client = HealthClient::new(channel(&gate).await);
        let mut watched = client
            .watch(request)
            .await
            .expect("it is told")
            .into_inner();
        let mut told = Vec::new();
        while let Some(health) = watched.message().await.expect("the stream ends well") {
            if told.is_empty() {
                gate.signal("TERM");
            }
            told.push(health.status());
        }
        told
    });
    assert_eq!(told.last(), Some(&ServingStatus::NotServing), "{told:?}");
    let ended = gate.wait_for_exit(Duration::from_secs(8)).expect("it ends");
    assert!(ended.success());
}
