//! What headers carry: fields made of claims, presets of header names, sizes, and who may come in.

use serde_json::{Value, json};

use crate::harness::{Gate, Request, Response, Settings, tokens};

fn ask(gate: &Gate, changes: &Value) -> Response {
    Request::get("/verify")
        .original("GET", "/")
        .bearer(tokens::with(changes))
        .send(gate.main())
}

#[track_caller]
fn carries(gate: &Gate, changes: &Value, header: &str, expected: &str) {
    let answer = ask(gate, changes);
    assert_eq!(
        (answer.status, answer.header(header)),
        (200, Some(expected)),
        "{changes}"
    );
}

#[test]
fn fields_are_made_of_fallbacks_merged_lists_and_templates() {
    let gate = Settings::hmac()
        .table(
            r#"
            [identity.headers]
            X-User = "username"
            X-Team = "team"
            X-Name = "full"
            X-Roles = "roles"
            X-Tenant = "https://example.com/claims/tenant.id"
            X-Deep = "/a~1b/0/c.d"
            [identity.fields.team]
            claim = ["team", "org.unit"]
            lowercase = true
            map = { eng = "engineering" }
            [identity.fields.full]
            template = "{given_name} {family_name} {{{employee}}}"
            [identity.fields.roles]
            claim = ["realm_access.roles", "resource_access.app.roles"]
            merge = true
            capture = "role:(.+)"
            format = "json"
            "#,
        )
        .start();
    carries(&gate, &json!({"team": "ENG"}), "X-Team", "engineering");
    carries(&gate, &json!({"org": {"unit": "Ops"}}), "X-Team", "ops");
    carries(&gate, &json!({}), "X-Team", "");
    let names = json!({"given_name": "Ada", "family_name": "L", "employee": 7});
    carries(&gate, &names, "X-Name", "Ada L {7}");
    carries(&gate, &json!({"given_name": "Ada"}), "X-Name", "");
    let roles = json!({
        "realm_access": {"roles": ["role:a", "other", "role:b"]},
        "resource_access": {"app": {"roles": ["role:b", "role:é\"x"]}},
    });
    carries(&gate, &roles, "X-Roles", r#"["a","b","\u00e9\"x"]"#);
    carries(
        &gate,
        &json!({"https://example.com/claims/tenant.id": "t"}),
        "X-Tenant",
        "t",
    );
    carries(&gate, &json!({"a/b": [{"c.d": "deep"}]}), "X-Deep", "deep");
}

#[test]
fn presets_name_the_headers_that_applications_know() {
    for (preset, names) in [
        (
            "x-auth",
            vec!["X-Auth-User", "X-Auth-Email", "X-Auth-Groups"],
        ),
        (
            "oauth2-proxy",
            vec![
                "X-Auth-Request-User",
                "X-Auth-Request-Email",
                "X-Auth-Request-Groups",
                "X-Auth-Request-Preferred-Username",
            ],
        ),
        (
            "authelia",
            vec![
                "Remote-User",
                "Remote-Name",
                "Remote-Email",
                "Remote-Groups",
            ],
        ),
        (
            "forwarded-user",
            vec![
                "X-Forwarded-User",
                "X-Forwarded-Email",
                "X-Forwarded-Groups",
                "X-Forwarded-Preferred-Username",
            ],
        ),
        ("jupyterhub", vec!["Remote-User"]),
    ] {
        let gate = Settings::hmac()
            .table(&format!(
                "[identity]\npreset = \"{preset}\"\nheaders = {{ X-Own = \"sub\" }}"
            ))
            .start();
        let answer = ask(
            &gate,
            &json!({"sub": "s", "preferred_username": "p", "name": "n"}),
        );
        assert_eq!(answer.header("X-Own"), Some("s"));
        assert_eq!(answer.header(names[0]), Some("alice"), "{preset}");
        for name in names {
            assert!(answer.header(name).is_some(), "{preset}: {name}");
        }
    }
}

#[test]
fn a_header_that_is_too_large_is_refused_whole_and_a_filter_makes_it_fit() {
    let groups: Vec<_> = (0..250)
        .map(|n| format!("corp-department-{n:03}-of-the-company"))
        .collect();
    let claims = json!({"groups": groups});
    let plain = Settings::hmac().start();
    let refused = ask(&plain, &claims);
    assert_eq!(
        (refused.status, refused.header("X-Auth-Groups")),
        (403, None)
    );
    let told = plain.refusals(1).remove(0);
    let text = told.to_string();
    assert!(
        text.contains("identity.too_large") && text.contains("X-Auth-Groups"),
        "{text}"
    );
    assert!(
        text.contains("identity.max_value_bytes") && text.contains("proxy_buffer_size"),
        "{text}"
    );
    assert!(!text.contains("department"), "{text}");
    let filtered = Settings::hmac()
        .table("[identity.fields.groups]\nonly_prefix = \"corp-department-00\"\n[[rules]]\naction = \"require\"\nrequire = { groups = \"corp-department-249-of-the-company\" }")
        .start();
    let answer = ask(&filtered, &claims);
    assert_eq!(answer.status, 200, "rules see every group");
    assert_eq!(
        answer.header("X-Auth-Groups").unwrap().split(',').count(),
        10
    );
}

#[test]
fn groups_that_stand_elsewhere_are_never_taken_for_none() {
    let overage = json!({
        "groups": null,
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://graph.example/x"}},
    });
    let rules = "[[rules]]\naction = \"require\"\npath = \"/not\"\nrequire = { not = { groups = [\"guests\"] } }\n[[rules]]\naction = \"require\"\n";
    let refusing = Settings::hmac().table(rules).start();
    assert_eq!(ask(&refusing, &overage).status, 403);
    assert_eq!(refusing.reason(1), "identity.group_overage");
    let ignoring = Settings::hmac()
        .table("[identity]\ngroup_overage = \"ignore\"")
        .table(rules)
        .start();
    carries(&ignoring, &overage, "X-Auth-Groups", "");
    let at = |changes: &Value| {
        Request::get("/verify")
            .original("GET", "/not")
            .bearer(tokens::with(changes))
            .send(ignoring.main())
            .status
    };
    assert_eq!(at(&overage), 403);
    assert_eq!(at(&json!({"hasgroups": true, "groups": null})), 403);
    assert_eq!(at(&json!({})), 200);
    assert_eq!(at(&json!({"groups": ["guests"]})), 403);
}

/// A list, claims that it lets in, claims that it keeps out, and why.
type AccessCase = (&'static str, Value, Value, &'static str);

#[expect(clippy::too_many_lines, reason = "a table")]
fn access_cases() -> [AccessCase; 10] {
    [
        (
            "allowed_users = [\"alice\"]",
            json!({}),
            json!({"username": "bob"}),
            "access.not_allowed",
        ),
        (
            "blocked_users = \"mallory\"",
            json!({}),
            json!({"username": "mallory"}),
            "access.blocked",
        ),
        (
            "allowed_domains = \"Example.com\"",
            json!({"email": "a@EXAMPLE.com"}),
            json!({"email": "a@evil.org@example.com"}),
            "access.not_allowed",
        ),
        (
            "allowed_domains = \"example.com\"",
            json!({"email": "a@example.com", "email_verified": true}),
            json!({"email": "a@example.com", "email_verified": false}),
            "access.not_allowed",
        ),
        (
            "allowed_domains = \"example.com\"",
            json!({"email": "a@example.com"}),
            json!({"email": "a@sub.example.com"}),
            "access.not_allowed",
        ),
        (
            "blocked_domains = \"evil.org\"",
            json!({"email": "a@example.com"}),
            json!({"email": "a@evil.org"}),
            "access.blocked",
        ),
        (
            "allowed_groups = [\"staff\"]",
            json!({"groups": ["x", "staff"]}),
            json!({"groups": ["staf"]}),
            "access.not_allowed",
        ),
        (
            "blocked_groups = [\"suspended\"]",
            json!({"groups": []}),
            json!({"groups": ["suspended"]}),
            "access.blocked",
        ),
        (
            "allowed_scopes = [\"a\", \"b\"]",
            json!({"scope": "b c a"}),
            json!({"scope": "a"}),
            "access.not_allowed",
        ),
        (
            "blocked_scopes = [\"a\"]",
            json!({"scope": "b"}),
            json!({"scp": ["a"]}),
            "access.blocked",
        ),
    ]
}

#[test]
fn access_lists_keep_people_out_whatever_the_rules_say() {
    for (list, good, bad, reason) in access_cases() {
        let gate = Settings::hmac()
            .table(&format!("[access]\n{list}\n[[rules]]\naction = \"public\"\npath = \"/public\"\n[[rules]]\naction = \"require\""))
            .start();
        assert_eq!(ask(&gate, &good).status, 200, "{list} {good}");
        assert_eq!(ask(&gate, &bad).status, 403, "{list} {bad}");
        assert_eq!(gate.reason(1), reason, "{list}");
        let public = Request::get("/verify")
            .original("GET", "/public")
            .bearer(tokens::with(&bad))
            .send(gate.main());
        assert_eq!(
            (public.status, public.header("X-Auth-User")),
            (200, Some("")),
            "{list}"
        );
    }
}

#[test]
fn usernames_are_mapped_and_must_match_the_pattern_and_admins_have_a_role() {
    let gate = Settings::hmac()
        .table(
            r#"
            [identity]
            username_pattern = "[a-z]+"
            username_map = { "Boss" = "eve" }
            headers = { X-Auth-User = "username", X-Auth-Role = "role" }
            [access]
            admin_users = "eve"
            admin_groups = "wheel"
            "#,
        )
        .start();
    carries(&gate, &json!({"username": "Boss"}), "X-Auth-User", "eve");
    carries(&gate, &json!({"username": "Boss"}), "X-Auth-Role", "admin");
    carries(&gate, &json!({"groups": ["wheel"]}), "X-Auth-Role", "admin");
    carries(&gate, &json!({"role": "admin"}), "X-Auth-Role", "user");
    for name in ["Alice", "alice1", "alice\n", "bob x"] {
        assert_eq!(ask(&gate, &json!({"username": name})).status, 403, "{name}");
    }
}
