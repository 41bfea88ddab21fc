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
        }
    }

    /// Its value in these claims.
    pub(super) fn value<'c>(&'c self, claims: &'c Claims<'_>) -> Result<Value<'c>, NoValue> {
        let value = match &self.source {
            Source::First(paths) => match paths.iter().find_map(|path| path.resolve(claims)) {
                Some(found) => self.of_json(found)?,
                None if paths.iter().any(|path| is_elsewhere(path, claims)) => {
                    return Err(NoValue::Elsewhere);
                }
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
                // A list that lacks a part is not the whole list.
                if is_elsewhere(path, claims) {
                    return Err(NoValue::Elsewhere);
                }
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

/// Whether the token says that a claim stands elsewhere: in `_claim_names`, or by Microsoft's older `hasgroups`.
fn is_elsewhere(path: &ClaimPath, claims: &Claims<'_>) -> bool {
    let names = claims.get("_claim_names").and_then(Json::as_object);
    let is_named = |name: &str| names.is_some_and(|names| names.get(name).is_some());
    let has_groups = || matches!(claims.get("hasgroups"), Some(Json::Bool(true)));
    path.roots()
        .any(|root| is_named(root) || (root == "groups" && has_groups()))
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
