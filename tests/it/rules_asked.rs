//! Whom rules ask for what: who signs in, with what, and what only counts.

use std::fs;

use serde_json::{Value, json};

use crate::harness::process::run;
use crate::harness::proxies::{Kind, Proxy};
use crate::harness::upstream::Upstream;
use crate::harness::{Gate, Request, Response, Settings, tokens};

fn page(gate: &Gate, path: &str, token: Option<&str>) -> Response {
    let request = Request::get("/forward-auth").forwarded("GET", path);
    with_token(request.page_load(), token).send(gate.main())
}

fn script(gate: &Gate, path: &str, token: Option<&str>) -> Response {
    let request = Request::get("/forward-auth").forwarded("GET", path);
    with_token(request, token).send(gate.main())
}

fn with_token(request: Request, token: Option<&str>) -> Request {
    match token {
        Some(token) => request.bearer(token),
        None => request,
    }
}

fn location(answer: &Response) -> &str {
    answer.header("Location").unwrap_or_default()
}

#[test]
fn shadow_rules_alone_count_against_what_holds_without_rules() {
    let gate = Settings::hmac()
        .table(
            r#"
            [[shadow_rules]]
            name = "open"
            action = "public"
            path = "/open"
            [[shadow_rules]]
            name = "staff"
            action = "require"
            path_prefix = "/staff"
            require = { groups = "staff" }
            "#,
        )
        .start();
    let alice = tokens::good();
    for (path, token, status) in [
        ("/open", None, 401),
        ("/open", Some(&alice), 200),
        ("/staff", Some(&alice), 200),
        ("/staff", None, 401),
        ("/else", Some(&alice), 200),
        ("/else", None, 401),
    ] {
        let answer = script(&gate, path, token.map(String::as_str));
        assert_eq!(answer.status, status, "{path}");
    }
    let metrics = Request::get("/metrics").send(gate.admin()).text();
    for line in [
        r#"jwtgate_shadow_differences_total{rule="open",would="allow"} 1"#,
        r#"jwtgate_shadow_differences_total{rule="staff",would="deny"} 1"#,
        // Nobody's rule: one that passes now, and a 401 that would be a 403.
        r#"jwtgate_shadow_differences_total{rule="-",would="deny"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn a_key_without_a_value_is_a_fault_wherever_it_stands_in_a_rule() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let start = format!("secret: {}\nexpected_audience: a\n", tokens::SECRET);
    let within = "rules:\n  - action: public\n    ";
    for (rules, key) in [
        (format!("{within}path_prefix:\n"), "rules[0].path_prefix"),
        (format!("{within}path: ~\n"), "rules[0].path"),
        (format!("{within}host: null\n"), "rules[0].host"),
        (format!("{within}method:\n"), "rules[0].method"),
        (format!("{within}source:\n"), "rules[0].source"),
        (format!("{within}preflight:\n"), "rules[0].preflight"),
        (format!("{within}require:\n"), "rules[0].require"),
        (
            format!("{within}require: {{groups: }}\n"),
            "rules[0].require.groups",
        ),
        ("rules:\n".to_owned(), "rules"),
        (
            "access:\n  allowed_users:\n".to_owned(),
            "access.allowed_users",
        ),
    ] {
        // A template that left the value empty must not open the rule for everything.
        let file = folder.path().join("jwtgate.yaml");
        fs::write(&file, [start.as_str(), &rules].concat()).expect("the folder is ours");
        let path = file.to_str().expect("a path in UTF-8");
        let ran = run(&["check", "--config", path], "");
        assert_ne!(ran.code, Some(0), "{rules}");
        let told = ran.all();
        assert!(
            told.contains(key) && told.contains("a key without a value"),
            "{rules}: {told}"
        );
    }
}

const OPEN: &str = r#"
    [[rules]]
    action = "public"
    path_prefix = "/public"
    [[rules]]
    action = "optional"
    path_prefix = "/optional"
    [[rules]]
    action = "require"
    path_prefix = "/"
"#;

#[test]
fn a_link_to_sign_in_from_a_page_for_everybody_leads_to_sign_in_and_back() {
    sign_in_leads_there_and_back(|path| {
        Request::get(format!("/sign-in?rd={path}")).host("app.example.com")
    });
}

#[test]
fn sign_in_for_a_described_page_for_everybody_leads_to_sign_in_and_back() {
    sign_in_leads_there_and_back(|path| Request::get("/sign-in").original("GET", path));
}

#[test]
fn a_link_to_sign_in_is_judged_as_the_get_that_follows_it() {
    let rule = "[[rules]]\naction = \"require\"\nmethod = [\"GET\", \"HEAD\"]\n";
    let gate = Settings::with_sign_in().table(rule).start();
    let known = Request::get("/sign-in?rd=/app").host("app.example.com");
    let known = known.page_load().bearer(tokens::good()).send(gate.main());
    let back = "https://app.example.com/app";
    assert_eq!((known.status, location(&known)), (302, back));
}

#[track_caller]
fn sign_in_leads_there_and_back(ask: fn(&str) -> Request) {
    let gate = Settings::with_sign_in().table(OPEN).start();
    for path in ["/public/x", "/optional", "/app"] {
        let unknown = ask(path).page_load().send(gate.main());
        let back = format!("https://app.example.com{path}");
        let query: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        let sign_in = format!("https://auth.example.com/login?retpath={query}");
        assert_eq!((unknown.status, location(&unknown)), (302, &*sign_in));
        // Whoever comes with a bad token is not known either.
        let expired = ask(path).page_load().bearer(tokens::expired());
        let expired = expired.send(gate.main());
        assert_eq!((expired.status, location(&expired)), (302, &*sign_in));
        let known = ask(path).page_load().bearer(tokens::good());
        let known = known.send(gate.main());
        assert_eq!((known.status, location(&known)), (302, &*back));
    }
}

#[test]
fn a_rule_about_the_sign_in_takes_the_place_of_the_same_parameters_of_the_sign_in_page() {
    let settings = Settings::hmac().top(
        "cookie_name = \"auth_token\"\n\
         auth_url = \"https://auth.example.com/login?max_age=9999&theme=dark&acr_values=low\"\n\
         public_url = \"https://app.example.com\"\n\
         return_hosts = [\"app.example.com\"]",
    );
    let gate = settings
        .table(
            r#"
            [[rules]]
            action = "require"
            path_prefix = "/pay"
            acr = ["high", "higher"]
            max_age = "5m"
            [[rules]]
            action = "require"
            path_prefix = "/"
            "#,
        )
        .start();
    let parameters = |path: &str, token: Option<&str>| -> Vec<(String, String)> {
        let answer = page(&gate, path, token);
        assert_eq!(answer.status, 302, "{path}");
        let url = url::Url::parse(location(&answer)).expect("a URL");
        let pairs = url.query_pairs().into_owned();
        let mut pairs: Vec<_> = pairs.filter(|(name, _)| name != "retpath").collect();
        pairs.sort();
        pairs
    };
    let pairs = |acr: &str, age: &str| {
        [("acr_values", acr), ("max_age", age), ("theme", "dark")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    // At the first sign-in already: nobody shall have to sign in twice.
    assert_eq!(parameters("/pay", None), pairs("high higher", "300"));
    let weak = tokens::with(&json!({"acr": "low", "auth_time": tokens::now()}));
    assert_eq!(parameters("/pay", Some(&weak)), pairs("high higher", "300"));
    assert_eq!(parameters("/", None), pairs("low", "9999"));
}

#[test]
fn a_preflight_passes_the_shipped_nginx_by_a_rule_and_nothing_that_only_looks_like_one() {
    let gate = Settings::hmac()
        .table(
            r#"
            [[rules]]
            action = "public"
            preflight = true
            path_prefix = "/api"
            [[rules]]
            action = "require"
            path_prefix = "/"
            "#,
        )
        .start();
    let app = Upstream::start();
    let Some(nginx) = Proxy::start(Kind::Nginx, gate.main(), app.port()) else {
        return;
    };
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let request = Request::new(method, path).host("app.example.com");
        let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
        let answer = headers.iter().fold(request, add).send(nginx.address());
        (answer.status, app.served())
    };
    let origin = ("Origin", "https://other.example.com");
    let asks = ("Access-Control-Request-Method", "PUT");
    assert_eq!(ask("OPTIONS", "/api/x", &[origin, asks]), (200, 1));
    for (method, path, headers) in [
        ("OPTIONS", "/else", &[origin, asks][..]),
        ("GET", "/api/x", &[origin, asks]),
        ("OPTIONS", "/api/x", &[origin]),
        ("OPTIONS", "/api/x", &[asks]),
        ("OPTIONS", "/api/x", &[("Origin", ""), asks]),
        (
            "OPTIONS",
            "/api/x",
            &[origin, ("Access-Control-Request-Method", "")],
        ),
        (
            "GET",
            "/api/x",
            &[origin, asks, ("X-Original-Method", "OPTIONS")],
        ),
    ] {
        let (status, served) = ask(method, path, headers);
        assert_eq!((status, served), (401, 1), "{method} {path} {headers:?}");
    }
}

#[test]
fn a_claim_of_another_type_is_neither_what_is_wanted_nor_known_not_to_be() {
    let rule = |require: &str| {
        let rule = format!("[[rules]]\naction = \"require\"\nrequire = {require}");
        Settings::hmac().table(&rule).start()
    };
    let status = |gate: &Gate, level: &Value| {
        let token = tokens::with(&json!({ "level": level }));
        script(gate, "/", Some(&token)).status
    };
    let same = [
        (json!(1), (200, 403)),
        (json!(2), (403, 200)),
        // Not there: known not to be 1.
        (Value::Null, (403, 200)),
        // An issuer that writes numbers as texts must not let in whom `not` keeps out.
        (json!("1"), (403, 403)),
        (json!(true), (403, 403)),
        (json!({"is": 1}), (403, 403)),
        (json!([2, "1"]), (403, 403)),
    ];
    for (operator, of_lists) in [
        // A list is another type than a number, but for `contains`.
        (
            "equals = 1",
            [(json!([2, 1]), (403, 403)), (json!([2]), (403, 403))],
        ),
        (
            "contains = [1]",
            [(json!([2, 1]), (200, 403)), (json!([2]), (403, 200))],
        ),
    ] {
        let test = format!("{{ claims = [{{ claim = \"level\", {operator} }}] }}");
        let (is, is_not) = (rule(&test), rule(&format!("{{ not = {test} }}")));
        for (level, expected) in same.iter().chain(&of_lists) {
            let found = (status(&is, level), status(&is_not, level));
            assert_eq!(found, *expected, "{operator} {level}");
        }
    }
}

#[test]
fn a_rule_for_an_issuer_asks_whoever_has_no_token_for_one() {
    let issuer = |name: &str| {
        format!(
            "[issuers.{name}]\nissuer = \"https://{name}.example\"\nsecret = \"{}\"\naudience = \"{}\"\n",
            tokens::SECRET,
            tokens::AUDIENCE
        )
    };
    let gate = Settings::empty()
        .top("cookie_name = \"auth_token\"\nauth_url = \"https://auth.example.com/login\"")
        .top("public_url = \"https://app.example.com\"\nreturn_hosts = [\"app.example.com\"]")
        .table(&issuer("staff"))
        .table(&issuer("partner"))
        .table("[[rules]]\naction = \"require\"\nissuer = \"staff\"\npath_prefix = \"/staff\"")
        .start();
    let of = |name: &str| tokens::with(&json!({ "iss": format!("https://{name}.example") }));
    let expired = tokens::with(&json!({"iss": "https://staff.example", "exp": 1}));
    assert_eq!(script(&gate, "/staff", Some(&of("staff"))).status, 200);
    assert_eq!(script(&gate, "/staff", Some(&of("partner"))).status, 403);
    for token in [None, Some(expired.as_str())] {
        assert_eq!(script(&gate, "/staff", token).status, 401);
        let sent = page(&gate, "/staff", token);
        assert_eq!(sent.status, 302);
        assert!(location(&sent).starts_with("https://auth.example.com/login?"));
    }
}

#[test]
fn groups_that_stand_elsewhere_are_no_list_and_refuse_wherever_somebody_asks_for_groups() {
    let overage = json!({"groups": null, "hasgroups": true});
    let headers = "[identity]\nheaders = { X-Auth-User = \"username\" }\n";
    let status = |tables: &str| {
        let gate = Settings::hmac().table(&[headers, tables].concat()).start();
        script(&gate, "/", Some(&tokens::with(&overage))).status
    };
    assert_eq!(status(""), 200);
    // A rule that only counts asks, and refuses nobody.
    let shadow = "[[shadow_rules]]\naction = \"require\"\nrequire = { groups = \"x\" }\n";
    assert_eq!(status(shadow), 200);
    for tables in [
        "[access]\nblocked_groups = \"x\"\n",
        "[[rules]]\naction = \"require\"\nrequire = { any = [{ groups = \"x\" }, { users = \"alice\" }] }\n",
        "[[rules]]\naction = \"require\"\nrequire = { not = { claims = [{ claim = \"groups\", contains = [\"x\"] }] } }\n",
    ] {
        assert_eq!(status(tables), 403, "{tables}");
    }
    let gate = Settings::hmac()
        .table("[identity]\ngroup_overage = \"ignore\"")
        .start();
    let info = |token: String| {
        let answer = Request::get("/userinfo").bearer(token).send(gate.main());
        answer.json()["groups"].clone()
    };
    assert_eq!(info(tokens::with(&overage)), Value::Null);
    assert_eq!(info(tokens::with(&json!({"groups": null}))), json!([]));
}
