//! The demo keys that stand in `certs/` of the source tree. Everybody has them, so nobody may be protected by them.

/// RFC 7638 thumbprints of the published demo keys.
const PUBLISHED: [&str; 4] = [
    "909FDEP_eH0jHkqtW0lMgZTYdeZBDgKlecuoe62fsHQ", // demo-rsa
    "9rKAHuRJUKrJ6X2Ffwjm_txjI0xXNVcbvTKrekgwL1Y", // demo-ec
    "UahkH4mpfVEcaEtrt-OwxN5cBAv96Ti_XVnqVnar0BE", // demo-ed25519
    "6aADS_PIMEHE_cJB5vrtUG3t5hYFH3WHJtFAXB-PwAo", // demo-hmac
];

/// Whether a key with this thumbprint is published.
#[must_use]
pub fn is_published(thumbprint: &str) -> bool {
    PUBLISHED.contains(&thumbprint)
}

#[cfg(test)]
mod tests {
    use crate::clock::Timestamp;
    use crate::config::{Config, OneOrMany};
    use crate::keys::{KeySet, Source, load};

    fn local(config: &Config, now: Timestamp) -> Option<KeySet> {
        match load(&config.default_issuer(), config, now).0? {
            Source::Local(set) => Some(set),
            Source::Remote(_) => None,
        }
    }

    #[test]
    fn every_key_of_certs_is_refused_unless_the_danger_is_named() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/certs");
        let mut tried = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path().display().to_string();
            let mut config = Config::default();
            if [".crt", ".pub.pem"]
                .iter()
                .any(|ending| path.ends_with(ending))
            {
                config.signing_certificate = Some(OneOrMany::One(path));
            } else if path.ends_with("jwks.json") {
                config.jwks_file = Some(path);
            } else if path.ends_with("hmac.txt") {
                config.secret_file = Some(path);
            } else {
                continue;
            }
            tried += 1;
            let now = Timestamp::from_seconds(4_070_908_000);
            assert!(local(&config, now).is_none(), "{config:?}");
            config.danger_demo_keys = true;
            assert!(local(&config, now).is_some_and(|set| !set.keys().is_empty()));
        }
        assert_eq!(tried, 8);
    }
}
