//! Tests of a claim: one operator each.

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

    /// Whether the claim is as wanted. A claim that is absent, or of another type, is not.
    pub(super) fn holds(&self, claims: &Claims<'_>) -> bool {
        let found = self.claim.resolve(claims);
        match (&self.operator, found) {
            (Operator::Exists(wanted), found) => found.is_some() == *wanted,
            (_, None) => false,
            (Operator::Contains(values), Some(Json::Array(items))) => {
                items.iter().any(|item| is_one_of(item, values))
            }
            (Operator::OneOf(values) | Operator::Contains(values), Some(found)) => {
                is_one_of(found, values)
            }
            (Operator::Matches(pattern), Some(Json::Array(items))) => items
                .iter()
                .filter_map(Json::as_str)
                .any(|item| pattern.is_match(item)),
            (Operator::Matches(pattern), Some(found)) => {
                found.as_str().is_some_and(|text| pattern.is_match(text))
            }
        }
    }
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
fn is_one_of(found: &Json<'_>, values: &[Scalar]) -> bool {
    values.iter().any(|value| match (value, found) {
        (Scalar::Text(wanted), Json::String(found)) => wanted == found,
        (Scalar::Truth(wanted), Json::Bool(found)) => wanted == found,
        (Scalar::Whole(wanted), Json::Number(Number::Unsigned(found))) => wanted == found,
        _ => false,
    })
}
