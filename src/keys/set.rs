//! The keys that may judge a token, and the choice among them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::jose::{Algorithm, VerifyingKey};

/// The keys of one issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<VerifyingKey>>,
    selection: Selection,
    /// Where the keys of each name stand, so that a set of a thousand costs no more than a set of one.
    by_kid: HashMap<Box<str>, Vec<usize>, ahash::RandomState>,
}

/// Whether the token's `kid` chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// A key set: with a `kid`, only keys of that name (RFC 7515 §4.1.4).
    #[default]
    ByKid,
    /// A secret or PEM keys, which have no names: a `kid` says nothing.
    IgnoringKid,
}

/// Why no key can judge a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The set holds no key at all.
    NoKeys,
    /// No key has this `kid`.
    UnknownKid,
    /// No key that is left allows this algorithm.
    Algorithm,
}

/// A token without `kid` is tried with at most this many keys, so that a large set is no lever for an attacker.
pub const MAX_TRIES: usize = 8;

impl KeySet {
    /// A set of prepared keys.
    #[must_use]
    pub fn new(
        keys: impl IntoIterator<Item = impl Into<Arc<VerifyingKey>>>,
        selection: Selection,
    ) -> Self {
        let keys: Vec<Arc<VerifyingKey>> = keys.into_iter().map(Into::into).collect();
        let mut by_kid: HashMap<Box<str>, Vec<usize>, _> = HashMap::default();
        if selection == Selection::ByKid {
            for (index, key) in keys.iter().enumerate() {
                if let Some(kid) = key.kid() {
                    by_kid.entry(kid.into()).or_default().push(index);
                }
            }
        }
        Self {
            keys,
            selection,
            by_kid,
        }
    }

    /// The keys that may check a token of this `algorithm` and `kid`: those of that name that allow the algorithm; without a
    /// name, those that allow the algorithm, at most [`MAX_TRIES`].
    ///
    /// # Errors
    /// There is none; see [`Miss`].
    pub fn candidates<'s>(
        &'s self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<impl Iterator<Item = &'s Arc<VerifyingKey>> + use<'s>, Miss> {
        if self.keys.is_empty() {
            return Err(Miss::NoKeys);
        }
        let named: Option<&[usize]> = match (self.selection, kid) {
            (Selection::ByKid, Some(kid)) => Some(self.by_kid.get(kid).ok_or(Miss::UnknownKid)?),
            (Selection::ByKid, None) | (Selection::IgnoringKid, _) => None,
        };
        let mut fitting = Candidates {
            set: self,
            named,
            algorithm,
            next: 0,
        };
        let first = fitting.next().ok_or(Miss::Algorithm)?;
        Ok(std::iter::once(first).chain(fitting).take(MAX_TRIES))
    }

    /// Whether the token's `kid` chooses.
    #[must_use]
    pub const fn selection(&self) -> Selection {
        self.selection
    }

    /// Every key.
    #[must_use]
    pub fn keys(&self) -> &[Arc<VerifyingKey>] {
        &self.keys
    }

    /// How many of them check RSA signatures with AVX-512 IFMA.
    #[must_use]
    pub fn with_ifma(&self) -> usize {
        let own = self.keys.iter().filter(|key| key.has_ifma());
        own.count()
    }

    /// Whether the two hold the same keys under the same names for the same algorithms, in whatever order.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let sorted = |set: &Self| {
            let mut keys = set.keys.clone();
            keys.sort_by(|one, other| one.identity().cmp(&other.identity()));
            keys
        };
        self.selection == other.selection
            && self.keys.len() == other.keys.len()
            && sorted(self)
                .iter()
                .zip(&sorted(other))
                .all(|(own, other)| own.is_same(other))
    }
}

/// The keys that fit, one after the other.
struct Candidates<'s> {
    set: &'s KeySet,
    /// The keys of the token's `kid`; `None`: every key.
    named: Option<&'s [usize]>,
    algorithm: Algorithm,
    next: usize,
}

impl<'s> Iterator for Candidates<'s> {
    type Item = &'s Arc<VerifyingKey>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let index = match self.named {
                Some(named) => *named.get(self.next)?,
                None => self.next,
            };
            self.next += 1;
            let key = self.set.keys.get(index)?;
            if key.allows(self.algorithm) {
                return Some(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::HmacSecret;

    fn set(kids: &[Option<&str>], selection: Selection) -> KeySet {
        let secret = HmacSecret::new(vec![1; 32]).unwrap();
        let key = |kid| VerifyingKey::from_secret(&secret, kid, None, false).unwrap();
        KeySet::new(kids.iter().copied().map(key), selection)
    }

    fn count(set: &KeySet, kid: Option<&str>) -> Result<usize, Miss> {
        let algorithm = Algorithm::from_name("HS256").unwrap();
        set.candidates(algorithm, kid).map(Iterator::count)
    }

    #[test]
    fn s2_3_kid_chooses_in_a_key_set() {
        let set = set(&[Some("a"), Some("b"), Some("b"), None], Selection::ByKid);
        assert_eq!(count(&set, Some("a")), Ok(1));
        assert_eq!(count(&set, Some("b")), Ok(2), "s2_7: both are tried");
        assert_eq!(count(&set, Some("A")), Err(Miss::UnknownKid));
        assert_eq!(count(&set, Some("")), Err(Miss::UnknownKid));
        assert_eq!(count(&set, None), Ok(4));
        let other = Algorithm::from_name("RS256").unwrap();
        assert_eq!(
            set.candidates(other, Some("a")).err(),
            Some(Miss::Algorithm)
        );
    }

    #[test]
    fn s2_3_kid_says_nothing_beside_a_plain_key() {
        let set = set(&[None], Selection::IgnoringKid);
        assert_eq!(count(&set, Some("anything")), Ok(1));
    }

    #[test]
    fn s2_3_without_kid_at_most_eight_keys_are_tried() {
        let set = set(&[None; 20], Selection::ByKid);
        assert_eq!(count(&set, None), Ok(MAX_TRIES));
        assert_eq!(count(&KeySet::default(), None), Err(Miss::NoKeys));
    }
}
