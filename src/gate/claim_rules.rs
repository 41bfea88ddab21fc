//! Step 2, second half: are the claims of a well-signed token the ones that are wanted, now (RFC 7519 §4.1, RFC 8725 §3.8–3.12)?

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::effective::TENANT;
use crate::config::{Fault, IssuerSettings};
use crate::jose::claims::WrongType;
use crate::jose::header::is_media_type;
use crate::jose::{Claims, Header};
use crate::policy::rule::SignIn;
use crate::reason::Reason;

use super::required_claims::RequiredClaims;

/// What an issuer's tokens must say.
#[derive(Clone, Debug)]
pub struct ClaimRules {
    audiences: Vec<String>,
    audience_claim: String,
    issuers: Vec<String>,
    /// The id of the tenant that each spelling of the issuer names, where it names one.
    tenants: Vec<(String, String)>,
    signers: Vec<String>,
    required: RequiredClaims,
    leeway: Duration,
    require_exp: bool,
    max_lifetime: Option<Duration>,
    token_type: Option<String>,
}

/// When a token is valid, leeway included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment at which it is.
    from: Option<Timestamp>,
    /// The first moment at which it no longer is.
    until: Option<Timestamp>,
    /// `exp`, as the token says it.
    expires: Option<Timestamp>,
}

impl Validity {
    /// Of what is only supposed.
    pub(super) const fn always() -> Self {
        Self {
            from: None,
            until: None,
            expires: None,
        }
    }

    /// Whether it is valid at `now`.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| now >= from) && self.until.is_none_or(|until| now < until)
    }

    /// The first moment at which it is no longer valid.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// `exp`, as the token says it.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

/// The longest leeway that makes sense: clocks differ by seconds, and a day of leeway is a day of stolen tokens.
const MAX_LEEWAY: Duration = Duration::from_mins(10);

/// Kinds of token that are never credentials, unless `token_type` asks for exactly that kind: logout and security event tokens,
/// proofs of possession (RFC 8417 §2.3, OpenID Connect Back-Channel Logout §2.4, RFC 9449 §4.2).
const NEVER_CREDENTIALS: [&str; 3] = ["logout+jwt", "secevent+jwt", "dpop+jwt"];

impl ClaimRules {
    /// Compiles the rules. Faults name keys of the issuer.
    #[must_use]
    pub fn compile(settings: &IssuerSettings) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let audiences = settings.audience.items().to_vec();
        let issuers = settings.spellings();
        judge_audiences(settings, &audiences, &mut faults);
        let lists = [
            ("audience", audiences.as_slice()),
            ("issuer", settings.issuer.as_slice()),
            ("signer", settings.signer.as_slice()),
        ];
        for (key, list) in lists {
            if list.iter().any(String::is_empty) {
                faults.push(Fault::new(
                    settings.path(key),
                    "an empty string in a list",
                    "a name",
                    "remove it",
                ));
            }
        }
        let names_tenant = settings.issuer.iter().any(|issuer| issuer.contains(TENANT));
        if names_tenant && settings.tenants.is_empty() {
            faults.push(Fault::new(
                settings.path("tenants"),
                "no tenant for `{tenantid}` in `issuer`",
                "the ids of the tenants whose people may come in",
                "list them: everybody can have a tenant, so without a list everybody could come in",
            ));
        }
        judge_times(settings, &mut faults);
        let tenants = settings.tenants.iter().flat_map(|tenant| {
            let templates = settings.issuer.iter().filter(|one| one.contains(TENANT));
            templates.map(move |issuer| (issuer.replace(TENANT, tenant), tenant.clone()))
        });
        let rules = Self {
            tenants: tenants.collect(),
            audiences,
            audience_claim: settings.audience_claim.clone(),
            issuers,
            signers: settings.signer.clone(),
            required: RequiredClaims::compile(settings, &mut faults),
            leeway: settings.leeway.0.min(MAX_LEEWAY),
            require_exp: settings.require_exp,
            max_lifetime: settings.max_lifetime.map(|span| span.0),
            token_type: settings.token_type.clone().filter(|typ| !typ.is_empty()),
        };
        (rules, faults)
    }

    /// Judges the header: `typ`, and `signer` where one is wanted.
    ///
    /// # Errors
    /// Another kind of token is wanted, or another signer.
    pub fn judge_header(&self, header: &Header<'_>) -> Result<(), Reason> {
        self.judge_type(header)?;
        let is_signer = |found: &str| self.signers.iter().any(|signer| signer == found);
        let is_accepted =
            self.signers.is_empty() || header.signer.as_deref().is_some_and(is_signer);
        is_accepted.then_some(()).ok_or(Reason::TokenSigner)
    }

    fn judge_type(&self, header: &Header<'_>) -> Result<(), Reason> {
        let found = header.typ.as_deref();
        let is_accepted = match &self.token_type {
            Some(wanted) => found.is_some_and(|found| is_media_type(found, wanted)),
            None => !NEVER_CREDENTIALS
                .iter()
                .any(|never| found.is_some_and(|found| is_media_type(found, never))),
        };
        is_accepted.then_some(()).ok_or(Reason::TokenType)
    }

    /// Judges the claims at the moment `now`. `speaks_for` is the one issuer that the key may speak for, where its set names one.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn judge(
        &self,
        claims: &Claims<'_>,
        speaks_for: Option<&str>,
        now: Timestamp,
    ) -> Result<Validity, Reason> {
        self.judge_issuer(claims)?;
        self.judge_tenant(claims, speaks_for)?;
        self.judge_audience(claims)?;
        if claims.get("cnf").is_some() {
            return Err(Reason::TokenBound);
        }
        // A logout token or another security event is no credential (RFC 8417 §2.2).
        if self.token_type.is_none() && claims.get("events").is_some() {
            return Err(Reason::TokenType);
        }
        if !self.required.are_met(claims) {
            return Err(Reason::TokenClaim);
        }
        self.judge_time(claims, now)
    }

    /// When the person signed in; `None` where the token does not say.
    #[must_use]
    pub fn signed_in(&self, claims: &Claims<'_>) -> Option<SignIn> {
        let at = claims.time("auth_time").ok()??;
        Some(SignIn {
            at,
            leeway: self.leeway,
        })
    }

    fn judge_issuer(&self, claims: &Claims<'_>) -> Result<(), Reason> {
        let found = claims.text("iss").map_err(wrong_type)?;
        let is_expected = self.issuers.is_empty()
            || found.is_some_and(|found| self.issuers.iter().any(|issuer| issuer == found));
        is_expected.then_some(()).ok_or(Reason::TokenIssuer)
    }

    /// Where one set of keys serves many tenants: the token's tenant is the one that its issuer names, and the key may speak for it
    /// (Microsoft's validation rules for tokens of several tenants).
    fn judge_tenant(&self, claims: &Claims<'_>, speaks_for: Option<&str>) -> Result<(), Reason> {
        if self.tenants.is_empty() {
            return Ok(());
        }
        let found = claims.text("iss").map_err(wrong_type)?;
        let tenant = claims.text("tid").map_err(wrong_type)?;
        let is_of_key = speaks_for.is_none_or(|only| found == Some(only));
        let named = self.tenants.iter().find(|(iss, _)| found == Some(iss));
        let is_of_tenant = named.is_none_or(|(_, named)| tenant == Some(named));
        (is_of_key && is_of_tenant)
            .then_some(())
            .ok_or(Reason::TokenIssuer)
    }

    fn judge_audience(&self, claims: &Claims<'_>) -> Result<(), Reason> {
        if self.audiences.is_empty() {
            return Ok(());
        }
        let is_expected = claims
            .holds_one_of(&self.audience_claim, &self.audiences)
            .map_err(wrong_type)?;
        is_expected.then_some(()).ok_or(Reason::TokenAudience)
    }

    fn judge_time(&self, claims: &Claims<'_>, now: Timestamp) -> Result<Validity, Reason> {
        let expires = claims.time("exp").map_err(wrong_type)?;
        let not_before = claims.time("nbf").map_err(wrong_type)?;
        let issued = claims.time("iat").map_err(wrong_type)?;
        if expires.is_none() && self.require_exp {
            return Err(Reason::TokenNoExpiry);
        }
        let until = expires.map(|expires| expires.plus(self.leeway));
        if until.is_some_and(|until| now >= until) {
            return Err(Reason::TokenExpired);
        }
        if not_before.is_some_and(|from| now < from.minus(self.leeway)) {
            return Err(Reason::TokenNotYetValid);
        }
        if issued.is_some_and(|issued| now < issued.minus(self.leeway)) {
            return Err(Reason::TokenIssuedInFuture);
        }
        if let Some(limit) = self.max_lifetime {
            // Without `iat` the time that is left is the least that can be said of the whole.
            let lifetime = expires.map(|expires| expires.since(issued.unwrap_or(now)));
            if lifetime.is_none_or(|lifetime| lifetime > limit) {
                return Err(Reason::TokenLifetime);
            }
        }
        let from = not_before.max(issued).map(|from| from.minus(self.leeway));
        Ok(Validity {
            from,
            until,
            expires,
        })
    }
}

fn judge_audiences(settings: &IssuerSettings, audiences: &[String], faults: &mut Vec<Fault>) {
    if audiences.is_empty() && !settings.has_no_audience {
        faults.push(Fault::warning(
            settings.path("audience"),
            "nothing",
            "the audience of your application's tokens",
            "without it, a token that the issuer made for any other application is accepted here",
        ).absent());
    }
    if let Some(example) = settings.open_to_all {
        faults.push(Fault::new(
            settings.path("required_claims"),
            "nothing, where everybody in the world can get a token for any audience",
            "the claims that make a token yours",
            format!("for example `required_claims = {{ {example} }}`"),
        ));
    }
    if settings.audience_claim.is_empty() {
        faults.push(Fault::new(
            settings.path("audience_claim"),
            "nothing",
            "the name of a claim",
            "leave it out for `aud`; an empty `audience` switches the check off",
        ));
    }
}

fn judge_times(settings: &IssuerSettings, faults: &mut Vec<Fault>) {
    if settings.leeway.0 > MAX_LEEWAY {
        faults.push(Fault::new(
            settings.path("leeway"),
            format!("{}", settings.leeway),
            "at most 10 minutes",
            "set the machines' clocks instead: leeway keeps expired tokens alive",
        ));
    }
    if !settings.require_exp {
        faults.push(Fault::warning(
            settings.path("require_exp"),
            "`false`",
            "`true`",
            "a token without `exp` is good forever, for whoever finds it",
        ));
    }
}

fn wrong_type(_: WrongType) -> Reason {
    Reason::TokenClaimType
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, OneOrMany, Span};

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn judge(config: &Config, claims: &str) -> Result<Validity, Reason> {
        let (rules, _) = ClaimRules::compile(&config.default_issuer());
        rules.judge(&Claims::parse(claims.as_bytes()).unwrap(), None, NOW)
    }

    fn reason(config: &Config, claims: &str) -> Reason {
        judge(config, claims).unwrap_err()
    }

    #[test]
    fn s6_4_exp_and_nbf_are_judged_with_leeway_at_their_edges() {
        let config = Config::default();
        assert!(judge(&config, r#"{"exp":999971}"#).is_ok());
        assert_eq!(reason(&config, r#"{"exp":999970}"#), Reason::TokenExpired);
        assert!(judge(&config, r#"{"exp":2000000,"nbf":1000030}"#).is_ok());
        assert_eq!(
            reason(&config, r#"{"exp":2000000,"nbf":1000031}"#),
            Reason::TokenNotYetValid
        );
        let strict = Config {
            leeway: Span::seconds(0),
            ..config
        };
        assert!(judge(&strict, r#"{"exp":1000000.5}"#).is_ok());
        assert_eq!(reason(&strict, r#"{"exp":1000000}"#), Reason::TokenExpired);
        assert!(judge(&strict, r#"{"exp":2000000,"nbf":1000000}"#).is_ok());
    }

    #[test]
    fn s6_5_a_token_from_the_future_is_refused() {
        assert_eq!(
            reason(&Config::default(), r#"{"exp":2000000,"iat":1000031}"#),
            Reason::TokenIssuedInFuture
        );
    }

    #[test]
    fn s6_1_exp_is_needed_unless_switched_off() {
        let config = Config::default();
        assert_eq!(reason(&config, "{}"), Reason::TokenNoExpiry);
        let config = Config {
            require_exp: false,
            ..config
        };
        let validity = judge(&config, "{}").unwrap();
        assert_eq!(validity.until(), None);
    }

    #[test]
    fn s6_3_no_number_makes_an_old_token_new() {
        let config = Config::default();
        for exp in ["0", "-1", "-1e300", "-9223372036854775808", "1e-300"] {
            assert_eq!(
                reason(&config, &format!(r#"{{"exp":{exp}}}"#)),
                Reason::TokenExpired
            );
        }
        for exp in ["18446744073709551615", "1e308", "4102444800.999"] {
            assert!(judge(&config, &format!(r#"{{"exp":{exp}}}"#)).is_ok());
        }
    }

    #[test]
    fn s6_7_the_issuer_is_one_string_and_compared_byte_for_byte() {
        let config = Config {
            expected_issuer: OneOrMany::Many(vec!["https://a/".to_owned(), "b".to_owned()]),
            ..Config::default()
        };
        assert!(judge(&config, r#"{"exp":2000000,"iss":"https://a/"}"#).is_ok());
        for iss in [
            r#""https://a""#,
            r#""HTTPS://a/""#,
            r#""https://a/ ""#,
            r#""""#,
        ] {
            let claims = format!(r#"{{"exp":2000000,"iss":{iss}}}"#);
            assert_eq!(reason(&config, &claims), Reason::TokenIssuer);
        }
        assert_eq!(reason(&config, r#"{"exp":2000000}"#), Reason::TokenIssuer);
        for iss in [r#"["b"]"#, "1", "null"] {
            let claims = format!(r#"{{"exp":2000000,"iss":{iss}}}"#);
            assert_eq!(reason(&config, &claims), Reason::TokenClaimType);
            assert_eq!(reason(&Config::default(), &claims), Reason::TokenClaimType);
        }
    }

    #[test]
    fn the_longest_lifetime_is_kept() {
        let config = Config {
            max_lifetime: Some(Span::seconds(3600)),
            ..Config::default()
        };
        assert!(judge(&config, r#"{"exp":1003000,"iat":999400}"#).is_ok());
        assert_eq!(
            reason(&config, r#"{"exp":1003001,"iat":999400}"#),
            Reason::TokenLifetime
        );
        assert!(judge(&config, r#"{"exp":1003600}"#).is_ok());
        assert_eq!(reason(&config, r#"{"exp":1003601}"#), Reason::TokenLifetime);
        // Milliseconds where seconds are meant.
        assert_eq!(
            reason(&config, r#"{"exp":1003000000,"iat":1000000}"#),
            Reason::TokenLifetime
        );
        let config = Config {
            require_exp: false,
            ..config
        };
        assert_eq!(reason(&config, "{}"), Reason::TokenLifetime);
    }

    #[test]
    fn s5_7_s6_11_kinds_of_token_are_kept_apart() {
        let header = |typ: &str| {
            Header::parse(format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#).as_bytes())
                .unwrap()
                .typ
                .map(std::borrow::Cow::into_owned)
        };
        let judge = |wanted: Option<&str>, typ: &str| {
            let config = Config {
                token_type: wanted.map(str::to_owned),
                ..Config::default()
            };
            let (rules, _) = ClaimRules::compile(&config.default_issuer());
            let header = Header {
                algorithm: crate::jose::Algorithm::from_name("RS256").unwrap(),
                kid: None,
                typ: header(typ).map(Into::into),
                signer: None,
            };
            rules.judge_header(&header)
        };
        assert_eq!(judge(None, "JWT"), Ok(()));
        assert_eq!(judge(Some("at+jwt"), "application/AT+JWT"), Ok(()));
        assert_eq!(judge(Some("at+jwt"), "JWT"), Err(Reason::TokenType));
        assert_eq!(judge(None, "logout+jwt"), Err(Reason::TokenType));
        assert_eq!(
            reason(&Config::default(), r#"{"exp":2000000,"events":{}}"#),
            Reason::TokenType
        );
    }

    #[test]
    fn s6_10_a_bound_token_is_no_bearer_token() {
        assert_eq!(
            reason(&Config::default(), r#"{"exp":2000000,"cnf":{"jkt":"x"}}"#),
            Reason::TokenBound
        );
    }

    #[test]
    fn s6_9_no_audience_is_a_warning() {
        let (_, faults) = ClaimRules::compile(&Config::default().default_issuer());
        assert_eq!(faults[0].path, "expected_audience");
    }
}
