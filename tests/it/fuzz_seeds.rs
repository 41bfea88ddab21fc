//! The seeds of the fuzz targets, each judged once as the target would: `fuzz/README.md`.

#![cfg(feature = "rsa-ifma")]

use std::path::Path;

#[path = "../../fuzz/cases/rsa.rs"]
mod rsa;

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let entries = std::fs::read_dir(folder).expect("a folder of seeds");
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a seed").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), std::fs::read(&path).expect("its bytes"))
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_of_rsa_gets_one_verdict() {
    if !super::rsa_ifma::needs_instructions() {
        return;
    }
    let found: Vec<_> = seeds("rsa")
        .into_iter()
        .map(|(name, seed)| {
            let rsa::Found { good, bad } = rsa::compare(&seed);
            format!("{name}: {good} good, {bad} not")
        })
        .collect();
    let extreme = (0..27).map(|key| format!("extreme-{key:02}-numbers: 0 good, 6 not"));
    let named = [
        "2048-bits-of-signatures: 1 good, 3 not",
        "2048-blocks: 1 good, 7 not",
        "2048-company-of-eight: 7 good, 1 not",
        "2048-company-of-five: 4 good, 1 not",
        "2048-good-each-hash: 3 good, 0 not",
        "2048-lengths: 0 good, 5 not",
        "2048-numbers: 0 good, 7 not",
        "3072-blocks: 1 good, 7 not",
        "3072-good-each-hash: 3 good, 0 not",
        "3072-lengths: 0 good, 5 not",
        "3072-numbers: 0 good, 7 not",
        "4096-blocks: 1 good, 7 not",
        "4096-good-each-hash: 3 good, 0 not",
        "4096-lengths: 0 good, 5 not",
        "4096-numbers: 0 good, 7 not",
        "cut-off: 1 good, 0 not",
        "empty: 0 good, 0 not",
    ];
    let expected: Vec<_> = named
        .map(str::to_owned)
        .into_iter()
        .chain(extreme)
        .collect();
    assert_eq!(found, expected);
}
