//! What is looked at, each point with a stable id, and what was found there.

use std::fmt;

/// A point that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "`row` says what each of them is")]
pub enum Id {
    AccessNoToken,
    AccessMethod,
    AccessHttp10,
    AccessAbsoluteForm,
    AccessUserAgent,
    AccessWebSocket,
    AccessForgedIdentity,
    AccessUpgrade,
    RefusalProgram,
    RefusalPageLoad,
    RefusalReturnAddress,
    RefusalCookie,
    IdentityArrives,
    IdentityPlain,
    IdentityUnderscore,
    IdentitySeparator,
    IdentityOtherGates,
    IdentityConnection,
    IdentityAbsent,
    IdentityLeak,
    IdentityLarge,
    ClaimsDecision,
    ClaimsReturnAddress,
    ClaimsAddress,
    ClaimsPlace,
    ClaimsUrl,
    ClaimsMethod,
    PathJudged,
    PathDenied,
    SizeCookie,
    SizeLines,
    CheckBody,
    ClosedDown,
    ClosedHanging,
    ClosedSilent,
    ClosedGarbage,
    ClosedError,
    ClosedRedirect,
    ClosedPatience,
}

/// Where a point can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Behind a running jwtgate, and where doctor plays it.
    Everywhere,
    /// Only where doctor plays jwtgate (`--gate`).
    Bench,
    /// Only behind a running jwtgate.
    Live,
}

/// What is said of a point.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its stable id.
    pub code: &'static str,
    /// What is tried.
    pub tried: &'static str,
    /// What it means where it is open.
    pub meaning: &'static str,
    /// Where it can be looked at.
    pub place: Where,
}

impl Id {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 39] = [
        Self::AccessNoToken,
        Self::AccessMethod,
        Self::AccessHttp10,
        Self::AccessAbsoluteForm,
        Self::AccessUserAgent,
        Self::AccessWebSocket,
        Self::AccessForgedIdentity,
        Self::AccessUpgrade,
        Self::RefusalProgram,
        Self::RefusalPageLoad,
        Self::RefusalReturnAddress,
        Self::RefusalCookie,
        Self::IdentityArrives,
        Self::IdentityPlain,
        Self::IdentityUnderscore,
        Self::IdentitySeparator,
        Self::IdentityOtherGates,
        Self::IdentityConnection,
        Self::IdentityAbsent,
        Self::IdentityLeak,
        Self::IdentityLarge,
        Self::ClaimsDecision,
        Self::ClaimsReturnAddress,
        Self::ClaimsAddress,
        Self::ClaimsPlace,
        Self::ClaimsUrl,
        Self::ClaimsMethod,
        Self::PathJudged,
        Self::PathDenied,
        Self::SizeCookie,
        Self::SizeLines,
        Self::CheckBody,
        Self::ClosedDown,
        Self::ClosedHanging,
        Self::ClosedSilent,
        Self::ClosedGarbage,
        Self::ClosedError,
        Self::ClosedRedirect,
        Self::ClosedPatience,
    ];

    /// The point that has a code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.code() == code)
    }

    /// Its stable id.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// What is said of it.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one table")]
    pub const fn row(self) -> Row {
        use Where::{Bench, Everywhere, Live};
        let (code, place, tried, meaning) = match self {
            Self::AccessNoToken => (
                "access.no-token",
                Everywhere,
                "GET without a token",
                "Everybody may open the page.",
            ),
            Self::AccessMethod => (
                "access.method",
                Everywhere,
                "HEAD, POST, OPTIONS, PROPFIND and an invented method without a token",
                "Whoever chooses another method needs no token.",
            ),
            Self::AccessHttp10 => (
                "access.http10",
                Everywhere,
                "HTTP/1.0 without a token",
                "Whoever speaks an old HTTP needs no token.",
            ),
            Self::AccessAbsoluteForm => (
                "access.absolute-form",
                Everywhere,
                "a whole URL in the request line, without a token",
                "Whoever asks as one asks a proxy needs no token.",
            ),
            Self::AccessUserAgent => (
                "access.user-agent",
                Everywhere,
                "the names of health checkers in place of a token",
                "Whoever calls himself a health checker needs no token.",
            ),
            Self::AccessWebSocket => (
                "access.websocket",
                Everywhere,
                "a WebSocket without a token",
                "WebSockets are opened to everybody.",
            ),
            Self::AccessForgedIdentity => (
                "access.forged-identity",
                Everywhere,
                "identity headers in place of a token",
                "Whoever writes a name into a header is believed without a token.",
            ),
            Self::AccessUpgrade => (
                "access.upgrade",
                Everywhere,
                "an upgrade to HTTP/2 with a good token: `Upgrade: websocket, h2c`",
                "With any token, and an application that takes it, a tunnel opens in which nobody judges what comes next.",
            ),
            Self::RefusalProgram => (
                "refusal.program",
                Everywhere,
                "a program without a token: 401 with one WWW-Authenticate",
                "Programs cannot tell that they need a token, or the proxy breaks on the answer of jwtgate.",
            ),
            Self::RefusalPageLoad => (
                "refusal.page-load",
                Everywhere,
                "a page load without a token: 302 to sign in, or 401 without a place for that",
                "People are not sent to sign in, or the proxy breaks on the answer of jwtgate.",
            ),
            Self::RefusalReturnAddress => (
                "refusal.return-address",
                Everywhere,
                "the return address of that 302: the URL that was asked for",
                "People come back somewhere else after they have signed in.",
            ),
            Self::RefusalCookie => (
                "refusal.cookie",
                Bench,
                "the cookie that goes with that 302",
                "jwtgate's own cookies are lost, so it cannot tell a loop, nor who began to sign in.",
            ),
            Self::IdentityArrives => (
                "identity.arrives",
                Everywhere,
                "the identity headers that jwtgate gives",
                "The application does not learn who it is.",
            ),
            Self::IdentityPlain => (
                "identity.plain",
                Everywhere,
                "a client's own identity headers, in any case, once and twice",
                "Whoever has any token is whom they want to be.",
            ),
            Self::IdentityUnderscore => (
                "identity.underscore",
                Everywhere,
                "the same with underscores: X_Auth_User",
                "An application that sees headers as CGI variables takes it for X-Auth-User.",
            ),
            Self::IdentitySeparator => (
                "identity.separator",
                Everywhere,
                "the same with any other sign: X.Auth.User, X!Auth!User",
                "An application that sees headers as CGI variables takes it for X-Auth-User.",
            ),
            Self::IdentityOtherGates => (
                "identity.other-gates",
                Everywhere,
                "names that applications believe from other gates: Remote-User, X-Forwarded-User",
                "An application that believes one of these names takes it from everybody.",
            ),
            Self::IdentityConnection => (
                "identity.connection",
                Everywhere,
                "`Connection: X-Auth-User`, which makes a proxy remove that header",
                "A client takes the identity away, or has a later proxy do it, and is nobody or the default user.",
            ),
            Self::IdentityAbsent => (
                "identity.absent",
                Bench,
                "200 and 204 of a gate that names nobody, while the client names somebody",
                "Where jwtgate gives no identity the client's own one counts.",
            ),
            Self::IdentityLeak => (
                "identity.leak",
                Everywhere,
                "identity headers in what the client gets back",
                "Clients are told what only the application should learn.",
            ),
            Self::IdentityLarge => (
                "identity.large",
                Bench,
                "identity headers of 8 KiB",
                "People in many groups get an error.",
            ),
            Self::ClaimsDecision => (
                "claims.decision",
                Everywhere,
                "X-Forwarded-*, X-Original-* and Forwarded of the client's, which say that another request is meant",
                "jwtgate judges another request than the one that is served, or believes an address that was made up.",
            ),
            Self::ClaimsReturnAddress => (
                "claims.return-address",
                Everywhere,
                "the same with a page load",
                "A link sends people through the sign-in page to somebody else's site.",
            ),
            Self::ClaimsAddress => (
                "claims.address",
                Everywhere,
                "X-Forwarded-For, X-Real-IP and Forwarded of the client's",
                "The application believes any address that a client makes up.",
            ),
            Self::ClaimsPlace => (
                "claims.place",
                Everywhere,
                "X-Forwarded-Host, -Proto, -Port and -Server of the client's",
                "The application builds links to a place that a client makes up.",
            ),
            Self::ClaimsUrl => (
                "claims.url",
                Everywhere,
                "X-Original-URL, X-Rewrite-URL, X-Forwarded-Uri, -Path and -Prefix of the client's",
                "Some frameworks serve the path of these headers, which nobody has judged (CVE-2018-14773).",
            ),
            Self::ClaimsMethod => (
                "claims.method",
                Everywhere,
                "X-HTTP-Method-Override, X-Forwarded-Method and such of the client's",
                "Some frameworks serve the method of these headers, which nobody has judged.",
            ),
            Self::PathJudged => (
                "path.judged",
                Bench,
                "paths in many spellings: jwtgate is asked about the one that the application gets",
                "A rule about one path is passed by another spelling of it.",
            ),
            Self::PathDenied => (
                "path.denied",
                Live,
                "the path of --denied in many spellings",
                "A path that is denied opens under another spelling.",
            ),
            Self::SizeCookie => (
                "size.cookie",
                Everywhere,
                "a cookie of 32 KB",
                "People with large cookies get an error.",
            ),
            Self::SizeLines => (
                "size.lines",
                Everywhere,
                "120 header lines",
                "Clients that send many headers get an error.",
            ),
            Self::CheckBody => (
                "check.body",
                Bench,
                "a request with a body: the question to jwtgate announces none",
                "A question with the announcement of a body that may never come. jwtgate does not read it, others would wait.",
            ),
            Self::ClosedDown => (
                "closed.down",
                Everywhere,
                "jwtgate is not running",
                "Whoever stops jwtgate opens the page.",
            ),
            Self::ClosedHanging => (
                "closed.hanging",
                Bench,
                "jwtgate does not answer",
                "Whoever makes jwtgate slow opens the page.",
            ),
            Self::ClosedSilent => (
                "closed.silent",
                Bench,
                "jwtgate closes the connection",
                "Whoever breaks the connection to jwtgate opens the page.",
            ),
            Self::ClosedGarbage => (
                "closed.garbage",
                Bench,
                "something else answers in the place of jwtgate",
                "Whatever listens in the place of jwtgate opens the page.",
            ),
            Self::ClosedError => (
                "closed.error",
                Bench,
                "500, 503 and 404",
                "An error of jwtgate's opens the page.",
            ),
            Self::ClosedRedirect => (
                "closed.redirect",
                Bench,
                "302 to every question",
                "A redirect of jwtgate's opens the page.",
            ),
            Self::ClosedPatience => (
                "closed.patience",
                Bench,
                "how long a client waits for a jwtgate that hangs",
                "Clients wait for long, and so do the proxy's connections.",
            ),
        };
        Row {
            code,
            tried,
            meaning,
            place,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// What was found at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well: what was seen.
    Closed(String),
    /// It is open: how.
    Hole(String),
    /// It is open to other spellings of a name only, which the directive of another point closes.
    Spelled(Id, String),
    /// It cannot be told: why, and what to do about it.
    Unknown(String),
    /// No hole, and worth knowing.
    Note(String),
}

impl Verdict {
    /// In one word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Hole(_) | Self::Spelled(..) => "hole",
            Self::Unknown(_) => "unknown",
            Self::Note(_) => "note",
        }
    }

    /// What was seen.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Closed(text)
            | Self::Hole(text)
            | Self::Spelled(_, text)
            | Self::Unknown(text)
            | Self::Note(text) => text,
        }
    }

    /// Whether it is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Hole(_) | Self::Spelled(..))
    }
}

/// A point and what was found there.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The point.
    pub id: Id,
    /// What was found.
    pub verdict: Verdict,
}

impl Finding {
    /// The point whose directive closes this one; `None` where nothing should be changed.
    #[must_use]
    pub const fn remedy(&self) -> Option<Id> {
        match self.verdict {
            Verdict::Hole(_) | Verdict::Note(_) => Some(self.id),
            Verdict::Spelled(id, _) => Some(id),
            Verdict::Closed(_) | Verdict::Unknown(_) => None,
        }
    }
}

/// All that was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each point once, in the order of [`Id::ALL`].
    pub findings: Vec<Finding>,
    /// How many requests were sent.
    pub requests: usize,
    /// What the proxy calls itself.
    pub server: Option<String>,
}

impl Report {
    /// How many points are open, but for those that are accepted.
    #[must_use]
    pub fn holes(&self, accepted: &[Id]) -> usize {
        let is_open =
            |finding: &&Finding| finding.verdict.is_open() && !accepted.contains(&finding.id);
        self.findings.iter().filter(is_open).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_an_id_of_its_own_and_is_told_once() {
        let mut codes: Vec<_> = Id::ALL.iter().map(|id| id.code()).collect();
        assert!(
            Id::ALL.windows(2).all(|pair| pair[0] < pair[1]),
            "in the order of the enum"
        );
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Id::ALL.len());
        assert_eq!(
            Id::from_code("identity.underscore"),
            Some(Id::IdentityUnderscore)
        );
        assert_eq!(Id::from_code("identity.Underscore"), None);
        assert_eq!(Id::ALL.last(), Some(&Id::ClosedPatience));
    }
}
