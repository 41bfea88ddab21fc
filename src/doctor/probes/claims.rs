//! What clients claim about their own requests, in the headers of proxies.

use super::names::Lines;
use super::refusal::return_address;
use super::{Found, SHOW, forged, names};
use crate::doctor::Plan;
use crate::doctor::canary::{address, canary};
use crate::doctor::client::Ask;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, Sight, View};
use crate::doctor::stage::contract::Judged;
use crate::doctor::wire::values;

pub(super) async fn probe(scene: &Scene, plan: &Plan) -> Found {
    let claims = Claims::new(plan);
    let before = scene.good(scene.get()).await;
    let mut seen = Vec::new();
    for group in &claims.groups {
        seen.push((group, scene.good(scene.get().lines(&group.plain)).await));
    }
    let spelled: Lines = claims.groups.iter().flat_map(Group::spelled).collect();
    // Whether it passes is another matter: a proxy may well refuse such names.
    let spelled = scene.good(scene.get().lines(&spelled)).await;
    let decision = match (decision(&before, &seen, &claims), &plan.denied) {
        // Behind a running gate only a change of its decision is seen.
        (Verdict::Closed(_), Some(path)) if !scene.is_bench() => elsewhere(scene, path).await,
        (Verdict::Closed(_), None) if !scene.is_bench() => Verdict::Unknown(
            "what passes passes all the same; --denied PATH, which the token may not open, shows more, and --gate all"
                .to_owned(),
        ),
        (told, _) => told,
    };
    let mut found: Found = seen
        .iter()
        .map(|(group, sight)| (group.id, believed(group, &before, sight, &spelled)))
        .collect();
    found.push((Id::ClaimsDecision, decision));
    let way = way_in(scene, &claims, &plan.retpath_param).await;
    found.push((Id::ClaimsReturnAddress, way));
    found
}

/// Claims of one kind, each with a value that nobody else would send.
struct Group {
    id: Id,
    plain: Lines,
    underscored: Lines,
}

impl Group {
    fn new(id: Id, names: &[&str], value: fn() -> String) -> Self {
        let all = |form: fn(&str) -> String| names.iter().map(move |name| (form(name), value()));
        Self {
            id,
            plain: all(str::to_owned).collect(),
            underscored: all(|name| name.replace('-', "_")).collect(),
        }
    }

    fn and(mut self, name: &str, value: String) -> Self {
        self.plain.push((name.to_owned(), value));
        self
    }

    fn spelled(&self) -> Lines {
        self.underscored.clone()
    }
}

/// All that is claimed.
struct Claims {
    /// The scheme that the URL does not have.
    scheme: &'static str,
    groups: [Group; 4],
}

impl Claims {
    fn new(plan: &Plan) -> Self {
        let scheme = if plan.url.scheme() == "https" {
            "http"
        } else {
            "https"
        };
        let host: fn() -> String = || format!("{}.example", canary());
        let standard = format!("for={};host={};proto={scheme}", address(), host());
        let addresses = ["X-Forwarded-For", "X-Real-IP"];
        let places = ["X-Forwarded-Host", "X-Forwarded-Server"];
        Self {
            scheme,
            groups: [
                Group::new(Id::ClaimsAddress, &addresses, address).and("Forwarded", standard),
                Group::new(Id::ClaimsPlace, &places, host)
                    .and("X-Forwarded-Port", PORT.to_owned())
                    .and("X-Forwarded-Proto", scheme.to_owned()),
                Group::new(Id::ClaimsUrl, &names::URL_HEADERS, || {
                    format!("/{}", canary())
                }),
                Group::new(Id::ClaimsMethod, &names::METHOD_HEADERS, || {
                    canary().to_ascii_uppercase()
                }),
            ],
        }
    }

    fn all(&self) -> impl Iterator<Item = &(String, String)> {
        self.groups.iter().flat_map(|group| &group.plain)
    }
}

/// Whether the application gets what was claimed.
fn believed(group: &Group, before: &Sight, sight: &Sight, spelled: &Sight) -> Verdict {
    if sight.reach() == Reach::No {
        // That is told by the decision.
        return Verdict::Unknown(format!("the request is refused ({})", sight.told()));
    }
    let is_scheme = |line: &&(String, String)| line.0 == "X-Forwarded-Proto";
    // A scheme is no canary: it stands in many places.
    let unique = group.plain.iter().filter(|line| !is_scheme(line));
    let plain = forged(sight, &unique.cloned().collect::<Vec<_>>());
    let scheme = group.plain.iter().find(is_scheme);
    if let (Verdict::Closed(_), Some((name, scheme))) = (&plain, scheme)
        && believes_scheme(before, sight, scheme)
    {
        return Verdict::Hole(format!(
            "the client's own reaches the application: {name}: {scheme}"
        ));
    }
    match (plain, forged(spelled, &group.underscored)) {
        (Verdict::Closed(_), Verdict::Hole(how)) => Verdict::Spelled(Id::IdentityUnderscore, how),
        (plain, _) => plain,
    }
}

/// A port that no request of a test names.
const PORT: &str = "64321";

/// What is claimed changes neither whether the request passes nor which one is judged.
fn decision(before: &Sight, seen: &[(&Group, Sight)], claims: &Claims) -> Verdict {
    for (group, sight) in seen {
        let names = || {
            let names: Vec<_> = group.plain.iter().map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        };
        if before.reach() == Reach::Yes && sight.reach() == Reach::No {
            return Verdict::Hole(format!(
                "what passes is refused ({}) when the client sends one of {}",
                sight.told(),
                names()
            ));
        }
        if let Some(what) = judged_otherwise(before, sight) {
            return Verdict::Hole(format!(
                "jwtgate is told another {what} when the client sends one of {}",
                names()
            ));
        }
        if believed_address(sight, claims) {
            return Verdict::Hole("jwtgate is told the address that the client made up".to_owned());
        }
    }
    match before.reach() {
        Reach::Yes => Verdict::Closed("what passes passes all the same".to_owned()),
        Reach::No | Reach::Unclear => {
            Verdict::Unknown(format!("the page does not show it; {SHOW}"))
        }
    }
}

/// A path that is denied, claimed to be the one that is not, and the other way around.
async fn elsewhere(scene: &Scene, denied: &str) -> Verdict {
    let claiming = |ask: Ask, target: &str| {
        names::URL_HEADERS.iter().fold(ask, |ask, name| {
            let is_url = name.ends_with("-URL");
            let origin = if is_url { scene.origin() } else { "" };
            ask.line(*name, format!("{origin}{target}"))
        })
    };
    let control = scene.good(Ask::get(denied)).await;
    if control.reach() != Reach::No {
        let told = control.told();
        return Verdict::Unknown(format!(
            "`{denied}` is not denied ({told}): see `path.denied`"
        ));
    }
    let forged = claiming(Ask::get(denied), scene.target());
    if scene.good(forged).await.reach() == Reach::Yes {
        return Verdict::Hole(format!(
            "`{denied}` opens when the client says that it means `{}`",
            scene.target()
        ));
    }
    let forged = scene.good(claiming(scene.get(), denied)).await;
    if forged.reach() == Reach::No {
        return Verdict::Hole(format!(
            "what passes is refused ({}) when the client says that it means `{denied}`",
            forged.told()
        ));
    }
    Verdict::Closed(
        "what is denied stays denied, and what passes passes (told of paths; of hosts and methods by --gate)"
            .to_owned(),
    )
}

/// What a proxy says of a request, named in `Connection`: one that removes it after it was added (CVE-2024-45410) has another request
/// judged, or lets the application believe another one. `None`: it stays.
pub(super) async fn taken_away(scene: &Scene) -> Option<Verdict> {
    const NAMED: &str = "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Uri, X-Forwarded-Method, X-Original-URL, X-Original-Method, X-Real-IP";
    let before = scene.good(scene.get()).await;
    for named in [
        NAMED.to_owned(),
        format!("close, {}", NAMED.to_ascii_lowercase()),
    ] {
        let sight = scene.good(scene.get().line("Connection", named)).await;
        if let Some(what) = judged_otherwise(&before, &sight) {
            return Some(Verdict::Hole(format!(
                "jwtgate is told another {what} when Connection names X-Forwarded-*"
            )));
        }
        if before.reach() != Reach::Yes || sight.reach() != Reach::Yes {
            continue;
        }
        let (had, has) = (before.lines(), sight.lines());
        let is_lost = |name: &&str| {
            values(&had, name).next().is_some() && values(&has, name).next().is_none()
        };
        if let Some(name) = NAMED.split(", ").find(is_lost) {
            return Some(Verdict::Hole(format!(
                "{name} does not reach the application when Connection names it"
            )));
        }
    }
    None
}

fn judged_otherwise(before: &Sight, sight: &Sight) -> Option<&'static str> {
    let judged = |sight: &Sight| sight.asked.last().map(|asked| asked.judged.clone());
    let (before, after): (Judged, Judged) = (judged(before)?, judged(sight)?);
    if before.method != after.method {
        Some("method")
    } else if before.scheme != after.scheme {
        Some("scheme")
    } else if before.host != after.host {
        Some("host")
    } else if before.target != after.target {
        Some("path")
    } else {
        None
    }
}

/// jwtgate takes the last address that is no proxy's; what stands in front of it is never read.
fn believed_address(sight: &Sight, claims: &Claims) -> bool {
    let lines = sight.asked.iter().flat_map(|asked| &asked.seen.lines);
    let mut last = lines.filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
    last.next_back().is_some_and(|(_, value)| {
        let nearest = value.rsplit(',').next().unwrap_or_default().trim();
        claims.all().any(|(_, forged)| forged == nearest)
    })
}

fn believes_scheme(before: &Sight, sight: &Sight, scheme: &str) -> bool {
    if sight.view == View::Blind {
        return false;
    }
    let holds =
        |sight: &Sight| values(&sight.lines(), "x-forwarded-proto").any(|own| own == scheme);
    holds(sight) && !holds(before)
}

/// Where people are sent who say that they mean another page.
async fn way_in(scene: &Scene, claims: &Claims, param: &str) -> Verdict {
    let before = scene.ask(scene.get().page_load()).await;
    let all: Lines = claims.all().cloned().collect();
    let after = scene.ask(scene.get().page_load().lines(&all)).await;
    let location = |sight: &Sight| sight.values("location").next().map(str::to_owned);
    match (location(&before), location(&after)) {
        (None, None) => Verdict::Closed(format!("there is no redirect ({})", after.told())),
        (Some(before), Some(after)) if before == after => {
            Verdict::Closed("it stays as it is".to_owned())
        }
        (Some(before), Some(after))
            if !is_forged(&after, claims) && !leads_elsewhere(&before, &after, param) =>
        {
            Verdict::Closed("it leads to the same place".to_owned())
        }
        (_, Some(after)) => Verdict::Hole(format!("people are sent to `{after}`")),
        (Some(_), None) => Verdict::Hole(format!(
            "people are no longer sent to sign in ({})",
            after.told()
        )),
    }
}

fn is_forged(location: &str, claims: &Claims) -> bool {
    let is_short = |value: &str| value == claims.scheme || value == PORT;
    claims
        .all()
        .filter(|(_, value)| !is_short(value))
        .any(|(_, value)| location.contains(value.trim_start_matches('/')))
}

/// A redirect may hold something new each time, such as a state; the return address may not.
fn leads_elsewhere(before: &str, after: &str, param: &str) -> bool {
    let address = |location: &str| return_address(location, param);
    let path = |location: &str| location.split('?').next().unwrap_or_default().to_owned();
    address(before) != address(after) || path(before) != path(after)
}
