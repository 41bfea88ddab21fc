//! What jwtgate answers, as `server/respond.rs` has it: the same endpoints, statuses and headers, for one made-up token.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Seen;
use crate::doctor::wire::values;

/// The endpoint that a proxy asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Door {
    Verify,
    ForwardAuth,
    ExtAuthz,
    SignIn,
    /// None of jwtgate's.
    Unknown,
}

const EXT_AUTHZ: &str = "/ext-authz";

/// The request that jwtgate would judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::doctor) struct Judged {
    pub(in crate::doctor) method: String,
    pub(in crate::doctor) scheme: String,
    pub(in crate::doctor) host: String,
    /// `None`: the proxy does not say it.
    pub(in crate::doctor) target: Option<String>,
}

/// A question of the proxy.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct Question {
    pub(in crate::doctor) door: Door,
    pub(in crate::doctor) judged: Judged,
    pub(in crate::doctor) seen: Seen,
}

impl Question {
    pub(in crate::doctor) fn of(seen: Seen) -> Self {
        let door = door(&seen.target);
        Self {
            door,
            judged: judged(door, &seen),
            seen,
        }
    }

    fn value<'q>(&'q self, name: &'q str) -> &'q str {
        values(&self.seen.lines, name).next().unwrap_or_default()
    }

    /// Whether a person opens a page, as `server/accept.rs` tells it; a test holds the two together.
    fn is_page_load(&self) -> bool {
        let is = |name, value: &str| self.value(name).eq_ignore_ascii_case(value);
        let is_script = is("x-requested-with", "XMLHttpRequest")
            || is("upgrade", "websocket")
            || !self.value("sec-websocket-key").is_empty();
        let method = self.judged.method.as_str();
        if is_script || !matches!(method, "" | "GET" | "HEAD") {
            return false;
        }
        let accept = self.value("accept");
        match self.value("sec-fetch-mode") {
            "" if self.door == Door::SignIn && matches!(accept, "" | "*/*") => true,
            "" => accept.contains("text/html"),
            mode => mode.eq_ignore_ascii_case("navigate"),
        }
    }

    /// The address that a person comes back to.
    fn address(&self) -> String {
        let scheme = match self.judged.scheme.as_str() {
            "" => "http",
            scheme => scheme,
        };
        let target = self.judged.target.as_deref().unwrap_or("/");
        format!("{scheme}://{}{target}", self.judged.host)
    }
}

fn door(target: &str) -> Door {
    let path = target.split('?').next().unwrap_or_default();
    match path {
        "/verify" => Door::Verify,
        "/forward-auth" => Door::ForwardAuth,
        "/sign-in" => Door::SignIn,
        path if path.starts_with(EXT_AUTHZ) => Door::ExtAuthz,
        _ => Door::Unknown,
    }
}

/// What each door reads, as `server/forwarded` does.
fn judged(door: Door, seen: &Seen) -> Judged {
    let value = |name: &str| {
        let mut all = values(&seen.lines, name);
        all.find(|value| !value.is_empty()).map(str::to_owned)
    };
    let host = || value("host").unwrap_or_default();
    match door {
        Door::Verify | Door::SignIn => {
            let url = value("x-original-url");
            let (scheme, host, target) = match url.as_deref().and_then(split) {
                Some((scheme, host, target)) => (scheme, host, Some(target)),
                None => (
                    value("x-forwarded-proto").unwrap_or_default(),
                    value("x-forwarded-host").unwrap_or_else(host),
                    value("x-original-uri"),
                ),
            };
            Judged {
                method: value("x-original-method").unwrap_or_default(),
                scheme,
                host,
                target,
            }
        }
        Door::ForwardAuth | Door::Unknown => Judged {
            method: value("x-forwarded-method").unwrap_or_default(),
            scheme: value("x-forwarded-proto").unwrap_or_default(),
            host: value("x-forwarded-host").unwrap_or_else(host),
            target: value("x-forwarded-uri"),
        },
        Door::ExtAuthz => Judged {
            method: seen.method.clone(),
            scheme: value("x-forwarded-proto").unwrap_or_default(),
            host: host(),
            target: seen.target.strip_prefix(EXT_AUTHZ).map(str::to_owned),
        },
    }
}

/// A URL as scheme, host and the rest, without judging any of them.
pub(in crate::doctor) fn split(url: &str) -> Option<(String, String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, target) = rest.split_at_checked(at)?;
    Some((scheme.to_owned(), host.to_owned(), target.to_owned()))
}

/// What the gate on the stage knows.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct Secrets {
    /// The whole value of the header that lets pass.
    pub(in crate::doctor) credential: String,
    /// The name of that header.
    pub(in crate::doctor) header: String,
    /// The identity headers and their values.
    pub(in crate::doctor) identity: Vec<(String, String)>,
    /// A large value in place of the last one.
    pub(in crate::doctor) large: String,
    /// What stands in the cookie of a redirect.
    pub(in crate::doctor) cookie: String,
}

/// Which identity an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Identity {
    Usual,
    /// The last header is as large as it may be.
    Large,
}

/// The cookie that goes with a redirect.
pub(in crate::doctor) const COOKIE: &str = "jwtgate_doctor";

/// The answer of jwtgate.
pub(in crate::doctor) fn answer(
    question: &Question,
    secrets: &Secrets,
    identity: Identity,
) -> String {
    let passes = question.value(&secrets.header) == secrets.credential;
    match question.door {
        Door::Unknown => "HTTP/1.1 404 Not Found\r\n".to_owned(),
        Door::SignIn if passes => found(&question.address(), secrets),
        _ if passes => pass(question.door, secrets, identity),
        Door::SignIn | Door::ForwardAuth | Door::ExtAuthz if question.is_page_load() => {
            found(&sign_in(question), secrets)
        }
        door => {
            let redirect = match door {
                Door::Verify if question.is_page_load() => {
                    format!("X-Auth-Redirect: {}\r\n", sign_in(question))
                }
                _ => String::new(),
            };
            format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"doctor\"\r\n{redirect}Cache-Control: no-store\r\n"
            )
        }
    }
}

fn sign_in(question: &Question) -> String {
    let address = question.address();
    let back = utf8_percent_encode(&address, NON_ALPHANUMERIC);
    format!("https://sign-in.invalid/login?retpath={back}")
}

fn found(address: &str, secrets: &Secrets) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: {address}\r\nSet-Cookie: {COOKIE}={}; Path=/; HttpOnly; SameSite=Lax\r\nCache-Control: no-store\r\n",
        secrets.cookie
    )
}

fn pass(door: Door, secrets: &Secrets, identity: Identity) -> String {
    let mut head = String::from("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n");
    let last = secrets.identity.len().saturating_sub(1);
    let mut removed = Vec::new();
    for (at, (name, value)) in secrets.identity.iter().enumerate() {
        let is_large = identity == Identity::Large && at == last;
        let value = if is_large { &secrets.large } else { value };
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
        removed.push(name.to_ascii_lowercase().replace('-', "_"));
    }
    if door == Door::ExtAuthz {
        head.push_str("X-Envoy-Auth-Headers-To-Remove: ");
        head.push_str(&removed.join(","));
        head.push_str("\r\n");
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(target: &str, lines: &[(&str, &str)]) -> Question {
        let owned = lines
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Question::of(Seen {
            method: "GET".to_owned(),
            target: target.to_owned(),
            lines: owned.collect(),
            has_body: false,
        })
    }

    fn secrets() -> Secrets {
        Secrets {
            credential: "Bearer t".to_owned(),
            header: "Authorization".to_owned(),
            identity: vec![("X-Auth-User".to_owned(), "alice".to_owned())],
            large: "L".to_owned(),
            cookie: "c".to_owned(),
        }
    }

    #[test]
    fn each_door_reads_its_own_headers_and_no_others() {
        let lines = [
            ("Host", "h"),
            ("X-Original-URL", "https://a:1/b?c"),
            ("X-Original-Method", "PUT"),
            ("X-Forwarded-Uri", "/d"),
            ("X-Forwarded-Method", "POST"),
            ("X-Forwarded-Host", "e"),
            ("X-Forwarded-Proto", "http"),
        ];
        let judged = |target| {
            let Judged {
                method,
                scheme,
                host,
                target,
            } = question(target, &lines).judged;
            format!("{method} {scheme} {host} {}", target.unwrap_or_default())
        };
        assert_eq!(judged("/verify"), "PUT https a:1 /b?c");
        assert_eq!(judged("/forward-auth?x=1"), "POST http e /d");
        assert_eq!(judged("/ext-authz/f?g"), "GET http h /f?g");
        let uri = [
            ("Host", "h"),
            ("X-Original-URI", "/b"),
            ("X-Forwarded-Proto", "https"),
        ];
        let stated = question("/verify", &uri).judged;
        assert_eq!(
            (stated.host.as_str(), stated.target.as_deref()),
            ("h", Some("/b"))
        );
    }

    #[test]
    fn whoever_loads_a_page_here_does_so_for_the_service() {
        use crate::request::GivenLines;
        use crate::server::accept::{Unstated, is_page_load};

        let accepts = [
            None,
            Some("*/*"),
            Some("text/html,*/*;q=0.8"),
            Some("application/json"),
        ];
        let modes = [None, Some("navigate"), Some("cors")];
        let scripts = [
            None,
            Some(("X-Requested-With", "XMLHttpRequest")),
            Some(("Upgrade", "websocket")),
            Some(("Sec-WebSocket-Key", "k")),
        ];
        for (door, unstated) in [
            ("/forward-auth", Unstated::IsAProgram),
            ("/sign-in", Unstated::IsAPerson),
        ] {
            for (method, accept) in ["GET", "HEAD", "POST"]
                .into_iter()
                .flat_map(|method| accepts.map(|accept| (method, accept)))
            {
                for (mode, script) in modes
                    .into_iter()
                    .flat_map(|mode| scripts.map(|script| (mode, script)))
                {
                    let mut lines = vec![
                        ("X-Forwarded-Method", method),
                        ("X-Original-Method", method),
                    ];
                    lines.extend(accept.map(|accept| ("Accept", accept)));
                    lines.extend(mode.map(|mode| ("Sec-Fetch-Mode", mode)));
                    lines.extend(script);
                    let given = lines
                        .iter()
                        .map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned()));
                    let given = GivenLines(given.collect());
                    assert_eq!(
                        question(door, &lines).is_page_load(),
                        is_page_load(method, &given, unstated),
                        "{door} {lines:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_answers_are_those_of_jwtgate() {
        let status = |target: &str, lines: &[(&str, &str)]| {
            let text = answer(&question(target, lines), &secrets(), Identity::Usual);
            (text.get(9..12).unwrap_or_default().to_owned(), text)
        };
        let token = ("authorization", "Bearer t");
        let page = ("Accept", "text/html");
        let (code, text) = status("/verify", &[token]);
        assert_eq!(code, "200");
        assert!(text.contains("X-Auth-User: alice\r\n"), "{text}");
        assert_eq!(status("/verify", &[]).0, "401");
        let (code, text) = status("/verify", &[page, ("X-Original-URL", "http://h/a?b")]);
        assert_eq!(code, "401");
        assert!(
            text.contains(
                "X-Auth-Redirect: https://sign-in.invalid/login?retpath=http%3A%2F%2Fh%2Fa%3Fb\r\n"
            ),
            "{text}"
        );
        for target in ["/forward-auth", "/ext-authz/a", "/sign-in"] {
            assert_eq!(status(target, &[page]).0, "302", "{target}");
            let program = ("Accept", "application/json");
            assert_eq!(status(target, &[program]).0, "401", "{target}");
        }
        assert_eq!(status("/auth", &[token]).0, "404");
        let large = answer(
            &question("/ext-authz/a", &[token]),
            &secrets(),
            Identity::Large,
        );
        assert!(
            large.contains("X-Auth-User: L\r\nX-Envoy-Auth-Headers-To-Remove: x_auth_user\r\n"),
            "{large}"
        );
    }
}
