//! Keys that a reload has replaced and that count a little longer, so that tokens signed just before are still good.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::gate::issuers::Supply;
use crate::gate::{Issuer, State};
use crate::jose::VerifyingKey;
use crate::keys::demo::is_published;
use crate::keys::{IssuerId, KeySet};

/// Keys that have been replaced, by the name of their issuer, and until when each counts.
#[derive(Debug, Default)]
pub(super) struct Retired(HashMap<Arc<str>, Vec<(Arc<VerifyingKey>, Instant)>>);

impl Retired {
    /// What the keys of `new` become: those that `old` had besides count for `overlap` from now on, those that were replaced earlier for
    /// what is left of theirs, and never longer than that. Only keys that stand in the configuration or its files are kept, only for the
    /// same `iss`, and only for algorithms that the new keys have too; published ones never.
    pub(super) fn replace(
        &mut self,
        old: &State,
        new: &State,
        overlap: Duration,
    ) -> Vec<(IssuerId, KeySet)> {
        let now = Instant::now();
        let mut all = HashMap::new();
        let mut sets = Vec::new();
        for issuer in local(new) {
            let before = local(old)
                .find(|other| other.name == issuer.name && other.spellings == issuer.spellings);
            let mut retired = self.0.remove(&issuer.name).unwrap_or_default();
            if before.is_none() {
                // Another issuer has taken the name.
                retired.clear();
            }
            for key in before.into_iter().flat_map(|before| before.keys.keys()) {
                if !retired.iter().any(|(own, _)| own.is_same(key)) {
                    retired.push((Arc::clone(key), now + overlap));
                }
            }
            for (_, until) in &mut retired {
                *until = (*until).min(now + overlap);
            }
            retired.retain(|(key, until)| *until > now && may_stay(key, &issuer.keys));
            if !retired.is_empty() {
                sets.push((issuer.id, with(&issuer.keys, &retired)));
                all.insert(Arc::clone(&issuer.name), retired);
            }
        }
        self.0 = all;
        sets
    }

    /// When the next key ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let ends = self.0.values().flatten().map(|(_, until)| *until);
        ends.min()
    }

    /// Ends the keys whose time is over, and gives what is left to issuers that lose one.
    pub(super) fn end(&mut self, state: &State) -> Vec<(IssuerId, KeySet)> {
        let now = Instant::now();
        let mut sets = Vec::new();
        for issuer in local(state) {
            let Some(retired) = self.0.get_mut(&issuer.name) else {
                continue;
            };
            let ended: Vec<_> = retired
                .extract_if(.., |(_, until)| *until <= now)
                .map(|(key, _)| key)
                .collect();
            if !ended.is_empty() {
                let left = issuer
                    .keys
                    .keys()
                    .iter()
                    .filter(|key| !ended.iter().any(|ended| Arc::ptr_eq(ended, key)));
                sets.push((
                    issuer.id,
                    KeySet::new(left.cloned(), issuer.keys.selection()),
                ));
            }
        }
        self.0.retain(|_, retired| !retired.is_empty());
        sets
    }
}

fn local(state: &State) -> impl Iterator<Item = &Arc<Issuer>> {
    let issuers = state.issuers.all().iter();
    issuers.filter(|issuer| issuer.supply == Supply::Local)
}

/// Whether a key that is not among the new ones may count beside them.
fn may_stay(old: &VerifyingKey, new: &KeySet) -> bool {
    let covers = |key: &Arc<VerifyingKey>| old.algorithms().all(|algorithm| key.allows(algorithm));
    new.keys().iter().any(covers)
        && !new.keys().iter().any(|key| key.is_same(old))
        && !is_published(old.thumbprint())
}

fn with(new: &KeySet, retired: &[(Arc<VerifyingKey>, Instant)]) -> KeySet {
    let retired = retired.iter().map(|(key, _)| key);
    KeySet::new(new.keys().iter().chain(retired).cloned(), new.selection())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::compile_gate;
    use crate::clock::Timestamp;
    use crate::config::{Config, Secret};

    const OVERLAP: Duration = Duration::from_mins(10);

    fn state(secret: &str, algorithm: &str) -> State {
        let config = Config {
            secret: Some(Secret::from(secret.repeat(64).as_str())),
            algorithms: Some(algorithm.into()),
            ..Config::default()
        };
        let (state, _, faults) = compile_gate(&config, Timestamp::from_seconds(0));
        state.unwrap_or_else(|| panic!("{faults:?}"))
    }

    fn installed(state: State, sets: &[(IssuerId, KeySet)]) -> State {
        sets.iter().fold(state, |state, (id, keys)| {
            state.with_keys(*id, keys).expect("an issuer of the state")
        })
    }

    fn count(state: &State) -> usize {
        state.issuers.all()[0].keys.keys().len()
    }

    #[tokio::test(start_paused = true)]
    async fn s18_4_a_replaced_key_counts_for_the_overlap_and_no_reload_prolongs_it() {
        let mut retired = Retired::default();
        let [first, second, third] = ["ab", "cd", "ef"].map(|secret| state(secret, "HS256"));
        let sets = retired.replace(&first, &second, OVERLAP);
        let second = installed(second, &sets);
        assert_eq!(count(&second), 2);
        tokio::time::sleep(OVERLAP / 2).await;
        let sets = retired.replace(&second, &third, OVERLAP);
        let third = installed(third, &sets);
        assert_eq!(count(&third), 3);
        assert_eq!(retired.next_end(), Some(Instant::now() + OVERLAP / 2));
        tokio::time::sleep(OVERLAP / 2).await;
        let sets = retired.end(&third);
        let third = installed(third, &sets);
        assert_eq!(count(&third), 2, "the first key has had its time");
        tokio::time::sleep(OVERLAP / 2).await;
        let sets = retired.end(&third);
        let third = installed(third, &sets);
        assert_eq!((count(&third), retired.next_end()), (1, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_the_new_settings_do_not_allow_is_not_kept() {
        let mut retired = Retired::default();
        let (old, new) = (state("ab", "HS256"), state("cd", "HS512"));
        assert_eq!(retired.replace(&old, &new, OVERLAP).len(), 0);
        assert_eq!(
            retired.replace(&old, &state("ab", "HS256"), OVERLAP).len(),
            0
        );
        let none = Duration::ZERO;
        assert_eq!(retired.replace(&old, &state("cd", "HS256"), none).len(), 0);
    }
}
