//! What is broken in each copy, and the holes that it makes.

use crate::harness::proxies::{Edits, Kind};

/// What is noted behind every copy of a kind: Caddy asks with all lines, and Traefik waits for long.
pub(super) fn usual_notes(kind: Kind, on: On) -> &'static [&'static str] {
    match (kind, on) {
        (Kind::Caddy, On::Live) => &["size.lines"],
        (Kind::Traefik, On::Bench) => &["closed.patience"],
        _ => &[],
    }
}

/// Where doctor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// Behind a running gate.
    Live,
    /// In both roles behind the proxy.
    Bench,
    /// Behind a running gate that is stopped meanwhile.
    Outage,
}

pub(super) struct Copy {
    pub(super) what: &'static str,
    pub(super) on: On,
    pub(super) edits: Edits<'static>,
    pub(super) holes: &'static [&'static str],
    /// `None`: the usual ones.
    pub(super) notes: Option<&'static [&'static str]>,
}

const fn copy(
    what: &'static str,
    on: On,
    edits: Edits<'static>,
    holes: &'static [&'static str],
) -> Copy {
    Copy {
        what,
        on,
        edits,
        holes,
        notes: None,
    }
}

impl Copy {
    const fn noting(self, notes: &'static [&'static str]) -> Self {
        Self {
            notes: Some(notes),
            ..self
        }
    }
}

const EVERYBODY: &[&str] = &[
    "access.no-token",
    "access.method",
    "access.http10",
    "access.absolute-form",
    "access.user-agent",
    "access.websocket",
    "access.forged-identity",
    "identity.arrives",
];

/// Envoy speaks no HTTP/1.0.
const EVERYBODY_BUT_THE_OLD: &[&str] = &[
    "access.no-token",
    "access.method",
    "access.absolute-form",
    "access.user-agent",
    "access.websocket",
    "access.forged-identity",
    "identity.arrives",
];

/// Where the question and what removes a client's own names are one.
const EVERYBODY_AND_EVERY_NAME: &[&str] = &[
    "access.no-token",
    "access.method",
    "access.http10",
    "access.absolute-form",
    "access.user-agent",
    "access.websocket",
    "access.forged-identity",
    "identity.arrives",
    "identity.plain",
];

/// Where other spellings of a name come through, all that is taken out by its name does.
const EVERY_SPELLING: &[&str] = &[
    "identity.underscore",
    "identity.separator",
    "identity.other-gates",
    "claims.address",
    "claims.place",
    "claims.url",
    "claims.method",
];

/// What clients say in the names of gates and proxies.
const EVERY_CLAIM: &[&str] = &[
    "identity.other-gates",
    "claims.address",
    "claims.place",
    "claims.url",
    "claims.method",
];

const FAIL_OPEN: &[&str] = &[
    "closed.down",
    "closed.hanging",
    "closed.silent",
    "closed.garbage",
    "closed.error",
    "closed.redirect",
];

pub(super) const NGINX: &[Copy] = &[
    copy(
        "any protocol is upgraded to",
        On::Live,
        &[
            (
                "proxy_set_header Upgrade    $upgrade;",
                "proxy_set_header Upgrade    $http_upgrade;",
            ),
            (
                "        default         \"\";\n        \"~*^websocket$\" websocket;",
                "        default         $http_upgrade;",
            ),
            (
                "        default   \"\";       # keeps",
                "        h2c       upgrade; default upgrade; \"\"   \"\";       # keeps",
            ),
        ],
        &["access.upgrade"],
    ),
    copy(
        "nobody is asked",
        On::Live,
        &[("auth_request     /_jwtgate/verify;", "")],
        EVERYBODY,
    ),
    copy(
        "an identity header is not set",
        On::Live,
        &[("proxy_set_header X-Auth-User   $auth_user;", "")],
        &["identity.arrives", "identity.plain"],
    ),
    copy(
        "one that nobody fills is not emptied",
        On::Live,
        &[("proxy_set_header X-Auth-Identity \"\";", "")],
        &["identity.plain"],
    ),
    copy(
        "underscores are let through",
        On::Live,
        &[("underscores_in_headers off;", "underscores_in_headers on;")],
        &[
            "identity.underscore",
            "identity.other-gates",
            "claims.address",
            "claims.place",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "odd names are let through",
        On::Live,
        &[("ignore_invalid_headers on;", "ignore_invalid_headers off;")],
        EVERY_SPELLING,
    ),
    copy(
        "the name of another gate is not emptied",
        On::Live,
        &[("proxy_set_header Remote-User           \"\";", "")],
        &["identity.other-gates"],
    ),
    copy(
        "Connection is handed on",
        On::Live,
        &[(
            "Connection $connection_upgrade;",
            "Connection $http_connection;",
        )],
        &["identity.connection"],
    ),
    copy(
        "clients get the identity",
        On::Live,
        &[(
            "proxy_pass http://app;",
            "proxy_pass http://app; add_header X-Auth-User $auth_user;",
        )],
        &["identity.leak"],
    ),
    copy(
        "jwtgate is asked with the client's headers",
        On::Live,
        &[("proxy_pass_request_headers off;", "")],
        &["claims.decision", "claims.return-address"],
    )
    .noting(&["size.lines"]),
    copy(
        "an address is appended to the client's",
        On::Live,
        &[(
            "proxy_set_header X-Forwarded-For   $remote_addr;\n            proxy_set_header X-Forwarded-Proto",
            "proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;\n            proxy_set_header X-Forwarded-Proto",
        )],
        &["claims.address"],
    ),
    copy(
        "the client's host is believed",
        On::Live,
        &[("proxy_set_header X-Forwarded-Host  $host$host_port;", "")],
        &["claims.place"],
    ),
    copy(
        "the client's scheme is believed",
        On::Live,
        &[("proxy_set_header X-Forwarded-Proto $scheme;", "")],
        &["claims.place"],
    ),
    copy(
        "a client may say another path",
        On::Live,
        &[("proxy_set_header X-Rewrite-URL          \"\";", "")],
        &["claims.url"],
    ),
    copy(
        "a client may say another method",
        On::Live,
        &[("proxy_set_header X-HTTP-Method-Override \"\";", "")],
        &["claims.method"],
    ),
    copy(
        "people are not sent to sign in",
        On::Live,
        &[("error_page 401 = @sign_in;", "")],
        &["refusal.page-load"],
    ),
    copy(
        "the challenge is sent twice",
        On::Live,
        &[("proxy_hide_header WWW-Authenticate;", "")],
        &["refusal.program"],
    ),
    copy(
        "programs are sent to sign in",
        On::Live,
        &[("proxy_set_header Accept            $accept;", "")],
        &["refusal.program"],
    ),
    copy(
        "only the root is told to jwtgate",
        On::Live,
        &[("$host$host_port$request_uri", "$host$host_port/")],
        &["refusal.return-address"],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("large_client_header_buffers 8 48k;", "")],
        &["size.cookie"],
    ),
    copy(
        "paths with a percent sign are judged as another",
        On::Live,
        &[
            (
                "map $http_upgrade $upgrade {",
                "map $request_uri $judged { default $request_uri; ~% /app; }\n    map $http_upgrade $upgrade {",
            ),
            ("$host$host_port$request_uri", "$host$host_port$judged"),
        ],
        &["path.denied"],
    ),
    copy(
        "the path is judged as nginx reads it",
        On::Bench,
        &[("$host$host_port$request_uri", "$host$host_port$uri")],
        &["refusal.return-address", "path.judged"],
    ),
    copy(
        "an identity has no room",
        On::Bench,
        &[
            ("proxy_buffer_size       32k;", ""),
            ("proxy_buffers           4 32k;", ""),
            ("proxy_busy_buffers_size 32k;", ""),
        ],
        &["identity.large"],
    ),
    copy(
        "jwtgate's cookies are kept, and a body is announced to it",
        On::Bench,
        &[
            (
                "proxy_hide_header WWW-Authenticate;",
                "proxy_hide_header WWW-Authenticate; proxy_hide_header Set-Cookie;",
            ),
            ("proxy_set_header Content-Length    \"\";", ""),
            ("proxy_pass_request_headers off;", ""),
        ],
        &["refusal.cookie"],
    )
    .noting(&["check.body"]),
    copy(
        "errors lead to the application, and nobody is in a hurry",
        On::Bench,
        &[(
            "return 503 \"The sign-in service is not available. Please try again in a moment.\\n\";",
            "proxy_pass http://app;",
        )],
        FAIL_OPEN,
    ),
    copy(
        "a jwtgate that hangs is waited for",
        On::Bench,
        &[("proxy_read_timeout    2s;", "")],
        &[],
    )
    .noting(&["closed.patience"]),
];

pub(super) const TRAEFIK: &[Copy] = &[
    copy(
        "nobody is asked",
        On::Live,
        &[("middlewares: [strip, jwtgate]", "middlewares: [strip]")],
        EVERYBODY_AND_EVERY_NAME,
    ),
    copy(
        "the path is changed behind it",
        On::Bench,
        &[
            (
                "middlewares: [strip, jwtgate]",
                "middlewares: [strip, jwtgate, moved]",
            ),
            (
                "  middlewares:\n    jwtgate:",
                "  middlewares:\n    moved: { replacePath: { path: /app } }\n    jwtgate:",
            ),
        ],
        &["path.judged"],
    ),
    copy(
        "errors lead to the application",
        On::Bench,
        &[
            (
                "middlewares: [strip, jwtgate]",
                "middlewares: [strip, errors, jwtgate]",
            ),
            (
                "  middlewares:\n    jwtgate:",
                "  middlewares:\n    errors: { errors: { status: [\"500\"], service: app, query: /app } }\n    jwtgate:",
            ),
        ],
        &[
            "closed.down",
            "closed.silent",
            "closed.garbage",
            "closed.error",
        ],
    ),
    copy(
        "people cannot be told from programs",
        On::Live,
        &[
            ("          - Accept\n", ""),
            ("          - Sec-Fetch-Mode\n", ""),
        ],
        &["refusal.page-load"],
    ),
    copy(
        "a method has a router of its own",
        On::Live,
        &[(
            "  routers:\n",
            "  routers:\n    form:\n      rule: \"Method(`POST`)\"\n      service: app\n      priority: 1000\n",
        )],
        &["access.method"],
    ),
    copy(
        "an identity header is not listed",
        On::Live,
        &[("          - X-Auth-User\n", "")],
        &["identity.arrives", "identity.plain"],
    ),
    copy(
        "one that nobody fills is not listed",
        On::Bench,
        &[(
            "          - X-Auth-Identity              # with `[signed_identity]`\n",
            "",
        )],
        &["identity.plain", "identity.absent"],
    ),
    copy(
        "other spellings are let through",
        On::Live,
        &[("      aliasHeadersStrategy: delete\n", "")],
        &[
            "identity.underscore",
            "identity.separator",
            "identity.other-gates",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "nothing is stripped",
        On::Live,
        &[("middlewares: [strip, jwtgate]", "middlewares: [jwtgate]")],
        &[
            "identity.other-gates",
            "claims.address",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "clients are taken for proxies",
        On::Live,
        &[(
            "    http:\n      # X_Auth_User",
            "    forwardedHeaders: { insecure: true }\n    http:\n      # X_Auth_User",
        )],
        &["claims.address", "claims.place"],
    ),
    copy(
        "clients say which request is judged",
        On::Live,
        &[
            (
                "    http:\n      # X_Auth_User",
                "    forwardedHeaders: { insecure: true }\n    http:\n      # X_Auth_User",
            ),
            ("trustForwardHeader: false", "trustForwardHeader: true"),
            (
                "middlewares: [strip, jwtgate]",
                "middlewares: [jwtgate, strip]",
            ),
        ],
        &[
            "claims.decision",
            "claims.return-address",
            "claims.address",
            "claims.place",
        ],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("maxHeaderBytes: 61440", "maxHeaderBytes: 16384")],
        &["size.cookie"],
    ),
    copy(
        "the endpoint without redirects is asked",
        On::Bench,
        &[("/forward-auth\"", "/verify\"")],
        &["refusal.page-load", "path.judged"],
    ),
];

pub(super) const CADDY: &[Copy] = &[
    copy(
        "nobody is asked",
        On::Live,
        &[(
            "\t\tforward_auth 127",
            "\t\t@never path /never\n\t\tforward_auth @never 127",
        )],
        EVERYBODY,
    )
    .noting(&[]),
    copy(
        "any protocol is upgraded to",
        On::Live,
        &[(
            "\t\trequest_header @websocket Upgrade websocket\n\t\trequest_header @no_websocket -Upgrade\n",
            "",
        )],
        &["access.upgrade"],
    ),
    copy(
        "clients get the identity",
        On::Live,
        &[(
            "\t\treverse_proxy 127",
            "\t\theader X-Auth-User {http.request.header.X-Auth-User}\n\t\treverse_proxy 127",
        )],
        &["identity.leak"],
    ),
    copy(
        "people cannot be told from programs",
        On::Live,
        &[(
            "\t\t\turi /forward-auth?\n",
            "\t\t\turi /forward-auth?\n\t\t\theader_up -Accept\n\t\t\theader_up -Sec-Fetch-Mode\n",
        )],
        &["refusal.page-load"],
    ),
    copy(
        "only the root is told to jwtgate",
        On::Bench,
        &[(
            "\t\t\turi /forward-auth?\n",
            "\t\t\turi /forward-auth?\n\t\t\theader_up X-Forwarded-Uri /\n",
        )],
        &["refusal.return-address", "path.judged"],
    ),
    copy(
        "only some methods are asked about",
        On::Live,
        &[(
            "\t\tforward_auth 127",
            "\t\t@safe method GET HEAD\n\t\tforward_auth @safe 127",
        )],
        &["access.method"],
    ),
    copy(
        "health checkers are let through",
        On::Live,
        &[(
            "\t\tforward_auth 127",
            "\t\t@people not header User-Agent kube-probe/*\n\t\tforward_auth @people 127",
        )],
        &["access.user-agent"],
    ),
    copy(
        "WebSockets are let through",
        On::Live,
        &[(
            "\t\tforward_auth 127",
            "\t\t@others not header_regexp Upgrade (?i)^websocket$\n\t\tforward_auth @others 127",
        )],
        &["access.websocket"],
    ),
    copy(
        "whoever says a name is let through",
        On::Live,
        &[
            (
                "\t\tforward_auth 127",
                "\t\t@unknown not header Remote-User *\n\t\tforward_auth @unknown 127",
            ),
            ("\t\trequest_header -Remote-*\n", ""),
        ],
        &["access.forged-identity", "identity.other-gates"],
    ),
    copy(
        "an identity header is not copied, and not stripped",
        On::Live,
        &[
            (
                "copy_headers X-Auth-User X-Auth-Email",
                "copy_headers X-Auth-Email",
            ),
            ("\t\trequest_header -X-Auth*\n", ""),
        ],
        &["identity.arrives", "identity.plain", "identity.other-gates"],
    ),
    copy(
        "an odd sign is let through",
        On::Live,
        &[("\t\trequest_header -*!*\n", "")],
        &["identity.separator"],
    ),
    copy(
        "Connection is believed",
        On::Live,
        &[("\t\trequest_header -Connection\n", "")],
        &["identity.connection"],
    ),
    copy(
        "names of other gates, and of other requests",
        On::Live,
        &[
            ("\t\trequest_header -Remote-*\n", ""),
            ("\t\trequest_header -X-Rewrite*\n", ""),
            ("\t\trequest_header -X-Method*\n", ""),
            ("\t\trequest_header -X-Real*\n", ""),
            ("\t\trequest_header -X-Forwarded-Port\n", ""),
        ],
        EVERY_CLAIM,
    ),
    copy(
        "clients are taken for proxies",
        On::Bench,
        &[(
            "\t\tmax_header_size 60KB",
            "\t\ttrusted_proxies static 0.0.0.0/0\n\t\tmax_header_size 60KB",
        )],
        &[
            "claims.decision",
            "claims.return-address",
            "claims.address",
            "claims.place",
        ],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("max_header_size 60KB", "max_header_size 8KB")],
        &["size.cookie"],
    ),
    copy(
        "errors lead to the application",
        On::Bench,
        &[(
            "respond \"Not available. Please try again in a moment.\" 503",
            "reverse_proxy {app}",
        )],
        &[
            "closed.down",
            "closed.hanging",
            "closed.silent",
            "closed.garbage",
        ],
    ),
    copy(
        "a jwtgate that hangs is waited for, and the path is changed behind it",
        On::Bench,
        &[
            ("\t\t\t\tresponse_header_timeout 2s\n", ""),
            (
                "\t\treverse_proxy 127",
                "\t\turi strip_prefix /app\n\t\treverse_proxy 127",
            ),
        ],
        &["path.judged"],
    )
    .noting(&["closed.patience"]),
];

const HAPROXY_DENY: &str = "http-request deny deny_status 503 hdr Retry-After 5 hdr Cache-Control no-store unless { var(txn.jwtgate_passes) -m bool }";

pub(super) const HAPROXY: &[Copy] = &[
    copy(
        "nobody is asked",
        On::Live,
        &[(
            "http-request lua.jwtgate",
            "http-request set-var(txn.jwtgate_passes) bool(true)",
        )],
        EVERYBODY,
    ),
    copy(
        "any protocol is upgraded to",
        On::Live,
        &[(
            "    http-request set-header Upgrade websocket if is_websocket\n",
            "",
        )],
        &["access.upgrade"],
    ),
    copy(
        "clients get the identity",
        On::Live,
        &[(
            "    http-request set-header X-Auth-Email",
            "    http-response set-header X-Auth-User %[var(txn.jwtgate_user)]\n    http-request set-header X-Auth-Email",
        )],
        &["identity.leak"],
    ),
    copy(
        "names of other gates, and of other requests",
        On::Live,
        &[
            ("http-request del-header Remote- -m beg", ""),
            ("http-request del-header X-Rewrite- -m beg", ""),
            ("http-request del-header X-Method-Override", ""),
            (
                "    http-request set-header X-Forwarded-Host  %[req.hdr(Host)]\n",
                "",
            ),
            ("http-request del-header X-Forwarded- -m beg", ""),
        ],
        &[
            "identity.other-gates",
            "claims.place",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "people cannot be told from programs",
        On::Live,
        &[(
            "\"accept\", \"x-requested-with\", \"sec-fetch-mode\"",
            "\"x-requested-with\"",
        )],
        &["refusal.page-load"],
    ),
    copy(
        "only the root is told to jwtgate",
        On::Bench,
        &[("{ txn.f:pathq() }", "{ \"/\" }")],
        &["refusal.return-address", "path.judged"],
    ),
    copy(
        "a client says which request is judged",
        On::Bench,
        &[
            (
                "  headers[\"x-forwarded-uri\"] = { txn.f:pathq() }",
                "  headers[\"x-forwarded-uri\"] = sent[\"x-forwarded-uri\"] and values(sent[\"x-forwarded-uri\"]) or { txn.f:pathq() }",
            ),
            ("http-request del-header X-Forwarded- -m beg", ""),
        ],
        &[
            "identity.other-gates",
            "claims.decision",
            "claims.return-address",
            "claims.place",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "preflights are let through",
        On::Live,
        &[
            (
                "http-request lua.jwtgate",
                "http-request lua.jwtgate unless METH_OPTIONS",
            ),
            (
                HAPROXY_DENY,
                "http-request deny unless METH_OPTIONS or { var(txn.jwtgate_passes) -m bool }",
            ),
        ],
        &["access.method"],
    ),
    copy(
        "old clients are let through",
        On::Live,
        &[
            (
                "http-request lua.jwtgate",
                "http-request lua.jwtgate unless HTTP_1.0",
            ),
            (
                HAPROXY_DENY,
                "http-request deny unless HTTP_1.0 or { var(txn.jwtgate_passes) -m bool }",
            ),
        ],
        &["access.http10"],
    ),
    copy(
        "an identity header is not set",
        On::Live,
        &[(
            "http-request set-header X-Auth-User   %[var(txn.jwtgate_user)]",
            "",
        )],
        &["identity.arrives"],
    ),
    copy(
        "a client's own identity is kept",
        On::Live,
        &[("http-request del-header X-Auth- -m beg", "")],
        &["identity.plain", "identity.other-gates"],
    ),
    copy(
        "other spellings are let through",
        On::Live,
        &[(
            "option http-restrict-req-hdr-names delete",
            "option http-restrict-req-hdr-names preserve",
        )],
        EVERY_SPELLING,
    ),
    copy(
        "Connection is handed on",
        On::Live,
        &[(
            "    http-request del-header Connection unless is_websocket\n",
            "",
        )],
        &["identity.connection"],
    ),
    copy(
        "an address is kept",
        On::Live,
        &[("http-request del-header X-Real-IP", "")],
        &["claims.address"],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("tune.bufsize      65536", "")],
        &["size.cookie"],
    ),
    copy(
        "many lines are refused",
        On::Live,
        &[("tune.http.maxhdr  256", "")],
        &[],
    )
    .noting(&["size.lines"]),
    copy(
        "jwtgate's answer is asked for by nobody",
        On::Bench,
        &[
            (HAPROXY_DENY, ""),
            ("local timeout = 500", "local timeout = 200"),
        ],
        // Its own HTTP client says 503 where nobody listens, and jwtgate.lua takes that, as a 302, for jwtgate's.
        &[
            "closed.hanging",
            "closed.silent",
            "closed.garbage",
            "closed.error",
        ],
    ),
];

pub(super) const SPOE: &[Copy] = &[
    copy(
        "nobody is asked",
        On::Live,
        &[(
            "    http-request send-spoe-group jwtgate check\n",
            "    http-request set-var(txn.jwtgate.status) int(200)\n",
        )],
        EVERYBODY,
    ),
    copy(
        "any protocol is upgraded to",
        On::Live,
        &[(
            "    http-request set-header Upgrade websocket if is_websocket\n",
            "",
        )],
        &["access.upgrade"],
    ),
    copy(
        "an identity header is not set",
        On::Live,
        &[(
            "http-request set-header X-Auth-User   %[var(txn.jwtgate.x_auth_user)]",
            "",
        )],
        &["identity.arrives"],
    ),
    copy(
        "other spellings are let through",
        On::Live,
        &[(
            "option http-restrict-req-hdr-names delete",
            "option http-restrict-req-hdr-names preserve",
        )],
        EVERY_SPELLING,
    ),
    copy(
        "Connection is handed on",
        On::Live,
        &[(
            "    http-request del-header Connection unless is_websocket\n",
            "",
        )],
        &["identity.connection"],
    ),
    copy(
        "names of other gates, and of other requests",
        On::Live,
        &[
            ("http-request del-header Remote- -m beg", ""),
            ("http-request del-header X-Rewrite- -m beg", ""),
            ("http-request del-header X-Method-Override", ""),
            (
                "    http-request set-header X-Forwarded-Host  %[req.hdr(Host)]\n",
                "",
            ),
            ("http-request del-header X-Forwarded- -m beg", ""),
            ("http-request del-header X-Real-IP", ""),
        ],
        EVERY_CLAIM,
    ),
    copy(
        "clients get the identity",
        On::Live,
        &[(
            "    http-request set-header X-Auth-Email",
            "    http-response set-header X-Auth-User %[var(txn.jwtgate.x_auth_user)]\n    http-request set-header X-Auth-Email",
        )],
        &["identity.leak"],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("tune.bufsize", "#tune.bufsize")],
        &["size.cookie"],
    ),
    copy(
        "old clients are let through",
        On::Live,
        &[
            (
                "unless { var(txn.jwtgate.status) -m int 200 }",
                "unless HTTP_1.0 or { var(txn.jwtgate.status) -m int 200 }",
            ),
            (
                "send-spoe-group jwtgate check",
                "send-spoe-group jwtgate check unless HTTP_1.0",
            ),
        ],
        &["access.http10"],
    ),
    copy(
        "a client's own identity is kept",
        On::Live,
        &[("http-request del-header X-Auth- -m beg", "")],
        &["identity.plain", "identity.other-gates"],
    ),
    copy(
        "people are told nothing",
        On::Live,
        &[(
            "http-request return status 302 if",
            "http-request return status 503 if",
        )],
        &["refusal.page-load"],
    ),
    copy(
        "no answer is an answer",
        On::Outage,
        &[
            (
                "http-request deny deny_status 503 hdr Retry-After 5 hdr Cache-Control no-store if { var(txn.jwtgate.failed) -m found }",
                "",
            ),
            (
                "http-request deny deny_status 503 hdr Retry-After 5 hdr Cache-Control no-store unless { var(txn.jwtgate.status) -m int 200 }",
                "",
            ),
        ],
        &["closed.down"],
    ),
];

pub(super) const ENVOY_HTTP: &[Copy] = &[
    copy(
        "nobody is asked",
        On::Live,
        &[(
            "                        - match: { prefix: / }\n",
            "                        - match: { prefix: / }\n                          typed_per_filter_config: { jwtgate: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }\n",
        )],
        EVERYBODY_BUT_THE_OLD,
    ),
    copy(
        "clients get the identity",
        On::Live,
        &[(
            "                        - match: { prefix: / }\n",
            "                        - match: { prefix: / }\n                          response_headers_to_add: [{ header: { key: X-Auth-User, value: \"%REQ(X-AUTH-USER)%\" } }]\n",
        )],
        &["identity.leak"],
    ),
    copy(
        "the path is changed behind it",
        On::Bench,
        &[(
            "route: { cluster: app, timeout: 0s }",
            "route: { cluster: app, timeout: 0s, prefix_rewrite: /app }",
        )],
        &["path.judged"],
    ),
    copy(
        "health checkers are let through",
        On::Live,
        &[(
            "                        - match: { prefix: / }\n",
            "                        - match: { prefix: /, headers: [{ name: user-agent, string_match: { prefix: kube-probe } }] }\n                          route: { cluster: app }\n                          typed_per_filter_config: { jwtgate: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }\n                        - match: { prefix: / }\n",
        )],
        &["access.user-agent"],
    ),
    copy(
        "a client's own identity is kept",
        On::Bench,
        &[(
            "                        - remove_on_match: { key_matcher: { prefix: x-auth- } }\n",
            "",
        )],
        &["identity.plain", "identity.other-gates", "identity.absent"],
    ),
    copy(
        "other spellings are let through",
        On::Live,
        &[
            ("headers_with_underscores_action: DROP_HEADER", ""),
            (
                "                        - remove_on_match: { key_matcher: { safe_regex: { regex: \"[a-z0-9][a-z0-9-]*[^a-z0-9-].*\" } } }\n",
                "",
            ),
        ],
        EVERY_SPELLING,
    ),
    copy(
        "the identity is not passed on",
        On::Live,
        &[(
            "patterns: [{ prefix: x-auth- }]",
            "patterns: [{ prefix: x-none- }]",
        )],
        &["identity.arrives"],
    ),
    copy(
        "clients are taken for proxies",
        On::Bench,
        &[
            ("use_remote_address: true", "use_remote_address: false"),
            (
                "                        - remove_on_match: { key_matcher: { prefix: x-forwarded- } }\n",
                "",
            ),
        ],
        &[
            "identity.other-gates",
            "claims.decision",
            "claims.return-address",
            "claims.address",
            "claims.place",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("max_request_headers_kb: 96", "max_request_headers_kb: 16")],
        &["size.cookie"],
    ),
    copy(
        "many lines are refused",
        On::Live,
        &[("max_headers_count: 256", "max_headers_count: 100")],
        &[],
    )
    .noting(&["size.lines"]),
    copy(
        "people cannot be told from programs",
        On::Live,
        &[
            ("                          - exact: accept\n", ""),
            ("                          - exact: sec-fetch-mode\n", ""),
        ],
        &["refusal.page-load"],
    ),
    copy(
        "jwtgate's cookies are kept, and errors open",
        On::Bench,
        &[
            ("                              - exact: set-cookie\n", ""),
            ("failure_mode_allow: false", "failure_mode_allow: true"),
        ],
        &[
            "refusal.cookie",
            "closed.down",
            "closed.hanging",
            "closed.silent",
            "closed.garbage",
            "closed.error",
        ],
    ),
];

pub(super) const ENVOY_GRPC: &[Copy] = &[
    copy(
        "other spellings are let through",
        On::Live,
        &[
            ("headers_with_underscores_action: DROP_HEADER", ""),
            (
                "                        - remove_on_match: { key_matcher: { safe_regex: { regex: \"[a-z0-9][a-z0-9-]*[^a-z0-9-].*\" } } }\n",
                "",
            ),
        ],
        EVERY_SPELLING,
    ),
    copy(
        "names of other gates, and of other requests",
        On::Live,
        &[
            (
                "                        - remove_on_match: { key_matcher: { prefix: remote- } }\n",
                "",
            ),
            (
                "                        - remove_on_match: { key_matcher: { prefix: x-rewrite- } }\n",
                "",
            ),
            ("                        - remove: x-method-override\n", ""),
            (
                "                        - remove_on_match: { key_matcher: { prefix: x-forwarded- } }\n",
                "",
            ),
        ],
        EVERY_CLAIM,
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("max_request_headers_kb: 96", "max_request_headers_kb: 16")],
        &["size.cookie"],
    ),
    copy(
        "nobody is asked",
        On::Live,
        &[(
            "                        - match: { prefix: / }\n",
            "                        - match: { prefix: / }\n                          typed_per_filter_config: { jwtgate: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }\n",
        )],
        EVERYBODY_BUT_THE_OLD,
    ),
    copy(
        "clients get the identity",
        On::Live,
        &[(
            "                        - match: { prefix: / }\n",
            "                        - match: { prefix: / }\n                          response_headers_to_add: [{ header: { key: X-Auth-User, value: \"%REQ(X-AUTH-USER)%\" } }]\n",
        )],
        &["identity.leak"],
    ),
    copy(
        "a client's own identity is kept",
        On::Live,
        &[(
            "                        - remove_on_match: { key_matcher: { prefix: x-auth- } }\n",
            "",
        )],
        &["identity.plain", "identity.other-gates"],
    ),
    copy(
        "people cannot be told from programs",
        On::Live,
        &[
            ("                          - exact: accept\n", ""),
            ("                          - exact: sec-fetch-mode\n", ""),
        ],
        &["refusal.page-load"],
    ),
    copy(
        "errors open",
        On::Outage,
        &[("failure_mode_allow: false", "failure_mode_allow: true")],
        &["closed.down"],
    ),
];

pub(super) const APACHE: &[Copy] = &[
    copy(
        "nobody is asked",
        On::Live,
        &[("LuaHookAccessChecker", "# LuaHookAccessChecker")],
        &[
            "access.no-token",
            "access.method",
            "access.http10",
            "access.absolute-form",
            "access.user-agent",
            "access.websocket",
            "access.forged-identity",
            "access.upgrade",
            "identity.arrives",
            "identity.plain",
            "identity.underscore",
            "identity.separator",
            "identity.other-gates",
            "claims.address",
            "claims.place",
            "claims.url",
            "claims.method",
        ],
    ),
    copy(
        "any protocol is upgraded to",
        On::Live,
        &[
            (
                "  if upgrade ~= \"websocket\" then r.headers_in[\"Upgrade\"] = nil end\n",
                "",
            ),
            (
                "upgrade == \"websocket\" and \"Upgrade\" or",
                "upgrade ~= \"\" and \"Upgrade\" or",
            ),
            ("upgrade=websocket", "upgrade=ANY"),
        ],
        &["access.upgrade"],
    ),
    copy(
        "an identity header is not passed on",
        On::Live,
        &[(
            "local IDENTITY = { \"X-Auth-User\", \"X-Auth-Email\",",
            "local IDENTITY = { \"X-Auth-Email\",",
        )],
        &["identity.arrives"],
    ),
    copy(
        "people cannot be told from programs",
        On::Live,
        &[(
            "\"Accept\", \"X-Requested-With\", \"Sec-Fetch-Mode\",",
            "\"X-Requested-With\",",
        )],
        &["refusal.page-load"],
    ),
    copy(
        "only the root is told to jwtgate",
        On::Bench,
        &[("= r.unparsed_uri,", "= \"/\",")],
        &["refusal.return-address", "path.judged"],
    ),
    copy(
        "a client says which request is judged",
        On::Bench,
        &[(
            "= r.unparsed_uri,",
            "= r.headers_in[\"X-Forwarded-Uri\"] or r.unparsed_uri,",
        )],
        &["claims.decision", "claims.return-address"],
    ),
    copy(
        "a client's own identity is kept",
        On::Live,
        &[("\"x%-auth%-\", ", "")],
        &[
            "identity.underscore",
            "identity.separator",
            "identity.other-gates",
        ],
    ),
    copy(
        "other spellings are let through",
        On::Live,
        &[(
            "local folded = name:lower():gsub(\"[^%w]\", \"-\")",
            "local folded = name:lower()",
        )],
        EVERY_SPELLING,
    ),
    copy(
        "Connection is believed",
        On::Live,
        &[(
            "upgrade == \"websocket\" and \"Upgrade\" or connection:find(\"close\") and \"close\" or nil",
            "connection",
        )],
        &["identity.connection"],
    ),
    copy(
        "large cookies are refused",
        On::Live,
        &[("LimitRequestFieldSize 49152", "")],
        &["size.cookie"],
    ),
    copy(
        "no answer is an answer",
        On::Bench,
        &[("    return 503\n", "    return apache2.OK\n")],
        &[
            "closed.down",
            "closed.hanging",
            "closed.silent",
            "closed.garbage",
            "closed.error",
        ],
    ),
];
