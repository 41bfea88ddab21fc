//! jwtgate is down, slow, or somebody else: nothing may come through.

use std::time::Duration;

use super::{Found, Tried, names, shut};
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::outage::Stopped;
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, View};
use crate::doctor::stage::gate::Conduct;
use crate::doctor::{Plan, Trouble};

pub(super) async fn probe(scene: &mut Scene, plan: &Plan) -> Result<Found, Trouble> {
    if scene.is_bench() {
        return bench(scene, plan).await;
    }
    let verdict = match &plan.outage {
        None => Verdict::Unknown(
            "--stop and --start name the commands that stop jwtgate and start it again".to_owned(),
        ),
        Some(commands) => {
            let stopped = Stopped::stop(commands, &plan.restarted).await?;
            let tries = everybody(scene).await;
            let started = stopped.start().await;
            if let Err(error) = started {
                return Err(Trouble::StaysDown(format!(
                    "`{}` failed ({error}): jwtgate may still be stopped",
                    commands.start
                )));
            }
            let down: Vec<_> = tries.iter().map(|tried| tried.sight.status()).collect();
            if !scene.recovers(&down).await {
                return Err(Trouble::StaysDown(format!(
                    "`{}` was run, and the page does not open again",
                    commands.start
                )));
            }
            shut(&tries)
        }
    };
    Ok(vec![(Id::ClosedDown, verdict)])
}

/// All kinds of requests at once, since a proxy may take its time with each.
async fn everybody(scene: &Scene) -> Vec<Tried> {
    let with_token = async {
        Tried {
            what: "with the token".to_owned(),
            sight: scene.good(scene.get()).await,
        }
    };
    let without = async {
        Tried {
            what: "without".to_owned(),
            sight: scene.ask(scene.get()).await,
        }
    };
    let page = async {
        Tried {
            what: "a page load".to_owned(),
            sight: scene.ask(scene.get().page_load()).await,
        }
    };
    let (with_token, without, page) = tokio::join!(with_token, without, page);
    vec![with_token, without, page]
}

/// What something answers that is no jwtgate.
const GARBAGE: [&str; 2] = [
    "220 mail.example.com ESMTP\r\n",
    "HTTP/1.1 200 OK\r\nX-Auth-User: doctor\r\n",
];
const ERRORS: [&str; 3] = [
    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
];
const REDIRECT: &str = "HTTP/1.1 302 Found\r\nLocation: https://sign-in.invalid/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NAMELESS: [&str; 2] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
];

async fn bench(scene: &mut Scene, plan: &Plan) -> Result<Found, Trouble> {
    let mut found = vec![
        (Id::IdentityLarge, large(scene).await?),
        (Id::IdentityAbsent, absent(scene, plan).await?),
    ];
    let errors = under(scene, &ERRORS.map(Conduct::Words)).await?;
    let garbage = under(scene, &GARBAGE.map(Conduct::Words)).await?;
    let redirect = under(scene, &[Conduct::Words(REDIRECT)]).await?;
    let silent = under(scene, &[Conduct::Silent]).await?;
    let hanging = under(scene, &[Conduct::Hanging]).await?;
    let down = under(scene, &[Conduct::Absent]).await?;
    found.extend([
        (Id::ClosedDown, shut(&down)),
        (Id::ClosedPatience, patience(&hanging)),
        (Id::ClosedHanging, shut(&hanging)),
        (Id::ClosedSilent, shut(&silent)),
        (Id::ClosedGarbage, shut(&garbage)),
        (Id::ClosedError, shut(&errors)),
        (Id::ClosedRedirect, shut(&redirect)),
    ]);
    scene.behave(Conduct::Proper).await?;
    Ok(found)
}

async fn under(scene: &mut Scene, conducts: &[Conduct]) -> Result<Vec<Tried>, Trouble> {
    let mut tries = Vec::new();
    for conduct in conducts {
        scene.behave(*conduct).await?;
        let mut new = everybody(scene).await;
        if let Conduct::Words(words) = conduct {
            let line = words.lines().next().unwrap_or_default();
            let what = line.trim_start_matches("HTTP/1.1 ");
            for tried in &mut new {
                tried.what = format!("`{what}` {}", tried.what);
            }
        }
        tries.append(&mut new);
    }
    Ok(tries)
}

/// How long is long for somebody who waits.
const LONG: Duration = Duration::from_secs(6);

fn patience(tries: &[Tried]) -> Verdict {
    let Some(longest) = tries.iter().max_by_key(|tried| tried.sight.took) else {
        return Verdict::Unknown("not tried".to_owned());
    };
    let seconds = longest.sight.took.as_secs_f32();
    match &longest.sight.answer {
        Err(error) => Verdict::Note(format!("{error}, and then doctor gave up")),
        Ok(_) if longest.sight.took > LONG => Verdict::Note(format!("{seconds:.1} s")),
        Ok(_) => Verdict::Closed(format!("{seconds:.1} s")),
    }
}

async fn large(scene: &mut Scene) -> Result<Verdict, Trouble> {
    scene.behave(Conduct::Large).await?;
    let sight = scene.good(scene.get()).await;
    let wanted = scene.secrets().map(|secrets| secrets.large.clone());
    let arrives = |value: &str| sight.shows(value);
    Ok(match sight.reach() {
        Reach::Yes if sight.view != View::Blind && !wanted.as_deref().is_some_and(arrives) => {
            Verdict::Hole("they do not arrive whole".to_owned())
        }
        Reach::Yes => Verdict::Closed("they arrive".to_owned()),
        Reach::No | Reach::Unclear => Verdict::Hole(format!("does not pass: {}", sight.told())),
    })
}

/// Where the gate names nobody, nor may the client.
async fn absent(scene: &mut Scene, plan: &Plan) -> Result<Verdict, Trouble> {
    let own = names::identity(plan);
    let mut verdict = Verdict::Closed(String::new());
    for words in NAMELESS {
        scene.behave(Conduct::Words(words)).await?;
        let sent = names::plain(&own).concat();
        let sight = scene.good(scene.get().lines(&sent)).await;
        let is_refused = match sight.view {
            View::Own => sight.arrived.is_empty(),
            View::Echo | View::Mirror | View::Blind => sight.reach() == Reach::No,
        };
        if is_refused {
            verdict = Verdict::Closed(format!("the request is refused ({})", sight.told()));
            continue;
        }
        let found = super::forged(&sight, &sent);
        if !matches!(found, Verdict::Closed(_)) {
            return Ok(found);
        }
        verdict = found;
    }
    Ok(verdict)
}
