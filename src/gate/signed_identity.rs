//! Who it is, signed by jwtgate (a JWT in a header), for applications that trust no plain header.
//!
//! It is made once for a verified token and an audience, and used until half of its time has passed: a request whose token is known costs
//! nothing more.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::rand;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::config::{Config, Fault, OneOrMany, SignedIdentity, Span};
use crate::jose::base64url;
use crate::keys::IssuedKeys;
use crate::reason::Reason;

use super::header_name;
use super::verify::Verified;

/// How long a signed identity is valid at least, for a token whose `exp` has passed within the leeway.
const A_MOMENT: Duration = Duration::from_secs(10);

/// What signs identities.
#[derive(Debug)]
pub struct IdentitySigner {
    header: String,
    issuer: String,
    /// `aud`, in the order of the policy's audiences; the first is the one where no rule says otherwise.
    audiences: Vec<Option<Value>>,
    lifetime: Duration,
    rotate_every: Duration,
    max_bytes: usize,
    keys: ArcSwap<IssuedKeys>,
}

/// What a verified token keeps for signing: its claims, and what was signed for each audience.
#[derive(Debug, Default)]
pub struct Signed {
    /// The claims that say who it is, as JSON text.
    claims: Box<str>,
    made: Box<[ArcSwapOption<Made>]>,
}

#[derive(Debug)]
struct Made {
    token: Bytes,
    from: Timestamp,
    renew: Timestamp,
}

impl IdentitySigner {
    /// Compiles the settings; `None` where it is off. `audiences` are those that rules name.
    #[must_use]
    pub fn compile(config: &Config, audiences: &[OneOrMany]) -> (Option<Self>, Vec<Fault>) {
        let settings = &config.signed_identity;
        let mut faults = Vec::new();
        let Some(header) = settings.header() else {
            if !audiences.is_empty() {
                faults.push(Fault::new(
                    "signed_identity.header",
                    "nothing, and rules that name an audience",
                    "the header that carries the signed identity",
                    "for example `X-Auth-Identity`; or remove `audience` from the rules",
                ));
            }
            return (None, faults);
        };
        let others = config.identity.all_headers();
        faults.extend(header_name::unfit(
            header,
            "signed_identity.header",
            others.keys(),
        ));
        let issuer = settings.issuer.as_ref().or(config.public_url.as_ref());
        if issuer.is_none_or(String::is_empty) {
            faults.push(
                Fault::new(
                    "signed_identity.issuer",
                    "nothing, and no `public_url` either",
                    "the issuer that signed identities name",
                    "the address of this gate, as the applications know it: `https://gate.example.com`",
                )
                .absent(),
            );
        }
        judge_times(settings, &mut faults);
        let default = settings.audience.as_ref().and_then(audience);
        if default.is_none() {
            faults.push(Fault::warning(
                "signed_identity.audience",
                "nothing",
                "whom signed identities are for",
                "without it, one application could use a person's identity at another one that trusts this gate",
            ));
        }
        let keys = IssuedKeys::load(settings, &mut faults);
        let keys = keys.map_err(|fault| faults.push(fault)).ok();
        let signer = keys.zip(issuer).map(|(keys, issuer)| Self {
            header: header.to_owned(),
            issuer: issuer.clone(),
            audiences: std::iter::once(default)
                .chain(audiences.iter().map(audience))
                .collect(),
            lifetime: settings.lifetime.0,
            rotate_every: settings.rotate_every.0,
            max_bytes: usize::try_from(config.identity.max_total_bytes).unwrap_or(usize::MAX),
            keys: ArcSwap::from_pointee(keys),
        });
        (signer, faults)
    }

    /// The header that carries it.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The public keys.
    #[must_use]
    pub fn key_set(&self) -> Value {
        self.keys.load().set()
    }

    /// Goes on with the keys of another one, as after a reload: where both were made here, applications see no change; else the others stay
    /// published beside the own.
    pub fn keep_keys_of(&self, other: &Self) {
        let keys = other.keys.load_full();
        let own = self.keys.load_full();
        if keys.may_replace(&own) {
            self.keys.store(keys);
        } else {
            // What was signed a moment ago must still be verified.
            self.keys.store(Arc::new(own.beside(&keys)));
        }
    }

    /// Replaces keys that were made here when it is time. Tells whether it did.
    ///
    /// # Errors
    /// No key could be made; the old ones go on.
    pub fn rotate(&self) -> Result<bool, crate::keys::issued::NoKey> {
        let Some(rotated) = self.keys.load().rotated(self.rotate_every) else {
            return Ok(false);
        };
        self.keys.store(Arc::new(rotated?));
        Ok(true)
    }

    /// What a verified token keeps for signing.
    #[must_use]
    pub fn prepare(&self, claims: &Map<String, Value>) -> Signed {
        let text = serde_json::to_string(claims).unwrap_or_default();
        let made = self.audiences.iter().map(|_| ArcSwapOption::empty());
        Signed {
            claims: text.into(),
            made: made.collect(),
        }
    }

    /// The signed identity of a verified token for the audience at this place.
    ///
    /// # Errors
    /// It is too large, or cannot be signed.
    pub fn sign(
        &self,
        verified: &Verified,
        audience: usize,
        now: Timestamp,
    ) -> Result<Bytes, Reason> {
        let signed = verified.signed().ok_or(Reason::Internal)?;
        let cell = signed.made.get(audience).ok_or(Reason::Internal)?;
        if let Some(made) = &*cell.load()
            && (made.from..made.renew).contains(&now)
        {
            return Ok(made.token.clone());
        }
        let validity = verified.validity();
        // No longer than the token; one that lives on by the leeway alone gets a moment.
        let own = validity.expires().map(|own| own.max(now.plus(A_MOMENT)));
        let limits = [own, validity.until(), Some(now.plus(self.lifetime))];
        let expires = limits.into_iter().flatten().min().unwrap_or(now);
        let token = self.token(signed, audience, now, expires)?;
        if token.len() > self.max_bytes {
            return Err(Reason::IdentityTooLarge);
        }
        let token = Bytes::from(token.into_bytes());
        cell.store(Some(Arc::new(Made {
            token: token.clone(),
            from: now,
            renew: now.plus(expires.since(now) / 2),
        })));
        Ok(token)
    }

    fn token(
        &self,
        signed: &Signed,
        audience: usize,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<String, Reason> {
        let mut claims: Map<String, Value> =
            serde_json::from_str(&signed.claims).map_err(|_| Reason::Internal)?;
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| Reason::Internal)?;
        claims.insert("iss".to_owned(), self.issuer.clone().into());
        if let Some(Some(audience)) = self.audiences.get(audience) {
            claims.insert("aud".to_owned(), audience.clone());
        }
        claims.insert("iat".to_owned(), now.seconds().into());
        claims.insert("exp".to_owned(), expires.seconds().into());
        claims.insert("jti".to_owned(), base64url::encode(&id).into());
        self.keys
            .load()
            .sign(&Value::Object(claims))
            .map_err(|_| Reason::Internal)
    }
}

impl Signed {
    /// The memory that it may take, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        // A token repeats the claims in base64, with header and signature.
        const MORE: usize = 512;
        let made = size_of::<Made>() + self.claims.len() * 4 / 3 + MORE;
        size_of::<Self>()
            + self.claims.len()
            + self.made.len() * (size_of::<ArcSwapOption<Made>>() + made)
    }
}

fn judge_times(settings: &SignedIdentity, faults: &mut Vec<Fault>) {
    let times = [
        ("lifetime", settings.lifetime, 10, 3600),
        ("rotate_every", settings.rotate_every, 3600, 90 * 24 * 3600),
    ];
    for (key, time, least, most) in times {
        if !(Duration::from_secs(least)..=Duration::from_secs(most)).contains(&time.0) {
            faults.push(Fault::new(
                format!("signed_identity.{key}"),
                format!("`{time}`"),
                format!("from {} to {}", Span::seconds(least), Span::seconds(most)),
                "short enough that a stolen one is soon worthless, long enough to be made rarely",
            ));
        }
    }
}

/// `aud`: one is a text, several are a list (RFC 7519 §4.1.3).
fn audience(audience: &OneOrMany) -> Option<Value> {
    match audience.items() {
        [] => None,
        [one] => Some(one.as_str().into()),
        many => Some(many.to_vec().into()),
    }
}
