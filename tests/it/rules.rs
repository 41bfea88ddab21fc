//! `[[rules]]`: who may pass where.

use serde_json::{Value, json};

use crate::harness::{Gate, Request, Response, Settings, tokens};

/// The check of a request for this URL (host and path) with this token, if any.
fn ask(gate: &Gate, method: &str, url: &str, token: Option<&str>) -> Response {
    let (host, path) = url.split_at(url.find('/').expect("a path"));
    let mut request = Request::get("/forward-auth")
        .header("X-Forwarded-Method", method)
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", host)
        .header("X-Forwarded-Uri", path);
    if let Some(token) = token {
        request = request.bearer(token);
    }
    request.send(gate.main())
}

#[track_caller]
fn status(gate: &Gate, url: &str, token: Option<&str>, expected: u16) -> Response {
    let answer = ask(gate, "GET", url, token);
    assert_eq!(answer.status, expected, "{url}");
    answer
}

fn with(changes: &Value) -> String {
    tokens::with(changes)
}

#[test]
fn the_first_rule_that_fits_decides_and_what_none_fits_is_denied() {
    let gate = Settings::hmac()
        .table(
            r#"
            [[rules]]
            name = "no backup"
            action = "deny"
            path_prefix = "/admin/backup"
            [[rules]]
            action = "require"
            path_prefix = "/admin"
            require = { groups = ["admins"] }
            [[rules]]
            action = "require"
            host = ["app.example.com", "*.apps.example.com"]
            path_glob = "/files/**"
            method = ["GET", "HEAD"]
            [[rules]]
            action = "public"
            path = "/health"
            "#,
        )
        .start();
    let (alice, admin) = (tokens::good(), with(&json!({"groups": ["admins"]})));
    status(&gate, "a.example/admin/backup/x", Some(&admin), 403);
    status(&gate, "a.example/admin", Some(&admin), 200);
    status(&gate, "a.example/admin/users", Some(&alice), 403);
    status(&gate, "a.example/administrator", Some(&admin), 403);
    status(&gate, "APP.example.com:443/files/a", Some(&alice), 200);
    status(&gate, "x.y.apps.example.com./files/a/b", Some(&alice), 200);
    status(&gate, "apps.example.com/files/a", Some(&alice), 403);
    status(&gate, "evilapps.example.com/files/a", Some(&alice), 403);
    status(&gate, "app.example.com/files", Some(&alice), 403);
    let posted = ask(&gate, "POST", "app.example.com/files/a", Some(&alice));
    assert_eq!(posted.status, 403);
    status(&gate, "any/health", None, 200);
    status(&gate, "any/health/", None, 200);
    status(&gate, "any/health/x", None, 403);
    status(&gate, "any/", None, 403);
    status(&gate, "any/admin", None, 401);
    let reasons: Vec<_> = gate
        .refusals(10)
        .iter()
        .map(|record| {
            let field = |name| crate::harness::process::text(record, name);
            (field("reason.code"), field("rule.name"))
        })
        .collect();
    let told = |index: usize| (reasons[index].0.as_str(), reasons[index].1.as_str());
    assert_eq!(told(0), ("policy.denied", "no backup"));
    assert_eq!(told(1), ("policy.requirement", "rules[1]"));
    assert_eq!(told(2), ("policy.no_rule", "-"));
    assert_eq!(told(9), ("token.missing", "rules[1]"));
}

#[test]
fn without_a_rule_every_good_token_passes_and_no_other() {
    let gate = Settings::hmac().start();
    status(&gate, "a.example/x%2fy", Some(&tokens::good()), 200);
    status(&gate, "a.example/", None, 401);
}

#[test]
fn public_and_optional_rules_differ_in_what_a_bad_token_does() {
    let gate = Settings::with_sign_in()
        .table(
            r#"
            [[rules]]
            action = "public"
            path_prefix = "/public"
            [[rules]]
            action = "optional"
            path_prefix = "/optional"
            require = { users = ["alice"] }
            "#,
        )
        .start();
    for path in ["/public", "/optional"] {
        let url = format!("app.example.com{path}");
        let nobody = status(&gate, &url, None, 200);
        assert_eq!(nobody.header("X-Auth-User"), Some(""));
        assert_eq!(nobody.values("X-Auth-Groups"), [""]);
        let alice = status(&gate, &url, Some(&tokens::good()), 200);
        assert_eq!(alice.header("X-Auth-User"), Some("alice"));
    }
    for token in [tokens::expired(), tokens::forged(), "garbage".to_owned()] {
        let public = status(&gate, "app.example.com/public", Some(&token), 200);
        assert_eq!(public.header("X-Auth-User"), Some(""));
        let optional = status(&gate, "app.example.com/optional", Some(&token), 401);
        assert_eq!(optional.header("X-Auth-User"), None);
    }
    let bob = tokens::good_for("bob");
    status(&gate, "app.example.com/optional", Some(&bob), 403);
    let known = status(&gate, "app.example.com/public", Some(&bob), 200);
    assert_eq!(known.header("X-Auth-User"), Some("bob"));
}

#[test]
fn s9_6_a_preflight_passes_by_a_rule_only_and_never_with_an_identity() {
    let tables = r#"
        [[rules]]
        action = "public"
        preflight = true
        host = "api.example.com"
        [[rules]]
        action = "require"
        "#;
    let gate = Settings::hmac().table(tables).start();
    let preflight = |host: &str, method: &str, has_headers: bool| {
        let mut request = Request::get("/forward-auth")
            .header("X-Forwarded-Method", method)
            .header("X-Forwarded-Host", host)
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Uri", "/x");
        if has_headers {
            request = request
                .header("Origin", "https://app.example.com")
                .header("Access-Control-Request-Method", "PUT");
        }
        request
    };
    let passed = preflight("api.example.com", "OPTIONS", true)
        .bearer(tokens::good())
        .send(gate.main());
    assert_eq!(
        (passed.status, passed.header("X-Auth-User")),
        (200, Some(""))
    );
    for request in [
        preflight("api.example.com", "OPTIONS", false),
        preflight("api.example.com", "GET", true),
        preflight("other.example.com", "OPTIONS", true),
    ] {
        assert_eq!(request.send(gate.main()).status, 401);
    }
    let gate = Settings::hmac().start();
    let answer = preflight("api.example.com", "OPTIONS", true).send(gate.main());
    assert_eq!(answer.status, 401);
}

#[test]
fn a_missing_scope_is_403_insufficient_scope_and_a_missing_group_a_plain_403() {
    let gate = Settings::hmac()
        .table(
            r#"
            [[rules]]
            action = "require"
            require = { groups = ["staff"], scopes = ["read", "write"] }
            "#,
        )
        .start();
    let ask = |changes: Value| status_of(&gate, &changes);
    let (status, challenge) = ask(json!({"groups": ["staff"], "scope": "read"}));
    assert_eq!(status, 403);
    assert!(
        challenge
            .unwrap()
            .ends_with(r#"error="insufficient_scope""#)
    );
    assert_eq!(
        ask(json!({"groups": ["others"], "scope": "read write"})),
        (403, None)
    );
    for scopes in [
        json!({"scope": "write x read"}),
        json!({"scope": ["read", "write"]}),
        json!({"scp": ["write", "read"]}),
        json!({"scp": "read write"}),
    ] {
        let mut changes = scopes;
        changes["groups"] = json!(["staff"]);
        assert_eq!(ask(changes.clone()).0, 200, "{changes}");
    }
}

fn status_of(gate: &Gate, changes: &Value) -> (u16, Option<String>) {
    let answer = ask(gate, "GET", "a.example/", Some(&with(changes)));
    let challenge = answer.header("WWW-Authenticate").map(str::to_owned);
    (answer.status, challenge)
}

#[test]
fn who_has_not_signed_in_strongly_or_recently_enough_is_asked_to_do_so_again() {
    let gate = Settings::with_sign_in()
        .table(
            r#"
            [[rules]]
            action = "require"
            path_prefix = "/pay"
            acr = ["urn:mfa", "urn:hwk"]
            max_age = "5m"
            [[rules]]
            action = "require"
            "#,
        )
        .start();
    let now = tokens::now();
    let good = json!({"acr": "urn:hwk", "auth_time": now - 200});
    status(&gate, "app.example.com/pay", Some(&with(&good)), 200);
    for claims in [
        json!({"acr": "urn:pwd", "auth_time": now - 200}),
        json!({"acr": "urn:hwk", "auth_time": now - 600}),
        json!({"acr": "urn:hwk"}),
        json!({"auth_time": now}),
        json!({"acr": ["urn:hwk"], "auth_time": "soon"}),
        json!({"acr": "urn:hwk", "auth_time": now + 600}),
    ] {
        let token = with(&claims);
        status(&gate, "app.example.com/", Some(&token), 200);
        let answer = status(&gate, "app.example.com/pay", Some(&token), 401);
        let challenge = answer.header("WWW-Authenticate").unwrap();
        assert_eq!(
            challenge,
            r#"Bearer realm="jwtgate", error="insufficient_user_authentication", acr_values="urn:mfa urn:hwk", max_age="300""#
        );
        let page = Request::get("/forward-auth")
            .page_load()
            .forwarded("GET", "/pay?x=1")
            .bearer(&token)
            .send(gate.main());
        assert_eq!(page.status, 302, "{claims}");
        assert_eq!(
            page.header("Location").unwrap(),
            "https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fpay%3Fx%3D1&acr_values=urn%3Amfa+urn%3Ahwk&max_age=300"
        );
    }
}

#[test]
fn the_source_address_is_what_the_outermost_trusted_proxy_saw() {
    let gate = Settings::hmac()
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.1.0.0/16\"]")
        .table(
            r#"
            [[rules]]
            action = "deny"
            source = "192.0.2.66"
            path = "/x"
            [[rules]]
            action = "public"
            source = ["192.0.2.0/24", "2001:db8::/32"]
            path = "/x"
            "#,
        )
        .start();
    let from = |chain: &[&str]| {
        let mut request = Request::get("/forward-auth").forwarded("GET", "/x");
        for line in chain {
            request = request.header("X-Forwarded-For", line);
        }
        request.send(gate.main()).status
    };
    for chain in [
        vec!["192.0.2.7"],
        vec!["192.0.2.7, 10.1.2.3"],
        vec!["evil, 192.0.2.7:4711, 10.1.2.3"],
        vec!["192.0.2.66", "192.0.2.7"],
        vec!["2001:db8::7"],
        vec!["[2001:db8::7]:80"],
        vec!["::ffff:192.0.2.7"],
    ] {
        assert_eq!(from(&chain), 200, "{chain:?}");
    }
    for chain in [
        vec![],
        vec!["192.0.2.66"],
        vec!["192.0.2.7, 198.51.100.1"],
        vec!["192.0.2.7, nobody"],
        vec!["192.0.2.7, "],
        vec!["192.0.2.7", "198.51.100.1"],
        vec!["127.0.0.1"],
    ] {
        assert_eq!(from(&chain), 403, "{chain:?}");
    }
}

#[test]
fn rules_for_an_issuer_are_for_its_tokens_only() {
    let gate = Settings::empty()
        .table(&format!(
            r#"
            [issuers.staff]
            issuer = "https://staff.example"
            secret = "{secret}"
            audience = "{audience}"
            [issuers.partner]
            issuer = "https://partner.example"
            secret = "{secret}"
            audience = "{audience}"
            [[rules]]
            action = "deny"
            issuer = "partner"
            path_prefix = "/internal"
            [[rules]]
            action = "require"
            "#,
            secret = tokens::SECRET,
            audience = tokens::AUDIENCE
        ))
        .start();
    let staff = with(&json!({"iss": "https://staff.example"}));
    let partner = with(&json!({"iss": "https://partner.example"}));
    status(&gate, "a.example/internal", Some(&staff), 200);
    status(&gate, "a.example/internal", Some(&partner), 403);
    status(&gate, "a.example/", Some(&partner), 200);
    status(&gate, "a.example/internal", None, 401);
}

#[test]
fn shadow_rules_change_no_answer_and_are_counted_where_they_differ() {
    let gate = Settings::hmac()
        .table(
            r#"
            [[rules]]
            action = "require"
            [[shadow_rules]]
            name = "staff only"
            action = "require"
            path_prefix = "/a"
            require = { groups = ["staff"] }
            "#,
        )
        .start();
    let (alice, staff) = (tokens::good(), with(&json!({"groups": ["staff"]})));
    status(&gate, "a.example/a", Some(&alice), 200);
    status(&gate, "a.example/a", Some(&staff), 200);
    status(&gate, "a.example/b", Some(&staff), 200);
    status(&gate, "a.example/b", None, 401);
    let metrics = Request::get("/metrics").send(gate.admin()).text();
    for line in [
        r#"jwtgate_shadow_differences_total{rule="staff only",would="deny"} 1"#,
        // One that passes and would not, and a 401 that would be a 403.
        r#"jwtgate_shadow_differences_total{rule="-",would="deny"} 2"#,
        r#"jwtgate_rule_decisions_total{rule="rules[0]",result="allow"} 3"#,
        r#"jwtgate_rule_decisions_total{rule="rules[0]",result="deny"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    // The refusal is logged after the difference.
    gate.refusals(1);
    assert_eq!(gate.records("the shadow rules differ").len(), 3);
}

#[test]
fn sign_in_asks_the_rules_of_the_place_to_go_to_and_userinfo_asks_none() {
    let gate = Settings::with_sign_in()
        .table(
            r#"
            [[rules]]
            action = "require"
            path_prefix = "/staff"
            require = { groups = ["staff"] }
            [[rules]]
            action = "require"
            path_prefix = "/app"
            "#,
        )
        .start();
    let sign_in = |target: &str, token: Option<String>| {
        let mut request = Request::get(target).page_load().host("app.example.com");
        if let Some(token) = token {
            request = request.bearer(token);
        }
        let answer = request.send(gate.main());
        (answer.status, answer.header("Location").map(str::to_owned))
    };
    let alice = || Some(tokens::good());
    let place = |path: &str| Some(format!("https://app.example.com{path}"));
    assert_eq!(
        sign_in("/sign-in?rd=/app/x", alice()),
        (302, place("/app/x"))
    );
    assert_eq!(sign_in("/sign-in?rd=/staff", alice()), (403, None));
    assert_eq!(sign_in("/sign-in?rd=/app/../staff", alice()), (403, None));
    assert_eq!(sign_in("/sign-in?rd=/elsewhere", alice()), (403, None));
    assert_eq!(sign_in("/sign-in", alice()), (302, place("/")));
    let (status, location) = sign_in("/sign-in?rd=/app", None);
    assert_eq!(status, 302);
    assert!(
        location
            .unwrap()
            .starts_with("https://auth.example.com/login?")
    );
    let info = Request::get("/userinfo")
        .bearer(tokens::good())
        .send(gate.main());
    assert_eq!(
        (info.status, info.json()["username"].as_str()),
        (200, Some("alice"))
    );
    assert_eq!(Request::get("/userinfo").send(gate.main()).status, 401);
}

#[cfg(feature = "cel")]
#[test]
fn an_expression_decides_whether_a_rule_fits_and_one_that_fails_denies() {
    let gate = Settings::hmac()
        .table(
            r#"
            [[rules]]
            action = "deny"
            path = "/night"
            when = "now < 0 || request.host.matches('^(night|dark)[.]')"
            [[rules]]
            action = "require"
            path_prefix = "/finance"
            when = "claims.department == 'finance' && request.method in ['GET', 'HEAD'] && claims.level >= 3"
            [[rules]]
            action = "public"
            path = "/open"
            when = "!authenticated || groups.exists(g, g.startsWith('dev')) && username == 'alice' && size(scopes) == 0"
            [[rules]]
            action = "require"
            path = "/source"
            when = "request.source.startsWith('10.')"
            [[rules]]
            action = "require"
            path = "/night"
            "#,
        )
        .start();
    let finance = json!({"department": "finance", "level": 3});
    status(&gate, "a.example/finance/x", Some(&with(&finance)), 200);
    let posted = ask(&gate, "POST", "a.example/finance/x", Some(&with(&finance)));
    assert_eq!(posted.status, 403);
    for claims in [
        json!({"department": "sales", "level": 3}),
        json!({"department": "finance"}),
        json!({"department": "finance", "level": "3"}),
        json!({"department": ["finance"], "level": 3}),
        json!({}),
    ] {
        status(&gate, "a.example/finance/x", Some(&with(&claims)), 403);
    }
    // Nobody's token has no claims, so the expression fails: denied, and not asked to sign in.
    status(&gate, "a.example/finance", None, 403);
    status(&gate, "a.example/open", None, 200);
    status(&gate, "a.example/open", Some(&tokens::good()), 200);
    status(&gate, "a.example/open", Some(&tokens::good_for("bob")), 403);
    status(&gate, "a.example/source", Some(&tokens::good()), 403);
    status(&gate, "a.example/night", Some(&tokens::good()), 200);
    status(&gate, "night.example/night", Some(&tokens::good()), 403);
    let reasons = gate.refusals(5);
    let code = |index: usize| crate::harness::process::text(&reasons[index], "reason.code");
    assert_eq!(code(1), "policy.no_rule");
    assert_eq!(code(2), "policy.expression");
}

#[cfg(feature = "cel")]
#[test]
fn expressions_are_judged_at_load() {
    let faulty = |expression: &str| {
        let rule = format!("[[rules]]\naction = \"require\"\nwhen = '''{expression}'''");
        let told = match Settings::hmac().table(&rule).try_start() {
            Ok(_) => panic!("{expression} was accepted"),
            Err(exited) => exited.output,
        };
        assert!(told.contains("rules[0].when"), "{expression}: {told}");
        told
    };
    assert!(faulty("claim.a == 1").contains("did you mean `claims`?"));
    assert!(faulty("request.methd == 'GET'").contains("did you mean `method`?"));
    assert!(faulty("claims.a.startWith('x')").contains("did you mean `startsWith`?"));
    faulty("request");
    faulty("request.query == ''");
    faulty("claims.a ==");
    faulty("'a'.matches(request.path)");
    faulty("'a'.matches('(')");
    faulty("claims.a.exists(x, claims.b.exists(y, x == y))");
    faulty(&format!("claims.a == '{}'", "x".repeat(5000)));
    for deep in ["(", "[", "!", "-", "a?b:", "{1:", "f(", "x."] {
        faulty(&deep.repeat(4096 / deep.len()));
    }
    faulty(&vec!["1"; 600].join("+"));
    faulty("Type{a: 1}");
    faulty("nothing(1)");
}

#[test]
fn a_client_among_the_trusted_addresses_is_the_first_of_the_chain() {
    let gate = Settings::hmac()
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .table("[[rules]]\naction = \"public\"\nsource = \"10.7.0.0/16\"")
        .start();
    for (chain, expected) in [
        ("10.7.0.9", 200),
        ("10.7.0.9, 10.1.0.1", 200),
        ("10.1.0.1, 10.7.0.9", 403),
        ("10.7.0.9, 198.51.100.1, 10.1.0.1", 403),
    ] {
        let answer = Request::get("/forward-auth")
            .forwarded("GET", "/x")
            .header("X-Forwarded-For", chain)
            .send(gate.main());
        assert_eq!(answer.status, expected, "{chain}");
    }
}

#[test]
fn shadow_rules_that_ask_for_groups_refuse_nobody_whose_groups_stand_elsewhere() {
    let settings = Settings::hmac().table(
        "[identity]\npreset = \"jupyterhub\"\n[[rules]]\naction = \"require\"\nrequire = { users = \"alice\" }",
    );
    let overage = with(&json!({"groups": null, "_claim_names": {"groups": "src1"}}));
    for shadow in [
        "require = { groups = \"staff\" }",
        "when = \"'staff' in groups\"",
    ] {
        if shadow.starts_with("when") && !cfg!(feature = "cel") {
            continue;
        }
        let table = format!("[[shadow_rules]]\naction = \"require\"\n{shadow}");
        let gate = settings.clone().table(&table).start();
        status(&gate, "a.example/", Some(&overage), 200);
        assert!(gate.wait_for_line("the shadow rules differ"), "{shadow}");
    }
}
