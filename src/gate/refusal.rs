//! A refusal: the reason, and what the log may say of the token.
//!
//! What stands here is what may stand in a log line (design: nothing unverified but the algorithm from the closed table, the `kid`,
//! and the first eight hexadecimal digits of the token's SHA-256, which `sha256sum` of the token finds again).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::config::TokenSource;
use crate::jose::Algorithm;
use crate::keys::MissingKey;
use crate::policy::Rule;
use crate::reason::Reason;
use crate::request::RawToken;

use super::signatures::Unjudged;

/// Why a request may not pass.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    token: Option<Box<TokenFacts>>,
    rule: Option<Arc<Rule>>,
    detail: Option<Box<str>>,
}

/// Why a request does not pass, so far.
#[derive(Debug)]
pub enum Halt {
    /// It may not pass.
    Refused(Refusal),
    /// A key is missing that may be had. Whoever can wait for it asks again then; else the refusal stands.
    KeyMissing(MissingKey, Refusal),
    /// Its signature is to be checked together with others. Whoever has said that it can wait has it checked and asks again; else the
    /// refusal stands.
    Unjudged(Box<Unjudged>, Refusal),
}

impl Halt {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Refused(refusal) | Self::KeyMissing(_, refusal) | Self::Unjudged(_, refusal) => {
                refusal.reason
            }
        }
    }

    /// The refusal, as long as nobody waits.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        match self {
            Self::Refused(refusal) | Self::KeyMissing(_, refusal) | Self::Unjudged(_, refusal) => {
                refusal
            }
        }
    }

    /// The same, by this rule.
    #[must_use]
    pub(super) fn by(self, rule: &Arc<Rule>) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.by(rule)),
            Self::KeyMissing(missing, refusal) => Self::KeyMissing(missing, refusal.by(rule)),
            Self::Unjudged(unjudged, refusal) => Self::Unjudged(unjudged, refusal.by(rule)),
        }
    }

    /// The refusal, for whoever cannot wait.
    #[must_use]
    pub fn settled(self) -> Refusal {
        match self {
            Self::Refused(refusal) | Self::KeyMissing(_, refusal) | Self::Unjudged(_, refusal) => {
                refusal
            }
        }
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What the log may say of a refused token.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// Where it stood.
    pub source: TokenSource,
    /// The configured name of the issuer that judged it.
    pub issuer: Option<Arc<str>>,
    /// Its algorithm, when it is one of the table.
    pub algorithm: Option<Algorithm>,
    /// Its `kid`, cut at 64 bytes.
    pub kid: Option<Box<str>>,
    /// The first eight hexadecimal digits of its SHA-256.
    pub digest: DigestPrefix,
}

/// The first four bytes of a token's SHA-256.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestPrefix(pub(super) [u8; 4]);

/// The longest `kid` in a log, in bytes.
const MAX_KID: usize = 64;

impl Refusal {
    /// A refusal before any token was found.
    #[must_use]
    pub const fn without_token(reason: Reason) -> Self {
        Self {
            reason,
            token: None,
            rule: None,
            detail: None,
        }
    }

    /// A refusal of somebody whose token is good.
    #[must_use]
    pub(super) fn of_known(reason: Reason, facts: TokenFacts) -> Self {
        Self {
            token: Some(Box::new(facts)),
            ..Self::without_token(reason)
        }
    }

    /// The same refusal, with more for the log.
    #[must_use]
    pub(super) fn with_detail(self, detail: String) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// The same refusal, by this rule.
    #[must_use]
    pub(super) fn by(self, rule: &Arc<Rule>) -> Self {
        Self {
            rule: Some(Arc::clone(rule)),
            ..self
        }
    }

    /// The rule that refused, or that wanted a token.
    #[must_use]
    pub fn rule(&self) -> Option<&Rule> {
        self.rule.as_deref()
    }

    /// More for the log: a key of the configuration, a header, a size. Nothing of the token.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The same refusal for another reason.
    #[must_use]
    pub fn because(self, reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
            ..self
        }
    }

    /// What the log may say of the token; `None` where none was found.
    #[must_use]
    pub fn token(&self) -> Option<&TokenFacts> {
        self.token.as_deref()
    }
}

/// A refusal by the verifier, which does not know where the token stood.
#[derive(Clone, Debug)]
pub struct RefusedToken {
    /// Why.
    pub reason: Reason,
    /// The configured name of the issuer that judged it.
    pub issuer: Option<Arc<str>>,
    /// Its algorithm, when it is one of the table.
    pub algorithm: Option<Algorithm>,
    /// Its `kid`, cut at 64 bytes.
    pub kid: Option<Box<str>>,
    /// The key that is missing, where it may be had.
    pub missing: Option<MissingKey>,
    /// More for the log.
    pub detail: Option<Box<str>>,
}

impl RefusedToken {
    /// A refusal of which only the token is known.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            issuer: None,
            algorithm: None,
            kid: None,
            missing: None,
            detail: None,
        }
    }

    /// Adds more for the log.
    #[must_use]
    pub fn with_detail(self, detail: Option<Box<str>>) -> Self {
        Self { detail, ..self }
    }

    /// Adds the `kid` that the token names.
    #[must_use]
    pub fn with_kid(mut self, kid: Option<&str>) -> Self {
        self.kid = kid.map(|kid| {
            let end = kid.floor_char_boundary(MAX_KID);
            kid.get(..end).unwrap_or_default().into()
        });
        self
    }

    /// Adds where the token stood, and what the log may say of it.
    #[must_use]
    pub fn from(self, source: TokenSource, digest: DigestPrefix) -> Halt {
        let refusal = Refusal {
            reason: self.reason,
            token: Some(Box::new(TokenFacts {
                source,
                issuer: self.issuer,
                algorithm: self.algorithm,
                kid: self.kid,
                digest,
            })),
            rule: None,
            detail: self.detail,
        };
        match self.missing {
            Some(missing) => Halt::KeyMissing(missing, refusal),
            None => Halt::Refused(refusal),
        }
    }
}

impl DigestPrefix {
    /// Of this token.
    #[must_use]
    pub fn of(token: RawToken<'_>) -> Self {
        let digest = digest::digest(&digest::SHA256, token.bytes());
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for DigestPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for DigestPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_prints_first() {
        let digest = DigestPrefix::of(RawToken::new(b"abc"));
        assert_eq!(digest.to_string(), "ba7816bf");
    }

    #[test]
    fn a_kid_is_cut_at_a_character() {
        let refused = RefusedToken::new(Reason::KeyUnknown).with_kid(Some(&"é".repeat(40)));
        assert_eq!(refused.kid.unwrap().len(), 64);
        let odd = format!("a{}", "é".repeat(40));
        let refused = RefusedToken::new(Reason::KeyUnknown).with_kid(Some(&odd));
        assert_eq!(refused.kid.unwrap().len(), 63);
    }
}
