//! Keeping the published keys of one issuer current: one task, which alone fetches for it.
//!
//! ```text
//! due (before the answer is out of date, or a retry) ─┐
//! demand (a token names an unknown key)               ├─► fetch ─► judge ─► keep the last good ─► install, when a key changed
//! ```
//!
//! A demand is met at once unless the last fetch began less than the cooldown ago; then when that is over. Whatever comes of a fetch,
//! good keys serve on until they are too old. Time is monotonic here: a clock that is set moves nothing.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::clock::Timestamp;
use crate::idp::client::Get;
use crate::idp::{FetchFault, Fetched, freshness};

use super::gather::{Gathered, Gathering, Scope, Target};
use super::known::Holding;
use super::remote::Judged;
use super::set::KeySet;
use super::shared::{IssuerId, Progress, Shared, lock};
use super::store;

/// What comes of a fetch, at some time.
pub type Fetching<'f> = Pin<Box<dyn Future<Output = Result<Fetched, FetchFault>> + Send + 'f>>;

/// The refresher's only way out of the process.
pub trait Fetch: Send + Sync + 'static {
    /// Fetches a document; where `is_public_only`, from public addresses only.
    fn get<'f>(&'f self, get: Get<'f>, is_public_only: bool) -> Fetching<'f>;
}

/// Takes the keys of an issuer when they have changed.
pub type Install = Arc<dyn Fn(IssuerId, KeySet) + Send + Sync>;

/// The most keys that are kept where each has an address of its own.
const MAX_BY_KID: usize = 64;
/// Longer than anything is waited for.
const FAR: Duration = Duration::from_hours(24);
/// The longest time between two tries while old keys serve.
const MAX_RETRY: Duration = Duration::from_mins(1);

/// The task.
pub struct Refresher {
    shared: Arc<Shared>,
    fetch: Arc<dyn Fetch>,
    install: Install,
    installed: Mutex<KeySet>,
    failures: u32,
    is_demanded: bool,
    refresh_at: Option<Instant>,
    /// What writes to disk, which may take its time.
    storing: Option<JoinHandle<()>>,
}

impl Refresher {
    /// A task for an issuer. What is known already counts as installed.
    #[must_use]
    pub fn new(shared: Arc<Shared>, fetch: Arc<dyn Fetch>, install: Install) -> Self {
        let installed = shared.known().key_set();
        Self {
            shared,
            fetch,
            install,
            installed: Mutex::new(installed),
            failures: 0,
            is_demanded: false,
            refresh_at: None,
            storing: None,
        }
    }

    /// Keeps the keys current, for ever. A panic is a bug, and is told by the panic hook; the issuer is asked again all the same.
    pub async fn run_on(shared: Arc<Shared>, fetch: Arc<dyn Fetch>, install: Install) {
        loop {
            let refresher = Self::new(
                Arc::clone(&shared),
                Arc::clone(&fetch),
                Arc::clone(&install),
            );
            let _ = AssertUnwindSafe(refresher.run()).catch_unwind().await;
            // Nobody shall wait for a fetch that has ended like this.
            let end = |progress: &mut Progress| progress.ended = progress.begun;
            shared.progress.send_modify(end);
            tokio::time::sleep(shared.remote.pace.cooldown).await;
        }
    }

    async fn run(mut self) {
        loop {
            let due = self.due();
            lock(&self.shared.known).record.next = Some(due);
            let stale_at = lock(&self.shared.known).stale_at();
            let far = Instant::now() + FAR;
            tokio::select! {
                biased;
                () = sleep_until(stale_at.unwrap_or(far)), if stale_at.is_some() => self.drop_stale(),
                () = sleep_until(due) => self.attempt().await,
                () = self.shared.demand.notified(), if !self.is_demanded => self.is_demanded = true,
            }
        }
    }

    /// When the next fetch is due.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let pace = self.shared.remote.pace;
        let known = lock(&self.shared.known);
        // Nobody has said yet for which key to ask.
        if self.shared.is_by_kid() && known.holdings.is_empty() && !self.is_demanded {
            return now + FAR;
        }
        let Some(begun) = known.last_begun else {
            return now;
        };
        drop(known);
        let earliest = begun + pace.cooldown;
        if self.is_demanded {
            return earliest.max(now);
        }
        if self.failures == 0 {
            return self.refresh_at.unwrap_or(earliest).max(earliest);
        }
        // While keys serve on, an issuer that is down is not pressed.
        let pause = if lock(&self.installed).keys().is_empty() {
            pace.cooldown
        } else {
            let doublings = self.failures.saturating_sub(1).min(16);
            let pause = pace.cooldown.saturating_mul(1 << doublings);
            pause.min(MAX_RETRY.max(pace.cooldown))
        };
        begun + pause
    }

    /// Asks the issuer once.
    pub async fn attempt(&mut self) {
        let begun = Instant::now();
        lock(&self.shared.known).last_begun = Some(begun);
        self.shared.progress.send_modify(|progress| {
            progress.begun += 1;
            progress.begun_at = Some(begun);
        });
        let is_demanded = self.forget_demand().await;
        // Where each key is fetched by itself, a demand concerns one of them, and leaves the others to their time.
        let is_due = self.refresh_at.is_some_and(|at| at <= begun);
        let is_partial = is_demanded && !is_due && self.shared.is_by_kid();
        let deadline = begun + self.shared.remote.pace.timeout;
        let scope = Scope {
            is_demanded,
            is_partial,
        };
        let (targets, results, mut errors) = self.gather(scope, deadline).await;
        let is_reached = results.iter().any(Result::is_ok);
        for (target, result) in targets.iter().zip(results) {
            if let Err(error) = self.take(target, result, is_reached) {
                errors.push(error);
            }
        }
        if errors.is_empty() && !is_partial {
            self.keep_only(&targets);
        }
        let is_complete = errors.is_empty();
        self.end(errors, is_partial);
        self.store(is_complete && !is_partial);
    }

    /// Asks for everything. Keys that get too old meanwhile are used no more.
    async fn gather(&self, scope: Scope, deadline: Instant) -> Gathered {
        let asking = Gathering {
            shared: &self.shared,
            fetch: &*self.fetch,
            is_after_failure: self.failures > 0,
            scope,
            deadline,
        };
        let asking = asking.all();
        tokio::pin!(asking);
        loop {
            let stale_at = lock(&self.shared.known).stale_at();
            tokio::select! {
                gathered = &mut asking => return gathered,
                () = sleep_until(stale_at.unwrap_or(deadline)), if stale_at.is_some() => self.drop_stale(),
            }
        }
    }

    /// Whoever asks from now on can see that a fetch is under way, and whoever asked before is met by it.
    async fn forget_demand(&mut self) -> bool {
        let was_demanded = std::mem::take(&mut self.is_demanded);
        tokio::select! {
            biased;
            () = self.shared.demand.notified() => true,
            () = std::future::ready(()) => was_demanded,
        }
    }

    /// Takes what came of asking for a document; `is_reached`: another came from there in the same fetch. What was good before stays
    /// unless something as good has come.
    fn take(
        &self,
        target: &Target,
        result: Result<Fetched, FetchFault>,
        is_reached: bool,
    ) -> Result<(), String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", shown(&target.url));
        let now = Instant::now();
        let stale_at = now + self.shared.remote.pace.max_stale;
        let mut known = lock(&self.shared.known);
        let fetched = match result {
            Ok(fetched) => fetched,
            // A key of its own address that is gone has been withdrawn; one that never was is no failure.
            Err(fault) if target.kid.is_some() && fault.is_absence() => {
                let is_held = known.holding(&target.url).is_some();
                if is_held && !is_reached && !fault.is_gone() {
                    // Somebody in between may refuse, and the key is still good.
                    return Err(told(&fault));
                }
                known.holdings.retain(|holding| holding.url != target.url);
                return Ok(());
            }
            Err(fault) => return Err(told(&fault)),
        };
        match fetched {
            Fetched::NotModified { fresh } => {
                let held = known
                    .holdings
                    .iter_mut()
                    .find(|holding| holding.url == target.url);
                let Some(held) = held else {
                    return Err(told(&FetchFault::NothingToCompare));
                };
                let before = Some(held.fresh).filter(|fresh| !fresh.is_zero());
                held.fresh = fresh.or(before).unwrap_or(freshness::UNSTATED);
                held.checked_at = Timestamp::now();
                held.stale_at = stale_at;
            }
            Fetched::Document { text, etag, fresh } => {
                let judged = self.shared.remote.judge(&text, target.kid.as_deref());
                let judged = judged.map_err(|why| told(&why))?;
                let held = known.holding(&target.url);
                if held.is_none_or(|held| *held.text != *text) {
                    self.tell(&target.url, &judged);
                }
                if target.kid.is_some() && held.is_none() && known.holdings.len() >= MAX_BY_KID {
                    known.holdings.remove(0);
                }
                known.put(Holding {
                    url: target.url.clone(),
                    kid: target.kid.clone(),
                    text: text.into(),
                    etag,
                    checked_at: Timestamp::now(),
                    fresh: fresh.unwrap_or(freshness::UNSTATED),
                    stale_at,
                    judged,
                });
            }
        }
        Ok(())
    }

    /// Tells what was left out of a document that has not been seen before.
    fn tell(&self, url: &Url, judged: &Judged) {
        for note in &judged.notes {
            tracing::warn!(
                issuer.name = %self.shared.remote.name,
                url = shown(url),
                note = %note.escape_debug(),
                "something in the key set was left out or is odd"
            );
        }
    }

    /// Drops documents from addresses that are no longer the issuer's, in the order in which the present ones are asked.
    fn keep_only(&self, targets: &[Target]) {
        let mut known = lock(&self.shared.known);
        let place = |url: &Url| targets.iter().position(|target| target.url == *url);
        known
            .holdings
            .retain(|holding| place(&holding.url).is_some());
        known.holdings.sort_by_key(|holding| place(&holding.url));
    }

    fn end(&mut self, errors: Vec<String>, is_partial: bool) {
        let is_complete = errors.is_empty();
        self.failures = if is_complete { 0 } else { self.failures + 1 };
        if is_complete {
            let pace = self.shared.remote.pace;
            let fresh = lock(&self.shared.known).fresh(pace.max_refresh);
            // However long the issuer's answers hold, half the time for which keys may go without news is left for trouble.
            let next = Instant::now() + with_jitter(fresh.min(pace.max_stale / 2));
            // What was not asked for keeps its time.
            let kept = self.refresh_at.filter(|_| is_partial);
            self.refresh_at = Some(kept.map_or(next, |kept| kept.min(next)));
        }
        self.install();
        for error in &errors {
            tracing::warn!(
                issuer.name = %self.shared.remote.name,
                error = %error.escape_debug(),
                keys = lock(&self.installed).keys().len(),
                "keys cannot be fetched"
            );
        }
        let mut known = lock(&self.shared.known);
        if is_complete {
            known.record.succeeded += 1;
        } else {
            known.record.failed += 1;
        }
        known.record.errors = errors;
        drop(known);
        // Last: whoever waits for the end decides again with the new keys.
        self.shared.progress.send_modify(|progress| {
            progress.ended += 1;
            progress.is_complete = is_complete;
        });
    }

    fn drop_stale(&self) {
        if lock(&self.shared.known).drop_stale(Instant::now()) {
            tracing::error!(
                issuer.name = %self.shared.remote.name,
                max_stale = ?self.shared.remote.pace.max_stale,
                "keys are too old to be used: the issuer could not be asked for too long"
            );
            self.install();
        }
    }

    /// Installs the keys when they have changed.
    fn install(&self) {
        let set = lock(&self.shared.known).key_set();
        let mut installed = lock(&self.installed);
        if set.is_same(&installed) {
            return;
        }
        let kids = |set: &KeySet| {
            let kids = set.keys().iter().filter_map(|key| key.kid());
            let kids: Vec<_> = kids.map(|kid| kid.escape_debug().to_string()).collect();
            kids.join(" ")
        };
        tracing::info!(
            issuer.name = %self.shared.remote.name,
            keys = kids(&set),
            before = kids(&installed),
            "keys changed"
        );
        *installed = set.clone();
        drop(installed);
        (self.install)(self.shared.id, set);
    }

    /// Keeps what is known on disk, beside everything else: a disk that hangs must not keep keys from being fetched, or from getting too
    /// old. While it does, what comes is kept the next time.
    fn store(&mut self, is_whole: bool) {
        let Some(file) = self.shared.remote.store.clone() else {
            return;
        };
        let is_writing = |storing: &JoinHandle<()>| !storing.is_finished();
        if self.storing.as_ref().is_some_and(is_writing) {
            return;
        }
        let stored = lock(&self.shared.known).to_stored(&self.shared.remote);
        // Without anything fetched, what an earlier run kept may still be of use; unless all has been withdrawn.
        let is_nothing = stored.documents.is_empty();
        if is_nothing && !is_whole {
            return;
        }
        let name = Arc::clone(&self.shared.remote.name);
        self.storing = Some(tokio::task::spawn_blocking(move || {
            let written = if is_nothing {
                store::remove(&file)
            } else {
                store::write(&file, &stored)
            };
            if let Err(error) = written {
                tracing::warn!(
                    issuer.name = %name,
                    %error,
                    "fetched keys cannot be kept on disk: a restart while the issuer is down would be without keys"
                );
            }
        }));
    }
}

/// Six to nine tenths of a time, at random: before the answer is out of date, and not all instances at once.
fn with_jitter(fresh: Duration) -> Duration {
    let mut random = [0];
    // Without randomness the time is only less spread.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let [random] = random;
    fresh.mul_f64(0.6 + 0.3 * f64::from(random) / 255.0)
}

/// An address for people, without what a query may hold.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}
