//! Reading a configuration: a file, the environment on top, judged as one.

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::schema::{accepts_lists, is_value, judge, kind, names, nearest, schema, tables_of};
use super::unique::UniqueMembers;
use super::{Config, Fault};

/// A configuration that could be read, and what is wrong with it as far as its form goes.
#[derive(Debug)]
pub struct Loaded {
    /// What could be read. Values at fault stand at their defaults.
    pub config: Config,
    /// The file it came from.
    pub file: Option<PathBuf>,
    /// What is wrong with its form.
    pub faults: Vec<Fault>,
    /// Whether there is a file and it holds no key at all.
    pub is_empty: bool,
}

/// Where a configuration is looked for when no command line names one and `JWTGATE_CONFIG` is not set.
pub const DEFAULT_FILES: [&str; 2] = ["./jwtgate.toml", "/etc/jwtgate/jwtgate.toml"];

const PREFIX: &str = "JWTGATE_";
const LEVEL: &str = "__";
/// Names the file; it is no key.
const FILE_VARIABLE: &str = "JWTGATE_CONFIG";

/// Reads the file and the environment. `file` is what the command line names; `environment` are the process's variables.
///
/// It never fails: what cannot be read is a fault, and all faults come at once.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Loaded {
    let mut faults = Vec::new();
    let schema = schema();
    let environment: Vec<_> = environment.into_iter().collect();
    let file = chosen_file(file, &environment);
    let mut value = file
        .as_deref()
        .map_or_else(|| Value::Object(Map::new()), |path| read(path, &mut faults));
    let is_empty = file.is_some() && value.as_object().is_none_or(Map::is_empty);
    judge(schema, &mut value, "", &mut faults);
    let overlay = from_environment(schema, environment, &mut faults);
    let value = merge(value, overlay);
    let config = serde_path_to_error::deserialize(value).unwrap_or_else(|fault| {
        faults.push(Fault::new(
            fault.path().to_string(),
            fault.inner().to_string(),
            "a value that fits the schema",
            "this is a bug: please report it",
        ));
        Config::default()
    });
    Loaded {
        config,
        file,
        faults,
        is_empty,
    }
}

fn chosen_file(named: Option<&Path>, environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let from_environment = || {
        environment
            .iter()
            .find(|(name, value)| name == FILE_VARIABLE && !value.is_empty())
            .map(|(_, value)| PathBuf::from(value))
    };
    let from_default = || {
        DEFAULT_FILES
            .iter()
            .map(PathBuf::from)
            // One that cannot be looked at counts as there, and is then told: nobody means to start without it.
            .find(|path| {
                let facts = std::fs::symlink_metadata(path);
                facts.is_ok() || facts.is_err_and(|error| error.kind() != ErrorKind::NotFound)
            })
    };
    named
        .map(Path::to_path_buf)
        .or_else(from_environment)
        .or_else(from_default)
}

fn read(path: &Path, faults: &mut Vec<Fault>) -> Value {
    let shown = path.display().to_string();
    let format = match path.extension().and_then(OsStr::to_str) {
        Some("yaml" | "yml") => config::FileFormat::Yaml,
        Some("json") => config::FileFormat::Json,
        _ => config::FileFormat::Toml,
    };
    let text = match read_bounded(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(Fault::new(
                shown,
                error.to_string(),
                "a configuration file that can be read",
                "check the path and its permissions; `jwtgate config example` prints a file to start from",
            ));
            return Value::Object(Map::new());
        }
    };
    let parsed = parse(&text, format);
    match parsed {
        Ok(value) if value.is_object() => value,
        Ok(_) => Value::Object(Map::new()),
        Err(error) => {
            faults.push(Fault::new(
                shown,
                without_source_lines(&error),
                format!("valid {}", format_name(format)),
                "mend the syntax; nothing in the file was read",
            ));
            Value::Object(Map::new())
        }
    }
}

fn parse(text: &str, format: config::FileFormat) -> Result<Value, String> {
    if format == config::FileFormat::Json {
        serde_json::from_str::<UniqueMembers>(text).map_err(|error| error.to_string())?;
    }
    config::Config::builder()
        .add_source(config::File::from_str(text, format))
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|error| error.to_string())
}

/// The largest configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_FILE) {
        return Err(std::io::Error::other(
            "more than 1 MiB, which is no configuration",
        ));
    }
    Ok(text)
}

/// A parser's message without the source lines that it shows: one of them may hold a secret.
fn without_source_lines(message: &str) -> String {
    // "invalid type: string \"…\", expected a map": the file is one value, which may be a secret file named by mistake.
    if message.contains("invalid type") {
        return "no table of keys and values".to_owned();
    }
    let is_message = |line: &&str| !line.trim().is_empty() && !line.contains('|');
    let lines: Vec<_> = message.lines().filter(is_message).map(str::trim).collect();
    lines.join(": ")
}

const fn format_name(format: config::FileFormat) -> &'static str {
    match format {
        config::FileFormat::Toml => "TOML",
        config::FileFormat::Yaml => "YAML",
        config::FileFormat::Json => "JSON",
        _ => "configuration",
    }
}

/// Kubernetes puts these into every pod when a Service is named `jwtgate`; they are no settings.
fn is_kubernetes_variable(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let is = |exact: &str| {
        rest == exact
            || rest
                .strip_prefix(exact)
                .is_some_and(|more| more.starts_with('_') && !more.starts_with(LEVEL))
    };
    rest == "SERVICE_HOST" || is("SERVICE_PORT") || is("PORT")
}

fn from_environment(
    schema: &Value,
    environment: Vec<(OsString, OsString)>,
    faults: &mut Vec<Fault>,
) -> Value {
    let mut overlay = Value::Object(Map::new());
    for (name, value) in environment {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if name == FILE_VARIABLE || is_kubernetes_variable(name) {
            continue;
        }
        let levels: Vec<String> = key.split(LEVEL).map(str::to_lowercase).collect();
        let Some(property) = find(schema, &levels) else {
            faults.push(unknown_variable(schema, name));
            continue;
        };
        let Some(text) = value.to_str() else {
            faults.push(Fault::new(
                name,
                "bytes that are no UTF-8",
                "text",
                "put the value into a file and use the `_file` form of the key",
            ));
            continue;
        };
        let mut value = typed(property, text);
        if accepts_lists(property) && text.starts_with('[') && !value.is_array() {
            faults.push(Fault::new(
                name,
                "text that begins like a JSON list and is none",
                "a JSON list such as [\"a\",\"b\"], or one plain item",
                "mind the quotes: a shell takes them away unless the whole stands in single quotes",
            ));
            continue;
        }
        if judge(property, &mut value, name, faults) {
            insert(&mut overlay, &levels, value);
        }
    }
    overlay
}

/// A text as the schema wants it. A list is a JSON array or one plain item; nothing is split, nothing guessed.
fn typed(schema: &Value, text: &str) -> Value {
    if accepts_lists(schema)
        && text.starts_with('[')
        && let Ok(list @ Value::Array(_)) = serde_json::from_str(text)
    {
        return list;
    }
    match kind(schema) {
        "array" if text.starts_with('[') => text.into(),
        "array" if text.is_empty() => Value::Array(Vec::new()),
        "array" => Value::Array(vec![text.into()]),
        "boolean" => text.parse().map_or_else(|_| text.into(), Value::Bool),
        "integer" => text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

fn find<'s>(schema: &'s Value, levels: &[String]) -> Option<&'s Value> {
    let mut found = schema;
    for level in levels {
        found = match found.get("properties") {
            Some(properties) => properties.get(level)?,
            // A table of tables: the level is the name of one.
            None => tables_of(found)?,
        };
    }
    // A table as a whole, such as the map of header names, cannot be given by a variable.
    is_value(found).then_some(found)
}

fn unknown_variable(schema: &Value, name: &str) -> Fault {
    let known = variables(schema);
    let hint = nearest(name, known.iter().map(String::as_str)).map_or_else(
        || "`jwtgate config reference` lists every variable".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Fault::new(
        name,
        "an environment variable with the prefix `JWTGATE_`",
        "the name of a key",
        hint,
    )
}

/// Every environment variable that sets a key.
#[must_use]
pub fn variables(schema: &Value) -> Vec<String> {
    fn collect(schema: &Value, levels: &mut Vec<String>, all: &mut Vec<String>) {
        for name in names(schema) {
            levels.push(name.to_owned());
            let property = schema.get("properties").and_then(|all| all.get(name));
            if let Some(property) = property {
                if is_value(property) {
                    all.push(variable(levels));
                }
                if let Some(table) = tables_of(property) {
                    levels.push("name".to_owned());
                    collect(table, levels, all);
                    levels.pop();
                }
                collect(property, levels, all);
            }
            levels.pop();
        }
    }
    let mut all = Vec::new();
    collect(schema, &mut Vec::new(), &mut all);
    all
}

/// The environment variable of a key.
#[must_use]
pub fn variable(levels: &[String]) -> String {
    format!("{PREFIX}{}", levels.join(LEVEL).to_uppercase())
}

fn insert(target: &mut Value, levels: &[String], value: Value) {
    let Some((first, rest)) = levels.split_first() else {
        *target = value;
        return;
    };
    if let Value::Object(members) = target {
        let member = members
            .entry(first.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        insert(member, rest, value);
    }
}

fn merge(base: Value, overlay: Value) -> Value {
    match (base, overlay) {
        (Value::Object(mut base), Value::Object(overlay)) => {
            for (name, value) in overlay {
                let merged = match base.remove(&name) {
                    Some(existing) => merge(existing, value),
                    None => value,
                };
                base.insert(name, merged);
            }
            Value::Object(base)
        }
        (_, overlay) => overlay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OneOrMany;
    use std::io::Write as _;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn file(suffix: &str, text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn the_three_formats_say_the_same() {
        let toml = "cookie_name = \"t\"\n[server]\nworkers = 3\n[identity.headers]\n\"X-User.Name\" = \"https://ex.com/a.b\"\n";
        let yaml = "cookie_name: t\nserver:\n  workers: 3\nidentity:\n  headers:\n    X-User.Name: https://ex.com/a.b\n";
        let json = r#"{"cookie_name":"t","server":{"workers":3},"identity":{"headers":{"X-User.Name":"https://ex.com/a.b"}}}"#;
        for (suffix, text) in [(".toml", toml), (".yaml", yaml), (".json", json)] {
            let file = file(suffix, text);
            let loaded = load(Some(file.path()), []);
            assert_eq!(loaded.faults, [], "{suffix}");
            assert_eq!(loaded.config.cookie_name, "t");
            assert_eq!(loaded.config.server.workers, Some(3));
            let headers = loaded.config.identity.all_headers();
            assert_eq!(headers["X-User.Name"], "https://ex.com/a.b");
        }
    }

    #[test]
    fn the_environment_stands_above_the_file_and_is_typed_by_the_schema() {
        let file = file(".toml", "cookie_name = \"t\"\nreturn_hosts = [\"a\"]\n");
        let loaded = load(
            Some(file.path()),
            variables(&[
                ("JWTGATE_COOKIE_NAME", ""),
                ("JWTGATE_RETURN_HOSTS", "[\"b\",\"c\"]"),
                ("JWTGATE_EXPECTED_AUDIENCE", "x,y"),
                ("JWTGATE_SECRET", "12345"),
                ("JWTGATE_REQUIRE_EXP", "false"),
                ("JWTGATE_SERVER__WORKERS", "4"),
                ("JWTGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8"),
                ("PATH", "/bin"),
            ]),
        );
        assert_eq!(loaded.faults, []);
        let config = loaded.config;
        assert_eq!(config.cookie_name, "");
        assert_eq!(config.return_hosts, ["b", "c"]);
        assert_eq!(config.expected_audience, OneOrMany::One("x,y".to_owned()));
        assert_eq!(config.secret.unwrap().expose(), "12345");
        assert!(!config.require_exp);
        assert_eq!(config.server.workers, Some(4));
        assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8"]);
    }

    #[test]
    fn unknown_variables_are_faults_but_those_of_kubernetes_are_not() {
        let loaded = load(
            Some(file(".toml", "").path()),
            variables(&[
                ("JWTGATE_COOKIE_NAMES", "x"),
                ("JWTGATE_SERVER__WORKERS", "many"),
                ("JWTGATE_IDENTITY__HEADERS", "x"),
                ("JWTGATE_SERVICE_HOST", "10.0.0.1"),
                ("JWTGATE_SERVICE_PORT", "80"),
                ("JWTGATE_SERVICE_PORT_HTTP", "80"),
                ("JWTGATE_PORT", "tcp://10.0.0.1:80"),
                ("JWTGATE_PORT_80_TCP_ADDR", "10.0.0.1"),
            ]),
        );
        let told: Vec<_> = loaded
            .faults
            .iter()
            .map(|fault| fault.path.as_str())
            .collect();
        assert_eq!(
            told,
            [
                "JWTGATE_COOKIE_NAMES",
                "JWTGATE_SERVER__WORKERS",
                "JWTGATE_IDENTITY__HEADERS"
            ]
        );
        assert_eq!(loaded.faults[0].hint, "did you mean `JWTGATE_COOKIE_NAME`?");
    }

    #[test]
    fn s17_1_a_syntax_error_does_not_show_the_line_it_stands_in() {
        for (suffix, text) in [
            (".toml", "secret = Sup3rS3cret\n"),
            (".toml", "secret = \"Sup3rS3cret\\q\"\n"),
            (".toml", "secret = \"\"\"Sup3rS3cret\n"),
            (".toml", "secret Sup3rS3cret\n"),
            (".yaml", "secret: \"Sup3rS3cret\n"),
            (".yaml", "secret: Sup3rS3cret: x\n"),
            (".yaml", "Sup3rS3cret\n"),
            (".json", "\"Sup3rS3cret\""),
            (".json", "{\"secret\": Sup3rS3cret}"),
            (".json", "{\"secret\": \"Sup3rS3cret\n\"}"),
        ] {
            let loaded = load(Some(file(suffix, text).path()), []);
            let told = format!("{:?}", loaded.faults);
            assert!(!loaded.faults.is_empty(), "{text}");
            assert!(!told.contains("Sup3r"), "{told}");
        }
    }

    #[test]
    fn broken_syntax_and_missing_files_are_faults() {
        for (suffix, text) in [
            (".toml", "a = = 1"),
            (".toml", "cookie_name = \"a\"\ncookie_name = \"b\""),
            (".yaml", "a: [1"),
            (".yaml", "cookie_name: a\ncookie_name: b"),
            (".json", "{"),
            (".json", r#"{"cookie_name":"a","cookie_name":"b"}"#),
            (".json", r#"{"server":{"realm":"a","realm":"b"}}"#),
        ] {
            let loaded = load(Some(file(suffix, text).path()), []);
            assert_eq!(loaded.faults.len(), 1, "{suffix}");
        }
        let loaded = load(Some(Path::new("/nowhere/jwtgate.toml")), []);
        assert_eq!(loaded.faults[0].path, "/nowhere/jwtgate.toml");
    }
}
