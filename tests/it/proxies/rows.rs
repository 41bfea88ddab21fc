//! The content of the table.

use super::table::Cell;
use super::table::Outcome::{Nobody, NotTried, Passes, PassesAs, Refused};
use super::table::{Section, row, target};
use crate::harness::proxies::Kind::{
    Apache, Caddy, EnvoyGrpc, EnvoyHttp, Haproxy, HaproxySpoe, Itself, Nginx, Traefik,
};

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Who may pass",
        rows: &[
            row(Cell::GoodToken, "A good token", Passes),
            row(Cell::NoToken, "No token", Refused(401)),
            row(Cell::Expired, "A token that has expired", Refused(401)),
            row(Cell::Forged, "A forged or broken token", Refused(401)),
            row(
                Cell::OtherAudience,
                "A token for somebody else's application",
                Refused(401),
            ),
            row(
                Cell::LacksGroup,
                "A good token without the group that a rule asks for",
                Refused(403),
            ),
            row(
                Cell::Nameless,
                "A good token that names nobody",
                Refused(403),
            ),
            row(
                Cell::DeniedPath,
                "A good token, and a path that a rule denies",
                Refused(403),
            ),
            row(Cell::InCookie, "The token in a cookie", Passes),
            row(Cell::InQuery, "The token in the query", Passes),
            row(
                Cell::InSecondCookieLine,
                "The token in the second of two `Cookie` lines",
                Passes,
            ),
            row(
                Cell::TwoAuthorizationLines,
                "Two `Authorization` lines with different tokens",
                Refused(400),
            ),
            row(
                Cell::TwoTokensInOneLine,
                "Two tokens in one `Authorization` line",
                Refused(400),
            ),
            row(
                Cell::CookieTwice,
                "One cookie name with two different tokens",
                Refused(400),
            ),
            row(
                Cell::Preflight,
                "A CORS preflight, where a rule lets it pass",
                Passes,
            ),
        ],
    },
    Section {
        title: "People and programs",
        rows: &[
            row(
                Cell::PageLoad,
                "A page load without a token: to sign in, and back",
                Refused(302),
            ),
            row(
                Cell::PageLoadExpired,
                "A page load with an expired token in its query, which is taken out of the return address",
                Refused(302),
            ),
            row(
                Cell::Program,
                "A program, a script of a page, a form: one `WWW-Authenticate`",
                Refused(401),
            ),
            row(
                Cell::ForbiddenPage,
                "A person who may not: jwtgate's page",
                Refused(403),
            )
            .but(&[(
                &[Nginx],
                Refused(403),
                "nginx shows a 403 page of its own: `auth_request` takes no body from the check.",
            )]),
        ],
    },
    Section {
        title: "Bodies, WebSockets, sizes",
        rows: &[
            row(Cell::Body, "A body of 200 KB with a good token", Passes),
            row(Cell::RefusedBody, "The same without one", Refused(401)),
            row(
                Cell::WebSocket,
                "A WebSocket with a good token",
                Passes,
            ),
            row(
                Cell::RefusedWebSocket,
                "A WebSocket without one",
                Refused(401),
            ),
            row(Cell::LargeCookie, "A `Cookie` line of 47 KB", Passes),
            row(Cell::HugeCookie, "One of 100 KB", Refused(431)).but(&[(
                &[Nginx, Haproxy, HaproxySpoe, Apache],
                Refused(400),
                "They have no other word for a head that does not fit their buffers.",
            )]),
            row(Cell::TwoLargeCookies, "Two of 40 KB", Refused(431)).but(&[(
                &[Haproxy, HaproxySpoe, Apache],
                Refused(400),
                "They have no other word for a head that does not fit their buffers.",
            )]),
            row(Cell::ManyLines, "150 header lines", Passes).but(&[(
                &[Caddy],
                Refused(431),
                "Caddy asks jwtgate with all headers of the client and cannot be told to choose; jwtgate reads 96 lines.",
            )]),
            row(
                Cell::ManySpoofs,
                "`X-Auth-User` 150 times: all of them removed",
                Passes,
            ),
            row(Cell::LongQuery, "A query of 7 KB", Passes),
            row(Cell::ManyGroups, "300 groups, 8 KiB of them", Passes),
        ],
    },
    Section {
        title: "Claims of clients",
        rows: &[
            row(
                Cell::Spoofed,
                "A client's own `X-Auth-User`, in any spelling: removed",
                Passes,
            ),
            row(
                Cell::NamedInConnection,
                "`Connection: X-Auth-User`: the real one arrives all the same",
                Passes,
            ),
            row(
                Cell::Claims,
                "`X-Forwarded-*`, `X-Original-*`, `X-HTTP-Method-Override` and such: neither believed nor passed on",
                Passes,
            ),
        ],
    },
    Section {
        title: "Spellings of a path",
        rows: &[
            target("/app/../admin", Refused(403)),
            target("/app/%2e%2e/admin", Refused(403)),
            target("//admin", Refused(403)),
            target("/app/./x", Passes)
                .but(&[(&[Traefik, EnvoyHttp, EnvoyGrpc], PassesAs("/app/x"), RESOLVED)]),
            target("/app/y/../x", Passes)
                .but(&[(&[Traefik, EnvoyHttp, EnvoyGrpc], PassesAs("/app/x"), RESOLVED)]),
            target("/app//x", Refused(403))
                .but(&[(&[Traefik, EnvoyHttp, EnvoyGrpc], PassesAs("/app/x"), RESOLVED)]),
            target("/app//admin", Refused(403))
                .but(&[(&[Traefik, EnvoyHttp, EnvoyGrpc], PassesAs("/app/admin"), RESOLVED)]),
            target("/app/%2fx", Refused(403)),
            target("/app/..%2fadmin", Refused(403)),
            target("/app/..;/admin", Refused(403)),
            target("/app;a=1/x", Refused(403)),
            target("/admin;a=1", Refused(403)),
            target("/app\\..\\admin", Refused(403)),
            target("/app%5c..%5cadmin", Refused(403)),
            target("/%61dmin", Refused(403)),
            target("/%2561dmin", Refused(403)),
            target("/admin?x=/public", Refused(403)),
            target("/admin%00", Refused(403)).but(&[
                (
                    &[Nginx, EnvoyHttp, EnvoyGrpc],
                    Refused(400),
                    "They refuse this themselves.",
                ),
                (&[Apache], Refused(404), "Apache refuses this itself."),
            ]),
            target("/app#/../admin", Refused(403)).but(&[(
                &[Traefik, Haproxy, HaproxySpoe, EnvoyHttp, EnvoyGrpc, Apache],
                Refused(400),
                "They refuse this themselves.",
            ), (
                &[Itself],
                PassesAs("/app"),
                "It cuts a fragment off: what is judged is what is passed on.",
            )]),
            target("/app?a=1;b=2", Passes).but(&[(
                &[Traefik],
                PassesAs("/app?a=1&b=2"),
                "Traefik makes `&` of `;` in a query, or `%3B` with `encodeQuerySemicolons`.",
            )]),
            target("http://app.example.com/admin", Refused(403))
                .but(&[(&[Apache], Refused(400), NO_ABSOLUTE_FORM)]),
            target("http://app.example.com/app", PassesAs("/app")).but(&[
                (
                    &[Haproxy, HaproxySpoe],
                    Passes,
                    "HAProxy leaves the absolute form as it is; jwtgate judges its path.",
                ),
                (&[Apache], Refused(400), NO_ABSOLUTE_FORM),
            ]),
            target("http://other.example.com/admin", Refused(403)).but(&[
                (&[Haproxy, HaproxySpoe], Refused(400), OTHER_HOST),
                (&[Apache], Refused(400), NO_ABSOLUTE_FORM),
            ]),
            target("http://other.example.com/app", PassesAs("/app")).but(&[
                (&[Haproxy, HaproxySpoe], Refused(400), OTHER_HOST),
                (&[Apache], Refused(400), NO_ABSOLUTE_FORM),
                (
                    &[Itself],
                    Refused(403),
                    "jwtgate takes no target with another host than `Host`.",
                ),
            ]),
            target("admin", Refused(400)).but(&[(
                &[Itself],
                Refused(403),
                "It reads as a host, which is another one than `Host`.",
            )]),
            target("*", Refused(400)).but(&[
                (
                    &[Caddy, Haproxy],
                    Refused(403),
                    "They ask jwtgate, for which this is no path.",
                ),
                (
                    &[HaproxySpoe],
                    Refused(503),
                    "HAProxy has no path of it to ask about.",
                ),
                (
                    &[Traefik],
                    Refused(404),
                    "No route of Traefik's fits it.",
                ),
                (&[Itself], Refused(403), "No rule fits it."),
            ]),
        ],
    },
    Section {
        title: "jwtgate is dead, slow, or somebody else",
        rows: &[
            row(
                Cell::Undecided,
                "It has no keys yet: its issuer cannot be reached",
                Refused(503),
            ),
            row(Cell::Down, "It is dead", Refused(503)).but(&[
                (&[Traefik], Refused(500), OWN_500),
                (&[Itself], Nobody, NOBODY),
            ]),
            row(Cell::Hanging, "It hangs", Refused(503)).but(&[
                (
                    &[Traefik],
                    Refused(500),
                    "After 30 seconds, which cannot be set; until then the request waits.",
                ),
                (&[Itself], Nobody, NOBODY),
            ]),
            row(
                Cell::Restarted,
                "It is restarted: it is asked again at once",
                Passes,
            ),
            row(
                Cell::Silent,
                "It closes the connection without a word",
                Refused(503),
            )
            .but(&[
                (&[Traefik], Refused(500), OWN_500),
                (&[Itself], NotTried, NOTHING_BETWEEN),
            ]),
            row(
                Cell::Nonsense,
                "Something answers that does not speak HTTP",
                Refused(503),
            )
            .but(&[
                (&[Traefik], Refused(500), OWN_500),
                (&[Itself], NotTried, NOTHING_BETWEEN),
            ]),
            row(
                Cell::CutOff,
                "The connection breaks within the answer",
                Refused(503),
            )
            .but(&[
                (&[Traefik], Refused(500), OWN_500),
                (&[Itself], NotTried, NOTHING_BETWEEN),
            ]),
            row(Cell::Faulty, "Something answers 500", Refused(503)).but(&[
                (&[Traefik, Caddy], Refused(500), ANY_ANSWER),
                (&[Itself], NotTried, NOTHING_BETWEEN),
            ]),
            row(Cell::Elsewhere, "Something answers 404", Refused(503)).but(&[
                (&[Traefik, Caddy, EnvoyHttp], Refused(404), ANY_ANSWER),
                (&[Itself], NotTried, NOTHING_BETWEEN),
            ]),
        ],
    },
];

const NOBODY: &str = "It is the proxy: without it there is none, and no way to the application.";
const NOTHING_BETWEEN: &str = "Nothing stands between it and itself.";
const RESOLVED: &str =
    "They resolve dot segments and merge slashes first: jwtgate judges what the application gets.";
const NO_ABSOLUTE_FORM: &str =
    "Apache hands the absolute form to jwtgate, which takes only a path there.";
const OTHER_HOST: &str = "HAProxy takes no target with another host than `Host`.";
const OWN_500: &str = "Traefik has no setting for the status.";
const ANY_ANSWER: &str = "They pass on whatever is no success.";
