//! Keys that jwtgate signs with: read from files, or made and replaced.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config::signed_identity::SignedIdentity;
use crate::config::{Fault, OneOrMany};
use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, jwk, thumbprint};

use super::file::warn_when_world_readable;

/// A key that signs, and its public half.
pub struct IssuedKey {
    key: SigningKey,
    kid: String,
    public: Value,
}

/// The key that signs now, and those that are published beside it.
#[derive(Debug)]
pub struct IssuedKeys {
    algorithm: Algorithm,
    current: Arc<IssuedKey>,
    /// Made keys: the next one, and the last one where there was one. Keys from files: all the others.
    others: Vec<Arc<IssuedKey>>,
    /// Public halves of keys that signed before a reload.
    retired: Vec<Value>,
    /// When a made key began to sign; `None` for keys from files.
    since: Option<Instant>,
}

/// The system gave no randomness, or the crypto library refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key could be made")]
pub struct NoKey;

impl IssuedKeys {
    /// Reads or makes keys. Warnings go to `faults`.
    ///
    /// # Errors
    /// A file cannot be read, holds no private key, or one that does not fit the algorithm.
    pub fn load(settings: &SignedIdentity, faults: &mut Vec<Fault>) -> Result<Self, Fault> {
        let name = settings.algorithm.name();
        let Some(algorithm) = Algorithm::from_name(name) else {
            return Err(Fault::new(
                "signed_identity.algorithm",
                format!("`{name}`"),
                "an algorithm that is known here",
                "`ES256` is the default",
            ));
        };
        let files = settings
            .key_files
            .as_ref()
            .map_or(&[][..], OneOrMany::items);
        let mut keys = Vec::new();
        for file in files {
            keys.push(Arc::new(read(file, algorithm)?));
            warn_when_world_readable(file, "signed_identity.key_files", faults);
        }
        let mut keys = keys.into_iter();
        match keys.next() {
            Some(current) => Ok(Self {
                algorithm,
                current,
                others: keys.collect(),
                retired: Vec::new(),
                since: None,
            }),
            None => Self::made(algorithm).map_err(|error| {
                Fault::new(
                    "signed_identity",
                    error.to_string(),
                    "randomness from the system",
                    "name keys by `key_files`",
                )
            }),
        }
    }

    fn made(algorithm: Algorithm) -> Result<Self, NoKey> {
        Ok(Self {
            algorithm,
            current: Arc::new(IssuedKey::make(algorithm)?),
            others: vec![Arc::new(IssuedKey::make(algorithm)?)],
            retired: Vec::new(),
            since: Some(Instant::now()),
        })
    }

    /// The keys after these: the next one signs, this one stays published, and another one is made. `None` while it is not yet time, and
    /// for keys from files.
    ///
    /// # Errors
    /// No key could be made.
    #[must_use]
    pub fn rotated(&self, every: Duration) -> Option<Result<Self, NoKey>> {
        self.since.filter(|since| since.elapsed() >= every)?;
        let next = self.others.first()?;
        let made = IssuedKey::make(self.algorithm);
        Some(made.map(|made| Self {
            algorithm: self.algorithm,
            current: Arc::clone(next),
            others: vec![Arc::new(made), Arc::clone(&self.current)],
            retired: Vec::new(),
            since: Some(Instant::now()),
        }))
    }

    /// Whether these may go on in the place of others, after a reload: both made, for the same algorithm.
    #[must_use]
    pub fn may_replace(&self, others: &Self) -> bool {
        self.algorithm == others.algorithm && self.since.is_some() && others.since.is_some()
    }

    /// Signs claims.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn sign(&self, claims: &Value) -> Result<String, NoKey> {
        let IssuedKey { key, kid, .. } = &*self.current;
        key.sign(Some(kid), "JWT", claims).map_err(|_| NoKey)
    }

    /// The public halves of all of them (RFC 7517 §5).
    #[must_use]
    pub fn set(&self) -> Value {
        let all = std::iter::once(&self.current).chain(&self.others);
        let own = all.map(|key| key.public.clone());
        let keys: Vec<_> = own.chain(self.retired.iter().cloned()).collect();
        json!({ "keys": keys })
    }

    /// The same keys, and the public halves of those that signed before a reload, but no older ones.
    #[must_use]
    pub fn beside(&self, before: &Self) -> Self {
        let own = std::iter::once(&self.current).chain(&self.others);
        let own: Vec<_> = own.map(|key| &key.public).collect();
        let others = std::iter::once(&before.current).chain(&before.others);
        let others = others.map(|key| key.public.clone());
        Self {
            algorithm: self.algorithm,
            current: Arc::clone(&self.current),
            others: self.others.clone(),
            retired: others.filter(|key| !own.contains(&key)).collect(),
            since: self.since,
        }
    }
}

impl IssuedKey {
    fn make(algorithm: Algorithm) -> Result<Self, NoKey> {
        const RSA_BITS: u32 = 2048;
        let private = PrivateKey::generate(algorithm.family(), RSA_BITS).map_err(|_| NoKey)?;
        Self::of(&private, algorithm).map_err(|_| NoKey)
    }

    fn of(private: &PrivateKey, algorithm: Algorithm) -> Result<Self, String> {
        let key = SigningKey::from_private(private, Some(algorithm))
            .map_err(|fault| fault.to_string())?;
        let kid = thumbprint::of(private.public());
        Ok(Self {
            public: jwk::to_json(private.public(), &kid, algorithm),
            key,
            kid,
        })
    }
}

/// The public half alone.
impl fmt::Debug for IssuedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("IssuedKey").field(&self.kid).finish()
    }
}

fn read(file: &str, algorithm: Algorithm) -> Result<IssuedKey, Fault> {
    let fault = |found: String| {
        Fault::new(
            "signed_identity.key_files",
            format!("`{file}`: {found}"),
            format!("a PEM file with a private key for {}", algorithm.name()),
            format!(
                "`jwtgate keygen --algorithm {}` makes one",
                algorithm.name()
            ),
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
    let text = zeroize::Zeroizing::new(text);
    // The parser's message could quote the file.
    let blocks = pem::parse_many(text.as_bytes()).map_err(|_| fault("no PEM".to_owned()))?;
    let private = blocks
        .iter()
        .find(|block| block.tag().ends_with("PRIVATE KEY"))
        .ok_or_else(|| fault("no private key in it".to_owned()))?;
    let private = PrivateKey::from_der(private.contents()).map_err(|why| fault(why.to_string()))?;
    IssuedKey::of(&private, algorithm).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(keys: &IssuedKeys) -> Vec<String> {
        let set = keys.set();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after_it_did() {
        let first = IssuedKeys::load(&SignedIdentity::default(), &mut Vec::new()).unwrap();
        let before = kids(&first);
        assert_eq!(before.len(), 2);
        assert!(first.rotated(Duration::from_hours(1)).is_none());
        let second = first.rotated(Duration::ZERO).unwrap().unwrap();
        let after = kids(&second);
        // The next one signs, a new one is next, and the last one is still there.
        assert_eq!(after[0], before[1]);
        assert_eq!(after[2], before[0]);
        assert!(!before.contains(&after[1]));
        let third = kids(&second.rotated(Duration::ZERO).unwrap().unwrap());
        assert_eq!((&third[0], &third[2]), (&after[1], &after[0]));
        assert!(!third.contains(&before[0]));
    }

    #[test]
    fn s17_1_private_keys_are_not_published_or_shown() {
        let keys = IssuedKeys::load(&SignedIdentity::default(), &mut Vec::new()).unwrap();
        let told = format!("{} {keys:?}", keys.set());
        for member in ["\"d\"", "PRIVATE", "pkcs8"] {
            assert!(!told.contains(member), "{told}");
        }
    }
}
