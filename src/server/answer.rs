//! From a request to an answer: asks the gate, records what came of it, and lets `respond` write it. What must wait for a key is a `turn`.

use actix_web::http::StatusCode;

use crate::clock::Timestamp;
use crate::gate::{self, Credential, Decision, Difference, Halt, Lookup, Permit, Refusal};
use crate::keys::MissingKey;
use crate::keys::keyring::Want;
use crate::login::Way;
use crate::reason::{Outward, Reason};
use crate::request::{Original, RequestView};
use crate::telemetry::metrics::Ending;

use super::accept::{Unstated, is_page_load, takes_html};
use super::asked::{Asked, Lines};
use super::bounces::Bounces;
use super::client_address::source;
use super::live::{Live, Service};
use super::reply::Reply;
use super::respond::{self, Audience, Endpoint, Offer};
use super::turn::{Attempt, Patience, Turn, Wants};

/// What came of a check.
#[derive(Debug)]
pub enum Checked {
    /// The request may pass.
    Pass(Permit),
    /// It may not, or not yet: what the client is told.
    Refused(Reply),
}

/// What every endpoint for proxies has in common. `original` is what the proxy says of the original request, and `names_target` whether
/// that includes its path: one that it does not name is no place to send people back to.
pub fn check<H: Lines>(
    exchange: &Exchange<'_, H>,
    original: Result<Original<'_>, Reason>,
    names_target: bool,
) -> Turn<Checked> {
    let original = match original {
        Ok(original) => original,
        Err(reason) => return Turn::Answer(Checked::Refused(exchange.refuse_unread(reason))),
    };
    match exchange.decide(original) {
        Ok(permit) => {
            exchange.passed(&permit);
            Turn::Answer(Checked::Pass(permit))
        }
        Err(halt) => exchange
            .conclude(halt, &original, || {
                names_target.then(|| exchange.live.returns.of_request(&original))?
            })
            .map(Checked::Refused),
    }
}

/// One request on its way through the server.
pub struct Exchange<'r, H> {
    service: &'r Service,
    live: &'r Live,
    asked: Asked<'r, H>,
    endpoint: Endpoint,
    attempt: Attempt<'r>,
}

impl<'r, H: Lines> Exchange<'r, H> {
    /// Begins.
    #[must_use]
    pub fn begin(
        service: &'r Service,
        live: &'r Live,
        asked: Asked<'r, H>,
        endpoint: Endpoint,
        attempt: Attempt<'r>,
    ) -> Self {
        Self {
            service,
            live,
            asked,
            endpoint,
            attempt,
        }
    }

    /// Asks the gate whether a request may pass.
    ///
    /// # Errors
    /// It may not, or not yet.
    pub fn decide(&self, original: Original<'_>) -> Result<Permit, Halt> {
        let view = self.view(original);
        let signatures = self.attempt.signatures;
        self.take(gate::decide_with(
            &self.live.gate,
            &view,
            Timestamp::now(),
            signatures,
        ))
    }

    /// Asks the gate who it is, whatever the rules say of the request.
    ///
    /// # Errors
    /// The token is not good, or its key is missing.
    pub fn recognize(&self, original: Original<'_>) -> Result<Permit, Halt> {
        let view = self.view(original);
        self.take(gate::recognize(&self.live.gate, &view, Timestamp::now()))
    }

    /// Asks the gate whose token this is, wherever it came from.
    ///
    /// # Errors
    /// The token is not good, or its key is missing.
    pub fn recognize_token(&self, credential: Credential<'_>) -> Result<Permit, Halt> {
        let now = Timestamp::now();
        self.take(gate::recognize_token(&self.live.gate, credential, now))
    }

    fn view<'v>(&self, original: Original<'v>) -> RequestView<'v, H>
    where
        'r: 'v,
    {
        RequestView {
            headers: self.asked.headers,
            original,
            source: source(&self.asked, self.live),
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
    ) -> Turn<Reply> {
        let refusal = match (halt, self.attempt.patience) {
            (Halt::KeyMissing(missing, _), Patience::MayWait) => {
                return Turn::Wait(Wants::Key(missing));
            }
            (Halt::Unjudged(unjudged, _), _) => return Turn::Wait(Wants::Signature(unjudged)),
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

    /// Counts a request that may pass.
    pub fn passed(&self, permit: &Permit) {
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
    }

    /// The answer to a request whose headers could not even be read.
    #[must_use]
    pub fn refuse_unread(&self, reason: Reason) -> Reply {
        let refusal = Refusal::without_token(reason);
        self.record(&refusal, ending(respond::status(self.endpoint, reason)));
        self.told(&refusal)
    }

    /// The answer to a request that may pass, and that the application behind did not answer. The decision has been counted.
    #[must_use]
    pub fn not_answered(&self, reason: Reason, cause: Option<&str>) -> Reply {
        self.service.metrics.not_answered(reason);
        let (code, hint) = (reason.code(), reason.hint());
        if reason == Reason::RequestMalformed {
            // The client's own body broke off: nobody here need do anything.
            tracing::info!(
                reason.code = code,
                cause,
                "passed, and broken off by the client"
            );
        } else {
            tracing::warn!(
                reason.code = code,
                cause,
                hint,
                "passed, and not answered by the application"
            );
        }
        self.told(&Refusal::without_token(reason))
    }

    /// A refusal in words, without a place to sign in.
    fn told(&self, refusal: &Refusal) -> Reply {
        respond::refuse(
            self.live,
            self.endpoint,
            refusal,
            self.audience(),
            Offer::default(),
        )
    }

    fn refuse(
        &self,
        refusal: &Refusal,
        original: &Original<'_>,
        address: impl FnOnce() -> Option<url::Url>,
    ) -> Reply {
        let reason = refusal.reason();
        let location = self.location(refusal, original, address);
        let bounces = location.as_ref().map(|_| Bounces::read(self.asked.headers));
        let redirects = matches!(self.endpoint, Endpoint::ForwardAuth | Endpoint::SignIn);
        match (&location, bounces) {
            (Some(location), Some(bounces)) if redirects && !bounces.are_too_many() => {
                self.record(refusal, Ending::SignIn);
                respond::sign_in(location, bounces.next().cookie())
            }
            _ => {
                let status = respond::status(self.endpoint, reason);
                self.record(refusal, ending(status));
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
        if !may_help
            || !returns.can_sign_in()
            || matches!(self.endpoint, Endpoint::UserInfo | Endpoint::Introspect)
        {
            return None;
        }
        let unstated = self.unstated();
        if !is_page_load(original.method, self.asked.headers, unstated) {
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
            Endpoint::Verify
            | Endpoint::ForwardAuth
            | Endpoint::UserInfo
            | Endpoint::Introspect => Unstated::IsAProgram,
        }
    }

    fn audience(&self) -> Audience {
        if takes_html(self.asked.headers, self.unstated()) {
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
        let peer = self.asked.peer.map(|peer| peer.ip());
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

fn ending(status: StatusCode) -> Ending {
    if status.is_server_error() {
        Ending::Unavailable
    } else {
        Ending::Deny
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s17_2_text_of_strangers_is_escaped_in_logs() {
        assert_eq!(printable("key-1"), "key-1");
        assert_eq!(
            printable("a\r\nb\u{202e}\x1b[31m"),
            r"a\u{d}\u{a}b\u{202e}\u{1b}[31m"
        );
    }
}
