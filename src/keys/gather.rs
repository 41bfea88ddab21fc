//! One fetch for an issuer: what is asked for, and what comes.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::idp::client::Get;
use crate::idp::discovery::{self, Metadata};
use crate::idp::{FetchFault, Fetched};

use super::refresh::{Fetch, shown};
use super::remote::Origin;
use super::shared::{Shared, lock};

/// How long metadata holds. Where the keys are changes less often than the keys.
const METADATA: Duration = Duration::from_hours(24);

/// How long metadata holds when a key is not where it says.
const METADATA_ON_DEMAND: Duration = Duration::from_mins(5);

/// What a fetch is for.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    /// A token asked for a key.
    pub(super) is_demanded: bool,
    /// Only keys that were asked for, where each has an address of its own.
    pub(super) is_partial: bool,
}

/// A document to ask for.
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) kid: Option<Box<str>>,
    /// Whether metadata of another host named it.
    pub(super) is_elsewhere: bool,
}

/// A fetch on its way.
pub(super) struct Gathering<'g> {
    pub(super) shared: &'g Shared,
    pub(super) fetch: &'g dyn Fetch,
    /// Whether something failed the last time.
    pub(super) is_after_failure: bool,
    pub(super) scope: Scope,
    /// When it is given up.
    pub(super) deadline: Instant,
}

/// What was asked for, what came of each, and what went wrong before.
pub(super) type Gathered = (Vec<Target>, Vec<Result<Fetched, FetchFault>>, Vec<String>);

impl Gathering<'_> {
    /// Asks for everything, all at the same time.
    pub(super) async fn all(self) -> Gathered {
        let mut errors = Vec::new();
        let targets = self.targets(&mut errors).await;
        let results = join_all(targets.iter().map(|target| self.get(target))).await;
        (targets, results, errors)
    }

    /// What to ask for.
    async fn targets(&self, errors: &mut Vec<String>) -> Vec<Target> {
        let whole = |url: &Url| Target {
            url: url.clone(),
            kid: None,
            is_elsewhere: false,
        };
        match &self.shared.remote.origin {
            Origin::Sets(urls) => urls.iter().map(whole).collect(),
            Origin::ByKid(_) => {
                let known = lock(&self.shared.known);
                let held = known.holdings.iter().filter(|_| !self.scope.is_partial);
                let held = held.filter_map(|held| held.kid.clone());
                let names = held.chain(lock(&self.shared.wanted).take());
                let target = |kid: Box<str>| {
                    Some(Target {
                        url: self.shared.remote.url_of_kid(&kid)?,
                        kid: Some(kid),
                        is_elsewhere: false,
                    })
                };
                names.filter_map(target).collect()
            }
            Origin::Metadata { issuer, places } => {
                let metadata = self.metadata(issuer, places, errors).await;
                metadata
                    .into_iter()
                    .map(|metadata| Target {
                        is_elsewhere: metadata.is_elsewhere,
                        ..whole(&metadata.jwks_uri)
                    })
                    .collect()
            }
        }
    }

    /// What the metadata says, asked for again when it is old or something failed. What it said before counts on while it cannot be had.
    async fn metadata(
        &self,
        issuer: &str,
        places: &[Url],
        errors: &mut Vec<String>,
    ) -> Option<Metadata> {
        let known = lock(&self.shared.known).metadata.clone();
        let lasts = if self.scope.is_demanded {
            METADATA_ON_DEMAND
        } else {
            METADATA
        };
        if let Some((metadata, at)) = &known
            && !self.is_after_failure
            && at.elapsed() < lasts
        {
            return Some(metadata.clone());
        }
        let mut told = Vec::new();
        // Half the time is left for the keys, whatever the metadata does, and each place has its share of the other half.
        let share = self.deadline.saturating_duration_since(Instant::now()) / 2;
        let share = share / u32::try_from(places.len()).unwrap_or(u32::MAX).max(1);
        for place in places {
            let deadline = Instant::now() + share;
            let target = Target {
                url: place.clone(),
                kid: None,
                is_elsewhere: false,
            };
            let found = match self.get_anew(&target, deadline).await {
                Ok(Fetched::Document { text, .. }) => {
                    let danger = self.shared.remote.access.danger_allow_http;
                    discovery::read(&text, place, issuer, danger).map_err(|fault| fault.to_string())
                }
                Ok(Fetched::NotModified { .. }) => Err(FetchFault::NothingToCompare.to_string()),
                Err(fault) => Err(fault.to_string()),
            };
            match found {
                Ok(metadata) => {
                    let now = Instant::now();
                    lock(&self.shared.known).metadata = Some((metadata.clone(), now));
                    return Some(metadata);
                }
                Err(error) => told.push(format!("{}: {error}", shown(place))),
            }
        }
        errors.push(format!("no metadata: {}", told.join("; ")));
        known.map(|(metadata, _)| metadata)
    }

    async fn get(&self, target: &Target) -> Result<Fetched, FetchFault> {
        let etag = lock(&self.shared.known)
            .holding(&target.url)
            .and_then(|holding| holding.etag.clone());
        self.get_with(target, etag.as_deref(), self.deadline).await
    }

    async fn get_anew(&self, target: &Target, deadline: Instant) -> Result<Fetched, FetchFault> {
        self.get_with(target, None, deadline).await
    }

    async fn get_with(
        &self,
        target: &Target,
        etag: Option<&str>,
        deadline: Instant,
    ) -> Result<Fetched, FetchFault> {
        let bearer_file = self.shared.remote.access.bearer_file.as_deref();
        let get = Get {
            url: &target.url,
            etag,
            // It is for the issuer, and not for another host that its metadata names.
            bearer_file: bearer_file.filter(|_| !target.is_elsewhere),
        };
        let fetch = self.fetch.get(get, target.is_elsewhere);
        timeout_at(deadline, fetch)
            .await
            .unwrap_or(Err(FetchFault::Timeout))
    }
}
