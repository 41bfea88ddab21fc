//! When a signature is checked: at once, or together with those of other requests.
//!
//! Checking some signatures side by side takes less time for each. The gate waits for nobody, so whoever asks says that it can wait
//! ([`Signatures::Together`]); what comes back then is [`Unjudged`], and after [`judge`] the same request is asked about again with
//! [`Signatures::Judged`]. A verdict is bound to the token, every byte of it, and to the very key and algorithm: for any other it counts
//! for nothing, and the signature is checked at once.

use std::iter::{repeat, repeat_n};
use std::sync::Arc;

use crate::jose::verifying_key::{self, Question};
use crate::jose::{Algorithm, VerifyingKey};
use crate::request::RawToken;

use super::cache::TokenDigest;

/// When a signature is checked.
#[derive(Clone, Copy, Debug, Default)]
pub enum Signatures<'j> {
    /// Now.
    #[default]
    AtOnce,
    /// With others, where that is wanted: always, or while the worker is busy.
    Together {
        /// Whether it is.
        is_busy: bool,
    },
    /// This one has been.
    Judged(&'j Judged),
}

/// A signature to check, and whose it is.
#[derive(Debug)]
pub struct Unjudged {
    bound: Bound,
    question: Question,
}

/// A signature that has been checked, and whose it is. Only [`judge`] makes one.
#[derive(Debug)]
pub struct Judged {
    asked: Box<Unjudged>,
    is_good: bool,
}

/// What a verdict is about.
#[derive(Debug)]
struct Bound {
    token: Box<[u8]>,
    /// The end of the token: those of signatures differ where tokens do, and most of what stands before them does not.
    tail: [u8; TAIL],
    key: Arc<VerifyingKey>,
    algorithm: Algorithm,
    /// The token's place in the cache, where that has been computed.
    digest: Option<TokenDigest>,
}

/// How much of the end of a token is compared first.
const TAIL: usize = 16;

fn tail(token: &[u8]) -> [u8; TAIL] {
    token.last_chunk().copied().unwrap_or_default()
}

impl Bound {
    fn is(&self, token: &[u8], key: &Arc<VerifyingKey>, algorithm: Algorithm) -> bool {
        Arc::ptr_eq(&self.key, key)
            && self.algorithm == algorithm
            && self.tail == tail(token)
            && *self.token == *token
    }
}

impl Unjudged {
    pub(super) fn new(
        token: RawToken<'_>,
        key: &Arc<VerifyingKey>,
        algorithm: Algorithm,
        question: Question,
    ) -> Self {
        let token = token.bytes();
        Self {
            bound: Bound {
                token: token.into(),
                tail: tail(token),
                key: Arc::clone(key),
                algorithm,
                digest: None,
            },
            question,
        }
    }

    /// Keeps the token's place in the cache along with it.
    pub(super) const fn keep(&mut self, digest: Option<TokenDigest>) {
        self.bound.digest = digest;
    }

    /// An order in which those of a key stand side by side, and the same questions too, unless another token has the same end.
    fn place(&self) -> (usize, [u8; TAIL]) {
        (Arc::as_ptr(&self.bound.key).addr(), self.bound.tail)
    }

    fn has_key_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bound.key, &other.bound.key)
    }

    /// Whether the two are the same question.
    fn is_same(&self, other: &Self) -> bool {
        self.bound
            .is(&other.bound.token, &other.bound.key, other.bound.algorithm)
    }
}

impl Judged {
    /// The verdict, if it is about this.
    pub(super) fn verdict(
        &self,
        token: RawToken<'_>,
        key: &Arc<VerifyingKey>,
        algorithm: Algorithm,
    ) -> Option<bool> {
        let is_about_it = self.asked.bound.is(token.bytes(), key, algorithm);
        is_about_it.then_some(self.is_good)
    }

    /// The token's place in the cache, if it is this token.
    pub(super) fn digest_of(&self, token: RawToken<'_>) -> Option<TokenDigest> {
        let digest = self.asked.bound.digest?;
        (*self.asked.bound.token == *token.bytes()).then_some(digest)
    }
}

/// Checks signatures, those of a key together, and each that is there twice once. Every one comes back, in whatever order, with what was
/// given along with it.
#[must_use]
pub fn judge<W>(mut waiting: Vec<(Box<Unjudged>, W)>) -> Vec<(Judged, W)> {
    waiting.sort_unstable_by_key(|(one, _)| one.place());
    let mut verdicts = Vec::with_capacity(waiting.len());
    for of_key in waiting.chunk_by(|(one, _), (next, _)| one.has_key_of(next)) {
        judge_of_key(of_key, &mut verdicts);
    }
    let each = waiting.into_iter().zip(verdicts);
    each.map(|((asked, whose), is_good)| (Judged { asked, is_good }, whose))
        .collect()
}

/// Adds a verdict for each of these, which are of one key.
fn judge_of_key<W>(all: &[(Box<Unjudged>, W)], verdicts: &mut Vec<bool>) {
    let same = || all.chunk_by(|(one, _), (next, _)| one.is_same(next));
    let asked = same().filter_map(|same| same.first());
    let questions: Vec<_> = asked.map(|(one, _)| &one.question).collect();
    let answers = verifying_key::answers(&questions);
    // Whatever there is no answer to is not good.
    let answers = answers.into_iter().chain(repeat(false));
    for (same, is_good) in same().zip(answers) {
        verdicts.extend(repeat_n(is_good, same.len()));
    }
}

#[cfg(test)]
#[cfg(feature = "rsa-ifma")]
pub(crate) mod tests {
    use super::*;
    use crate::app::compile_gate;
    use crate::clock::Timestamp;
    use crate::config::{Config, RsaTogether, Secret};
    use crate::gate::{Decision, Halt, Lookup, State, decide_with};
    use crate::jose::rsa_ifma::{Readiness, readiness};
    use crate::jose::signing_key::{PrivateKey, SigningKey};
    use crate::jose::{Family, jwk};
    use crate::reason::Reason;
    use crate::request::{GivenLines, Original, RequestView, Scheme};
    use serde_json::json;

    const TOGETHER: Signatures<'_> = Signatures::Together { is_busy: true };

    const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

    /// A gate that judges together, and what signs for it.
    struct Issuer {
        state: State,
        keys: Vec<SigningKey>,
    }

    /// With two keys. `None` where the processor lacks the instructions.
    fn issuer(change: impl FnOnce(&mut Config)) -> Option<Issuer> {
        if readiness() != Readiness::Ready {
            let told = "NOT TESTED: this processor has no AVX-512 IFMA\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
            return None;
        }
        let algorithm = Algorithm::from_name("RS256").unwrap();
        let privates = [0, 1].map(|_| PrivateKey::generate(Family::Rsa, 2048).unwrap());
        let sets: Vec<_> = privates
            .iter()
            .zip(["k0", "k1"])
            .map(|(private, kid)| jwk::to_json(private.public(), kid, algorithm))
            .collect();
        let mut config = Config {
            jwks: Some(Secret::from(json!({ "keys": sets }).to_string().as_str())),
            expected_audience: "app".into(),
            ..Config::default()
        };
        config.keys.rsa_together = RsaTogether::Busy;
        change(&mut config);
        let (state, _, faults) = compile_gate(&config, NOW);
        let keys = privates
            .iter()
            .map(|private| SigningKey::from_private(private, Some(algorithm)).unwrap());
        let issuer = Issuer {
            state: state.unwrap_or_else(|| panic!("{faults:?}")),
            keys: keys.collect(),
        };
        // Headers that are not known yet are judged at once: from here on they are.
        for key in 0..2 {
            assert!(
                issuer
                    .ask(&issuer.token(key, "first"), Signatures::AtOnce)
                    .outcome
                    .is_ok()
            );
        }
        Some(issuer)
    }

    impl Issuer {
        fn token(&self, key: usize, user: &str) -> String {
            let claims = json!({"aud": "app", "username": user, "exp": NOW.seconds() + 600});
            self.keys[key]
                .sign(Some(&format!("k{key}")), "JWT", &claims)
                .unwrap()
        }

        fn ask(&self, token: &str, signatures: Signatures<'_>) -> Decision {
            let headers = GivenLines(vec![(
                "authorization".to_owned(),
                format!("Bearer {token}"),
            )]);
            let request = RequestView {
                headers: &headers,
                original: Original {
                    method: "GET",
                    scheme: Some(Scheme::Https),
                    host: Some("app.example.com"),
                    path: "/page",
                    query: None,
                    states_method: true,
                    states_path: true,
                },
                source: None,
            };
            decide_with(&self.state, &request, NOW, signatures)
        }

        fn waiting<W>(&self, token: &str, whose: W) -> (Box<Unjudged>, W) {
            let decision = self.ask(token, TOGETHER);
            assert_eq!(decision.lookup, Lookup::Off, "counted when it is judged");
            assert!(decision.difference.is_none(), "and told then");
            match decision.outcome {
                Err(Halt::Unjudged(unjudged, _)) => (unjudged, whose),
                other => panic!("{other:?}"),
            }
        }

        /// Whose token it is, by a verdict that was asked for before.
        fn user(&self, token: &str, judged: &Judged) -> Result<String, Reason> {
            let decision = self.ask(token, Signatures::Judged(judged));
            let permit = decision.outcome.map_err(|halt| halt.reason())?;
            let known = permit.known().unwrap();
            Ok(known.verified().identity().username().to_owned())
        }
    }

    /// So many signatures to check, all of one token.
    pub(crate) fn unjudged(count: usize) -> Option<Vec<Unjudged>> {
        let issuer = issuer(|_| ())?;
        let token = issuer.token(0, "alice");
        let waiting = (0..count).map(|_| *issuer.waiting(&token, ()).0);
        Some(waiting.collect())
    }

    fn with_other_signature(token: &str) -> String {
        let (message, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{message}.{other}{}", &signature[1..])
    }

    #[test]
    fn everybody_gets_the_verdict_on_the_own_token_whatever_the_company() {
        let Some(issuer) = issuer(|_| ()) else {
            return;
        };
        for count in [1, 2, 4, 5, 8, 9, 17] {
            let tokens: Vec<_> = (0..count)
                .map(|number| {
                    let token = issuer.token(number % 2, &format!("user-{count}-{number}"));
                    // Every third is forged, and one of every five is there twice.
                    match number % 15 {
                        0 | 3 | 6 | 9 | 12 => with_other_signature(&token),
                        _ => token,
                    }
                })
                .flat_map(|token| vec![token.clone(); if token.len() % 5 == 0 { 2 } else { 1 }])
                .collect();
            let waiting = tokens
                .iter()
                .map(|token| issuer.waiting(token, token.clone()));
            let judged = judge(waiting.collect());
            assert_eq!(judged.len(), tokens.len());
            for (judged, token) in judged {
                let expected = issuer.ask(&token, Signatures::AtOnce);
                let expected = expected.outcome.map(|_| ()).map_err(|halt| halt.reason());
                let found = issuer.user(&token, &judged);
                assert_eq!(found.clone().map(|_| ()), expected);
                if let Ok(user) = found {
                    let payload = token.split('.').nth(1).unwrap();
                    let payload = crate::jose::base64url::decode(payload.as_bytes()).unwrap();
                    assert!(String::from_utf8(payload).unwrap().contains(&user));
                }
            }
        }
    }

    #[test]
    fn a_verdict_counts_for_the_very_token_and_key_and_for_nothing_else() {
        let Some(issuer) = issuer(|_| ()) else {
            return;
        };
        let good = issuer.token(0, "alice");
        let forged = with_other_signature(&good);
        let mut judged = judge(vec![issuer.waiting(&good, ())]);
        let (good_verdict, ()) = judged.pop().unwrap();
        // The verdict "good" of one token does nothing for another, and "wrong" nothing against one.
        assert_eq!(
            issuer.user(&forged, &good_verdict),
            Err(Reason::TokenSignature)
        );
        let mut judged = judge(vec![issuer.waiting(&forged, ())]);
        let (wrong, ()) = judged.pop().unwrap();
        assert_eq!(issuer.user(&good, &wrong), Ok("alice".to_owned()));
        assert_eq!(issuer.user(&forged, &wrong), Err(Reason::TokenSignature));
        // Nor does it bring one person into the place of another.
        let bob = issuer.token(0, "bob");
        assert_eq!(issuer.user(&bob, &good_verdict), Ok("bob".to_owned()));
        let alice = issuer.ask(&good, Signatures::AtOnce).outcome.unwrap();
        let alice = alice.known().unwrap().verified().identity().username();
        assert_eq!(alice, "alice");
        // Nor where the keys are others by now, under the same names.
        let Some(other) = self::issuer(|_| ()) else {
            return;
        };
        assert_eq!(
            other.user(&good, &good_verdict),
            Err(Reason::TokenSignature)
        );
    }

    #[test]
    fn no_rule_is_asked_before_the_verdict() {
        let rules = json!([{"action": "optional", "path_prefix": "/"}]);
        let shadow = json!([{"action": "deny", "path_prefix": "/"}]);
        let Some(issuer) = issuer(|config| {
            config.rules = serde_json::from_value(rules).unwrap();
            config.shadow_rules = serde_json::from_value(shadow).unwrap();
        }) else {
            return;
        };
        let good = issuer.token(1, "alice");
        let (judged, ()) = judge(vec![issuer.waiting(&good, ())]).pop().unwrap();
        assert_eq!(issuer.user(&good, &judged), Ok("alice".to_owned()));
    }

    #[test]
    fn it_waits_only_where_that_is_wanted_and_never_for_what_the_cache_knows() {
        let Some(issuer) = issuer(|config| config.keys.rsa_together = RsaTogether::Never) else {
            return;
        };
        let token = issuer.token(0, "alice");
        assert!(issuer.ask(&token, TOGETHER).outcome.is_ok());
        let Some(issuer) = self::issuer(|_| ()) else {
            return;
        };
        let token = issuer.token(0, "alice");
        let (judged, ()) = judge(vec![issuer.waiting(&token, ())]).pop().unwrap();
        assert_eq!(issuer.user(&token, &judged), Ok("alice".to_owned()));
        let again = issuer.ask(&token, TOGETHER);
        assert_eq!(again.lookup, Lookup::Hit);
        assert!(again.outcome.is_ok());
        // Nor while the worker has time to spare, but where it is wanted always.
        let spare = Signatures::Together { is_busy: false };
        let other = issuer.token(0, "bob");
        assert!(issuer.ask(&other, spare).outcome.is_ok());
        let Some(always) = self::issuer(|config| config.keys.rsa_together = RsaTogether::Always)
        else {
            return;
        };
        let waits = always.ask(&always.token(0, "bob"), spare);
        assert!(matches!(waits.outcome, Err(Halt::Unjudged(..))));
        // A signature that cannot be one is refused at once.
        let (message, _) = token.rsplit_once('.').unwrap();
        let short = format!("{message}.{}", "A".repeat(340));
        let short = issuer.ask(&short, TOGETHER);
        let reason = short.outcome.map(|_| ()).map_err(|halt| halt.reason());
        assert_eq!(reason, Err(Reason::TokenSignature));
    }
}
