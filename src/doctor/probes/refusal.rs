//! What those are told who do not come through: programs 401, people the way to sign in and back.

use percent_encoding::percent_decode_str;
use url::Url;

use super::Found;
use crate::doctor::Plan;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, Sight};
use crate::doctor::stage::contract::COOKIE;

pub(super) async fn probe(scene: &Scene, plan: &Plan) -> Found {
    let program = scene.ask(scene.get().program()).await;
    let anything = scene.ask(scene.get().line("Accept", "*/*")).await;
    let page = scene.ask(scene.get().page_load()).await;
    let signs_in = if scene.is_bench() {
        Some(true)
    } else {
        plan.signs_in
    };
    let mut found = vec![
        (Id::RefusalProgram, program_told([&program, &anything])),
        (Id::RefusalPageLoad, page_told(&page, signs_in)),
        (Id::RefusalReturnAddress, way_back(&page, plan)),
    ];
    if let Some(secrets) = scene.secrets() {
        found.push((Id::RefusalCookie, cookie(&page, &secrets.cookie)));
    }
    found
}

fn program_told(sights: [&Sight; 2]) -> Verdict {
    for sight in sights {
        let told = sight.told();
        let challenges = sight.values("www-authenticate").count();
        match (sight.reach(), sight.status()) {
            (Reach::Yes, _) => {
                return Verdict::Unknown("it is not refused, see `access.no-token`".to_owned());
            }
            (_, 401) if challenges == 1 => {}
            (_, 401) => {
                return Verdict::Hole(format!("401 with {challenges} WWW-Authenticate"));
            }
            (_, 403) => {
                return Verdict::Unknown(
                    "403, so jwtgate would not let anybody pass here: is there a rule that denies?"
                        .to_owned(),
                );
            }
            _ => return Verdict::Hole(format!("a program gets {told} in place of 401")),
        }
    }
    Verdict::Closed("401 with one WWW-Authenticate".to_owned())
}

fn page_told(page: &Sight, signs_in: Option<bool>) -> Verdict {
    let told = page.told();
    let has_location = page.values("location").next().is_some();
    match (page.reach(), page.status(), signs_in) {
        (Reach::Yes, ..) => Verdict::Unknown("it is not refused, see `access.no-token`".to_owned()),
        (_, 302 | 303 | 307, _) if has_location => Verdict::Closed(format!("{told} to sign in")),
        (_, 401, Some(true)) => Verdict::Hole(
            "401: the proxy does not send people where jwtgate would send them".to_owned(),
        ),
        (_, 401, Some(false) | None) => Verdict::Closed("401".to_owned()),
        (_, 403, _) => Verdict::Unknown(
            "403, so jwtgate would not let anybody pass here: is there a rule that denies?"
                .to_owned(),
        ),
        _ => Verdict::Hole(format!("a person gets {told}")),
    }
}

fn way_back(page: &Sight, plan: &Plan) -> Verdict {
    let Some(location) = page.values("location").next() else {
        return Verdict::Unknown(format!("there is no redirect ({})", page.told()));
    };
    let wanted = plan.url.as_str();
    match return_address(location, &plan.retpath_param) {
        None => Verdict::Unknown("the redirect names no address to come back to".to_owned()),
        Some(address) if is_same(&address, wanted) => {
            Verdict::Closed("the URL that was asked for".to_owned())
        }
        Some(address) => Verdict::Hole(format!("`{address}` in place of `{wanted}`")),
    }
}

/// The address that a redirect to sign in carries: in the parameter of this name, else the last one that looks like an address, since
/// jwtgate puts its own behind those of `auth_url`.
pub(super) fn return_address(location: &str, param: &str) -> Option<String> {
    let (_, query) = location.split_once('?')?;
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
    let named = pairs().rfind(|(name, _)| *name == param);
    named.map(|(_, value)| decoded(value)).or_else(|| {
        let mut values = pairs().map(|(_, value)| decoded(value));
        let is_address =
            |value: &String| value.starts_with("http://") || value.starts_with("https://");
        values.rfind(is_address)
    })
}

/// The same address, however it is written.
fn is_same(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn cookie(page: &Sight, value: &str) -> Verdict {
    let is_there = page
        .values("set-cookie")
        .any(|line| line.starts_with(COOKIE) && line.contains(value));
    if is_there {
        Verdict::Closed("it reaches the client".to_owned())
    } else if page.values("location").next().is_none() {
        Verdict::Unknown(format!("there is no redirect ({})", page.told()))
    } else {
        Verdict::Hole("the proxy keeps it".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_return_address_is_the_parameter_that_is_an_address() {
        for (location, address) in [
            (
                "https://a/login?x=1&retpath=https%3A%2F%2Fb%2Fc%3Fd",
                Some("https://b/c?d"),
            ),
            ("/login?rd=http://b/", Some("http://b/")),
            (
                "https://a/login?service=https://portal&retpath=https%3A%2F%2Fb%2F",
                Some("https://b/"),
            ),
            (
                "https://a/login?service=https://portal&rd=https://b/",
                Some("https://b/"),
            ),
            (
                "https://a/login?retpath=https://b/&u=https://c",
                Some("https://b/"),
            ),
            ("https://a/login?state=xyz", None),
            ("https://a/https://b", None),
        ] {
            let found = return_address(location, "retpath");
            assert_eq!(found.as_deref(), address, "{location}");
        }
        assert!(is_same("http://a:80", "http://a/"));
        assert!(!is_same("http://a/", "https://a/"));
    }
}
