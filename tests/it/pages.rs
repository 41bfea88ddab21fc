//! Files that a page of the documentation shows: what stands there is what is shipped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::process::run;

/// Set to write the pages instead of comparing them, as for the reference.
const REFRESH: &str = "JWTGATE_REFRESH";
/// In front of a code block that shows a file.
const MARK: &str = "<!-- file: ";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// All pages, those of the reference too.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The page with the files as they are.
fn refreshed(text: &str) -> String {
    let mut fresh = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        fresh += line;
        fresh += "\n";
        let Some(file) = line
            .strip_prefix(MARK)
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let content = fs::read_to_string(root().join(file));
        let content = content.unwrap_or_else(|error| panic!("{file} is shown: {error}"));
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "{file} is shown in a code block");
        fresh += [fence, content.trim_end(), "```", ""].join("\n").as_str();
        let behind = lines.by_ref().find(|line| *line == "```");
        assert!(behind.is_some(), "the code block of {file} ends");
    }
    fresh
}

#[test]
fn the_reference_of_files_in_pages_is_fresh() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let fresh = refreshed(&text);
        if std::env::var_os(REFRESH).is_some() {
            fs::write(&page, fresh).expect("a page of ours");
            continue;
        }
        assert!(
            text == fresh,
            "{} shows files as they were.\n  hint: {REFRESH}=1 cargo test --test it reference",
            page.display()
        );
    }
}

/// What a page links to within the project, with the line it stands in.
fn links(text: &str) -> Vec<String> {
    let parts = text.split("](").skip(1);
    let targets = parts.filter_map(|part| part.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// The names that headings of a page have in links.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            words
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect()
        })
        .collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for link in links(&text) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().expect("a folder").join(path),
            };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() && target.extension().is_some_and(|end| end == "md") {
                let there = fs::read_to_string(&target).expect("a page");
                assert!(
                    anchors(&there).iter().any(|one| one == anchor),
                    "{}: {link}",
                    page.display()
                );
            }
        }
    }
}

/// The text of the ConfigMap key `jwtgate.toml` in a manifest: a block with its own indent.
fn embedded(manifest: &str) -> Option<String> {
    let (_, behind) = manifest.split_once("  jwtgate.toml: |\n")?;
    let lines = behind
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines = lines.map(|line| line.strip_prefix("    ").unwrap_or_default());
    Some(lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn configurations_within_kubernetes_manifests_have_neither_faults_nor_warnings() {
    let mut found = 0;
    for entry in fs::read_dir(root().join("config/kubernetes")).expect("a folder") {
        let path = entry.expect("a file").path();
        let manifest = fs::read_to_string(&path).expect("a manifest");
        let Some(config) = embedded(&manifest) else {
            continue;
        };
        found += 1;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("jwtgate.toml");
        fs::write(&file, config).expect("the folder is ours");
        let file = file.display().to_string();
        let ran = run(&["check", "--strict", "--config", &file], "");
        assert_eq!(ran.code, Some(0), "{}: {}", path.display(), ran.all());
    }
    assert_eq!(found, 2);
}
