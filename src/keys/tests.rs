//! Refreshers and those who wait for them, over days of a clock that the tests advance.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::clock::Timestamp;
use crate::config::{Config, IssuerTable, OneOrMany};
use crate::idp::client::Get;
use crate::idp::{FetchFault, Fetched};

use super::keyring::{Planned, Want};
use super::known::Known;
use super::refresh::{Fetch, Fetching, Install};
use super::set::KeySet;
use super::{IssuerId, Keyring, MissingKey, Remote, Source, Waited, load};

const JWKS: &str = "https://idp.example/keys";
const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

fn set(kids: &[&str]) -> String {
    let keys: Vec<_> = kids
        .iter()
        .map(|kid| format!(r#"{{{ED},"kid":"{kid}"}}"#))
        .collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

type Answer = Result<Fetched, FetchFault>;

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands among answers that are failures"
)]
fn document(text: &str, fresh: Option<u64>) -> Answer {
    let document = Fetched::Document {
        text: text.to_owned(),
        etag: None,
        fresh: fresh.map(Duration::from_secs),
    };
    Ok(document)
}

/// A provider that answers from a list, its last entry for ever.
#[derive(Default)]
struct Provider {
    answers: Mutex<VecDeque<Answer>>,
    takes: Mutex<Duration>,
    asked: Mutex<Vec<(Instant, Url)>>,
}

impl Provider {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let provider = Self::default();
        *provider.answers.lock().unwrap() = answers.into_iter().collect();
        Arc::new(provider)
    }

    fn takes(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }

    fn now_answers(&self, answer: Answer) {
        *self.answers.lock().unwrap() = [answer].into();
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The times between the fetches, in seconds.
    fn gaps(&self) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        asked
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0).as_secs())
            .collect()
    }
}

struct Way(Arc<Provider>);

impl Fetch for Way {
    fn get<'f>(&'f self, get: Get<'f>, _: bool) -> Fetching<'f> {
        let provider = Arc::clone(&self.0);
        let url = get.url.clone();
        Box::pin(async move {
            provider.asked.lock().unwrap().push((Instant::now(), url));
            let takes = *provider.takes.lock().unwrap();
            sleep(takes).await;
            let mut answers = provider.answers.lock().unwrap();
            if answers.len() > 1 {
                answers.pop_front().unwrap()
            } else {
                answers.front().cloned().unwrap()
            }
        })
    }
}

/// One issuer and all that belongs to it.
struct Scene {
    provider: Arc<Provider>,
    keyring: Arc<Keyring>,
    id: IssuerId,
    installed: Arc<Mutex<Vec<KeySet>>>,
}

fn remote(change: impl FnOnce(&mut Config, &mut IssuerTable)) -> Remote {
    let mut config = Config::default();
    let mut table = IssuerTable {
        issuer: Some("https://idp.example".into()),
        jwks_url: Some(JWKS.into()),
        ..IssuerTable::default()
    };
    change(&mut config, &mut table);
    config.issuers.insert("idp".to_owned(), table);
    let (settings, faults) = config.issuers();
    assert_eq!(faults, []);
    match load(&settings[0], &config, Timestamp::from_seconds(0)) {
        (Some(Source::Remote(remote)), _) => *remote,
        (_, faults) => panic!("{faults:?}"),
    }
}

impl Scene {
    fn of(remote: Remote, known: Known, provider: Arc<Provider>) -> Self {
        let id = IssuerId::unique();
        let installed = Arc::<Mutex<Vec<KeySet>>>::default();
        let taken = Arc::clone(&installed);
        let install: Install = Arc::new(move |_, keys| taken.lock().unwrap().push(keys));
        let keyring = Arc::<Keyring>::default();
        let planned = vec![Planned { id, remote, known }];
        let way = Arc::clone(&provider);
        keyring.start(planned, |_| Arc::new(Way(Arc::clone(&way))), &install);
        Self {
            provider,
            keyring,
            id,
            installed,
        }
    }

    fn new(provider: Arc<Provider>) -> Self {
        Self::of(remote(|_, _| ()), Known::default(), provider)
    }

    /// The kids that were installed last.
    fn kids(&self) -> Vec<String> {
        let installed = self.installed.lock().unwrap();
        let last = installed.last();
        last.map_or_else(Vec::new, |set| {
            let kids = set.keys().iter().filter_map(|key| key.kid());
            kids.map(str::to_owned).collect()
        })
    }

    async fn wait(&self, want: Want) -> Waited {
        let missing = MissingKey {
            issuer: self.id,
            want,
        };
        self.keyring.wait(&missing, Instant::now()).await
    }

    async fn wait_for(&self, kid: &str) -> Waited {
        self.wait(Want::Key(kid.into())).await
    }
}

const FINAL: Waited = Waited::Again { is_final: true };

async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn s14_4_keys_are_asked_for_again_before_they_are_out_of_date() {
    for (max_age, least, most) in [
        (Some(600), 360, 540),
        (None, 180, 270),
        (Some(0), 36, 54),
        (Some(7), 36, 54),
        (Some(1_000_000), 25_920, 38_880),
    ] {
        let scene = Scene::new(Provider::answering([document(&set(&["a"]), max_age)]));
        sleep(Duration::from_hours(24 * 8)).await;
        let gaps = scene.provider.gaps();
        assert!(gaps.len() > 5, "{max_age:?}");
        assert!(
            gaps.iter().all(|gap| (least..=most).contains(gap)),
            "{max_age:?}: {gaps:?}"
        );
        let different: std::collections::HashSet<_> = gaps.iter().collect();
        assert!(different.len() > 3, "no jitter: {gaps:?}");
        // What never changes is installed once.
        assert_eq!(scene.installed.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn s14_4_max_refresh_shortens_what_the_issuer_says() {
    let remote = remote(|config, _| config.keys.max_refresh = crate::config::Span::seconds(100));
    let provider = Provider::answering([document(&set(&["a"]), Some(86_400))]);
    let scene = Scene::of(remote, Known::default(), provider);
    sleep(Duration::from_hours(1)).await;
    let gaps = scene.provider.gaps();
    assert!(gaps.iter().all(|gap| *gap <= 100), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn s14_3_a_hundred_thousand_made_up_kids_in_a_minute_cause_seven_fetches() {
    let scene = Scene::new(Provider::answering([document(&set(&["a"]), Some(86_400))]));
    settle().await;
    let began = Instant::now();
    let mut waited = Vec::new();
    for number in 0..100_000_u32 {
        let keyring = Arc::clone(&scene.keyring);
        let missing = MissingKey {
            issuer: scene.id,
            want: Want::Key(format!("made-up-{number}").into()),
        };
        waited.push(tokio::spawn(async move {
            let came = Instant::now();
            keyring.wait(&missing, came).await;
            came.elapsed()
        }));
        if number % 1000 == 0 {
            sleep(Duration::from_millis(600)).await;
        }
    }
    assert!(began.elapsed() >= Duration::from_mins(1));
    let mut longest = Duration::ZERO;
    for waited in waited {
        longest = longest.max(waited.await.unwrap());
    }
    assert!(
        scene.provider.asked() <= 7 + 1,
        "{}",
        scene.provider.asked()
    );
    assert!(longest <= Duration::from_secs(5), "{longest:?}");
    assert_eq!(scene.keyring.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn s14_3_all_who_wait_for_a_new_key_share_one_fetch() {
    let scene = Scene::new(Provider::answering([
        document(&set(&["a"]), Some(86_400)),
        document(&set(&["a", "b"]), Some(86_400)),
    ]));
    sleep(Duration::from_secs(11)).await;
    scene.provider.takes(Duration::from_secs(1));
    let waits = (0..1000).map(|_| scene.wait_for("b"));
    let waited = join_all(waits).await;
    assert!(waited.iter().all(|one| *one == FINAL), "{waited:?}");
    assert_eq!(scene.provider.asked(), 2);
    assert_eq!(scene.kids(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn s14_7_at_most_so_many_wait_and_none_longer_than_a_fetch_may_take() {
    let scene = Scene::new(Provider::answering([document(&set(&["a"]), Some(86_400))]));
    sleep(Duration::from_secs(11)).await;
    scene.provider.takes(Duration::from_hours(1));
    let began = Instant::now();
    let waited = join_all((0..5000).map(|_| scene.wait_for("b"))).await;
    let at_once = waited
        .iter()
        .filter(|one| **one == Waited::NotNow(Duration::from_secs(1)))
        .count();
    assert!(at_once >= 5000 - 1024, "{at_once}");
    assert!(began.elapsed() <= Duration::from_secs(5));
    assert!(!waited.contains(&FINAL));
}

#[tokio::test(start_paused = true)]
async fn s14_3_during_the_cooldown_a_request_waits_when_the_rest_fits_and_is_sent_away_when_not() {
    let scene = Scene::new(Provider::answering([document(&set(&["a"]), Some(86_400))]));
    sleep(Duration::from_secs(1)).await;
    let Waited::NotNow(rest) = scene.wait_for("b").await else {
        panic!("nine seconds do not fit into five");
    };
    assert!(rest > Duration::from_secs(8) && rest <= Duration::from_secs(9));
    assert_eq!(scene.provider.asked(), 1);
    sleep(Duration::from_secs(6)).await;
    let came = Instant::now();
    assert_eq!(scene.wait_for("b").await, FINAL);
    assert!(
        came.elapsed() >= Duration::from_millis(2900),
        "{:?}",
        came.elapsed()
    );
    assert_eq!(scene.provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_began_before_a_request_came_is_not_the_last_word() {
    let scene = Scene::new(Provider::answering([document(&set(&["a"]), Some(86_400))]));
    sleep(Duration::from_secs(11)).await;
    scene.provider.takes(Duration::from_secs(2));
    let first = scene.wait_for("b");
    let second = async {
        sleep(Duration::from_secs(1)).await;
        scene.wait_for("b").await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first, FINAL);
    assert_eq!(second, Waited::Again { is_final: false });
}

#[tokio::test(start_paused = true)]
async fn s14_5_the_last_good_keys_serve_through_every_failure() {
    let failures = [
        Err(FetchFault::Timeout),
        Err(FetchFault::Status(500)),
        document("<html>", None),
        document("{\"keys\":[]}", None),
        document("{\"keys\":[{\"kty\":\"RSA\"}]}", None),
        document("", None),
    ];
    for failure in failures {
        let scene = Scene::new(Provider::answering([
            document(&set(&["a"]), Some(60)),
            failure.clone(),
        ]));
        sleep(Duration::from_hours(23)).await;
        assert!(scene.provider.asked() > 100, "{failure:?}");
        assert_eq!(scene.kids(), ["a"], "{failure:?}");
        scene.provider.now_answers(document(&set(&["b"]), Some(60)));
        sleep(Duration::from_secs(61)).await;
        assert_eq!(scene.kids(), ["b"], "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s14_5_keys_that_are_too_old_are_used_no_more_and_come_back() {
    let scene = Scene::new(Provider::answering([
        document(&set(&["a"]), Some(60)),
        Err(FetchFault::Status(503)),
    ]));
    sleep(Duration::from_hours(24) - Duration::from_secs(2)).await;
    assert_eq!(scene.kids(), ["a"]);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(scene.kids(), [""; 0]);
    // Without keys it is asked at every cooldown, so that it recovers within one.
    scene.provider.now_answers(document(&set(&["a"]), Some(60)));
    sleep(Duration::from_secs(61)).await;
    assert_eq!(scene.kids(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn s14_6_without_keys_an_issuer_is_asked_at_every_cooldown_until_it_answers() {
    let scene = Scene::new(Provider::answering([Err(FetchFault::Timeout)]));
    sleep(Duration::from_secs(100)).await;
    let gaps = scene.provider.gaps();
    assert!(
        gaps.len() >= 9 && gaps.iter().all(|gap| *gap == 10),
        "{gaps:?}"
    );
    assert_eq!(scene.wait(Want::AnyKey).await, FINAL, "nobody waits for it");
    scene.provider.now_answers(document(&set(&["a"]), Some(60)));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(scene.kids(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_fetch_is_waited_for() {
    let provider = Provider::answering([document(&set(&["a"]), None)]);
    provider.takes(Duration::from_secs(2));
    let scene = Scene::new(provider);
    assert!(matches!(
        scene.wait(Want::AnyKey).await,
        Waited::Again { .. }
    ));
    assert_eq!(scene.kids(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_does_not_tell_that_a_key_is_unknown() {
    let scene = Scene::new(Provider::answering([
        document(&set(&["a"]), Some(86_400)),
        Err(FetchFault::Timeout),
    ]));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(scene.wait_for("b").await, Waited::Again { is_final: false });
}

#[tokio::test(start_paused = true)]
async fn keys_with_an_address_of_their_own_are_asked_for_by_name_and_a_few_at_a_time() {
    let remote = remote(|_, table| {
        table.jwks_url = None;
        table.key_url = Some("https://keys.example/{kid}".to_owned());
    });
    let provider = Provider::answering([Err(FetchFault::Status(404))]);
    let scene = Scene::of(remote, Known::default(), provider);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(scene.provider.asked(), 0);
    for bad in ["", "..", "a/b", "a%2fb", "a?b", "a b", &"x".repeat(129)] {
        assert_eq!(scene.wait_for(bad).await, FINAL, "{bad:?}");
    }
    assert_eq!(scene.provider.asked(), 0);
    // One that many ask for comes before those that are asked for once.
    let names: Vec<_> = (0..300).map(|number| format!("made-up-{number}")).collect();
    let made_up = join_all(names.iter().map(|name| scene.wait_for(name)));
    let wanted = join_all((0..3).map(|_| scene.wait_for("real")));
    let (_, wanted) = tokio::join!(made_up, wanted);
    assert!(wanted.iter().all(|one| *one == FINAL), "{wanted:?}");
    assert_eq!(scene.provider.asked(), 8);
    let asked = scene.provider.asked.lock().unwrap().clone();
    assert!(asked.iter().any(|(_, url)| url.path() == "/real"));
}

#[tokio::test(start_paused = true)]
async fn several_sets_are_one_and_each_fails_alone() {
    let both = ["https://one.example/keys", "https://two.example/keys"];
    let remote = remote(|_, table| {
        table.jwks_url = Some(OneOrMany::Many(both.map(str::to_owned).to_vec()));
    });
    let provider = Provider::answering([
        document(&set(&["a"]), Some(60)),
        document(&set(&["b"]), Some(60)),
        Err(FetchFault::Timeout),
        document(&set(&["c"]), Some(60)),
        document(&set(&["d"]), Some(60)),
    ]);
    let scene = Scene::of(remote, Known::default(), provider);
    settle().await;
    assert_eq!(scene.kids(), ["a", "b"]);
    while scene.provider.asked() < 4 {
        sleep(Duration::from_secs(1)).await;
    }
    settle().await;
    assert_eq!(
        scene.kids(),
        ["a", "c"],
        "the one that failed keeps its last good keys"
    );
}

#[tokio::test(start_paused = true)]
async fn s15_1_stored_keys_are_as_old_as_the_clock_says_whichever_way_it_was_set() {
    let remote = remote(|_, _| ());
    let scene = Scene::new(Provider::answering([document(&set(&["a"]), Some(60))]));
    settle().await;
    let stored = scene.keyring.known()[0].1.to_stored(&remote);
    let at = stored.documents[0].checked_at;
    for (later, is_usable) in [
        (0, true),
        (86_399, true),
        (86_401, false),
        (i64::MAX / 2000, false),
        (-86_400 * 365, true),
    ] {
        let now = Timestamp::from_seconds(at + later);
        let known = Known::from_stored(stored.clone(), &remote, now);
        assert_eq!(known.is_ok(), is_usable, "{later}");
    }
    // A file of another issuer, or of the same name and another address, is not this one's.
    let mut foreign = stored.clone();
    foreign.origin = "sets at https://evil.example/keys".to_owned();
    assert!(Known::from_stored(foreign, &remote, Timestamp::from_seconds(at)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_stored_keys_serves_at_once_and_asks() {
    let remote = remote(|_, _| ());
    let first = Scene::new(Provider::answering([document(&set(&["a"]), Some(60))]));
    settle().await;
    let stored = first.keyring.known()[0].1.to_stored(&remote);
    let known = Known::from_stored(stored, &remote, Timestamp::now()).unwrap();
    assert_eq!(known.key_set().keys().len(), 1);
    let scene = Scene::of(
        remote,
        known,
        Provider::answering([Err(FetchFault::Timeout)]),
    );
    settle().await;
    assert_eq!(scene.provider.asked(), 1);
    assert_eq!(
        scene.installed.lock().unwrap().len(),
        0,
        "nothing is taken away"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_while_a_reload_replaces_the_refresher_decides_again() {
    let scene = Arc::new(Scene::new(Provider::answering([document(
        &set(&["a"]),
        Some(86_400),
    )])));
    sleep(Duration::from_secs(11)).await;
    scene.provider.takes(Duration::from_secs(3));
    let waiting = Arc::clone(&scene);
    let waiter = tokio::spawn(async move { waiting.wait_for("b").await });
    sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    drop(scene.keyring.stop());
    assert_eq!(waiter.await.unwrap(), Waited::Again { is_final: false });
    assert!(before.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn the_pause_between_tries_grows_while_old_keys_serve_and_ends_at_a_minute() {
    let scene = Scene::new(Provider::answering([
        document(&set(&["a"]), Some(60)),
        Err(FetchFault::Timeout),
    ]));
    sleep(Duration::from_mins(20)).await;
    let gaps = scene.provider.gaps();
    assert_eq!(gaps[1..6], [10, 20, 40, 60, 60], "{gaps:?}");
}
