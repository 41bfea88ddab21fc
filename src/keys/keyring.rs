//! The refreshers of all issuers of the running service: who waits for a key, and how it stands with each issuer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::known::Known;
use super::refresh::{Fetch, Install, Refresher};
use super::remote::Remote;
use super::set::KeySet;
use super::shared::{Asking, IssuerId, Progress, Shared};
use super::status::Status;

/// A key that is not here, and may be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKey {
    /// Whose.
    pub issuer: IssuerId,
    /// Which.
    pub want: Want,
}

/// Which key is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Any: there is none at all.
    AnyKey,
    /// The one of this name.
    Key(Box<str>),
    /// One that is newer than those that are here.
    NewerKeys,
}

/// What came of waiting for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Ask again: keys may have changed. Where it is final, whatever is found then is the answer.
    Again {
        /// Whether everything came back in a fetch that began after the request had arrived.
        is_final: bool,
    },
    /// It cannot be told now; a client may ask again after this time.
    NotNow(Duration),
}

/// An issuer whose keys are to be kept current.
pub struct Planned {
    /// Whose keys.
    pub id: IssuerId,
    /// Where they are.
    pub remote: Remote,
    /// What is known of them.
    pub known: Known,
}

/// The refreshers.
#[derive(Default)]
pub struct Keyring {
    running: ArcSwap<HashMap<IssuerId, Running>>,
}

#[derive(Clone)]
struct Running {
    shared: Arc<Shared>,
    task: Arc<Task>,
}

/// A task that ends with what holds it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The most requests that wait for the keys of one issuer at a time. More are told to come again.
const MAX_WAITING: usize = 1024;
/// How often a request looks whether a reload is over, and how long it does.
const A_MOMENT: Duration = Duration::from_millis(5);
const MAX_RELOAD: Duration = Duration::from_secs(5);
/// When to ask again where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

impl Keyring {
    /// Starts to keep the keys of these issuers current, in the place of those before. Call it within the runtime that shall do the work.
    pub fn start(
        &self,
        planned: Vec<Planned>,
        fetch: impl Fn(&Remote) -> Arc<dyn Fetch>,
        install: &Install,
    ) {
        let mut running = HashMap::new();
        for Planned { id, remote, known } in planned {
            let fetch = fetch(&remote);
            let shared = Arc::new(Shared::new(id, remote, known));
            let run = Refresher::run_on(Arc::clone(&shared), fetch, Arc::clone(install));
            let task = Arc::new(Task(tokio::spawn(run)));
            running.insert(id, Running { shared, task });
        }
        self.running.store(Arc::new(running));
    }

    /// Ends every refresher and gives what they know.
    #[must_use]
    pub fn stop(&self) -> Vec<(Remote, Known)> {
        let running = self.running.swap(Arc::default());
        running
            .values()
            .map(|running| {
                running.task.0.abort();
                let stop = |progress: &mut Progress| progress.is_stopped = true;
                running.shared.progress.send_modify(stop);
                (running.shared.remote.clone(), running.shared.known())
            })
            .collect()
    }

    /// What is known of the keys of each issuer now.
    #[must_use]
    pub fn known(&self) -> Vec<(Remote, Known)> {
        let running = self.running.load();
        running
            .values()
            .map(|running| (running.shared.remote.clone(), running.shared.known()))
            .collect()
    }

    /// How it stands with an issuer; `None` when its keys are not fetched.
    #[must_use]
    pub fn shared(&self, id: IssuerId) -> Option<Arc<Shared>> {
        let running = self.running.load();
        running.get(&id).map(|running| Arc::clone(&running.shared))
    }

    /// How it stands with the keys of an issuer.
    #[must_use]
    pub fn status(&self, id: IssuerId, name: &str, keys: &KeySet, is_local: bool) -> Status {
        match self.shared(id) {
            Some(shared) => Status::fetched(&shared.remote, &shared.known()),
            None if is_local => Status::local(name, keys),
            None => Status::reloading(name, keys),
        }
    }

    /// How many requests wait for keys.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let running = self.running.load();
        let waiting = running.values().map(|running| &running.shared.waiting);
        waiting.map(|waiting| waiting.load(Ordering::Relaxed)).sum()
    }

    /// Asks for a key that was missed, without waiting for it.
    pub fn ask(&self, missing: &MissingKey) {
        // Whoever begins to wait has asked.
        let _ = self.wait(missing, Instant::now()).now_or_never();
    }

    /// Waits for a key that was missed by a request that arrived at `arrival`: for the fetch that is under way, else for one that this
    /// asks for. It waits no longer than a fetch may take, counted from the arrival.
    pub async fn wait(&self, missing: &MissingKey, arrival: Instant) -> Waited {
        let Some(shared) = self.shared(missing.issuer) else {
            return during_reload(arrival).await;
        };
        let deadline = arrival + shared.remote.pace.timeout;
        let mut progress = shared.progress.subscribe();
        let seen = *progress.borrow_and_update();
        let kid = match &missing.want {
            // That there is none is known: the refresher tries on by itself.
            Want::AnyKey if seen.ended > 0 => return Waited::Again { is_final: true },
            Want::AnyKey | Want::NewerKeys => None,
            Want::Key(kid) => match shared.want(kid) {
                Asking::Asked => Some(&**kid),
                Asking::Impossible => return Waited::Again { is_final: true },
                Asking::Full => {
                    shared.demand.notify_one();
                    return Waited::NotNow(SOON);
                }
            },
        };
        if !seen.is_fetching() && missing.want != Want::AnyKey {
            let cooldown = shared.remote.pace.cooldown;
            let earliest = seen.begun_at.map(|begun| begun + cooldown);
            if let Some(earliest) = earliest.filter(|earliest| *earliest > deadline) {
                return Waited::NotNow(earliest - Instant::now());
            }
            shared.demand.notify_one();
        }
        // Whoever finds no place has asked all the same.
        let Some(_place) = Place::take(&shared.waiting) else {
            return Waited::NotNow(SOON);
        };
        let ended = async {
            let is_over = |now: &Progress| now.ended > seen.ended || now.is_stopped;
            progress.wait_for(is_over).await.map(|now| *now)
        };
        match timeout_at(deadline, ended).await {
            Ok(Ok(now)) if now.is_stopped => during_reload(arrival).await,
            Ok(Ok(now)) => Waited::Again {
                is_final: now.is_complete
                    && now.begun_at.is_some_and(|begun| begun >= arrival)
                    && shared.was_asked(kid),
            },
            // The refresher has gone.
            Ok(Err(_)) => during_reload(arrival).await,
            Err(_) => Waited::NotNow(SOON),
        }
    }
}

/// A reload is just replacing the refresher: its successor is asked in a moment.
async fn during_reload(arrival: Instant) -> Waited {
    if arrival.elapsed() > MAX_RELOAD {
        return Waited::NotNow(SOON);
    }
    sleep(A_MOMENT).await;
    Waited::Again { is_final: false }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// A place among those that wait. It is given back when the request is answered.
struct Place<'k>(&'k AtomicUsize);

impl<'k> Place<'k> {
    fn take(waiting: &'k AtomicUsize) -> Option<Self> {
        if waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING {
            Some(Self(waiting))
        } else {
            waiting.fetch_sub(1, Ordering::Relaxed);
            None
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
