//! People of a real OpenID provider, in the shapes of those that people have: what applications are told of them, and what rules say.

use std::time::Duration;

use crate::harness::sign_in::PROGRAM;
use crate::harness::{Gate, Provider, Request, Response, Settings, Shape};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const BOTH_SCOPES: &str = "api.read api.write";

/// A gate for the tokens of a provider: access tokens for the API, ID tokens for the program.
fn gate(provider: &Provider, shape: Shape, issuer: &str, rules: &str) -> Gate {
    Settings::empty()
        .table(&format!(
            "[issuers.idp]\nissuer = \"{}\"\naudience = [\"{}\", \"{PROGRAM}\"]\n{issuer}",
            provider.issuer(),
            shape.audience()
        ))
        .table("[identity]\npreset = \"x-auth\"\nheaders = { X-Auth-Scopes = \"scopes\" }")
        .table(rules)
        .start()
}

fn ask(gate: &Gate, path: &str, token: &str) -> Response {
    // The first request may wait for keys, and the machine may be busy.
    Request::get("/verify")
        .original("GET", path)
        .bearer(token)
        .timeout(Duration::from_secs(20))
        .send(gate.main())
}

/// The token passes with this user, e-mail address, groups and scopes.
#[track_caller]
fn passes(gate: &Gate, path: &str, token: &str, told: [&str; 4]) {
    let answer = ask(gate, path, token);
    assert_eq!(answer.status, 200, "{path}: {}", gate.output());
    let names = [
        "X-Auth-User",
        "X-Auth-Email",
        "X-Auth-Groups",
        "X-Auth-Scopes",
    ];
    let found = names.map(|name| answer.header(name).expect("every header on every 200"));
    assert_eq!(found, told, "{path}");
}

/// The token is refused with 403, as the newest of `count` refusals and for this reason.
#[track_caller]
fn refuses(gate: &Gate, path: &str, token: &str, (count, reason): (usize, &str)) {
    let answer = ask(gate, path, token);
    assert_eq!(answer.status, 403, "{path}");
    assert_eq!(answer.header("X-Auth-User"), None);
    assert_eq!(gate.reason(count), reason, "{path}");
}

const TEAM: &str = "
    [[rules]]
    action = \"require\"
    path_prefix = \"/team\"
    require = { groups = \"dev\" }
";

const WRITERS: &str = "
    [[rules]]
    action = \"require\"
    path_prefix = \"/write\"
    require = { scopes = [\"api.read\", \"api.write\"] }
";

const REST: &str = "
    [[rules]]
    action = \"require\"
";

#[test]
fn access_tokens_of_the_plain_shape_tell_user_groups_and_scopes() {
    let Some(provider) = Provider::start(Shape::Generic) else {
        return;
    };
    let rules = [TEAM, WRITERS, REST].concat();
    let gate = gate(
        &provider,
        Shape::Generic,
        "username_claim = \"sub\"",
        &rules,
    );
    let alice = provider.sign_in("alice", "api.read").access_token;
    let bob = provider.sign_in("bob", BOTH_SCOPES).access_token;
    let of_alice = ["alice", "", "dev,ops,Everyone", "api.read"];
    let of_bob = ["bob", "", "sales", "api.read,api.write"];
    for path in ["/", "/team"] {
        passes(&gate, path, &alice, of_alice);
    }
    for path in ["/", "/write/x"] {
        passes(&gate, path, &bob, of_bob);
    }
    refuses(&gate, "/team", &bob, (1, "policy.requirement"));
    refuses(&gate, "/write", &alice, (2, "policy.scope"));
    let challenge = ask(&gate, "/write", &alice);
    let challenge = challenge.header("WWW-Authenticate").unwrap_or_default();
    assert!(
        challenge.ends_with("error=\"insufficient_scope\""),
        "{challenge}"
    );
    // A program has neither groups nor, unless it asks for them, scopes.
    passes(&gate, "/", &provider.token(), ["jwtgate", "", "", ""]);
    let program = provider.token_with("api.write+api.read");
    passes(
        &gate,
        "/write",
        &program,
        ["jwtgate", "", "", "api.write,api.read"],
    );
    refuses(&gate, "/team", &program, (4, "policy.requirement"));
}

#[test]
fn id_tokens_tell_the_address_and_one_that_nobody_verified_is_in_no_domain() {
    let Some(provider) = Provider::start(Shape::Generic) else {
        return;
    };
    let domain = "
        [[rules]]
        action = \"require\"
        path_prefix = \"/mail\"
        require = { domains = \"example.test\" }
    ";
    let issuer = "username_claim = \"preferred_username\"\nextract_username = true";
    let gate = gate(&provider, Shape::Generic, issuer, &[domain, REST].concat());
    let alice = provider.sign_in("alice", "");
    let bob = provider.sign_in("bob", "");
    let of_alice = ["alice", "alice@example.test", "dev,ops,Everyone", ""];
    passes(&gate, "/mail", &alice.id_token, of_alice);
    let of_bob = ["bob", "bob@example.test", "sales", ""];
    passes(&gate, "/", &bob.id_token, of_bob);
    refuses(&gate, "/mail", &bob.id_token, (1, "policy.requirement"));
    // An access token has no address at all.
    refuses(
        &gate,
        "/mail",
        &alice.access_token,
        (2, "policy.requirement"),
    );
}

/// Okta's access tokens have the login for a subject, and no claim for the address.
const OKTA: &str = "preset = \"okta\"\nfields.email.claim = [\"email\", \"sub\"]";

#[test]
fn okta_access_tokens_tell_who_it_is_and_their_list_of_scopes_meets_rules() {
    let Some(provider) = Provider::start(Shape::Okta) else {
        return;
    };
    let sales = TEAM.replace("/team", "/sales").replace("dev", "sales");
    let gate = gate(
        &provider,
        Shape::Okta,
        OKTA,
        &[TEAM, &sales, WRITERS, REST].concat(),
    );
    let alice = provider.sign_in("alice", BOTH_SCOPES).access_token;
    let bob = provider.sign_in("bob", "api.read").access_token;
    let (login, other) = ("alice@example.test", "bob@example.test");
    let of_alice = [login, login, "dev,ops,Everyone", "api.read,api.write"];
    for path in ["/", "/team/x", "/write"] {
        passes(&gate, path, &alice, of_alice);
    }
    let of_bob = [other, other, "sales", "api.read"];
    for path in ["/", "/sales"] {
        passes(&gate, path, &bob, of_bob);
    }
    refuses(&gate, "/sales", &alice, (1, "policy.requirement"));
    refuses(&gate, "/team", &bob, (2, "policy.requirement"));
    refuses(&gate, "/write", &bob, (3, "policy.scope"));
    // The list of a program that asked for nothing is there, and empty.
    refuses(&gate, "/write", &provider.token(), (4, "policy.scope"));
    let program = provider.token_with("api.read+api.write");
    passes(
        &gate,
        "/write",
        &program,
        ["jwtgate", "jwtgate", "", "api.read,api.write"],
    );
}

#[test]
fn more_groups_than_fit_into_a_header_are_refused_whole_and_a_filter_makes_them_fit() {
    let Some(provider) = Provider::start(Shape::Okta) else {
        return;
    };
    let heavy = provider.sign_in("heavy", "api.read").access_token;
    assert!(heavy.len() > 8 * 1024, "{}", heavy.len());
    let last = "group-with-a-long-name-0249";
    let rule = TEAM.replace("dev", last);
    let plain = gate(&provider, Shape::Okta, OKTA, &rule);
    refuses(&plain, "/team", &heavy, (1, "identity.too_large"));
    let filtered = format!("{OKTA}\nfields.groups.only = \"group-with-a-long-name-0007\"");
    let filtered = gate(&provider, Shape::Okta, &filtered, &rule);
    let login = "heavy@example.test";
    let told = [login, login, "group-with-a-long-name-0007", "api.read"];
    passes(&filtered, "/team", &heavy, told);
}

fn entra() -> String {
    format!("preset = \"entra\"\ntenant = \"{TENANT}\"\nfields.email.claim = [\"email\", \"upn\"]")
}

const ROLES: &str = "
    [[rules]]
    action = \"require\"
    path_prefix = \"/report\"
    require.claims = [{ claim = \"roles\", contains = [\"Reader\", \"api.read\"] }]
    [[rules]]
    action = \"require\"
    path_prefix = \"/people\"
    require.not.claims = [{ claim = \"idtyp\", equals = \"app\" }]
";

#[test]
fn entra_access_tokens_tell_who_it_is_and_their_roles_meet_rules() {
    let Some(provider) = Provider::start(Shape::Azure) else {
        return;
    };
    let rules = [TEAM, WRITERS, ROLES, REST].concat();
    let gate = gate(&provider, Shape::Azure, &entra(), &rules);
    let alice = provider.sign_in("alice", BOTH_SCOPES).access_token;
    let bob = provider.sign_in("bob", "api.read").access_token;
    let (login, other) = ("alice@example.test", "bob@example.test");
    // `scp` is a text with blanks here.
    let of_alice = [login, login, "dev,ops,Everyone", "api.read,api.write"];
    for path in ["/", "/team", "/write", "/report", "/people"] {
        passes(&gate, path, &alice, of_alice);
    }
    for path in ["/", "/people"] {
        passes(&gate, path, &bob, [other, other, "sales", "api.read"]);
    }
    refuses(&gate, "/team", &bob, (1, "policy.requirement"));
    refuses(&gate, "/write", &bob, (2, "policy.scope"));
    refuses(&gate, "/report", &bob, (3, "policy.requirement"));
    // Programs have `roles` for scopes, and the id of the application for a name.
    let program = provider.token_with("api.read");
    passes(&gate, "/report", &program, ["jwtgate", "", "", ""]);
    refuses(&gate, "/write", &program, (4, "policy.scope"));
    refuses(&gate, "/people", &program, (5, "policy.requirement"));
    refuses(
        &gate,
        "/report",
        &provider.token(),
        (6, "policy.requirement"),
    );
}

#[test]
fn entra_tokens_whose_groups_stand_elsewhere_are_refused_or_meet_no_rule_about_groups() {
    let Some(provider) = Provider::start(Shape::Azure) else {
        return;
    };
    let heavy = provider.sign_in("heavy", "api.read").access_token;
    let alice = provider.sign_in("alice", "api.read").access_token;
    let not_sales = "
        [[rules]]
        action = \"require\"
        path_prefix = \"/guests\"
        require = { not = { groups = \"sales\" } }
    ";
    let rules = [TEAM, not_sales, REST].concat();
    let refusing = gate(&provider, Shape::Azure, &entra(), &rules);
    for (count, path) in ["/", "/team", "/guests"].into_iter().enumerate() {
        refuses(
            &refusing,
            path,
            &heavy,
            (count + 1, "identity.group_overage"),
        );
    }
    let login = "alice@example.test";
    let of_alice = [login, login, "dev,ops,Everyone", "api.read"];
    passes(&refusing, "/guests", &alice, of_alice);
    let ignoring = format!("{}\ngroup_overage = \"ignore\"", entra());
    let ignoring = gate(&provider, Shape::Azure, &ignoring, &rules);
    let login = "heavy@example.test";
    passes(&ignoring, "/", &heavy, [login, login, "", "api.read"]);
    refuses(&ignoring, "/team", &heavy, (1, "policy.requirement"));
    refuses(&ignoring, "/guests", &heavy, (2, "policy.requirement"));
    passes(&ignoring, "/team", &alice, of_alice);
}
