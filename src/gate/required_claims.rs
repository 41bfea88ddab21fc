//! Claims that must have one of some values, beyond those that RFC 7519 registers.

use crate::config::{Fault, IssuerSettings};
use crate::jose::{ClaimPath, Claims, Json};

/// Claims with the values that are accepted.
#[derive(Clone, Debug, Default)]
pub(super) struct RequiredClaims(Vec<(ClaimPath, Vec<String>)>);

impl RequiredClaims {
    /// Compiles the rules.
    pub(super) fn compile(settings: &IssuerSettings, faults: &mut Vec<Fault>) -> Self {
        let mut rules = Vec::new();
        for (name, values) in &settings.required_claims {
            let path = settings.path(&format!("required_claims.\"{name}\""));
            match ClaimPath::parse(name) {
                Ok(claim) if !values.items().is_empty() => {
                    rules.push((claim, values.items().to_vec()));
                }
                Ok(_) => faults.push(Fault::new(
                    path,
                    "no value",
                    "the value that the claim must have, or a list of such",
                    "a claim that may have any value need not be listed",
                )),
                Err(why) => faults.push(Fault::new(
                    path,
                    format!("`{name}`: {why}"),
                    "a claim, a dotted path or a JSON Pointer",
                    "for example `hd` or `kubernetes.io.namespace`",
                )),
            }
        }
        Self(rules)
    }

    /// Whether every one of them is met.
    #[must_use]
    pub(super) fn are_met(&self, claims: &Claims<'_>) -> bool {
        self.0.iter().all(|(path, values)| {
            path.resolve(claims)
                .is_some_and(|claim| is_one_of(claim, values))
        })
    }
}

/// A text is compared byte for byte; a list holds one of the values; `true` and `false` are written as words.
fn is_one_of(claim: &Json<'_>, values: &[String]) -> bool {
    let is_value = |text: &str| values.iter().any(|value| value == text);
    match claim {
        Json::String(text) => is_value(text),
        Json::Bool(true) => is_value("true"),
        Json::Bool(false) => is_value("false"),
        Json::Array(items) => items.iter().filter_map(Json::as_str).any(is_value),
        Json::Null | Json::Number(_) | Json::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, OneOrMany};

    fn are_met(rules: &[(&str, OneOrMany)], claims: &str) -> bool {
        let mut settings = Config::default().default_issuer();
        settings.required_claims = rules
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.clone()))
            .collect();
        let mut faults = Vec::new();
        let rules = RequiredClaims::compile(&settings, &mut faults);
        assert_eq!(faults, []);
        rules.are_met(&Claims::parse(claims.as_bytes()).unwrap())
    }

    #[test]
    fn every_required_claim_must_have_one_of_its_values() {
        let hd = [("hd", "example.com".into())];
        assert!(are_met(&hd, r#"{"hd":"example.com"}"#));
        for claims in [
            "{}",
            r#"{"hd":null}"#,
            r#"{"hd":"Example.com"}"#,
            r#"{"hd":"example.com.evil"}"#,
            r#"{"hd":["evil"]}"#,
            r#"{"hd":{"example.com":1}}"#,
            r#"{"hd":7}"#,
        ] {
            assert!(!are_met(&hd, claims), "{claims}");
        }
        let many = OneOrMany::Many(vec!["a".to_owned(), "b".to_owned()]);
        let both = [("x.y", many), ("verified", "true".into())];
        assert!(are_met(&both, r#"{"x":{"y":["c","b"]},"verified":true}"#));
        assert!(are_met(&both, r#"{"x.y":"a","verified":"true"}"#));
        assert!(!are_met(&both, r#"{"x":{"y":"a"},"verified":false}"#));
        assert!(!are_met(&both, r#"{"verified":true}"#));
    }

    #[test]
    fn rules_that_say_nothing_are_faults() {
        let mut settings = Config::default().default_issuer();
        settings.required_claims = [
            (String::new(), "a".into()),
            ("b".to_owned(), OneOrMany::Many(Vec::new())),
        ]
        .into();
        let mut faults = Vec::new();
        let _ = RequiredClaims::compile(&settings, &mut faults);
        assert_eq!(faults.len(), 2);
    }
}
