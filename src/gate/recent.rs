//! The first level of the cache: the tokens that this thread has met again, found by their bytes.
//!
//! The shared cache is asked by the SHA-256 of a token, which costs more than all the rest of a hit. Here the token itself is compared,
//! every byte of it; where to look is chosen by the end of its signature, which decides nothing. Only what the shared cache has answered
//! gets in, so that tokens that come once cost nothing here and push nobody out. Each entry names the cache it came from: a new one, by
//! a reload, finds none of them. Bounded by slots and by the length of a token, for each thread.

use std::cell::RefCell;

use crate::request::RawToken;

use super::cache::Entry;

/// Groups of slots, and slots in each: more than enough for a hundred tokens in turn.
const GROUPS: usize = 128;
const SLOTS: usize = 4;
/// The longest token that is kept: 512 of them take 2 MiB, and usual ones half of that.
const MAX_TOKEN_BYTES: usize = 4 * 1024;
/// How much of the end of a token chooses its group: 96 bits of the signature.
const TAIL: usize = 16;

/// Which cache an entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(pub(super) u64);

/// Tokens and what is known of each.
pub(super) struct Recent<V>(Vec<Group<V>>);

struct Group<V> {
    slots: [Option<Slot<V>>; SLOTS],
    /// The slot that is filled next.
    next: usize,
}

struct Slot<V> {
    origin: Origin,
    token: Box<[u8]>,
    known: V,
}

impl<V> Default for Group<V> {
    fn default() -> Self {
        Self {
            slots: [const { None }; SLOTS],
            next: 0,
        }
    }
}

thread_local! {
    static RECENT: RefCell<Recent<Entry>> = const { RefCell::new(Recent::new()) };
}

/// What this thread remembers of a token, if `is_good`.
pub(super) fn get(
    origin: Origin,
    token: RawToken<'_>,
    is_good: impl Fn(&Entry) -> bool,
) -> Option<Entry> {
    RECENT.with_borrow(|recent| {
        let known = recent.get(origin, token);
        known.filter(|entry| is_good(entry)).cloned()
    })
}

/// Has this thread remember a token that the cache knows.
pub(super) fn insert(origin: Origin, token: RawToken<'_>, entry: &Entry) {
    RECENT.with_borrow_mut(|recent| recent.insert(origin, token, entry.clone()));
}

impl<V> Recent<V> {
    /// It takes no memory before something is inserted.
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn get(&self, origin: Origin, token: RawToken<'_>) -> Option<&V> {
        let bytes = token.bytes();
        let group = self.0.get(group_of(bytes)?)?;
        let mut entries = group.slots.iter().flatten();
        let entry = entries.find(|entry| entry.origin == origin && *entry.token == *bytes)?;
        Some(&entry.known)
    }

    fn insert(&mut self, origin: Origin, token: RawToken<'_>, known: V) {
        let bytes = token.bytes();
        let Some(place) = group_of(bytes).filter(|_| bytes.len() <= MAX_TOKEN_BYTES) else {
            return;
        };
        if self.0.is_empty() {
            self.0.resize_with(GROUPS, Group::default);
        }
        let Some(group) = self.0.get_mut(place) else {
            return;
        };
        // What another cache left behind goes first, and what this one knew of the same token.
        let is_free = |slot: &Option<Slot<V>>| {
            let entry = slot.as_ref();
            entry.is_none_or(|old| old.origin != origin || *old.token == *bytes)
        };
        let free = group.slots.iter().position(is_free);
        let place = free.unwrap_or(group.next);
        if free.is_none() {
            group.next = (group.next + 1) % SLOTS;
        }
        if let Some(slot) = group.slots.get_mut(place) {
            *slot = Some(Slot {
                origin,
                token: bytes.into(),
                known,
            });
        }
    }
}

/// Where a token is looked for. What is too short is no token.
fn group_of(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.last_chunk::<TAIL>()?;
    let word = u128::from_le_bytes(*tail);
    // The last character of a signature may hold but two of its bits, so all of them are mixed (Fibonacci hashing).
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    usize::try_from(mixed >> 121).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(token: &str) -> RawToken<'_> {
        RawToken::new(token.as_bytes())
    }

    #[test]
    fn a_token_is_found_by_every_byte_of_it_and_by_the_cache_it_came_from() {
        let end = "0123456789abcdef0123456789abcdef";
        let (one, other) = (format!("a.b.{end}"), format!("a.c.{end}"));
        let mut recent = Recent::new();
        let (here, there) = (Origin(1), Origin(2));
        recent.insert(here, raw(&one), "one");
        assert_eq!(recent.get(here, raw(&one)), Some(&"one"));
        assert_eq!(recent.get(here, raw(&other)), None, "the same end");
        assert_eq!(recent.get(here, raw(&one[1..])), None);
        assert_eq!(recent.get(there, raw(&one)), None, "another cache");
        recent.insert(here, raw(&other), "other");
        recent.insert(here, raw(&other), "other, anew");
        assert_eq!(recent.get(here, raw(&other)), Some(&"other, anew"));
        recent.insert(there, raw(&one), "one there");
        assert_eq!(recent.get(there, raw(&one)), Some(&"one there"));
        assert_eq!(recent.get(here, raw(&one)), None, "an old cache makes room");
        assert_eq!(recent.get(here, raw("")), None);
    }

    #[test]
    fn it_is_bounded_and_a_hundred_tokens_fit() {
        let token = |number: u64| format!("h.p.{:064}", number.wrapping_mul(0x9e37_79b9_7f4a));
        let mut recent = Recent::new();
        let mut fill = |count| {
            for number in 0..count {
                recent.insert(Origin(7), raw(&token(number)), ());
            }
            let known = (0..count).filter(|number| {
                let token = token(*number);
                recent.get(Origin(7), raw(&token)).is_some()
            });
            known.count()
        };
        assert!(fill(100) >= 97);
        assert!(fill(100_000) <= GROUPS * SLOTS);
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);
        recent.insert(Origin(7), raw(&long), ());
        assert_eq!(recent.get(Origin(7), raw(&long)), None);
    }
}
