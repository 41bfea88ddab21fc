//! Which items of a list go into a header. Rules see all of them.

use std::collections::BTreeSet;

use crate::config::{Fault, FieldTable};
use crate::policy::FullMatch;

/// A filter; an item must pass every part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    only: Option<BTreeSet<String>>,
    prefixes: Option<Vec<String>>,
    matching: Option<FullMatch>,
}

impl Filter {
    /// Compiles a filter. `path` names the field's table in faults.
    pub(super) fn compile(path: &str, table: &FieldTable, faults: &mut Vec<Fault>) -> Self {
        let pattern = table
            .only_matching
            .as_deref()
            .filter(|text| !text.is_empty());
        let matching = pattern.and_then(|text| {
            match FullMatch::compile(&format!("{path}.only_matching"), text) {
                Ok(pattern) => Some(pattern),
                Err(fault) => {
                    faults.push(fault);
                    None
                }
            }
        });
        Self {
            only: table
                .only
                .as_ref()
                .map(|only| only.items().iter().cloned().collect()),
            prefixes: table
                .only_prefix
                .as_ref()
                .map(|prefixes| prefixes.items().to_vec()),
            matching,
        }
    }

    /// Whether an item goes into the header.
    pub(super) fn lets_pass(&self, item: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(item))
            && self
                .prefixes
                .as_ref()
                .is_none_or(|prefixes| prefixes.iter().any(|prefix| item.starts_with(prefix)))
            && self
                .matching
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(item))
    }
}
