//! What is changed on a value on its way from the claim to the header, in a fixed order: a captured part, up to the `@`, small letters,
//! another name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::config::{Fault, FieldTable};
use crate::policy::FullMatch;

use super::field::Value;

/// The changes of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Transform {
    lowercase: bool,
    until_at: bool,
    capture: Option<FullMatch>,
    map: BTreeMap<String, String>,
}

impl Transform {
    /// Compiles the changes. `path` names the field's table in faults.
    pub(super) fn compile(path: &str, table: &FieldTable, faults: &mut Vec<Fault>) -> Self {
        let pattern = table.capture.as_deref().filter(|text| !text.is_empty());
        let capture =
            pattern.and_then(
                |text| match FullMatch::compile(&format!("{path}.capture"), text) {
                    Ok(pattern) => Some(pattern),
                    Err(fault) => {
                        faults.push(fault);
                        None
                    }
                },
            );
        if let Some((name, _)) = table.map.iter().find(|(_, other)| other.is_empty()) {
            faults.push(Fault::new(
                format!("{path}.map"),
                format!("`{name}` with an empty text for it"),
                "another value",
                "to leave a value out, use `capture`, or `only` for headers",
            ));
        }
        Self {
            lowercase: table.lowercase.unwrap_or(false),
            until_at: table.until_at.unwrap_or(false),
            capture,
            map: table.map.clone(),
        }
    }

    /// Changes a value: each item of a list for itself.
    pub(super) fn apply<'c>(&'c self, value: Value<'c>) -> Value<'c> {
        let changes_nothing =
            !self.lowercase && !self.until_at && self.capture.is_none() && self.map.is_empty();
        match value {
            value if changes_nothing => value,
            Value::Absent => Value::Absent,
            Value::Text(text) => self.text(text).map_or(Value::Absent, Value::Text),
            Value::List(items) => Value::List(
                items
                    .into_iter()
                    .filter_map(|item| self.text(item))
                    .collect(),
            ),
        }
    }

    fn text<'c>(&'c self, mut text: Cow<'c, str>) -> Option<Cow<'c, str>> {
        if let Some(pattern) = &self.capture {
            pattern.captured(&text)?;
            text = part(text, |text| pattern.captured(text));
        }
        if self.until_at
            && let Some(at) = text.find('@')
        {
            text = part(text, |text| text.get(..at));
        }
        if self.lowercase && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_mut().make_ascii_lowercase();
        }
        match self.map.get(text.as_ref()) {
            Some(other) => Some(Cow::Borrowed(other)),
            None => Some(text),
        }
    }
}

/// A part of a text, without a copy where it is borrowed.
fn part(text: Cow<'_, str>, cut: impl FnOnce(&str) -> Option<&str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(cut(&text).unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn transform(table: &serde_json::Value) -> Transform {
        let table: FieldTable = serde_json::from_value(table.clone()).unwrap();
        let mut faults = Vec::new();
        let transform = Transform::compile("fields.x", &table, &mut faults);
        assert_eq!(faults, []);
        transform
    }

    #[track_caller]
    fn becomes(table: &serde_json::Value, cases: &[(&str, Option<&str>)]) {
        let transform = transform(table);
        for (text, expected) in cases {
            let whole = expected.map_or(Value::Absent, |text| Value::Text(text.into()));
            let value = transform.apply(Value::Text((*text).into()));
            assert_eq!(value, whole, "{text:?} {table}");
            // A text that is no longer borrowed takes another way.
            let value = transform.apply(Value::Text(Cow::Owned((*text).to_owned())));
            assert_eq!(value, whole, "{text:?} {table}, owned");
        }
        // Each item of a list is changed for itself; one that has no value is dropped.
        let items = cases.iter().map(|(text, _)| (*text).into()).collect();
        let kept = cases.iter().filter_map(|(_, kept)| Some((*kept)?.into()));
        let expected = Value::List(kept.collect());
        assert_eq!(transform.apply(Value::List(items)), expected, "{table}");
        assert_eq!(transform.apply(Value::Absent), Value::Absent);
    }

    #[test]
    fn small_letters_are_ascii_only() {
        let cases = [
            ("ABCxyz09", Some("abcxyz09")),
            ("\u{212a}ELVIN", Some("\u{212a}elvin")),
            ("\u{c9}A\u{130}", Some("\u{c9}a\u{130}")),
            ("\u{ff21}A", Some("\u{ff21}a")),
            ("a\u{17f}", Some("a\u{17f}")),
            ("", Some("")),
        ];
        becomes(&json!({ "lowercase": true }), &cases);
        becomes(&json!({ "lowercase": false }), &[("ABC", Some("ABC"))]);
    }

    #[test]
    fn what_stands_before_the_first_at_sign_is_kept() {
        let cases = [
            ("alice@example.com", Some("alice")),
            ("a@b@c", Some("a")),
            ("@example.com", Some("")),
            ("a@", Some("a")),
            ("alice", Some("alice")),
            ("a\u{ff20}b", Some("a\u{ff20}b")),
            ("a%40b", Some("a%40b")),
            ("\"a@b\"@c", Some("\"a")),
            ("\u{1f600}@x", Some("\u{1f600}")),
        ];
        becomes(&json!({ "until_at": true }), &cases);
    }

    #[test]
    fn the_first_group_of_a_whole_match_is_kept_and_what_does_not_match_is_dropped() {
        let cases = [
            ("CN=ops,OU=x", Some("ops")),
            ("CN=ops,", Some("ops")),
            ("CN=ops", None),
            ("cn=ops,OU=x", None),
            ("x,CN=ops,OU=x", None),
            ("CN=,OU=x", None),
            ("CN=ops,OU=x\n", None),
            ("", None),
        ];
        becomes(&json!({ "capture": "CN=([^,]+),.*" }), &cases);
        let whole = [
            ("role:a", Some("role:a")),
            ("role:", None),
            ("xrole:a", None),
        ];
        becomes(&json!({ "capture": "role:[a-z]+" }), &whole);
        // A group that takes no part has no value; one that is empty is empty.
        becomes(
            &json!({ "capture": "(x)?a" }),
            &[("a", None), ("xa", Some("x"))],
        );
        becomes(&json!({ "capture": "(x*)a" }), &[("a", Some(""))]);
        becomes(
            &json!({ "capture": "a|(b)" }),
            &[("a", None), ("b", Some("b"))],
        );
        let second = [("ab", Some("a")), ("b", None)];
        becomes(&json!({ "capture": "(a)(b)" }), &second);
        becomes(&json!({ "capture": "(?:a)(b)" }), &[("ab", Some("b"))]);
        becomes(&json!({ "capture": "" }), &[("a", Some("a"))]);
    }

    #[test]
    fn other_names_are_given_once_and_by_equality() {
        let table = json!({ "map": { "a": "b", "b": "c", "": "nobody", "K": "k" } });
        let cases = [
            ("a", Some("b")),
            ("b", Some("c")),
            ("c", Some("c")),
            ("A", Some("A")),
            ("a ", Some("a ")),
            ("", Some("nobody")),
            ("\u{212a}", Some("\u{212a}")),
        ];
        becomes(&table, &cases);
    }

    #[test]
    fn the_changes_come_in_one_order_whatever_the_order_of_the_keys() {
        let all = json!({
            "map": { "ali": "root", "ALI": "wrong", "Ali": "wrong", "ali@corp": "wrong", "x-ali": "wrong" },
            "capture": "x-(.*)",
            "until_at": true,
            "lowercase": true,
        });
        let cases = [
            ("x-Ali@Corp", Some("root")),
            ("x-ALI", Some("root")),
            ("x-Bob@ALI", Some("bob")),
            ("Ali@x-b", None),
            ("X-ali", None),
        ];
        becomes(&all, &cases);
        // An expression sees the whole value as the issuer wrote it.
        becomes(
            &json!({ "capture": ".*@corp", "until_at": true }),
            &[("a@corp", Some("a")), ("a@evil", None), ("a", None)],
        );
        becomes(
            &json!({ "capture": "A", "lowercase": true }),
            &[("A", Some("a")), ("a", None)],
        );
        becomes(
            &json!({ "lowercase": true, "map": { "a": "X" } }),
            &[("A", Some("X"))],
        );
        let group = json!({ "capture": "x-(.*)", "map": { "x-a": "wrong", "a": "right" } });
        becomes(&group, &[("x-a", Some("right")), ("x-b", Some("b"))]);
    }

    #[test]
    fn an_empty_text_in_place_of_a_value_is_told() {
        let table = json!({ "map": { "a": "b", "x": "" } });
        let table: FieldTable = serde_json::from_value(table).unwrap();
        let mut faults = Vec::new();
        let _ = Transform::compile("fields.x", &table, &mut faults);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].path, "fields.x.map");
        assert!(faults[0].found.contains("`x`"), "{}", faults[0].found);
    }

    #[test]
    fn an_expression_that_is_none_is_told_at_its_key() {
        for text in ["(", "a)|(.*", "(?=a)"] {
            let table = FieldTable {
                capture: Some(text.to_owned()),
                ..FieldTable::default()
            };
            let mut faults = Vec::new();
            let _ = Transform::compile("issuers.a.fields.x", &table, &mut faults);
            let told: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
            assert_eq!(told, ["issuers.a.fields.x.capture"], "{text}");
            assert!(faults[0].found.contains(text));
        }
    }
}
