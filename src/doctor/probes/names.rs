//! Header names that are forged, and their spellings.

use crate::doctor::canary::canary;
use crate::doctor::{Plan, USUAL};

/// Names that applications believe from other gates.
const OTHER_GATES: [&str; 23] = [
    "Remote-User",
    "Remote-Name",
    "Remote-Email",
    "Remote-Groups",
    "X-Remote-User",
    "X-Remote-Name",
    "X-Remote-Email",
    "X-Remote-Group",
    "X-Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Access-Token",
    // jwtgate's own, where the configuration names others.
    "X-Auth-User",
    "X-Auth-Email",
    "X-Auth-Groups",
    "X-Auth-Identity",
];

/// What may stand in a name beside letters, digits and hyphens (RFC 9110 §5.6.2), but for the underscore.
const SEPARATORS: &str = ".!#$%&'*+^`|~";

/// Names that say which path is meant.
pub(super) const URL_HEADERS: [&str; 7] = [
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Forwarded-Uri",
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
];

/// Names that say which method is meant.
pub(super) const METHOD_HEADERS: [&str; 5] = [
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Forwarded-Method",
    "X-Original-Method",
];

/// A line with a value of its own.
type Line = (String, String);
/// Several.
pub(super) type Lines = Vec<Line>;

fn line(name: impl Into<String>) -> Line {
    (name.into(), canary())
}

/// The identity headers. Beside jwtgate's usual ones the one that is only filled with `[signed_identity]`: applications believe it filled
/// or not.
pub(super) fn identity(plan: &Plan) -> Vec<String> {
    const SIGNED: &str = "X-Auth-Identity";
    let mut names = plan.identity.clone();
    let is_usual = names.iter().any(|name| USUAL.contains(&name.as_str()));
    if is_usual && !names.iter().any(|name| name == SIGNED) {
        names.push(SIGNED.to_owned());
    }
    names
}

/// As it is, in small and capital letters, and twice with nothing in between. A group for each name.
pub(super) fn plain(names: &[String]) -> Vec<Lines> {
    let spellings = |name: &String| {
        vec![
            line(name),
            (name.clone(), String::new()),
            line(name),
            line(name.to_ascii_lowercase()),
            line(name.to_ascii_uppercase()),
        ]
    };
    names.iter().map(spellings).collect()
}

/// With underscores, all or one. A group for each name.
pub(super) fn underscored(names: &[String]) -> Vec<Lines> {
    let spellings = |name: &String| {
        vec![
            line(name.replace('-', "_")),
            line(name.to_ascii_lowercase().replace('-', "_")),
            line(name.replacen('-', "_", 1)),
            line(last_replaced(name, '_')),
        ]
    };
    names.iter().map(spellings).collect()
}

/// With every other sign. A group for each sign.
pub(super) fn separated(names: &[String]) -> Vec<Lines> {
    let spellings = |sign: char| {
        let whole = names
            .iter()
            .map(|name| line(name.replace('-', &sign.to_string())));
        let mixed = names.first().map(|name| line(last_replaced(name, sign)));
        whole.chain(mixed).collect()
    };
    SEPARATORS.chars().map(spellings).collect()
}

/// Those of other gates, as they are. A group for each name.
pub(super) fn others(own: &[String]) -> Vec<Lines> {
    other_names(own).map(|name| vec![line(name)]).collect()
}

/// Those of other gates, with a sign in place of hyphens.
pub(super) fn others_spelled(own: &[String], sign: char) -> Vec<Lines> {
    let sign = sign.to_string();
    other_names(own)
        .map(|name| vec![line(name.replace('-', &sign))])
        .collect()
}

fn other_names(own: &[String]) -> impl Iterator<Item = &'static str> {
    OTHER_GATES
        .into_iter()
        .filter(|name| !own.iter().any(|own| own.eq_ignore_ascii_case(name)))
}

fn last_replaced(name: &str, sign: char) -> String {
    match name.rsplit_once('-') {
        Some((before, after)) => format!("{before}{sign}{after}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forged_in_every_spelling_each_with_a_value_of_its_own() {
        let names = ["X-Auth-User".to_owned()];
        let spelled = |groups: Vec<Lines>| -> Vec<String> {
            let lines = groups.concat();
            let mut values: Vec<_> = lines
                .iter()
                .map(|line| &line.1)
                .filter(|value| !value.is_empty())
                .collect();
            let count = values.len();
            values.sort_unstable();
            values.dedup();
            assert_eq!(values.len(), count);
            lines.into_iter().map(|line| line.0).collect()
        };
        assert_eq!(
            spelled(plain(&names)),
            [
                "X-Auth-User",
                "X-Auth-User",
                "X-Auth-User",
                "x-auth-user",
                "X-AUTH-USER"
            ]
        );
        assert_eq!(
            spelled(underscored(&names)),
            ["X_Auth_User", "x_auth_user", "X_Auth-User", "X-Auth_User"]
        );
        let separated = spelled(separated(&names));
        assert_eq!(separated.len(), 26);
        assert!(
            separated.contains(&"X.Auth.User".to_owned())
                && separated.contains(&"X-Auth~User".to_owned())
        );
        let others = spelled(others(&names));
        assert!(
            others.contains(&"Remote-User".to_owned())
                && !others.contains(&"X-Auth-User".to_owned())
        );
        // Proxies take about 100 lines.
        let four: Vec<_> = (0..4).map(|at| format!("X-Auth-Name{at}")).collect();
        assert!(spelled(super::separated(&four)).len() <= 80);
        assert!(spelled(others_spelled(&names, '_')).len() <= 80);
    }
}
