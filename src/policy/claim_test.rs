//! Tests of a claim: one operator each.

use std::fmt;

use crate::config::Fault;
use crate::config::rules::{ClaimTestTable, Scalar};
use crate::jose::json::Number;
use crate::jose::{ClaimPath, Claims, Json};

use super::pattern::FullMatch;

/// A claim and what it must be.
#[derive(Clone, Debug)]
pub(super) struct ClaimTest {
    claim: ClaimPath,
    operator: Operator,
}

#[derive(Clone, Debug)]
enum Operator {
    OneOf(Vec<Scalar>),
    Contains(Vec<Scalar>),
    Matches(FullMatch),
    Exists(bool),
}

impl ClaimTest {
    /// Compiles a test. `path` names its table in faults.
    pub(super) fn compile(
        path: &str,
        table: &ClaimTestTable,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let claim = match ClaimPath::parse(&table.claim) {
            Ok(claim) => Some(claim),
            Err(why) => {
                faults.push(Fault::new(
                    format!("{path}.claim"),
                    format!("`{}`: {why}", table.claim),
                    "a claim, a dotted path or a JSON Pointer",
                    "for example `department` or `/https:~1~1example.com~1role`",
                ));
                None
            }
        };
        let operators = operators(path, table, faults);
        match <[Option<Operator>; 1]>::try_from(operators) {
            Ok([operator]) => Some(Self {
                claim: claim?,
                operator: operator?,
            }),
            Err(operators) => {
                let found = if operators.is_empty() {
                    "no test"
                } else {
                    "several tests"
                };
                faults.push(Fault::new(
                    path,
                    found,
                    "exactly one of `equals`, `one_of`, `contains`, `matches`, `exists`",
                    "for two tests of a claim write two entries of `claims`: all of them must hold",
                ));
                None
            }
        }
    }

    /// Whether the claim is as wanted. One that is absent is not; `None` where it stands elsewhere, or is of another type than what it is
    /// compared with: that is no yes and no no.
    pub(super) fn holds(&self, claims: &Claims<'_>) -> Option<bool> {
        if claims.stands_elsewhere(&self.claim) {
            return None;
        }
        let found = self.claim.resolve(claims);
        match (&self.operator, found) {
            (Operator::Exists(wanted), found) => Some(found.is_some() == *wanted),
            (_, None) => Some(false),
            (Operator::Contains(values), Some(Json::Array(items))) => {
                one_holds(items.iter().map(|item| is_one_of(item, values)))
            }
            (Operator::OneOf(values) | Operator::Contains(values), Some(found)) => {
                is_one_of(found, values)
            }
            (Operator::Matches(pattern), Some(Json::Array(items))) => {
                one_holds(items.iter().map(|item| matches(item, pattern)))
            }
            (Operator::Matches(pattern), Some(found)) => matches(found, pattern),
        }
    }

    /// Whether it may ask for groups.
    pub(super) fn asks_for_groups(&self) -> bool {
        self.claim.roots().any(|root| root == "groups")
    }
}

impl fmt::Display for ClaimTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[Scalar]| {
            let values: Vec<_> = values.iter().map(Scalar::to_string).collect();
            match values.as_slice() {
                [only] => only.clone(),
                values => format!("one of [{}]", values.join(", ")),
            }
        };
        let claim = &self.claim;
        match &self.operator {
            Operator::OneOf(values) => write!(formatter, "the claim `{claim}` is {}", list(values)),
            Operator::Contains(values) => {
                write!(formatter, "the claim `{claim}` contains {}", list(values))
            }
            Operator::Matches(pattern) => {
                write!(
                    formatter,
                    "the claim `{claim}` matches `{}`",
                    pattern.text()
                )
            }
            Operator::Exists(true) => write!(formatter, "the claim `{claim}` is there"),
            Operator::Exists(false) => write!(formatter, "the claim `{claim}` is not there"),
        }
    }
}

/// Whether one of them holds; `None` where none does and one cannot be told.
fn one_holds(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut none = Some(false);
    for item in items {
        match item {
            Some(true) => return Some(true),
            Some(false) => {}
            None => none = None,
        }
    }
    none
}

fn matches(found: &Json<'_>, pattern: &FullMatch) -> Option<bool> {
    found.as_str().map(|text| pattern.is_match(text))
}

/// Every operator that the table names; `None` for one at fault.
fn operators(path: &str, table: &ClaimTestTable, faults: &mut Vec<Fault>) -> Vec<Option<Operator>> {
    let mut operators = Vec::new();
    if let Some(value) = &table.equals {
        operators.push(Some(Operator::OneOf(vec![value.clone()])));
    }
    let mut list = |key: &str, values: &Option<Vec<Scalar>>, make: fn(Vec<Scalar>) -> Operator| {
        let Some(values) = values else { return };
        if values.is_empty() {
            faults.push(Fault::new(
                format!("{path}.{key}"),
                "an empty list, which nothing fits",
                "at least one value",
                "remove the test, or write `exists = false` for a claim that must not be there",
            ));
        }
        operators.push((!values.is_empty()).then(|| make(values.clone())));
    };
    list("one_of", &table.one_of, Operator::OneOf);
    list("contains", &table.contains, Operator::Contains);
    if let Some(text) = &table.matches {
        let pattern = FullMatch::compile(&format!("{path}.matches"), text);
        operators.push(match pattern {
            Ok(pattern) => Some(Operator::Matches(pattern)),
            Err(fault) => {
                faults.push(fault);
                None
            }
        });
    }
    operators.extend(table.exists.map(|wanted| Some(Operator::Exists(wanted))));
    operators
}

/// The type counts: the text `1` is not the number 1, and `"true"` is not true.
fn is_one_of(found: &Json<'_>, values: &[Scalar]) -> Option<bool> {
    one_holds(values.iter().map(|value| match (value, found) {
        (Scalar::Text(wanted), Json::String(found)) => Some(wanted == found),
        (Scalar::Truth(wanted), Json::Bool(found)) => Some(wanted == found),
        (Scalar::Number(wanted), Json::Number(found)) => Some(is_equal(wanted, *found)),
        _ => None,
    }))
    // One value of the right type is enough to tell.
    .or_else(|| {
        let is_of_type = |value: &Scalar| {
            matches!(
                (value, found),
                (Scalar::Text(_), Json::String(_))
                    | (Scalar::Truth(_), Json::Bool(_))
                    | (Scalar::Number(_), Json::Number(_))
            )
        };
        values.iter().any(is_of_type).then_some(false)
    })
}

/// Numbers by their value: `1` is `1.0`, as in JSON (RFC 8259 §6). Whole ones are compared exactly, also beyond what a double can tell apart.
fn is_equal(wanted: &serde_json::Number, found: Number) -> bool {
    let wanted = match (wanted.as_u64(), wanted.as_i64(), wanted.as_f64()) {
        (Some(number), ..) => Number::Unsigned(number),
        (None, Some(number), _) => Number::Negative(number),
        (None, None, Some(number)) => Number::Float(number),
        (None, None, None) => return false,
    };
    match (whole(wanted), whole(found), wanted, found) {
        (Some(wanted), Some(found), ..) => wanted == found,
        (None, None, Number::Float(wanted), Number::Float(found)) => {
            wanted.total_cmp(&found).is_eq()
        }
        _ => false,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a whole number of this size fits"
)]
fn whole(number: Number) -> Option<i128> {
    match number {
        Number::Unsigned(number) => Some(number.into()),
        Number::Negative(number) => Some(number.into()),
        Number::Float(number) => {
            (number.fract() == 0.0 && number.abs() < 1e30).then_some(number as i128)
        }
    }
}
