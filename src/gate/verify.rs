//! Step 2: is it true? From the bytes of a token to what they prove.
//!
//! The order is that of RFC 7519 §7.2 and RFC 8725 §3: shape, header, key, signature over the received bytes, and only then the
//! claims. Where several issuers are named, `iss` is read first, to choose the keys; nothing else of the payload counts before the signature
//! holds.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::RsaTogether;
use crate::jose::header::HeaderFault;
use crate::jose::{Algorithm, Claims, Compact, Header, base64url};
use crate::keys::keyring::Want;
use crate::keys::{Miss, MissingKey};
use crate::policy::rule::SignIn;
use crate::policy::{Known, Met};
use crate::reason::Reason;
use crate::request::RawToken;

use super::claim_rules::Validity;
use super::identity::{Identified, Identity, NoIdentity};
use super::issuers::{Generation, Issuer, Issuers, KnownHeader, Supply};
use super::refusal::RefusedToken;
use super::signatures::{Signatures, Unjudged};
use super::signed_identity::Signed;
use super::state::State;

/// A token that has been verified: who it speaks of, and for how long. Only [`verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    issuer: Arc<str>,
    /// What it was signed with; `None` where it is only supposed.
    algorithm: Option<Algorithm>,
    /// The issuer's place in the state, and the keys that it had.
    place: usize,
    generation: Generation,
    identified: Identified,
    validity: Validity,
    /// When the person signed in.
    signed_in: Option<SignIn>,
}

impl Verified {
    /// The configured name of the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The same, shared.
    #[must_use]
    pub fn shared_issuer(&self) -> Arc<str> {
        Arc::clone(&self.issuer)
    }

    /// What it was signed with.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The issuer's place among those of the state.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// Whether the issuer still has the keys that it was verified by.
    #[must_use]
    pub fn is_current(&self, issuers: &Issuers) -> bool {
        issuers.is_current(self.place, self.generation)
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identified.identity
    }

    /// Which requirements of rules it meets.
    #[must_use]
    pub const fn met(&self) -> &Met {
        &self.identified.met
    }

    /// When the person signed in, where the token says so.
    #[must_use]
    pub const fn signed_in(&self) -> Option<SignIn> {
        self.signed_in
    }

    /// What expressions may ask of it, where there are any.
    #[must_use]
    pub fn known(&self) -> Option<&Known> {
        self.identified.known.as_deref()
    }

    /// What is kept for signing, where identities are signed.
    #[must_use]
    pub fn signed(&self) -> Option<&Signed> {
        self.identified.signed.as_deref()
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let Identified {
            identity,
            met,
            known,
            signed,
        } = &self.identified;
        let known = known.as_ref().map_or(0, |known| known.size());
        let signed = signed.as_ref().map_or(0, |signed| signed.size());
        size_of::<Self>() + identity.size() + met.size() + known + signed
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
    verify_with(state, token, now, Signatures::AtOnce).map_err(|why| match why {
        NotVerified::Refused(refused) => refused,
        // Nobody asked for that.
        NotVerified::Unjudged(_) => RefusedToken::new(Reason::Internal),
    })
}

/// Why a token is not verified, so far.
#[derive(Debug)]
pub enum NotVerified {
    /// Something is wrong.
    Refused(RefusedToken),
    /// Its signature is to be checked with others.
    Unjudged(Box<Unjudged>),
}

/// The same, with a word on when the signature is checked.
///
/// # Errors
/// The first thing that is wrong; or that the signature is to be checked.
pub fn verify_with(
    state: &State,
    token: RawToken<'_>,
    now: Timestamp,
    signatures: Signatures<'_>,
) -> Result<Verified, NotVerified> {
    if token.bytes().len() > state.max_token_bytes {
        return Err(NotVerified::Refused(too_large()));
    }
    let signatures = match signatures {
        Signatures::Together { is_busy } if !may_wait(state.together, is_busy) => {
            Signatures::AtOnce
        }
        signatures => signatures,
    };
    let refused = |reason| NotVerified::Refused(RefusedToken::new(reason));
    let malformed = || refused(Reason::TokenMalformed);
    let parts = Compact::split(token.bytes()).ok_or_else(malformed)?;
    let (parts, was_padded) = if state.issuers.has_padded() {
        parts.unpadded().ok_or_else(malformed)?
    } else {
        (parts, false)
    };

    let early;
    let (place, issuer, early) = if let Some((place, issuer)) = state.issuers.the_only() {
        (place, issuer, None)
    } else {
        early = base64url::decode(parts.payload)
            .map_err(|_| refused(header_fault(&parts).unwrap_or(Reason::TokenMalformed)))?;
        let (place, issuer, claims) = route(&state.issuers, &early).map_err(refused)?;
        (place, issuer, Some(claims))
    };
    if was_padded && !issuer.is_padded {
        return Err(malformed());
    }

    let known = match issuer.known_headers.get(parts.header) {
        Some(known) => match verdict(&known, token, &parts, signatures) {
            Err(unjudged) => return Err(NotVerified::Unjudged(unjudged)),
            Ok(verdict) => check_known(issuer, known, verdict),
        },
        None => check_new(issuer, &parts),
    };

    let known = match known {
        Ok(known) => known,
        Err(failure) => return Err(NotVerified::Refused(failure.of(issuer))),
    };
    of_claims(state, (place, issuer), &known, parts.payload, early, now)
        .map_err(NotVerified::Refused)
}

/// Whether a signature may wait for company.
const fn may_wait(together: RsaTogether, is_busy: bool) -> bool {
    match together {
        RsaTogether::Never => false,
        RsaTogether::Busy => is_busy,
        RsaTogether::Always => true,
    }
}

/// What the claims of a token say whose signature holds.
fn of_claims(
    state: &State,
    (place, issuer): (usize, &Issuer),
    known: &KnownHeader,
    payload: &[u8],
    early: Option<Claims<'_>>,
    now: Timestamp,
) -> Result<Verified, RefusedToken> {
    let refused = |reason| RefusedToken {
        issuer: Some(Arc::clone(&issuer.name)),
        algorithm: Some(known.algorithm),
        ..RefusedToken::new(reason).with_kid(known.kid.as_deref())
    };
    let decoded;
    let claims = if let Some(claims) = early {
        claims
    } else {
        decoded = base64url::decode(payload).map_err(|_| refused(Reason::TokenMalformed))?;
        Claims::parse(&decoded).map_err(|_| refused(Reason::TokenPayload))?
    };
    let speaks_for = known.key.issuer();
    let validity = issuer
        .claims
        .judge(&claims, speaks_for, now)
        .map_err(refused)?;
    let identified = issuer
        .identity
        .identify(&claims, &state.policy, state.signer.as_deref())
        .map_err(|why| refused(why.reason).with_detail(why.detail))?;
    Ok(Verified {
        issuer: Arc::clone(&issuer.name),
        algorithm: Some(known.algorithm),
        place,
        generation: issuer.generation,
        identified,
        validity,
        signed_in: issuer.claims.signed_in(&claims),
    })
}

/// What verifying a token of this issuer with these claims would have given, but for signature and time. It stays in this room: nobody is
/// let in by it.
pub(super) fn supposed(
    state: &State,
    (place, issuer): (usize, &Issuer),
    claims: &Claims<'_>,
) -> Result<Verified, NoIdentity> {
    let identified = issuer
        .identity
        .identify(claims, &state.policy, state.signer.as_deref());
    Ok(Verified {
        issuer: Arc::clone(&issuer.name),
        algorithm: None,
        place,
        generation: issuer.generation,
        identified: identified?,
        validity: Validity::always(),
        signed_in: issuer.claims.signed_in(claims),
    })
}

/// The issuer that the payload names, which nobody has verified yet: it chooses the keys and nothing else.
fn route<'i, 'p>(
    issuers: &'i Issuers,
    payload: &'p [u8],
) -> Result<(usize, &'i Arc<Issuer>, Claims<'p>), Reason> {
    let claims = Claims::parse(payload).map_err(|_| Reason::TokenPayload)?;
    let iss = claims.text("iss").map_err(|_| Reason::TokenClaimType)?;
    let (place, issuer) = iss
        .and_then(|iss| issuers.of(iss))
        .ok_or(Reason::TokenIssuer)?;
    Ok((place, issuer, claims))
}

/// What is wrong with the header of a token whose payload cannot be read: an encrypted one shall be called so.
fn header_fault(parts: &Compact<'_>) -> Option<Reason> {
    let json = base64url::decode(parts.header).ok()?;
    Header::parse(&json).err().map(reason_of)
}

const fn reason_of(fault: HeaderFault) -> Reason {
    match fault {
        HeaderFault::Malformed => Reason::TokenMalformed,
        HeaderFault::Critical => Reason::TokenCritical,
        HeaderFault::Encrypted => Reason::TokenEncrypted,
        HeaderFault::Algorithm => Reason::TokenAlgorithm,
    }
}

/// The refusal of a token that is too long to be looked at.
#[must_use]
pub fn too_large() -> RefusedToken {
    RefusedToken::new(Reason::TokenTooLarge)
}

/// The claims of a token that `verify` has accepted, for whoever needs more of them than the identity headers.
#[must_use]
pub fn payload_of_verified(token: RawToken<'_>) -> Option<Vec<u8>> {
    let (parts, _) = Compact::split(token.bytes())?.unpadded()?;
    base64url::decode(parts.payload).ok()
}

/// A failure up to the signature, with what is known of the header.
struct Failure {
    reason: Reason,
    algorithm: Option<Algorithm>,
    kid: Option<Box<str>>,
    missing: Option<MissingKey>,
}

impl Failure {
    const fn new(reason: Reason) -> Self {
        Self {
            reason,
            algorithm: None,
            kid: None,
            missing: None,
        }
    }

    fn of(self, issuer: &Issuer) -> RefusedToken {
        RefusedToken {
            issuer: self.algorithm.map(|_| Arc::clone(&issuer.name)),
            algorithm: self.algorithm,
            missing: self.missing,
            ..RefusedToken::new(self.reason).with_kid(self.kid.as_deref())
        }
    }
}

/// What the signature is worth, by the key that this very header has led to before: good, wrong, or malformed; or it is to be checked with others.
fn verdict(
    known: &KnownHeader,
    token: RawToken<'_>,
    parts: &Compact<'_>,
    signatures: Signatures<'_>,
) -> Result<Result<(), Reason>, Box<Unjudged>> {
    let (key, algorithm) = (&known.key, known.algorithm);
    let worth = |is_good: bool| is_good.then_some(()).ok_or(Reason::TokenSignature);
    if let Signatures::Judged(judged) = signatures
        && let Some(is_good) = judged.verdict(token, key, algorithm)
    {
        return Ok(worth(is_good));
    }
    let mut buffer = [0; MAX_SIGNATURE];
    let Ok(signature) = base64url::decode_into(parts.signature, &mut buffer) else {
        return Ok(Err(Reason::TokenMalformed));
    };
    if let Signatures::Together { .. } = signatures
        && let Some(question) = key.question(algorithm, parts.signing_input, signature)
    {
        return Err(Box::new(Unjudged::new(token, key, algorithm, question)));
    }
    Ok(worth(key.verifies(
        algorithm,
        parts.signing_input,
        signature,
    )))
}

/// The header that this very header has led to before, where the signature holds.
fn check_known(
    issuer: &Issuer,
    known: Arc<KnownHeader>,
    verdict: Result<(), Reason>,
) -> Result<Arc<KnownHeader>, Failure> {
    let Err(reason) = verdict else {
        return Ok(known);
    };
    let failure = Failure {
        reason,
        algorithm: Some(known.algorithm),
        kid: known.kid.clone(),
        missing: None,
    };
    Err(match reason {
        Reason::TokenSignature => unverified(issuer, known.kid.as_deref(), failure),
        _ => failure,
    })
}

/// Reads the header, chooses the key, checks the signature, and remembers the header when it holds and leads to one key only.
fn check_new(issuer: &Issuer, parts: &Compact<'_>) -> Result<Arc<KnownHeader>, Failure> {
    let malformed = Failure::new(Reason::TokenMalformed);
    let Ok(json) = base64url::decode(parts.header) else {
        return Err(malformed);
    };
    let header = Header::parse(&json).map_err(|fault| Failure::new(reason_of(fault)))?;
    let kid = header.kid.as_deref();
    let failure = |reason| Failure {
        reason,
        algorithm: Some(header.algorithm),
        kid: kid.map(Into::into),
        missing: None,
    };
    let mut buffer = [0; MAX_SIGNATURE];
    let signature = base64url::decode_into(parts.signature, &mut buffer)
        .map_err(|_| failure(Reason::TokenMalformed))?;
    issuer.claims.judge_header(&header).map_err(failure)?;
    if issuer.supply == Supply::ByKid && kid.is_none() {
        // Where each key is had by its name, a token without one has none, whichever keys are here by now.
        return Err(failure(Reason::KeyUnknown));
    }
    let candidates = || {
        issuer
            .keys
            .candidates(header.algorithm, kid)
            .map_err(|miss| unverified(issuer, kid, missed(issuer, miss, kid, failure)))
    };
    let key = candidates()?
        .find(|key| key.verifies(header.algorithm, parts.signing_input, signature))
        .ok_or_else(|| unverified(issuer, kid, failure(Reason::TokenSignature)))?;
    let known = Arc::new(KnownHeader {
        algorithm: header.algorithm,
        key: Arc::clone(key),
        kid: kid.map(Into::into),
    });
    // Where several keys fit a header (no `kid`, or one that two keys share), the next token with it may be another key's.
    if candidates()?.nth(1).is_none() {
        issuer.known_headers.remember(parts.header, &known);
    }
    Ok(known)
}

/// No key may judge the token: what is missing, where it may be had.
fn missed(
    issuer: &Issuer,
    miss: Miss,
    kid: Option<&str>,
    failure: impl Fn(Reason) -> Failure,
) -> Failure {
    let named = || kid.map(|kid| Want::Key(kid.into()));
    let (reason, want) = match (miss, issuer.supply) {
        (Miss::Algorithm, _) => (Reason::TokenAlgorithm, None),
        (Miss::UnknownKid, Supply::Local) => (Reason::KeyUnknown, None),
        (Miss::NoKeys, Supply::Local) => (Reason::KeyUnavailable, None),
        (Miss::NoKeys, Supply::Set) => (Reason::KeyUnavailable, Some(Want::AnyKey)),
        (Miss::UnknownKid, Supply::Set) | (_, Supply::ByKid) => (Reason::KeyUnknown, named()),
    };
    Failure {
        missing: want.map(|want| MissingKey {
            issuer: issuer.id,
            want,
        }),
        ..failure(reason)
    }
}

/// No key that may judge the token has signed it. A token that names no key may be signed by a newer one (OpenID Connect Core §10.1 lets
/// an issuer with a single key leave the name out).
fn unverified(issuer: &Issuer, kid: Option<&str>, failure: Failure) -> Failure {
    let is_nameless = kid.is_none() && issuer.supply == Supply::Set;
    let newer = is_nameless.then_some(MissingKey {
        issuer: issuer.id,
        want: Want::NewerKeys,
    });
    Failure {
        missing: failure.missing.or(newer),
        ..failure
    }
}
