//! Generated pages are committed, and this test holds them against what the code says now.

use std::fs;
use std::path::Path;

/// Set to write the files instead of comparing them.
const REFRESH: &str = "JWTGATE_REFRESH";

#[test]
fn the_generated_files_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let refresh = std::env::var_os(REFRESH).is_some();
    for (path, content) in jwtgate::cli::reference::pages() {
        let path = root.join(path);
        if refresh {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
            fs::write(&path, &content).expect("a writable file");
            continue;
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == content,
            "{} is out of date.\n  hint: {REFRESH}=1 cargo test --test it reference",
            path.display()
        );
    }
}
