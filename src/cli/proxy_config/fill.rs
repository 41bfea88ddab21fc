//! Puts the settings into a shipped file. With the settings that it was written for, it stays as it is, byte for byte.
//!
//! The files know the three identity headers of the default settings, on lines of their own that differ in nothing but the name, or
//! side by side. Those are repeated for the names at hand; everything else stands for itself.

use super::facts::Facts;

/// The identity headers that the shipped files name.
const SHIPPED: [&str; 3] = ["X-Auth-User", "X-Auth-Email", "X-Auth-Groups"];
/// The header of the signed identity that they name.
const SIGNED: &str = "X-Auth-Identity";
/// How all of these begin: what is stripped by that beginning needs no line of its own.
const BEGINNING: &str = "x-auth-";
/// The header that holds the token.
const TOKEN: &str = "Authorization";

/// The shipped text with these settings in it.
pub(super) fn fill(text: &str, facts: &Facts) -> String {
    let text = with_signed(text, facts);
    let text = with_identity(&text, facts);
    let text = with_stripped(&text, facts);
    let text = with_tokens(&text, facts);
    with_addresses(&text, facts)
}

/// Replaces what stands on the left by what stands on the right, at each place the longest that fits, in one pass: what has been put in
/// is not read again, whatever it holds.
fn replaced(text: &str, pairs: &[(String, String)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    let next = |rest: &str| {
        let found = pairs
            .iter()
            .filter_map(|(from, to)| Some((rest.find(from)?, from.len(), to)));
        found.min_by_key(|(place, length, _)| (*place, std::cmp::Reverse(*length)))
    };
    while let Some((place, length, to)) = next(rest) {
        let (before, found) = rest.split_at(place);
        filled.push_str(before);
        filled.push_str(to);
        rest = found.split_at(length).1;
    }
    filled + rest
}

/// The signed identity where nginx takes it from: of the others each does so by itself.
fn with_signed(text: &str, facts: &Facts) -> String {
    if !facts.is_signed {
        return text.to_owned();
    }
    let pairs = [
        (
            "# With `[signed_identity]`: auth_request_set $auth_identity $upstream_http_x_auth_identity; and here $auth_identity.",
            "auth_request_set $auth_identity $upstream_http_x_auth_identity;",
        ),
        (
            "proxy_set_header X-Auth-Identity \"\";",
            "proxy_set_header X-Auth-Identity $auth_identity;",
        ),
    ];
    replaced(
        text,
        &pairs.map(|(from, to)| (from.to_owned(), to.to_owned())),
    )
}

/// How a header name is written: as it is, as a variable, in short, escaped for a Lua pattern.
fn spellings(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let under = lower.replace('-', "_");
    // Short for the shipped ones, and whole for others: neither `X-User` nor `User` may share a variable with `X-Auth-User`.
    let is_shipped = SHIPPED
        .iter()
        .chain([&SIGNED])
        .any(|shipped| shipped.eq_ignore_ascii_case(name));
    let short = match under.strip_prefix("x_auth_").filter(|_| is_shipped) {
        Some(short) => short.to_owned(),
        None => format!("header_{under}"),
    };
    vec![
        name.to_owned(),
        lower,
        under,
        // nginx's and HAProxy's variables.
        format!("$auth_{short}"),
        format!("jwtgate_{short}"),
    ]
}

/// Every spelling of a name, beside that of another.
fn respelled(from: &str, to: &str) -> Vec<(String, String)> {
    spellings(from).into_iter().zip(spellings(to)).collect()
}

/// A line with a place where the header name stood, and blanks that only aligned it taken for one.
fn pattern(line: &str, name: &str) -> Option<String> {
    let places = spellings(name).into_iter().enumerate();
    let marked = places.fold(line.to_owned(), |line, (place, spelling)| {
        line.replace(&spelling, &format!("\u{1}{place}\u{2}"))
    });
    let is_marked = marked != line;
    let (indent, rest) = marked.split_at(marked.len() - marked.trim_start().len());
    let words: Vec<_> = rest.split_whitespace().collect();
    is_marked.then(|| format!("{indent}{}", words.join(" ")))
}

fn with_identity(text: &str, facts: &Facts) -> String {
    let is_shipped = facts.identity.len() == SHIPPED.len()
        && SHIPPED.iter().all(|name| {
            let mut own = facts.identity.iter();
            own.any(|one| one.eq_ignore_ascii_case(name))
        });
    let mut signed = Vec::new();
    if !facts.signed.eq_ignore_ascii_case(SIGNED) {
        signed = respelled(SIGNED, &facts.signed);
    }
    if is_shipped {
        return replaced(text, &signed);
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut filled = Vec::new();
    let mut rest = lines.as_slice();
    while let [line, behind @ ..] = rest {
        let of_three = behind.get(..2).and_then(|two| {
            let first = pattern(line, SHIPPED[0])?;
            let same = |line: &str, name: &str| pattern(line, name).as_deref() == Some(&*first);
            (same(two.first()?, SHIPPED[1]) && same(two.get(1)?, SHIPPED[2])).then_some(())
        });
        if of_three.is_some() {
            let named = facts.identity.iter();
            filled.extend(named.map(|name| replaced(line, &respelled(SHIPPED[0], name))));
            rest = behind.get(2..).unwrap_or_default();
        } else {
            let mut pairs = signed.clone();
            pairs.extend(lists(facts));
            filled.push(replaced(line, &pairs));
            rest = behind;
        }
    }
    filled.join("\n") + "\n"
}

/// The three names side by side, in each form, beside the names at hand.
fn lists(facts: &Facts) -> impl Iterator<Item = (String, String)> {
    let forms = ["", "\""]
        .into_iter()
        .flat_map(|quote| [" ", ", "].map(|comma| (quote, comma)));
    forms.map(|(quote, comma)| {
        let list = |names: &[String]| {
            let names: Vec<_> = names
                .iter()
                .map(|name| format!("{quote}{name}{quote}"))
                .collect();
            names.join(comma)
        };
        (list(&SHIPPED.map(str::to_owned)), list(&facts.identity))
    })
}

/// Where all that begins with `X-Auth-` is taken from clients, names that begin otherwise are named; where names are listed, the shipped
/// ones that are not at hand are, too.
fn with_stripped(text: &str, facts: &Facts) -> String {
    let own: Vec<&String> = facts.identity.iter().chain([&facts.signed]).collect();
    let is_own = |name: &str| own.iter().any(|one| one.eq_ignore_ascii_case(name));
    let is_covered = |name: &str| name.to_ascii_lowercase().starts_with(BEGINNING);
    let others: Vec<&str> = own
        .iter()
        .map(|name| name.as_str())
        .filter(|name| !is_covered(name))
        .collect();
    let idle: Vec<&str> = SHIPPED.into_iter().filter(|name| !is_own(name)).collect();
    let mut filled = Vec::new();
    for line in text.lines() {
        // nginx: set already, and not to nothing.
        let emptied = line.trim().strip_suffix("\"\";");
        let emptied = emptied.and_then(|line| line.strip_prefix("proxy_set_header "));
        if emptied.is_some_and(|name| is_own(name.trim()) && !is_covered(name)) {
            continue;
        }
        let length = line.len() - line.trim_start().len();
        let indent = line.get(..length).unwrap_or_default();
        let (before, after) = neighbours(line.trim(), &others, &idle);
        filled.extend(before.into_iter().map(|line| format!("{indent}{line}")));
        filled.push(respelled_list(line, &others));
        filled.extend(after.into_iter().map(|line| format!("{indent}{line}")));
    }
    filled.join("\n") + "\n"
}

/// Lines to stand before and after one that strips what clients send.
fn neighbours(line: &str, others: &[&str], idle: &[&str]) -> (Vec<String>, Vec<String>) {
    let each = |names: &[&str], form: &dyn Fn(&str) -> String| -> Vec<String> {
        names.iter().map(|name| form(name)).collect()
    };
    match line {
        // HAProxy.
        "http-request del-header X-Auth- -m beg" => (
            Vec::new(),
            each(others, &|name| format!("http-request del-header {name}")),
        ),
        // Caddy.
        "request_header -X-Auth*" => (
            Vec::new(),
            each(others, &|name| format!("request_header -{name}")),
        ),
        // Envoy.
        "- remove_on_match: { key_matcher: { prefix: x-auth- } }" => (
            Vec::new(),
            each(others, &|name| {
                format!("- remove: {}", name.to_ascii_lowercase())
            }),
        ),
        // Apache's Lua.
        line if line.starts_with("\"x%-auth%-\",") => {
            let pattern = |name: &str| name.to_ascii_lowercase().replace('-', "%-");
            let names = each(others, &|name| format!("\"{}$\",", pattern(name)));
            (names, Vec::new())
        }
        // nginx and Traefik list names.
        line if line.starts_with("proxy_set_header X-Original-URL ") => (
            each(idle, &|name| format!("proxy_set_header {name} \"\";")),
            Vec::new(),
        ),
        "Remote-User: \"\"" => (each(idle, &|name| format!("{name}: \"\"")), Vec::new()),
        _ => (Vec::new(), Vec::new()),
    }
}

/// Envoy's list of what it takes from an answer.
fn respelled_list(line: &str, others: &[&str]) -> String {
    let exact = others
        .iter()
        .map(|name| format!(", {{ exact: {} }}", name.to_ascii_lowercase()));
    line.replace(
        "patterns: [{ prefix: x-auth- }]",
        &format!(
            "patterns: [{{ prefix: x-auth- }}{}]",
            exact.collect::<String>()
        ),
    )
}

/// What is asked along with the token's header, for each header that may hold one.
fn with_tokens(text: &str, facts: &Facts) -> String {
    if facts.tokens.iter().map(String::as_str).eq([TOKEN]) || facts.tokens.is_empty() {
        return text.to_owned();
    }
    let mut filled = Vec::new();
    for line in text.lines() {
        let is_asked =
            line.contains("another `header_name`") || line.contains("$http_authorization");
        if !is_asked {
            filled.push(line.to_owned());
            continue;
        }
        for name in &facts.tokens {
            let lower = name.to_ascii_lowercase();
            let pairs = [
                (
                    "$http_authorization".to_owned(),
                    format!("$http_{}", lower.replace('-', "_")),
                ),
                (TOKEN.to_owned(), name.clone()),
                (TOKEN.to_ascii_lowercase(), lower),
            ];
            filled.push(replaced(line, &pairs));
        }
    }
    filled.join("\n") + "\n"
}

fn with_addresses(text: &str, facts: &Facts) -> String {
    let listen = facts.listen;
    let mut pairs = vec![
        ("listen 8000;".to_owned(), format!("listen {listen};")),
        ("bind :8000".to_owned(), format!("bind :{listen}")),
        ("\":8000\"".to_owned(), format!("\":{listen}\"")),
        ("\n:8000 {".to_owned(), format!("\n:{listen} {{")),
        ("Listen     8000".to_owned(), format!("Listen     {listen}")),
        (
            in_envoy("0.0.0.0:8000"),
            in_envoy(&format!("0.0.0.0:{listen}")),
        ),
        ("app.example.com".to_owned(), facts.host.clone()),
    ];
    let gates = ["127.0.0.1:8080", "127.0.0.1:9001", "127.0.0.1:9002"];
    let both = gates.map(|gate| (gate, &facts.gate));
    for (shipped, own) in both.into_iter().chain([("127.0.0.1:3000", &facts.app)]) {
        pairs.push((shipped.to_owned(), own.clone()));
        pairs.push((in_envoy(shipped), in_envoy(own)));
    }
    for (cluster, own) in [("jwtgate", &facts.gate), ("app", &facts.app)] {
        let of_type = |kind: &str| format!("- name: {cluster}\n      type: {kind}");
        if !is_ip_and_port(own) {
            pairs.push((of_type("STATIC"), of_type("STRICT_DNS")));
        }
    }
    replaced(text, &pairs)
}

fn in_envoy(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.trim_matches(['[', ']']);
    // Its colons would end the value in YAML.
    let quote = if host.contains(':') { "\"" } else { "" };
    format!("address: {quote}{host}{quote}, port_value: {port}")
}

fn is_ip_and_port(address: &str) -> bool {
    let parsed: Result<std::net::SocketAddr, _> = address.parse();
    parsed.is_ok()
}
