//! Which items of a list go into a header. Rules see all of them.

use std::collections::BTreeSet;

use crate::config::{Fault, FieldTable, OneOrMany};
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
        for (key, list) in [("only", &table.only), ("only_prefix", &table.only_prefix)] {
            let items = list.as_ref().map(OneOrMany::items);
            if items.is_some_and(|items| items.is_empty() || items.iter().any(String::is_empty)) {
                faults.push(Fault::new(
                    format!("{path}.{key}"),
                    "nothing, or an empty text",
                    "at least one text, none of them empty",
                    "remove the key if every item shall pass",
                ));
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn passing<'i>(table: &serde_json::Value, items: &[&'i str]) -> Vec<&'i str> {
        let table: FieldTable = serde_json::from_value(table.clone()).unwrap();
        let mut faults = Vec::new();
        let filter = Filter::compile("fields.x", &table, &mut faults);
        assert_eq!(faults, []);
        let passes = |item: &&str| filter.lets_pass(item);
        items.iter().copied().filter(passes).collect()
    }

    const ITEMS: [&str; 14] = [
        "",
        "app",
        "app-",
        "app-a",
        "app-a\n",
        "app-ab",
        "APP-a",
        " app-a",
        "xapp-a",
        "team-a",
        "app-\u{e9}",
        "\u{ff41}pp-a",
        "app-a,app-b",
        "*",
    ];

    #[test]
    fn each_part_of_a_filter_compares_in_its_own_way() {
        for (table, expected) in [
            (json!({}), &ITEMS[..]),
            (json!({ "only": "app-a" }), &["app-a"]),
            (
                json!({ "only": ["team-a", "app", "nobody"] }),
                &["app", "team-a"],
            ),
            (json!({ "only": ["app-*", ".*"] }), &[]),
            (
                json!({ "only_prefix": "app-" }),
                &[
                    "app-",
                    "app-a",
                    "app-a\n",
                    "app-ab",
                    "app-\u{e9}",
                    "app-a,app-b",
                ],
            ),
            (
                json!({ "only_prefix": ["team", "x"] }),
                &["xapp-a", "team-a"],
            ),
            (json!({ "only_prefix": ["app-a."] }), &[]),
            (json!({ "only_matching": "app-[a-z]" }), &["app-a"]),
            (
                json!({ "only_matching": "app|team-.*" }),
                &["app", "team-a"],
            ),
            (json!({ "only_matching": "(?m)^app-a$" }), &["app-a"]),
            (json!({ "only_matching": "" }), &ITEMS),
        ] {
            assert_eq!(passing(&table, &ITEMS), expected, "{table}");
        }
    }

    #[test]
    fn an_item_must_pass_every_part() {
        let all = json!({ "only": ["app-a", "app", "team-a"], "only_prefix": ["app", "t"], "only_matching": ".*-a" });
        assert_eq!(passing(&all, &ITEMS), ["app-a", "team-a"]);
        let against = json!({ "only": "team-a", "only_prefix": "app" });
        assert_eq!(passing(&against, &ITEMS), [""; 0]);
        let against = json!({ "only_prefix": "app", "only_matching": "team.*" });
        assert_eq!(passing(&against, &ITEMS), [""; 0]);
    }

    #[test]
    fn an_expression_that_is_none_is_told_at_its_key() {
        let table = FieldTable {
            only_matching: Some("a)|(.*".to_owned()),
            ..FieldTable::default()
        };
        let mut faults = Vec::new();
        let _ = Filter::compile("fields.x", &table, &mut faults);
        let told: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(told, ["fields.x.only_matching"]);
    }

    #[test]
    fn a_part_of_a_filter_that_says_nothing_is_told() {
        for key in ["only", "only_prefix"] {
            for value in [json!(""), json!([]), json!([""]), json!(["app", ""])] {
                let table: FieldTable = serde_json::from_value(json!({ key: value })).unwrap();
                let mut faults = Vec::new();
                let _ = Filter::compile("fields.x", &table, &mut faults);
                let told: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
                assert_eq!(told, [format!("fields.x.{key}")], "{value}");
            }
        }
    }
}
