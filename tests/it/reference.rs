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

#[test]
fn every_test_that_the_requirements_name_exists() {
    fn collect(folder: &Path, code: &mut String) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                collect(&path, code);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code.push_str(&fs::read_to_string(&path).expect("a readable file"));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    collect(&root.join("src"), &mut code);
    collect(&root.join("tests"), &mut code);
    let page = fs::read_to_string(root.join("docs/requirements.md")).expect("the page");
    // Every second piece between backticks is a name; those of tests begin with `s` and a number.
    let is_test = |name: &&str| {
        let number = name
            .strip_prefix('s')
            .and_then(|rest| rest.split('_').next());
        number.is_some_and(|number| number.parse::<u8>().is_ok())
    };
    let named: Vec<_> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 80, "only {} tests are named", named.len());
    for name in named {
        assert!(
            code.contains(&format!("fn {name}(")),
            "there is no test `{name}`"
        );
    }
}
