//! Where the service listens: every address judged, and none given twice.

use crate::config::{Config, Fault, OneOrMany};
use crate::server::listen::Address;
use crate::server::upstream::{Target, Times};

/// The addresses of all listeners.
pub(super) struct Listeners {
    pub(super) main: Vec<Address>,
    pub(super) admin: Vec<Address>,
    pub(super) ext_authz: Vec<Address>,
    pub(super) spoe: Vec<Address>,
    pub(super) upstream: Vec<Address>,
}

impl Listeners {
    pub(super) fn all(&self) -> impl Iterator<Item = &Address> {
        self.main
            .iter()
            .chain(&self.admin)
            .chain(&self.ext_authz)
            .chain(&self.spoe)
            .chain(&self.upstream)
    }

    /// Reads and judges them.
    pub(super) fn judge(config: &Config, faults: &mut Vec<Fault>) -> Self {
        let (main, found) = Address::parse_all(&config.server.listen, "server.listen");
        faults.extend(found);
        if config.server.listen.items().is_empty() {
            faults.push(
                Fault::new(
                    "server.listen",
                    "no address",
                    "at least one address",
                    "for example `listen = [\"127.0.0.1:8080\"]`",
                )
                .absent(),
            );
        }
        let (admin, found) = Address::parse_all(&config.admin.listen, "admin.listen");
        faults.extend(found);
        let ext_authz = beside(
            &config.ext_authz.listen,
            "ext_authz.listen",
            cfg!(feature = "ext-authz"),
            faults,
        );
        let spoe = beside(
            &config.spoe.listen,
            "spoe.listen",
            cfg!(feature = "spoe"),
            faults,
        );
        let upstream = beside(&config.upstream.listen, "upstream.listen", true, faults);
        let listeners = Self {
            main,
            admin,
            ext_authz,
            spoe,
            upstream,
        };
        listeners.judge_shared(faults);
        if let Some(open) = listeners.admin.iter().find(|address| !address.is_local()) {
            faults.push(Fault::warning(
                "admin.listen",
                format!("`{open}`, which other machines may reach"),
                "a loopback address or a Unix socket",
                "the metrics tell issuers and volumes: let nobody but your monitoring reach it",
            ));
        }
        listeners
    }

    /// An address that two listeners have is a fault: each speaks to somebody else.
    fn judge_shared(&self, faults: &mut Vec<Fault>) {
        let named = [
            ("server.listen", &self.main),
            ("admin.listen", &self.admin),
            ("ext_authz.listen", &self.ext_authz),
            ("spoe.listen", &self.spoe),
            ("upstream.listen", &self.upstream),
        ];
        for (place, (key, addresses)) in named.iter().enumerate() {
            for (other, before) in named.iter().take(place) {
                let shared = addresses
                    .iter()
                    .find(|address| address.is_fixed() && before.contains(address));
                if let Some(shared) = shared {
                    faults.push(Fault::new(
                        *key,
                        format!("`{shared}`, which `{other}` has too"),
                        "an address of its own",
                        "each listener speaks to somebody else; the admin listener, 127.0.0.1:8081 unless you say otherwise, must never be the public one",
                    ));
                }
            }
        }
    }
}

/// The application of `[upstream]`, where clients come to jwtgate itself.
pub(super) fn judge_application(
    config: &Config,
    listeners: &Listeners,
    faults: &mut Vec<Fault>,
) -> Option<(Target, Times)> {
    let upstream = &config.upstream;
    let is_on = !upstream.listen.items().is_empty();
    let target = upstream.url.as_deref().map(Target::parse).transpose();
    let target = target.unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    if is_on != upstream.url.is_some() {
        let (key, other) = if is_on {
            ("upstream.url", "`upstream.listen`")
        } else {
            ("upstream.listen", "`upstream.url`")
        };
        faults.push(
            Fault::new(
                key,
                format!("nothing, beside {other}"),
                "both or neither",
                "`listen` is where clients come to, `url` is the application",
            )
            .absent(),
        );
    }
    let own = target
        .as_ref()
        .and_then(|target| listeners.all().find(|address| is_at(target, address)));
    if let Some(own) = own {
        faults.push(Fault::new(
            "upstream.url",
            format!("`{own}`, where jwtgate itself listens"),
            "the application",
            "a request would go round in a circle: give the application, or the listener, another port",
        ));
    }
    let times = Times {
        connect: upstream.connect_timeout.0,
        response: upstream.response_timeout.0,
        idle: upstream.idle_timeout.0,
        head: config.server.header_timeout.0,
    };
    target.filter(|_| is_on).map(|target| (target, times))
}

/// Whether a connection to the application would come out at this address of ours.
fn is_at(target: &Target, address: &Address) -> bool {
    match (target, address) {
        (Target::Unix(path), Address::Unix(own)) => path == own,
        (Target::Tcp(host, port), _) => address.may_be_reached_at(host, *port),
        (Target::Unix(_), _) => false,
    }
}

/// The addresses of a listener that is off unless somebody names one, and that not every build has.
fn beside(
    listen: &OneOrMany,
    key: &'static str,
    is_built: bool,
    faults: &mut Vec<Fault>,
) -> Vec<Address> {
    let (addresses, found) = Address::parse_all(listen, key);
    faults.extend(found);
    if !is_built && !addresses.is_empty() {
        faults.push(Fault::new(
            key,
            "an address",
            "nothing: this build of jwtgate has no such listener",
            "build it with its default features",
        ));
    }
    addresses
}
