//! `[keys]`: how the keys that issuers publish are fetched and kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// How the keys that issuers publish are fetched and kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The least time between two fetches for one issuer, whoever asks: a token with an unknown `kid` causes a fetch at most this often.
    pub cooldown: Span,
    /// How long a fetch may take in all, and how long a request may wait for one.
    pub fetch_timeout: Span,
    /// The longest time between two fetches, whatever `Cache-Control` says: a key that the issuer has withdrawn stops by then. Never more than half of `max_stale`.
    pub max_refresh: Span,
    /// How long the last good keys serve on while the issuer cannot be asked. After that its tokens get 503. Counted from the last good fetch.
    pub max_stale: Span,
    /// How long a key of your own files still counts after a reload has taken it away; in memory only, and not meant for a key that has leaked. Zero: not at all.
    pub overlap: Span,
    /// A folder in which fetched keys are kept, so that a restart while the issuer is down also serves. It must exist, and neither group nor others may write to it.
    #[schemars(example = &"/var/lib/jwtgate")]
    pub state_dir: Option<String>,
    /// PEM certificates of the authorities that may vouch for an issuer's server, instead of those that the system trusts.
    #[schemars(example = &"/etc/ssl/company-ca.pem")]
    pub ca_file: Option<String>,
    /// A proxy for the fetches: `http://HOST:PORT`, or `environment` to take `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Left out: none.
    #[schemars(example = &"http://proxy.example.com:3128")]
    pub proxy: Option<String>,
    /// Check RSA signatures (RS256, RS384, RS512) with the processor's AVX-512 IFMA instructions where it has them: a third of the time. `false`: with the crypto library, as on every other machine. It holds for keys that are read or fetched from then on.
    pub rsa_ifma: bool,
    /// When RSA signatures of several requests are checked together, eight at once in half the time, where `rsa_ifma` is in use. `busy`: while a worker works more than nine tenths of its time, so that it answers more, and nobody waits who need not. `always`: also a lone one, which waits for one more look at the sockets.
    pub rsa_together: RsaTogether,
    /// Fetch over plain HTTP from other machines too. Whoever sits in between can then replace the keys, and let anybody in.
    pub danger_allow_http: bool,
}

/// When RSA signatures of several requests are checked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RsaTogether {
    /// Each is checked when it comes.
    Never,
    /// While a worker is busy nine tenths of its time, and each otherwise: more requests a second, and nobody waits who need not.
    Busy,
    /// Those that come in one turn of a worker, however few.
    Always,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            cooldown: Span::seconds(10),
            fetch_timeout: Span::seconds(5),
            max_refresh: Span::seconds(24 * 3600),
            max_stale: Span::seconds(24 * 3600),
            overlap: Span::seconds(0),
            state_dir: None,
            ca_file: None,
            proxy: None,
            rsa_ifma: true,
            rsa_together: RsaTogether::Busy,
            danger_allow_http: false,
        }
    }
}
