//! Names of keys that tokens asked for, where each key has an address of its own.
//!
//! Anybody can make up names, so few are remembered, fewer are asked for at a time, and those that are asked for most come first: a key
//! that real people's tokens name is not pushed out by names that are sent once.

use std::cmp::Reverse;
use std::collections::HashMap;

/// The most names that are remembered.
const MAX_OPEN: usize = 256;
/// The most names that one fetch asks for.
const AT_ONCE: usize = 8;

/// Names that were asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// With how often, and the number of the first time.
    open: HashMap<Box<str>, (u32, u64)>,
    next: u64,
    /// What the last fetch asked for.
    taken: Vec<Box<str>>,
}

impl Wanted {
    /// Asks for a name. `false` when there is no room, because every other is asked for more often.
    pub(super) fn add(&mut self, name: &str) -> bool {
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(name) {
            let once = self.open.iter().find(|(_, (count, _))| *count == 1);
            let Some(once) = once.map(|(name, _)| name.clone()) else {
                return false;
            };
            self.open.remove(&once);
        }
        self.next += 1;
        let entry = self.open.entry(name.into()).or_insert((0, self.next));
        entry.0 += 1;
        true
    }

    /// The names to ask for now.
    pub(super) fn take(&mut self) -> Vec<Box<str>> {
        let mut names: Vec<_> = self.open.iter().collect();
        names.sort_by_key(|(_, (count, first))| (Reverse(*count), *first));
        let taken = names.into_iter().take(AT_ONCE);
        self.taken = taken.map(|(name, _)| name.clone()).collect();
        for name in &self.taken {
            self.open.remove(name);
        }
        self.taken.clone()
    }

    /// Whether the last fetch asked for this name.
    pub(super) fn was_taken(&self, name: &str) -> bool {
        self.taken.iter().any(|taken| **taken == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_3_a_name_that_many_ask_for_is_not_pushed_out_by_made_up_ones() {
        let mut wanted = Wanted::default();
        assert!(wanted.add("real") && wanted.add("real"));
        for number in 0..10_000 {
            assert!(wanted.add(&format!("made-up-{number}")));
        }
        assert_eq!(wanted.open.len(), MAX_OPEN);
        let taken = wanted.take();
        assert_eq!((taken.len(), &*taken[0]), (AT_ONCE, "real"));
        assert!(wanted.was_taken("real"));
        let _ = wanted.take();
        assert!(!wanted.was_taken("real"));
    }

    #[test]
    fn a_name_finds_room_even_when_all_is_full_of_names_asked_for_once() {
        let mut wanted = Wanted::default();
        for number in 0..MAX_OPEN {
            wanted.add(&format!("made-up-{number}"));
        }
        assert!((0..3).all(|_| wanted.add("real")));
        assert!(wanted.take().iter().any(|name| **name == *"real"));
    }
}
