//! Which requests a rule is for: host, path, method, source address, issuer.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use regex::Regex;
use url::Host;

use crate::config::rules::Action;
use crate::config::schema::nearest;
use crate::config::{Fault, OneOrMany, RuleTable};

use super::glob;
use super::pattern::{anchored, not_an_expression};
use super::target::{Path, Question, path};

/// Which requests a rule is for. What is not given does not count.
#[derive(Clone, Debug)]
pub(super) struct Route {
    hosts: Option<Vec<HostPattern>>,
    paths: Option<Paths>,
    methods: Option<Vec<Box<str>>>,
    sources: Option<Vec<IpNet>>,
    issuers: Option<Vec<usize>>,
    is_for_preflights: bool,
    action: Option<Action>,
    takes_ambiguous_paths: bool,
}

#[derive(Clone, Debug)]
enum HostPattern {
    Exact(Box<str>),
    /// `.example.com`: whole labels in front of it.
    Below(Box<str>),
}

#[derive(Clone, Debug)]
struct Paths {
    ignores_case: bool,
    /// Without a slash at the end.
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
    /// Places among the patterns of all rules.
    patterns: Vec<usize>,
}

/// One way to read the path of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading<'r> {
    Path(&'r str),
    Ambiguous,
    Unknown,
}

/// How a route fits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    No,
    Yes,
    /// All but the path fits, which may be read in different ways.
    Unclear,
}

impl Route {
    /// Whether it fits, with this reading of the path. `matches_pattern` tells whether the path matches the pattern at a place.
    pub(super) fn fit(
        &self,
        question: &Question<'_>,
        reading: Reading<'_>,
        matches_pattern: impl Fn(usize) -> bool,
    ) -> Fit {
        let takes_path = match (reading, &self.paths) {
            (Reading::Path(path), Some(paths)) => paths.hold(path, matches_pattern),
            // Only where a rule asks for the path does it matter that nobody said it.
            (Reading::Path(_) | Reading::Unknown, None) => true,
            (Reading::Ambiguous, None) if self.denies() || self.takes_ambiguous_paths => true,
            (Reading::Ambiguous | Reading::Unknown, _) => {
                return if self.fits_but_path(question) {
                    Fit::Unclear
                } else {
                    Fit::No
                };
            }
        };
        if takes_path && self.fits_but_path(question) {
            Fit::Yes
        } else {
            Fit::No
        }
    }

    fn fits_but_path(&self, question: &Question<'_>) -> bool {
        self.misfit(question).is_none()
    }

    /// The first key, other than those of paths, that does not fit; `None`: all of them fit.
    pub(super) fn misfit(&self, question: &Question<'_>) -> Option<&'static str> {
        // What cannot be told counts against the request.
        let is_fit = |list_fits: Option<bool>| list_fits.unwrap_or(self.denies());
        if self.is_for_preflights && !question.is_preflight {
            return Some("preflight");
        }
        let fits_method = self.methods.as_ref().is_none_or(|methods| {
            // A backend may take `post` for `POST`.
            let is = |own: &str, method: &str| {
                own == method || (self.denies() && own.eq_ignore_ascii_case(method))
            };
            let fits = |method| methods.iter().any(|own| is(own, method));
            is_fit(question.method.map(fits))
        });
        if !fits_method {
            return Some("method");
        }
        let fits_host = self.hosts.as_ref().is_none_or(|hosts| {
            let host = question.target.host.as_deref();
            is_fit(host.map(|host| hosts.iter().any(|own| own.holds(host))))
        });
        if !fits_host {
            return Some("host");
        }
        let fits_source = self.sources.as_ref().is_none_or(|sources| {
            let source = question.source.map(|source| source.to_canonical());
            is_fit(source.map(|source| sources.iter().any(|own| own.contains(&source))))
        });
        if !fits_source {
            return Some("source");
        }
        let fits_issuer = self
            .issuers
            .as_ref()
            .is_none_or(|issuers| match question.issuer {
                Some(issuer) => issuers.contains(&issuer),
                // Whoever has no good token yet may get one of this issuer: the rule asks for it.
                None => self.action == Some(Action::Require),
            });
        (!fits_issuer).then_some("issuer")
    }

    /// Whether it denies: then what cannot be told fits.
    const fn denies(&self) -> bool {
        matches!(self.action, Some(Action::Deny))
    }

    /// Whether it fits every request.
    pub(super) const fn is_for_all(&self) -> bool {
        self.hosts.is_none() && self.paths.is_none() && self.is_for_every_client()
    }

    /// Whether it looks at neither host nor path.
    pub(super) const fn is_for_every_place(&self) -> bool {
        self.hosts.is_none() && self.paths.is_none()
    }

    const fn is_for_every_client(&self) -> bool {
        self.methods.is_none()
            && self.sources.is_none()
            && self.issuers.is_none()
            && !self.is_for_preflights
    }

    /// Whether it is for CORS preflights only.
    pub(super) const fn is_for_preflights(&self) -> bool {
        self.is_for_preflights
    }

    /// Whether it asks for the client's address.
    pub(super) const fn asks_for_source(&self) -> bool {
        self.sources.is_some()
    }
}

impl HostPattern {
    fn holds(&self, host: &str) -> bool {
        match self {
            Self::Exact(own) => **own == *host,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
            return Some(Self::Exact(address.to_string().into()));
        }
        match text.strip_prefix("*.") {
            Some(name) => match name_of(name)? {
                Host::Domain(name) => Some(Self::Below(format!(".{name}").into())),
                Host::Ipv4(_) | Host::Ipv6(_) => None,
            },
            None => Some(Self::Exact(name_of(text)?.to_string().into())),
        }
    }
}

/// A host name or an IPv4 address in the form that requests are brought into.
fn name_of(text: &str) -> Option<Host<String>> {
    // The parser would decode it.
    if text.contains('%') {
        return None;
    }
    let host = Host::parse(text.strip_suffix('.').unwrap_or(text)).ok()?;
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(is_plain)
    };
    match &host {
        Host::Domain(name) => name.split('.').all(is_label).then_some(host),
        // Not `0x7f.1`, which only some programs take for an address.
        Host::Ipv4(address) => (address.to_string() == text).then_some(host),
        Host::Ipv6(_) => None,
    }
}

impl Paths {
    fn hold(&self, path: &str, matches_pattern: impl Fn(usize) -> bool) -> bool {
        let is = |own: &str, path: &str| {
            own == path || (self.ignores_case && own.eq_ignore_ascii_case(path))
        };
        // `/admin` and `/admin/` are one place to most programs.
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        self.exact.iter().any(|own| is(own, trimmed))
            || self.prefixes.iter().any(|own| {
                path.split_at_checked(own.len())
                    .is_some_and(|(start, rest)| {
                        is(own, start) && (rest.is_empty() || rest.starts_with('/'))
                    })
            })
            || self.patterns.iter().any(|&place| matches_pattern(place))
    }
}

/// Gathers the patterns of all rules while they are compiled.
#[derive(Debug, Default)]
pub(super) struct Patterns(pub(super) Vec<String>);

/// Compiles the route of a rule. `issuers` are the names of the issuers in their order.
pub(super) fn compile(
    at: &str,
    table: &RuleTable,
    issuers: &[&str],
    patterns: &mut Patterns,
    faults: &mut Vec<Fault>,
) -> Route {
    Route {
        hosts: each(at, "host", table.host.as_ref(), faults, host_pattern),
        paths: compile_paths(at, table, patterns, faults),
        methods: each(at, "method", table.method.as_ref(), faults, method),
        sources: each(at, "source", table.source.as_ref(), faults, network),
        issuers: each(at, "issuer", table.issuer.as_ref(), faults, |name| {
            issuer(name, issuers)
        }),
        is_for_preflights: table.preflight,
        action: table.action,
        takes_ambiguous_paths: table.ambiguous_paths,
    }
}

/// What is expected of an entry that cannot be understood, and a hint.
struct Unfit {
    expected: &'static str,
    hint: String,
}

/// Every entry of a list, compiled; `None` where the key is not there. An empty list is a fault: it would fit nothing, or everything.
fn each<T>(
    at: &str,
    key: &str,
    list: Option<&OneOrMany>,
    faults: &mut Vec<Fault>,
    compile: impl Fn(&str) -> Result<T, Unfit>,
) -> Option<Vec<T>> {
    let items = list?.items();
    let path = format!("{at}.{key}");
    if items.is_empty() {
        faults.push(Fault::new(
            &path,
            "nothing",
            "at least one entry",
            "remove the key if it shall not count",
        ));
    }
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = match list {
            Some(OneOrMany::Many(_)) => format!("{path}[{index}]"),
            _ => path.clone(),
        };
        match compile(item) {
            Ok(one) => all.push(one),
            Err(unfit) => faults.push(Fault::new(
                &path,
                format!("`{item}`"),
                unfit.expected,
                unfit.hint,
            )),
        }
    }
    Some(all)
}

fn compile_paths(
    at: &str,
    table: &RuleTable,
    patterns: &mut Patterns,
    faults: &mut Vec<Fault>,
) -> Option<Paths> {
    let first_pattern = patterns.0.len();
    let exact = each(at, "path", table.path.as_ref(), faults, plain_path);
    let prefixes = each(
        at,
        "path_prefix",
        table.path_prefix.as_ref(),
        faults,
        plain_path,
    );
    let glob = |text: &str| glob_expression(text, table.ignore_case);
    let globs = each(at, "path_glob", table.path_glob.as_ref(), faults, glob);
    let expressions = each(
        at,
        "path_regex",
        table.path_regex.as_ref(),
        faults,
        path_expression,
    );
    let has_none =
        exact.is_none() && prefixes.is_none() && globs.is_none() && expressions.is_none();
    if has_none {
        return None;
    }
    patterns
        .0
        .extend(globs.into_iter().chain(expressions).flatten());
    Some(Paths {
        ignores_case: table.ignore_case,
        exact: exact.unwrap_or_default(),
        prefixes: prefixes.unwrap_or_default(),
        patterns: (first_pattern..patterns.0.len()).collect(),
    })
}

/// A path as it stands in a URL, in the form that requests are brought into, without a slash at its end.
fn plain_path(text: &str) -> Result<Box<str>, Unfit> {
    match path(text) {
        Path::Plain(path) if path.starts_with('/') && !text.contains(['?', '#']) => {
            Ok(path.strip_suffix('/').unwrap_or(&path).into())
        }
        _ => Err(Unfit {
            expected: "a path such as `/admin`, as it stands in a URL",
            hint: "it begins with `/` and holds no query, no `;`, no `//` and no encoded `/`; patterns belong to `path_glob`".to_owned(),
        }),
    }
}

fn path_expression(text: &str) -> Result<String, Unfit> {
    let unfit = |hint: String| Unfit {
        expected: "a regular expression (without look-around and back-references)",
        hint,
    };
    let whole = anchored(text);
    let whole = whole.and_then(|whole| Regex::new(&whole).map(|_| whole));
    let whole = whole.map_err(|error| unfit(not_an_expression("", text, &error).found))?;
    if text.starts_with(|first: char| first.is_alphanumeric() || first == '%') {
        return Err(unfit(
            "it must match the whole path, which begins with `/`; `.*` in front takes anything"
                .to_owned(),
        ));
    }
    Ok(whole)
}

fn glob_expression(text: &str, ignores_case: bool) -> Result<String, Unfit> {
    glob::expression(text, ignores_case).map_err(|why| Unfit {
        expected: "a pattern such as `/projects/*/settings/**`",
        hint: why.to_owned(),
    })
}

fn host_pattern(text: &str) -> Result<HostPattern, Unfit> {
    HostPattern::parse(text).ok_or_else(|| Unfit {
        expected: "a host such as `app.example.com` or `*.example.com`",
        hint: "no scheme, port or path; `*.` stands for one or more whole labels and only in front"
            .to_owned(),
    })
}

fn method(text: &str) -> Result<Box<str>, Unfit> {
    let is_method = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    is_method.then(|| text.into()).ok_or_else(|| Unfit {
        expected: "a method in capital letters, such as `GET`",
        hint: format!(
            "methods count as they are written: `{}`",
            text.to_ascii_uppercase()
        ),
    })
}

fn network(text: &str) -> Result<IpNet, Unfit> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| Unfit {
            expected: "an address, or a network such as `10.0.0.0/8`",
            hint: "names are not looked up: write addresses".to_owned(),
        })?;
    if network.trunc() != network {
        return Err(Unfit {
            expected: "a network without bits behind its length",
            hint: format!(
                "write `{}` for the network, or the address without `/`",
                network.trunc()
            ),
        });
    }
    Ok(canonical(network))
}

/// A network of IPv4 addresses that is written as one of IPv6 (`::ffff:10.0.0.0/104`): clients have their IPv4 address here.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    let four = six.addr().to_ipv4_mapped();
    let four = four.zip(six.prefix_len().checked_sub(96));
    four.and_then(|(address, length)| Ipv4Net::new(address, length).ok())
        .map_or(network, IpNet::V4)
}

fn issuer(name: &str, issuers: &[&str]) -> Result<usize, Unfit> {
    issuers
        .iter()
        .position(|known| *known == name)
        .ok_or_else(|| Unfit {
            expected: "the name of an issuer of this configuration",
            hint: nearest(name, issuers.iter().copied()).map_or_else(
                || format!("there is {}", issuers.join(", ")),
                |near| format!("did you mean `{near}`?"),
            ),
        })
}
