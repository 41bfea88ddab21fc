//! Every different condition of all rules, once, and which of them a token meets.

use std::collections::HashMap;

use crate::config::Fault;
use crate::config::rules::ConditionTable;

use super::condition::Condition;
use super::subject::Subject;

/// The place of a condition among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

/// Every different condition.
#[derive(Clone, Debug, Default)]
pub struct Requirements(Vec<Condition>);

/// Which conditions a token meets: one bit for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    first: u64,
    rest: Box<[u64]>,
}

impl Requirements {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which of them a subject meets. What cannot be told is not met.
    #[must_use]
    pub fn met_by(&self, subject: &Subject<'_>) -> Met {
        let words = self.0.chunks(64).map(|conditions| {
            conditions.iter().rev().fold(0, |word, condition| {
                word << 1 | u64::from(condition.holds(subject) == Some(true))
            })
        });
        let mut words = words;
        Met {
            first: words.next().unwrap_or_default(),
            rest: words.collect(),
        }
    }

    /// The condition at a place.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<&Condition> {
        self.0.get(place.0)
    }
}

impl Met {
    /// Whether the condition at this place is met.
    #[must_use]
    pub fn holds(&self, place: Place) -> bool {
        let word = match (place.0 / 64).checked_sub(1) {
            None => Some(self.first),
            Some(index) => self.rest.get(index).copied(),
        };
        word.is_some_and(|word| word >> (place.0 % 64) & 1 == 1)
    }

    /// The memory that it takes beside itself, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of_val(&*self.rest)
    }
}

/// Gathers conditions while rules are compiled, each of them once.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    places: HashMap<ConditionTable, usize>,
    conditions: Vec<Condition>,
}

impl Gathering {
    /// The place of a table's condition; `None` for an empty table, which everybody meets.
    pub(super) fn place(
        &mut self,
        path: &str,
        table: &ConditionTable,
        faults: &mut Vec<Fault>,
    ) -> Option<Place> {
        if *table == ConditionTable::default() {
            return None;
        }
        if let Some(place) = self.places.get(table) {
            return Some(Place(*place));
        }
        let place = self.conditions.len();
        self.conditions
            .push(Condition::compile(path, table, faults));
        self.places.insert(table.clone(), place);
        Some(Place(place))
    }

    /// What has been gathered.
    pub(super) fn finish(self) -> Requirements {
        Requirements(self.conditions)
    }
}
