//! From a request to an answer: asks the gate, records what came of it, and lets `respond` write it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use crate::clock::Timestamp;
use crate::gate::{self, Decision, Difference, Halt, Lookup, Permit, Refusal};
use crate::keys::keyring::Want;
use crate::keys::{MissingKey, Waited};
use crate::login::Way;
use crate::reason::{Outward, Reason};
use crate::request::{Original, RequestView};
use crate::telemetry::metrics::Ending;

use super::accept::{Unstated, is_page_load, takes_html};
use super::client_address::source;
use super::forwarded::ActixHeaders;
use super::live::{Live, Service};
use super::respond::{self, Audience, Endpoint, Offer};

/// One go at answering a request: the first, or another after keys have been waited for.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// When the first began.
    began: Instant,
    is_first: bool,
    patience: Patience,
}

/// What a key that is missing means for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// It may be waited for.
    MayWait,
    /// It was, and what is found now is the answer.
    IsOver,
    /// It cannot be told now; the client may ask again after this time.
    NotNow(Duration),
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Turn {
    /// The answer.
    Answer(HttpResponse),
    /// A key is missing that may be had.
    Wait(MissingKey),
}

/// Answers a request, with as many attempts as keys have to be waited for. A panic is caught, counted, and a 503 for this request only:
/// it is a bug, and never a 200. While the service drains, every answer is the last one of its connection, so that clients go elsewhere by
/// themselves.
pub async fn answered(service: &Service, handle: impl Fn(Attempt) -> Turn) -> HttpResponse {
    let mut attempt = Attempt {
        began: Instant::now(),
        is_first: true,
        patience: Patience::MayWait,
    };
    let mut response = loop {
        let missing = match caught(service, || handle(attempt)) {
            Turn::Answer(response) => break response,
            Turn::Wait(missing) => missing,
        };
        let waited = service.keyring.wait(&missing, attempt.began.into()).await;
        attempt.is_first = false;
        attempt.patience = match waited {
            Waited::Again { is_final: false } => Patience::MayWait,
            Waited::Again { is_final: true } => Patience::IsOver,
            Waited::NotNow(after) => Patience::NotNow(after),
        };
    };
    if service.is_draining() {
        response
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    response
}

fn caught(service: &Service, handle: impl FnOnce() -> Turn) -> Turn {
    catch_unwind(AssertUnwindSafe(handle)).unwrap_or_else(|_| {
        service.metrics.panicked();
        Turn::Answer(respond::internal())
    })
}

/// One request on its way through the server.
pub struct Exchange<'r> {
    service: &'r Service,
    live: &'r Live,
    request: &'r HttpRequest,
    endpoint: Endpoint,
    attempt: Attempt,
}

impl<'r> Exchange<'r> {
    /// Begins.
    #[must_use]
    pub fn begin(
        service: &'r Service,
        live: &'r Live,
        request: &'r HttpRequest,
        endpoint: Endpoint,
        attempt: Attempt,
    ) -> Self {
        Self {
            service,
            live,
            request,
            endpoint,
            attempt,
        }
    }

    /// Asks the gate whether a request may pass.
    ///
    /// # Errors
    /// It may not, or not yet.
    pub fn decide(&self, original: Original<'_>) -> Result<Permit, Halt> {
        let headers = ActixHeaders(self.request.headers());
        let view = self.view(&headers, original);
        self.take(gate::decide(&self.live.gate, &view, Timestamp::now()))
    }

    /// Asks the gate who it is, whatever the rules say of the request.
    ///
    /// # Errors
    /// The token is not good, or its key is missing.
    pub fn recognize(&self, original: Original<'_>) -> Result<Permit, Halt> {
        let headers = ActixHeaders(self.request.headers());
        let view = self.view(&headers, original);
        self.take(gate::recognize(&self.live.gate, &view, Timestamp::now()))
    }

    fn view<'v>(
        &self,
        headers: &'v ActixHeaders<'v>,
        original: Original<'v>,
    ) -> RequestView<'v, ActixHeaders<'v>> {
        RequestView {
            headers,
            original,
            source: source(self.request, self.live),
        }
    }

    /// Counts and logs what a decision brings beside its outcome.
    fn take(&self, decision: Decision) -> Result<Permit, Halt> {
        if self.attempt.is_first && decision.lookup != Lookup::Off {
            self.service
                .metrics
                .looked_up(decision.lookup == Lookup::Hit);
        }
        if let Some(missing) = &decision.missing {
            self.service.keyring.ask(missing);
        }
        if let Some(difference) = decision
            .difference
            .as_ref()
            .filter(|_| self.attempt.is_first)
        {
            self.compare(difference, &decision.outcome);
        }
        decision.outcome
    }

    /// One log line for each request that the shadow rules would have treated otherwise.
    fn compare(&self, difference: &Difference, real: &Result<Permit, Halt>) {
        let rule = difference.rule.as_deref().unwrap_or(NONE);
        self.service
            .metrics
            .rules
            .differed(rule, difference.would_pass);
        let rules = self.live.gate.policy.rules.as_ref();
        let decided = match real {
            Ok(permit) => rules
                .zip(permit.rule())
                .and_then(|(rules, place)| rules.all().get(place))
                .map(|rule| rule.name()),
            Err(halt) => halt.refusal().rule().map(crate::policy::Rule::name),
        };
        tracing::info!(
            token.digest = %difference.digest.map_or_else(|| NONE.to_owned(), |digest| digest.to_string()),
            rule.name = decided.map_or(NONE, |name| &**name),
            passes = real.is_ok(),
            shadow.rule = rule,
            shadow.would_pass = difference.would_pass,
            shadow.reason = difference.reason.map_or(NONE, Reason::code),
            "the shadow rules differ"
        );
    }

    /// What becomes of a request that does not pass: a key is waited for, or it is refused. `address` is where the person may come back
    /// to, where they may.
    #[must_use]
    pub fn conclude(
        &self,
        halt: Halt,
        original: &Original<'_>,
        address: impl FnOnce() -> Option<url::Url>,
    ) -> Turn {
        let refusal = match (halt, self.attempt.patience) {
            (Halt::KeyMissing(missing, _), Patience::MayWait) => return Turn::Wait(missing),
            // Without any key at all the reason is told already.
            (Halt::KeyMissing(MissingKey { want, .. }, refusal), Patience::NotNow(_))
                if want != Want::AnyKey =>
            {
                refusal.because(Reason::KeyPending)
            }
            (halt, _) => halt.settled(),
        };
        Turn::Answer(self.refuse(&refusal, original, address))
    }

    /// The answer to a request that may pass.
    #[must_use]
    pub fn allow(&self, permit: &Permit, response: HttpResponse) -> HttpResponse {
        let took = self.attempt.began.elapsed();
        let rule = permit
            .rule()
            .and_then(|place| self.live.rule_counters.get(place));
        if let Some(counter) = rule {
            counter.allowed();
        }
        match permit.known() {
            Some(known) => {
                if let Some(counters) = self.live.allow_counters.get(known.verified().place()) {
                    self.service.metrics.allowed(counters, known.source(), took);
                }
            }
            None => self.service.metrics.allowed_anonymous(took),
        }
        response
    }

    /// The answer to a request whose headers could not even be read.
    #[must_use]
    pub fn refuse_unread(&self, reason: Reason) -> HttpResponse {
        let refusal = Refusal::without_token(reason);
        self.record(&refusal, Ending::Deny);
        respond::refuse(
            self.live,
            self.endpoint,
            &refusal,
            self.audience(),
            Offer::default(),
        )
    }

    fn refuse(
        &self,
        refusal: &Refusal,
        original: &Original<'_>,
        address: impl FnOnce() -> Option<url::Url>,
    ) -> HttpResponse {
        let reason = refusal.reason();
        let location = self.location(refusal, original, address);
        let bounces = location.as_ref().map(|_| Bounces::read(self.request));
        let redirects = matches!(self.endpoint, Endpoint::ForwardAuth | Endpoint::SignIn);
        match (&location, bounces) {
            (Some(location), Some(bounces)) if redirects && !bounces.are_too_many() => {
                self.record(refusal, Ending::SignIn);
                respond::sign_in(location, &bounces.next().cookie())
            }
            _ => {
                let status = respond::status(self.endpoint, reason);
                let ending = if status == StatusCode::SERVICE_UNAVAILABLE {
                    Ending::Unavailable
                } else {
                    Ending::Deny
                };
                self.record(refusal, ending);
                let offer = Offer {
                    sign_in: location.as_deref(),
                    is_looping: redirects && location.is_some(),
                    retry_after: match self.attempt.patience {
                        Patience::NotNow(after) => Some(after),
                        Patience::MayWait | Patience::IsOver => None,
                    },
                };
                respond::refuse(self.live, self.endpoint, refusal, self.audience(), offer)
            }
        }
    }

    /// Where to send the person to sign in; `None` for programs, for refusals that signing in does not mend, and without a place.
    fn location(
        &self,
        refusal: &Refusal,
        original: &Original<'_>,
        address: impl FnOnce() -> Option<url::Url>,
    ) -> Option<String> {
        let reason = refusal.reason();
        let may_help = matches!(
            reason.outward(),
            Outward::NoToken | Outward::BadToken | Outward::MustSignInAgain
        );
        let returns = &self.live.returns;
        if !may_help || !returns.can_sign_in() || self.endpoint == Endpoint::UserInfo {
            return None;
        }
        let unstated = self.unstated();
        if !is_page_load(original.method, self.request.headers(), unstated) {
            return None;
        }
        let wanted = refusal.rule().and_then(|rule| rule.authentication());
        // Who signs in for the first time shall not have to do so twice.
        let way = wanted.map(|way| Way {
            acr_values: way.acr_values(),
            max_age: way.max_age(),
        });
        returns.sign_in(original, address().as_ref(), way.unwrap_or_default())
    }

    fn unstated(&self) -> Unstated {
        match self.endpoint {
            Endpoint::SignIn => Unstated::IsAPerson,
            Endpoint::Verify | Endpoint::ForwardAuth | Endpoint::UserInfo => Unstated::IsAProgram,
        }
    }

    fn audience(&self) -> Audience {
        if takes_html(self.request.headers(), self.unstated()) {
            Audience::Person
        } else {
            Audience::Program
        }
    }

    /// One log line for each refusal, with nothing in it that came unverified but what `gate::refusal` allows.
    fn record(&self, refusal: &Refusal, ending: Ending) {
        let token = refusal.token();
        let issuer = token.and_then(|token| token.issuer.as_deref());
        self.service.metrics.refused(
            ending,
            refusal.reason(),
            issuer,
            token.map(|token| token.source),
            self.attempt.began.elapsed(),
        );
        let reason = refusal.reason();
        let rule = refusal.rule();
        if let Some(rule) = rule {
            self.service.metrics.rules.refused(rule.name(), ending);
        }
        let peer = self.request.peer_addr().map(|peer| peer.ip());
        let hint = match reason {
            Reason::ProxyUntrusted => Some(peer.map_or_else(
                || "add `unix` to `server.trusted_proxies` if this is your proxy".to_owned(),
                |peer| format!("add {peer} to `server.trusted_proxies` if this is your proxy"),
            )),
            // It needs a change of the proxy too.
            Reason::IdentityTooLarge => Some(reason.hint().to_owned()),
            _ => None,
        };
        tracing::info!(
            reason.code = reason.code(),
            issuer.name = issuer.unwrap_or(NONE),
            token.kid = %token
                .and_then(|token| token.kid.as_deref())
                .map_or_else(|| NONE.to_owned(), printable),
            token.alg = token
                .and_then(|token| token.algorithm)
                .map_or(NONE, |algorithm| algorithm.name()),
            token.digest = %token.map_or_else(|| NONE.to_owned(), |token| token.digest.to_string()),
            rule.name = rule.map_or(NONE, |rule| rule.name()),
            detail = refusal.detail(),
            hint,
            "refused"
        );
    }
}

/// What a log line says where there is nothing to say.
const NONE: &str = "-";

/// A text without control, format and other characters that could forge or hide something on a terminal: they are escaped.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let is_plain = character.is_ascii_graphic() || character == ' ';
            let escaped = (!is_plain).then(|| character.escape_unicode());
            let plain = is_plain.then_some(character);
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// How often a browser was sent to sign in within the last minute: a short cookie, so that a browser that comes back without a
/// token each time sees a page in the end, and no endless loop. A client that forges it harms only itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounces {
    count: u32,
    since: i64,
    now: i64,
}

const BOUNCE_COOKIE: &str = "jwtgate_bounces";
const MAX_BOUNCES: u32 = 3;
const BOUNCE_WINDOW: i64 = 60;

impl Bounces {
    fn read(request: &HttpRequest) -> Self {
        let now = Timestamp::now().seconds();
        let cookies = request.headers().get_all("cookie");
        let name = BOUNCE_COOKIE.as_bytes();
        let value = cookies
            .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
            .find_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="));
        Self::parse(value.and_then(|value| std::str::from_utf8(value).ok()), now)
    }

    fn parse(value: Option<&str>, now: i64) -> Self {
        let parsed = value.and_then(|value| {
            let (count, since) = value.split_once('.')?;
            Some((count.parse().ok()?, since.parse().ok()?))
        });
        match parsed {
            Some((count, since)) if (0..BOUNCE_WINDOW).contains(&now.saturating_sub(since)) => {
                Self { count, since, now }
            }
            _ => Self {
                count: 0,
                since: now,
                now,
            },
        }
    }

    const fn are_too_many(self) -> bool {
        self.count >= MAX_BOUNCES
    }

    const fn next(self) -> Self {
        Self {
            count: self.count.saturating_add(1),
            ..self
        }
    }

    fn cookie(self) -> String {
        let left = BOUNCE_WINDOW.saturating_sub(self.now.saturating_sub(self.since));
        format!(
            "{BOUNCE_COOKIE}={}.{}; Max-Age={left}; Path=/; HttpOnly; SameSite=Lax",
            self.count, self.since
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn s11_6_a_browser_is_sent_to_sign_in_three_times_a_minute_at_most() {
        let mut bounces = Bounces::parse(None, 1000);
        for second in 1..=3 {
            assert!(!bounces.are_too_many());
            let cookie = bounces.next().cookie();
            let value = cookie.split([';', '=']).nth(1).unwrap().to_owned();
            bounces = Bounces::parse(Some(&value), 1000 + second);
        }
        assert!(bounces.are_too_many());
        assert!(!Bounces::parse(Some("3.1000"), 1060).are_too_many());
        for forged in ["", "x", "9", "9.x", "-1.1000", "99999999999.1000", "3.5000"] {
            assert!(
                !Bounces::parse(Some(forged), 1001).are_too_many(),
                "{forged}"
            );
        }
    }

    #[test]
    fn s16_6_a_panic_is_a_503_of_this_request_only_and_is_counted() {
        let config = crate::config::Config {
            secret: Some(crate::config::Secret::from(
                "0123456789abcdef0123456789abcdef",
            )),
            ..crate::config::Config::default()
        };
        let (gate, returns, _) = crate::app::compile_gate(&config, Timestamp::now());
        let metrics = crate::telemetry::Metrics::default();
        let (live, _) = Live::compile(&config, gate.unwrap(), returns, &metrics);
        let live = Arc::new(arc_swap::ArcSwap::from_pointee(live.unwrap()));
        let service = Service::new(live, Arc::default(), metrics);
        let Turn::Answer(response) = caught(&service, || panic!("on purpose")) else {
            panic!("a panic is not waited for");
        };
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let metrics = service.metrics.render().unwrap();
        assert!(metrics.contains("jwtgate_panics_total 1"));
    }

    #[test]
    fn s17_2_text_of_strangers_is_escaped_in_logs() {
        assert_eq!(printable("key-1"), "key-1");
        assert_eq!(
            printable("a\r\nb\u{202e}\x1b[31m"),
            r"a\u{d}\u{a}b\u{202e}\u{1b}[31m"
        );
    }
}
