//! What else says where a request goes: the host, the method, and headers that somebody believes.

use std::collections::BTreeSet;

use super::chain::{
    Chain, DENIED, Edits, REST, SHIPPED, WITH_HOST_OF_CLIENT, WITH_URI, exchange, gate,
};
use super::is_admin;
use crate::harness::upstream::echoed_headers;
use crate::harness::{Connection, Gate, Request, Settings, tokens};

/// Spellings of the host `app.example.com`, and of hosts that look like more than one. Separated by blanks.
const HOSTS: &str = r"
    app.example.com APP.Example.COM app.example.com. app.example.com.. app.example.com:80 app.example.com.:80 app.example.com:443
    app.example.com: app.example.com:x app.example.com:0x50 app.example.com:+80 app.example.com:99999 app.example.com:80:80
    app.example.com:80:443? app.example.com? app.example.com?x= app.example.com:80? app.example.com:80?x= app.example.com.?
    app.example.com# app.example.com:80# app.example.com; app.example.com:80; app.example.com\ app.example.com:80\
    app.example.com/ app.example.com/public app.example.com/public? app.example.com:80/public app.example.com:80/public?
    app.example.com/public# app.example.com@x x@app.example.com public?@app.example.com app.example.com,x
    app.example.com,other.example.com app%2eexample.com app.example.com%00 app.example.com%3f app.example.com%2fpublic%3f
    app.example.com&x app.example.com* *.example.com * .app.example.com app_example_com - [app.example.com] [::1] [::1]? [::1]:80?
    [::ffff:127.0.0.1]:80 127.0.0.1 127.0.0.1:80? 2130706433 localhost other.example.com app.example.com%20 app.example.com\x
    ａpp.example.com app．example．com app。example。com app.example.com／public app.example.com？ xn--pp-example-1ua.com
";

fn request(line: &str, headers: &str) -> Vec<u8> {
    let token = tokens::good();
    format!("{line}\r\n{headers}Authorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// The hosts with which `/admin` passes, which no host changes.
fn found_behind_nginx(edits: Edits) -> Option<BTreeSet<String>> {
    let chain = Chain::start(&[DENIED, REST].concat(), edits)?;
    let passes = |host: &&str| {
        chain.lets_pass(&request(
            "GET /admin HTTP/1.1",
            &format!("Host: {host}\r\n"),
        ))
    };
    let found = HOSTS.split_ascii_whitespace().filter(passes);
    Some(found.map(str::to_owned).collect())
}

#[test]
fn s10_4_no_host_opens_a_denied_path_behind_nginx() {
    // A proxy that takes the host from the client puts `app.example.com?` in front of the path, which must not become a query.
    for edits in [SHIPPED, WITH_URI, WITH_HOST_OF_CLIENT] {
        let found = found_behind_nginx(edits).unwrap_or_default();
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn s10_4_no_host_opens_a_denied_path_of_the_gate_alone() {
    let gate = gate(&[DENIED, REST].concat());
    // A URL with a slash behind its host has another path.
    let is_host = |host: &&str| !host.contains('/');
    let passes = |host: &&str| {
        let requests = [
            Request::get("/verify").header("X-Original-URL", format!("http://{host}/admin")),
            Request::get("/verify")
                .header("X-Original-URI", "/admin")
                .header("X-Forwarded-Host", host),
            Request::get("/forward-auth")
                .header("X-Forwarded-Uri", "/admin")
                .header("X-Forwarded-Host", host),
        ];
        let mut answers = requests
            .map(|request| request.bearer(tokens::good()).send(gate.main()))
            .into_iter();
        answers.any(|answer| answer.status == 200)
    };
    let hosts = HOSTS.split_ascii_whitespace().filter(is_host);
    let found: Vec<&str> = hosts.filter(passes).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// The host that can be read in one: in small letters of plain width, without what belongs to a URL.
fn host_in(text: &str) -> String {
    let end = text.find(['/', '?', '#', '\\']);
    let text = &text[..end.unwrap_or(text.len())];
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let plain = |character| match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - 0xfee0).unwrap_or_default()
        }
        '\u{3002}' => '.',
        other => other.to_ascii_lowercase(),
    };
    let text: String = text.chars().map(plain).collect();
    let end = text.find([':', '/', '?', '#', '\\', ';', ',', '%', '&', '*']);
    text[..end.unwrap_or(text.len())]
        .trim_end_matches('.')
        .to_owned()
}

const DENIED_HOST: &str = "[[rules]]\naction = \"deny\"\nhost = \"app.example.com\"\n";

/// The spellings of `app.example.com`.
fn denied_hosts() -> impl Iterator<Item = &'static str> {
    let hosts = HOSTS.split_ascii_whitespace();
    hosts.filter(|host| host_in(host) == "app.example.com")
}

#[test]
fn s10_4_no_spelling_of_a_denied_host_passes_the_gate_alone() {
    let gate = gate(&[DENIED_HOST, REST].concat());
    let passes = |host: &&str| {
        let verify = || Request::get("/verify");
        let forward = || Request::get("/forward-auth").header("X-Forwarded-Uri", "/x");
        let requests = [
            verify().header("X-Original-URL", format!("http://{host}/x")),
            verify().header("X-Original-URI", "/x").host(host),
            verify()
                .header("X-Original-URI", "/x")
                .header("X-Forwarded-Host", host),
            forward().header("X-Forwarded-Host", host),
            forward().host(host),
        ];
        let answers = requests.map(|request| request.bearer(tokens::good()).try_send(gate.main()));
        answers.iter().flatten().any(|answer| answer.status == 200)
    };
    let found: Vec<&str> = denied_hosts().filter(passes).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn s10_4_no_spelling_of_a_denied_host_passes_behind_nginx() {
    for edits in [SHIPPED, WITH_URI] {
        let Some(chain) = Chain::start(&[DENIED_HOST, REST].concat(), edits) else {
            return;
        };
        let passes = |line: &str, headers: &str| chain.lets_pass(&request(line, headers));
        for host in denied_hosts() {
            assert!(
                !passes("GET /x HTTP/1.1", &format!("Host: {host}\r\n")),
                "{host}"
            );
            let absolute = format!("GET http://{host}/x HTTP/1.1");
            assert!(!passes(&absolute, "Host: other.example.com\r\n"), "{host}");
        }
        let (ours, other) = ("Host: app.example.com\r\n", "Host: other.example.com\r\n");
        assert!(passes("GET /x HTTP/1.1", other));
        for headers in [
            [ours, other].concat(),
            [other, ours].concat(),
            [ours, "X-Forwarded-Host: other.example.com\r\n"].concat(),
            [ours, "Forwarded: host=other.example.com\r\n"].concat(),
            // nginx takes a request without a host for its server's.
            "Host:\r\n".to_owned(),
        ] {
            assert!(!passes("GET /x HTTP/1.1", &headers), "{headers}");
        }
        assert!(!passes("GET /x HTTP/1.0", ""));
    }
}

/// Methods, and what looks like one. Separated by blanks.
const METHODS: &str = "DELETE delete Delete dELETE DELETE/ DELETE, DELETE; DELETE%20 DELETE%00 %44ELETE D-ELETE DELETE- _DELETE
    POST post PoSt GET,DELETE GET;DELETE DELETE:GET X-DELETE ＤELETE PURGE PROPFIND TRACE CONNECT M-SEARCH";

#[test]
fn s10_3_no_spelling_of_a_denied_method_passes() {
    let deny = "[[rules]]\naction = \"deny\"\nmethod = [\"DELETE\", \"POST\"]\n";
    let only_get = "[[rules]]\naction = \"require\"\nmethod = [\"GET\", \"HEAD\"]\n";
    for rules in [[deny, REST].concat(), only_get.to_owned()] {
        let gate = gate(&rules);
        let is_open = rules.starts_with(deny);
        let is_denied = |method: &&str| {
            let read = method.to_ascii_uppercase();
            !is_open || ["DELETE", "POST"].contains(&read.as_str())
        };
        for method in METHODS.split_ascii_whitespace().filter(is_denied) {
            for request in [
                Request::get("/verify").original(method, "/x"),
                Request::get("/forward-auth").forwarded(method, "/x"),
            ] {
                let answer = request.bearer(tokens::good()).send(gate.main());
                assert_ne!(answer.status, 200, "{method}: {rules}");
            }
        }
        let Some(chain) = Chain::start(&rules, SHIPPED) else {
            return;
        };
        for method in METHODS.split_ascii_whitespace().filter(is_denied) {
            let line = format!("{method} /x HTTP/1.1");
            let bytes = request(&line, "Host: app.example.com\r\nContent-Length: 0\r\n");
            assert!(!chain.lets_pass(&bytes), "{method}: {rules}");
        }
    }
}

/// Headers by which a client may claim that it asked for something else.
const CLAIMS: [&str; 12] = [
    "X-Original-URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-Forwarded-Uri",
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
    "X-Original-Method",
    "X-Forwarded-Method",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "Forwarded",
];

#[test]
fn s10_1_no_header_of_a_client_opens_a_denied_path() {
    for edits in [SHIPPED, WITH_URI, WITH_HOST_OF_CLIENT] {
        let Some(chain) = Chain::start(&[DENIED, REST].concat(), edits) else {
            return;
        };
        for name in CLAIMS {
            for value in ["/public", "http://app.example.com/public", "OPTIONS", ""] {
                let headers = format!("Host: app.example.com\r\n{name}: {value}\r\n");
                for line in [
                    "GET /admin HTTP/1.1",
                    "POST /admin/x HTTP/1.1",
                    "GET //admin HTTP/1.0",
                ] {
                    let bytes = request(line, &format!("{headers}Content-Length: 0\r\n"));
                    assert!(!chain.lets_pass(&bytes), "{line} {name}: {value}");
                }
            }
        }
    }
}

/// Frameworks that believe these headers serve another path or method than the rules were asked about: `X-Original-URL` and
/// `X-Rewrite-URL` (CVE-2018-14773: Symfony, Laminas, IIS), `X-HTTP-Method-Override` and its like (Rack, Express, Laravel),
/// `X-Forwarded-Prefix` (Spring).
#[test]
fn s10_1_no_header_takes_a_claim_of_a_client_to_the_application() {
    let Some(chain) = Chain::start(&[DENIED, REST].concat(), SHIPPED) else {
        return;
    };
    let arrives = |name: &&str| {
        let headers = format!("Host: app.example.com\r\n{name}: /admin\r\n");
        let bytes = request("GET /public HTTP/1.1", &headers);
        let answer = exchange(chain.proxy.address(), &bytes).expect("an answer");
        assert_eq!(answer.status, 200);
        let values = echoed_headers(&answer.json(), name);
        values.iter().any(|value| is_admin(value.as_bytes()))
    };
    let found: Vec<&str> = CLAIMS.into_iter().filter(arrives).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn s10_5_a_claim_beside_the_word_of_the_proxy_opens_nothing() {
    let gate = gate(&[DENIED, REST].concat());
    for (endpoint, name) in [
        ("/forward-auth", "X-Forwarded-Uri"),
        ("/verify", "X-Original-URI"),
    ] {
        for (first, second) in [
            ("/public", "/admin"),
            ("/admin", "/public"),
            ("/public, /admin", "/admin"),
        ] {
            let both = Request::get(endpoint)
                .header(name, first)
                .header(name, second);
            assert_ne!(status(&gate, both), 200, "{endpoint}: {first} {second}");
        }
        let list = Request::get(endpoint).header(name, "/public, /admin");
        assert_ne!(status(&gate, list), 200, "{endpoint}");
    }
}

fn status(gate: &Gate, request: Request) -> u16 {
    request.bearer(tokens::good()).send(gate.main()).status
}

#[test]
fn s10_3_requests_of_old_versions_open_nothing() {
    let settings = Settings::hmac().top("param_name = \"t\"");
    let Some(chain) = Chain::start_with(settings.table(&[DENIED, REST].concat()), SHIPPED) else {
        return;
    };
    let token = tokens::good();
    // HTTP/0.9 has no headers, so the token stands in the query, and its answer has no status.
    let arrives = |line: String| {
        let before = chain.app.served();
        exchange(chain.proxy.address(), line.as_bytes());
        chain.app.served() > before
    };
    for (target, is_open) in [
        ("/public", true),
        ("/admin", false),
        ("//admin", false),
        ("/public/../admin", false),
        ("/%61dmin", false),
    ] {
        let old = format!("GET {target}?t={token}\r\n");
        assert_eq!(arrives(old), is_open, "{target}");
        let newer = format!("GET {target}?t={token} HTTP/1.0\r\n\r\n");
        assert_eq!(arrives(newer), is_open, "{target}");
    }
}

#[test]
fn s10_3_a_request_behind_or_within_another_one_is_judged_for_itself() {
    let Some(chain) = Chain::start(&[DENIED, REST].concat(), SHIPPED) else {
        return;
    };
    let host = "Host: app.example.com\r\n";
    let last = format!("{host}Connection: close\r\n");
    let denied = request("GET /admin HTTP/1.1", &last);
    let length = format!("Content-Length: {}\r\n", denied.len());
    let chunked = "Transfer-Encoding: chunked\r\n";
    let behind = host.to_owned();
    let within = [&last, &length].map(String::as_str).concat();
    for (headers, expected) in [
        (behind, 1),
        (within.clone(), 1),
        // Neither of these has a body of that form, and nginx says so.
        ([&last, chunked].concat(), 0),
        ([&within, chunked].concat(), 0),
    ] {
        let before = chain.app.served();
        let both = [request("GET /public HTTP/1.1", &headers), denied.clone()].concat();
        let mut connection = Connection::open(chain.proxy.address()).expect("it listens");
        connection.write(&both).expect("nginx reads it");
        connection.read_to_end().expect("the last one closes it");
        assert_eq!(chain.app.served(), before + expected, "{headers}");
        // Whatever was left on the connection to the application would be served before this one.
        assert!(chain.lets_pass(&request("GET /public HTTP/1.1", host)));
        assert_eq!(chain.app.served(), before + expected + 1, "{headers}");
    }
}
