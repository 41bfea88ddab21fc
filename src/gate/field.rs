//! A field: a value made of one or more claims. Compiled at load, made when a token is verified.

use std::borrow::Cow;

use crate::config::{Fault, FieldTable, ListFormat};
use crate::jose::{ClaimPath, Claims, Json};

use super::filter::Filter;
use super::template::Template;
use super::transform::Transform;

/// How a field is made.
#[derive(Clone, Debug)]
pub(super) struct Field {
    source: Source,
    splits: bool,
    transform: Transform,
    /// What of a list goes into a header.
    pub(super) filter: Filter,
    /// How a list stands in a header.
    pub(super) format: ListFormat,
    /// Whether it is a list even where the token has a single text.
    pub(super) is_list: bool,
}

#[derive(Clone, Debug)]
enum Source {
    /// The first that is there.
    First(Vec<ClaimPath>),
    /// All of them, as one list.
    Merged(Vec<ClaimPath>),
    Template(Template),
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'c> {
    /// No claim is there.
    Absent,
    /// One text.
    Text(Cow<'c, str>),
    /// A list of texts.
    List(Vec<Cow<'c, str>>),
}

/// Why a field has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoValue {
    /// A claim is neither text nor a list of texts.
    WrongType,
    /// The token says that the claim stands elsewhere (OpenID Connect Core §5.6.2), as Microsoft Entra ID does with too many groups.
    Elsewhere,
}

impl Field {
    /// Compiles a field. `path` names its table in faults.
    pub(super) fn compile(path: &str, table: &FieldTable, faults: &mut Vec<Fault>) -> Option<Self> {
        let source = source(path, table, faults);
        let transform = Transform::compile(path, table, faults);
        let filter = Filter::compile(path, table, faults);
        Some(Self {
            source: source?,
            splits: table.split.unwrap_or(false),
            transform,
            filter,
            format: table.format.unwrap_or(ListFormat::Comma),
            is_list: table.format.is_some()
                || table.merge == Some(true)
                || table.split == Some(true)
                || path.ends_with(".groups"),
        })
    }

    /// A field that is one claim as it is.
    pub(super) fn of_claim(claim: ClaimPath) -> Self {
        Self {
            source: Source::First(vec![claim]),
            splits: false,
            transform: Transform::default(),
            filter: Filter::default(),
            format: ListFormat::Comma,
            is_list: false,
        }
    }

    /// Its value in these claims.
    pub(super) fn value<'c>(&'c self, claims: &'c Claims<'_>) -> Result<Value<'c>, NoValue> {
        let elsewhere =
            |paths: &[ClaimPath]| paths.iter().any(|path| claims.stands_elsewhere(path));
        let value = match &self.source {
            Source::First(paths) | Source::Merged(paths) if elsewhere(paths) => {
                return Err(NoValue::Elsewhere);
            }
            Source::First(paths) => match paths.iter().find_map(|path| path.resolve(claims)) {
                Some(found) => self.of_json(found)?,
                None => Value::Absent,
            },
            Source::Merged(paths) => self.merged(paths, claims)?,
            Source::Template(template) => match template.fill(claims)? {
                Some(text) => Value::Text(text.into()),
                None => Value::Absent,
            },
        };
        Ok(self.transform.apply(value))
    }

    fn of_json<'c>(&self, found: &'c Json<'_>) -> Result<Value<'c>, NoValue> {
        match found {
            Json::String(text) if self.splits => Ok(Value::List(
                text.split_ascii_whitespace().map(Cow::Borrowed).collect(),
            )),
            Json::String(text) => Ok(Value::Text(Cow::Borrowed(text))),
            Json::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(Cow::Borrowed))
                .collect::<Option<_>>()
                .map(Value::List)
                .ok_or(NoValue::WrongType),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => {
                Err(NoValue::WrongType)
            }
        }
    }

    fn merged<'c>(
        &self,
        paths: &[ClaimPath],
        claims: &'c Claims<'_>,
    ) -> Result<Value<'c>, NoValue> {
        let mut all: Vec<Cow<'c, str>> = Vec::new();
        let mut is_there = false;
        for path in paths {
            let Some(found) = path.resolve(claims) else {
                continue;
            };
            is_there = true;
            match self.of_json(found)? {
                Value::Text(text) => all.push(text),
                Value::List(items) => all.extend(items),
                Value::Absent => {}
            }
        }
        if !is_there {
            return Ok(Value::Absent);
        }
        let mut seen = std::collections::HashSet::new();
        let is_new: Vec<bool> = all.iter().map(|item| seen.insert(item.as_ref())).collect();
        let mut is_new = is_new.into_iter();
        all.retain(|_| is_new.next().unwrap_or(true));
        Ok(Value::List(all))
    }
}

fn source(path: &str, table: &FieldTable, faults: &mut Vec<Fault>) -> Option<Source> {
    if let Some(text) = &table.template {
        let at = format!("{path}.template");
        if table.claim.is_some() {
            faults.push(Fault::new(
                &at,
                "a template beside `claim`",
                "one of them",
                "a template names its claims itself",
            ));
        }
        return match Template::parse(text) {
            Ok(template) => Some(Source::Template(template)),
            Err(why) => {
                faults.push(Fault::new(
                    at,
                    format!("`{text}`: {why}"),
                    "text with claims in braces",
                    "for example `{given_name} {family_name}`; `{{` stands for a brace",
                ));
                None
            }
        };
    }
    let at = format!("{path}.claim");
    let items = table
        .claim
        .as_ref()
        .map_or(&[][..], |claims| claims.items());
    if items.is_empty() {
        faults.push(
            Fault::new(
                &at,
                "nothing",
                "the claim that the field is made of",
                "for example `claim = \"department\"`",
            )
            .absent(),
        );
    }
    let paths: Vec<_> = items
        .iter()
        .filter_map(|item| match ClaimPath::parse(item) {
            Ok(claim) => Some(claim),
            Err(why) => {
                faults.push(super::identity::not_a_path(&at, item, why));
                None
            }
        })
        .collect();
    let is_whole = !paths.is_empty() && paths.len() == items.len();
    let source = if table.merge.unwrap_or(false) {
        Source::Merged(paths)
    } else {
        Source::First(paths)
    };
    is_whole.then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn field(table: &serde_json::Value) -> Field {
        let table: FieldTable = serde_json::from_value(table.clone()).unwrap();
        let mut faults = Vec::new();
        let field = Field::compile("fields.x", &table, &mut faults);
        assert_eq!(faults, []);
        field.unwrap()
    }

    /// What a field is made of these claims, as JSON.
    fn made(table: &serde_json::Value, claims: &str) -> Result<serde_json::Value, NoValue> {
        let field = field(table);
        let claims =
            Claims::parse(claims.as_bytes()).unwrap_or_else(|why| panic!("{claims}: {why}"));
        field.value(&claims).map(|value| match value {
            Value::Absent => serde_json::Value::Null,
            Value::Text(text) => json!(text),
            Value::List(items) => json!(items),
        })
    }

    #[test]
    fn the_first_claim_that_is_there_counts_also_where_it_is_of_no_use() {
        let table = json!({ "claim": ["a", "b.c", "/d~1e"] });
        for (claims, expected) in [
            (r#"{"a":"1","b":{"c":"2"},"d/e":"3"}"#, Ok(json!("1"))),
            (r#"{"b":{"c":"2"},"d/e":"3"}"#, Ok(json!("2"))),
            (r#"{"a":null,"b":{"c":null},"d/e":"3"}"#, Ok(json!("3"))),
            (r#"{"a":null}"#, Ok(json!(null))),
            ("{}", Ok(json!(null))),
            (r#"{"a":"","d/e":"3"}"#, Ok(json!(""))),
            (r#"{"a":[],"d/e":"3"}"#, Ok(json!([]))),
            (r#"{"A":"1","d/e":"3"}"#, Ok(json!("3"))),
            (r#"{"a":7,"d/e":"3"}"#, Err(NoValue::WrongType)),
            (r#"{"a":false,"d/e":"3"}"#, Err(NoValue::WrongType)),
            (r#"{"a":"1","d/e":7}"#, Ok(json!("1"))),
        ] {
            assert_eq!(made(&table, claims), expected, "{claims}");
        }
    }

    #[test]
    fn what_is_neither_text_nor_a_list_of_texts_is_of_the_wrong_type() {
        for value in [
            "true",
            "false",
            "0",
            "1",
            "-1",
            "1.5",
            "1e99",
            "{}",
            r#"{"a":"b"}"#,
            "[1]",
            "[null]",
            "[true]",
            "[[]]",
            "[{}]",
            r#"["a",1]"#,
            r#"["a",null]"#,
            r#"["a",["b"]]"#,
        ] {
            let claims = format!(r#"{{"a":{value},"b":["x"]}}"#);
            for table in [
                json!({ "claim": "a" }),
                json!({ "claim": "a", "split": true }),
                json!({ "claim": ["b", "a"], "merge": true }),
            ] {
                let found = made(&table, &claims);
                assert_eq!(found, Err(NoValue::WrongType), "{table} {claims}");
            }
        }
    }

    #[test]
    fn merged_claims_are_one_list_with_each_value_once() {
        let merged = |claim: serde_json::Value| json!({ "claim": claim, "merge": true });
        let both = merged(json!(["a", "b"]));
        for (table, claims, expected) in [
            (
                &both,
                r#"{"a":["x","y"],"b":["y","z","x"]}"#,
                json!(["x", "y", "z"]),
            ),
            (&both, r#"{"a":["x","x","x"]}"#, json!(["x"])),
            (
                &both,
                r#"{"a":"x","b":["X","x ","x"]}"#,
                json!(["x", "X", "x "]),
            ),
            (&both, r#"{"a":"x y","b":"x"}"#, json!(["x y", "x"])),
            (&both, r#"{"a":null,"b":["z"]}"#, json!(["z"])),
            (&both, r#"{"a":[],"b":[]}"#, json!([])),
            (&both, r#"{"a":null}"#, json!(null)),
            (&both, "{}", json!(null)),
            (&merged(json!("a")), r#"{"a":"x"}"#, json!(["x"])),
            (
                &merged(json!(["a", "a"])),
                r#"{"a":["x","y"]}"#,
                json!(["x", "y"]),
            ),
            // Two ways of writing one letter are two values.
            (
                &both,
                r#"{"a":"\u00e9","b":"e\u0301"}"#,
                json!(["\u{e9}", "e\u{301}"]),
            ),
        ] {
            assert_eq!(made(table, claims), Ok(expected), "{table} {claims}");
        }
        let split = json!({ "claim": ["a", "b"], "merge": true, "split": true });
        let found = made(&split, r#"{"a":"x  y","b":["y z","y"]}"#);
        assert_eq!(found, Ok(json!(["x", "y", "y z"])));
    }

    #[test]
    fn a_text_is_split_at_ascii_blanks_and_items_of_a_list_never() {
        let table = json!({ "claim": "a", "split": true });
        for (value, expected) in [
            (r#""x y""#, json!(["x", "y"])),
            (r#""  x   y ""#, json!(["x", "y"])),
            (r#""x\ty\nz""#, json!(["x", "y", "z"])),
            (r#""x,y""#, json!(["x,y"])),
            (r#""x\u00a0y\u2003z""#, json!(["x\u{a0}y\u{2003}z"])),
            (r#""x x""#, json!(["x", "x"])),
            (r#""""#, json!([])),
            (r#""  ""#, json!([])),
            (r#"["x y",""]"#, json!(["x y", ""])),
            ("null", json!(null)),
        ] {
            let claims = format!(r#"{{"a":{value}}}"#);
            assert_eq!(made(&table, &claims), Ok(expected), "{value}");
        }
        let whole = json!({ "claim": "a" });
        assert_eq!(made(&whole, r#"{"a":"x y"}"#), Ok(json!("x y")));
    }

    #[test]
    fn changes_come_after_merging_and_splitting() {
        let table = json!({
            "claim": ["a", "b"], "merge": true, "split": true,
            "lowercase": true, "until_at": true, "capture": "[Rr]-(.*)", "map": { "x": "X" },
        });
        let claims = r#"{"a":"R-X@c r-Y other","b":["r-z@c","r-x y"]}"#;
        assert_eq!(made(&table, claims), Ok(json!(["X", "y", "z", "x y"])));
        let single = json!({ "claim": "a", "capture": "r-(.*)" });
        assert_eq!(made(&single, r#"{"a":"other"}"#), Ok(json!(null)));
        // A filter is for headers: the value itself keeps everything.
        let filtered =
            json!({ "claim": "a", "only": ["x"], "only_prefix": "x", "only_matching": "x" });
        assert_eq!(made(&filtered, r#"{"a":["x","y"]}"#), Ok(json!(["x", "y"])));
    }

    #[test]
    fn a_template_makes_one_text_and_is_changed_like_any_other() {
        let table = json!({ "template": "{a} {b}", "lowercase": true, "map": { "x y": "z" } });
        assert_eq!(made(&table, r#"{"a":"X","b":"Y"}"#), Ok(json!("z")));
        assert_eq!(made(&table, r#"{"a":"X"}"#), Ok(json!(null)));
        assert_eq!(
            made(&table, r#"{"a":"X","b":["Y"]}"#),
            Err(NoValue::WrongType)
        );
        let split = json!({ "template": "{a} {b}", "split": true });
        let found = made(&split, r#"{"a":"X","b":"Y"}"#);
        assert_eq!(
            found,
            Ok(json!("X Y")),
            "what was put together is not taken apart"
        );
    }

    #[test]
    fn what_stands_elsewhere_is_not_absent() {
        for (claim, claims) in [
            (json!("groups"), r#"{"_claim_names":{"groups":"s"}}"#),
            (
                json!("groups"),
                r#"{"groups":null,"_claim_names":{"groups":"s"}}"#,
            ),
            (json!("groups"), r#"{"_claim_names":{"groups":7}}"#),
            (json!("groups"), r#"{"hasgroups":true}"#),
            (json!("/groups"), r#"{"hasgroups":true}"#),
            (json!("groups.a"), r#"{"hasgroups":true}"#),
            (json!("a.b"), r#"{"_claim_names":{"a":"s"}}"#),
            (json!("a.b"), r#"{"_claim_names":{"a.b":"s"}}"#),
            (json!("/a~1b/c"), r#"{"_claim_names":{"a/b":"s"}}"#),
            (json!(["x", "groups"]), r#"{"_claim_names":{"groups":"s"}}"#),
            // Neither the claim itself nor a fallback is taken for what stands elsewhere.
            (
                json!("groups"),
                r#"{"groups":["x"],"_claim_names":{"groups":"s"}}"#,
            ),
            (json!("groups"), r#"{"groups":["x"],"hasgroups":true}"#),
            (
                json!(["groups", "roles"]),
                r#"{"roles":["x"],"hasgroups":true}"#,
            ),
            (
                json!(["roles", "groups"]),
                r#"{"roles":["x"],"_claim_names":{"groups":"s"}}"#,
            ),
            // What is no table of names may name any claim.
            (json!("groups"), r#"{"_claim_names":["groups"]}"#),
            (json!("a"), r#"{"a":"x","_claim_names":"groups"}"#),
            (json!("a"), r#"{"a":"x","_claim_names":false}"#),
            (json!("groups"), r#"{"hasgroups":"true"}"#),
            (json!("groups"), r#"{"hasgroups":0}"#),
        ] {
            for merge in [false, true] {
                let table = json!({ "claim": claim, "merge": merge });
                let found = made(&table, claims);
                assert_eq!(found, Err(NoValue::Elsewhere), "{table} {claims}");
            }
        }
        // Half a list is not the list.
        let merged = json!({ "claim": ["groups", "roles"], "merge": true });
        let half = r#"{"roles":["x"],"_claim_names":{"groups":"s"}}"#;
        assert_eq!(made(&merged, half), Err(NoValue::Elsewhere));
        let template = json!({ "template": "{a} {b}" });
        let half = r#"{"a":"x","b":"y","_claim_names":{"b":"s"}}"#;
        assert_eq!(made(&template, half), Err(NoValue::Elsewhere));
    }

    #[test]
    fn what_is_not_said_to_stand_elsewhere_is_absent() {
        for (claim, claims) in [
            ("groups", r#"{"hasgroups":false}"#),
            ("roles", r#"{"hasgroups":true}"#),
            ("Groups", r#"{"_claim_names":{"groups":"s"}}"#),
            ("groups", r#"{"_claim_names":{"groups.x":"s","group":"s"}}"#),
            ("groups", r#"{"hasgroups":null}"#),
            ("groups", r#"{"_claim_names":null}"#),
            ("groups", r#"{"_claim_names":{}}"#),
            ("groups", r#"{"_claim_sources":{"groups":{}}}"#),
            ("/a.b", r#"{"_claim_names":{"a":"s"}}"#),
        ] {
            let found = made(&json!({ "claim": claim }), claims);
            assert_eq!(found, Ok(json!(null)), "{claim} {claims}");
        }
    }

    #[test]
    fn a_field_without_a_good_source_is_told_at_its_key() {
        for (table, key, found) in [
            (json!({}), "claim", "nothing"),
            (json!({ "claim": "" }), "claim", "nothing"),
            (json!({ "claim": [] }), "claim", "nothing"),
            (json!({ "claim": ["a", ""] }), "claim", "``"),
            (json!({ "claim": "/a~2" }), "claim", "`/a~2`"),
            (json!({ "template": "{a" }), "template", "not closed"),
            (json!({ "template": "" }), "template", "no claim"),
            (
                json!({ "template": "{a}", "claim": "a" }),
                "template",
                "beside `claim`",
            ),
        ] {
            let read: FieldTable = serde_json::from_value(table.clone()).unwrap();
            let mut faults = Vec::new();
            let _ = Field::compile("fields.x", &read, &mut faults);
            assert_eq!(faults.len(), 1, "{table}");
            assert_eq!(faults[0].path, format!("fields.x.{key}"), "{table}");
            assert!(
                faults[0].found.contains(found),
                "{table}: {}",
                faults[0].found
            );
        }
    }
}
