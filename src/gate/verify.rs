//! Step 2: is it true? From the bytes of a token to what they prove.
//!
//! The order is that of RFC 7519 §7.2 and RFC 8725 §3: shape, header, key, signature over the received bytes, and only then the
//! claims. Nothing of the payload is looked at before the signature holds.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::jose::header::HeaderFault;
use crate::jose::{Algorithm, Claims, Compact, Header, base64url};
use crate::keys::Miss;
use crate::reason::Reason;
use crate::request::RawToken;

use super::claim_rules::Validity;
use super::identity::Identity;
use super::refusal::RefusedToken;
use super::state::{KnownHeader, State};

/// A token that has been verified: who it speaks of, and for how long. Only [`verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    issuer: Arc<str>,
    identity: Identity,
    validity: Validity,
}

impl Verified {
    /// The configured name of the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When it is valid.
    #[must_use]
    pub const fn validity(&self) -> &Validity {
        &self.validity
    }
}

/// The largest signature: RSA of 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// Verifies a token at the moment `now`.
///
/// # Errors
/// The first thing that is wrong, with what the log may say of the token.
pub fn verify(
    state: &State,
    token: RawToken<'_>,
    now: Timestamp,
) -> Result<Verified, RefusedToken> {
    if token.bytes().len() > state.max_token_bytes {
        return Err(too_large(token));
    }
    let refused = |reason| RefusedToken::new(reason, token);
    let parts = Compact::split(token.bytes()).ok_or_else(|| refused(Reason::TokenMalformed))?;

    let known = match state.known_headers.get(parts.header) {
        Some(known) => check_known(known, &parts),
        None => check_new(state, &parts),
    }
    .map_err(|failure| failure.of(state, token))?;

    let refused = |reason| RefusedToken {
        issuer: Some(Arc::clone(&state.issuer.name)),
        algorithm: Some(known.algorithm),
        ..RefusedToken::new(reason, token).with_kid(known.kid.as_deref())
    };
    let payload = base64url::decode(parts.payload).map_err(|_| refused(Reason::TokenMalformed))?;
    let claims = Claims::parse(&payload).map_err(|_| refused(Reason::TokenPayload))?;
    let validity = state.issuer.claims.judge(&claims, now).map_err(refused)?;
    let identity = state.identity.identify(&claims).map_err(refused)?;
    Ok(Verified {
        issuer: Arc::clone(&state.issuer.name),
        identity,
        validity,
    })
}

/// The refusal of a token that is too long to be looked at.
#[must_use]
pub fn too_large(token: RawToken<'_>) -> RefusedToken {
    RefusedToken::new(Reason::TokenTooLarge, token)
}

/// The claims of a token that `verify` has accepted, for whoever needs more of them than the identity headers.
#[must_use]
pub fn payload_of_verified(token: RawToken<'_>) -> Option<Vec<u8>> {
    let parts = Compact::split(token.bytes())?;
    base64url::decode(parts.payload).ok()
}

/// A failure up to the signature, with what is known of the header.
struct Failure {
    reason: Reason,
    algorithm: Option<Algorithm>,
    kid: Option<Box<str>>,
}

impl Failure {
    const fn new(reason: Reason) -> Self {
        Self {
            reason,
            algorithm: None,
            kid: None,
        }
    }

    fn of(self, state: &State, token: RawToken<'_>) -> RefusedToken {
        RefusedToken {
            issuer: self.algorithm.map(|_| Arc::clone(&state.issuer.name)),
            algorithm: self.algorithm,
            ..RefusedToken::new(self.reason, token).with_kid(self.kid.as_deref())
        }
    }
}

/// Checks the signature with the key that this very header has led to before.
fn check_known(known: Arc<KnownHeader>, parts: &Compact<'_>) -> Result<Arc<KnownHeader>, Failure> {
    let mut buffer = [0; MAX_SIGNATURE];
    let failure = |reason| Failure {
        reason,
        algorithm: Some(known.algorithm),
        kid: known.kid.clone(),
    };
    let signature = base64url::decode_into(parts.signature, &mut buffer)
        .map_err(|_| failure(Reason::TokenMalformed))?;
    if !known
        .key
        .verifies(known.algorithm, parts.signing_input, signature)
    {
        return Err(failure(Reason::TokenSignature));
    }
    Ok(known)
}

/// Reads the header, chooses the key, checks the signature, and remembers the header when it holds and leads to one key only.
fn check_new(state: &State, parts: &Compact<'_>) -> Result<Arc<KnownHeader>, Failure> {
    let malformed = Failure::new(Reason::TokenMalformed);
    let Ok(json) = base64url::decode(parts.header) else {
        return Err(malformed);
    };
    let header = Header::parse(&json).map_err(|fault| {
        Failure::new(match fault {
            HeaderFault::Malformed => Reason::TokenMalformed,
            HeaderFault::Critical => Reason::TokenCritical,
            HeaderFault::Encrypted => Reason::TokenEncrypted,
            HeaderFault::Algorithm => Reason::TokenAlgorithm,
        })
    })?;
    let kid = header.kid.as_deref();
    let failure = |reason| Failure {
        reason,
        algorithm: Some(header.algorithm),
        kid: kid.map(Into::into),
    };
    let mut buffer = [0; MAX_SIGNATURE];
    let signature = base64url::decode_into(parts.signature, &mut buffer)
        .map_err(|_| failure(Reason::TokenMalformed))?;
    state.issuer.claims.judge_type(&header).map_err(failure)?;
    let candidates = || {
        let keys = &state.issuer.keys;
        keys.candidates(header.algorithm, kid).map_err(|miss| {
            failure(match miss {
                Miss::NoKeys => Reason::KeyUnavailable,
                Miss::UnknownKid => Reason::KeyUnknown,
                Miss::Algorithm => Reason::TokenAlgorithm,
            })
        })
    };
    let key = candidates()?
        .find(|key| key.verifies(header.algorithm, parts.signing_input, signature))
        .ok_or_else(|| failure(Reason::TokenSignature))?;
    let known = Arc::new(KnownHeader {
        algorithm: header.algorithm,
        key: Arc::clone(key),
        kid: kid.map(Into::into),
    });
    // Where several keys fit a header (no `kid`, or one that two keys share), the next token with it may be another key's.
    if candidates()?.nth(1).is_none() {
        state.known_headers.remember(parts.header, &known);
    }
    Ok(known)
}
