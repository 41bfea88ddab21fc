//! HAProxy, with our Lua or with its own agent protocol.

use super::shipped::Shipped;
use super::{Extent, Places, Setup};

pub(super) fn with_lua(extent: Extent, places: &Places<'_>) -> Setup {
    let lua = Shipped::read(places.config, "haproxy/jwtgate.lua").with(
        "http://127.0.0.1:8080/",
        &format!("http://127.0.0.1:{}/", places.gate),
    );
    let config = match extent {
        Extent::Full => Shipped::read(places.config, "haproxy/haproxy.cfg"),
        Extent::Minimal => Shipped::read(places.config, "haproxy/minimal.cfg"),
    };
    start_with(config, lua, places)
}

pub(super) fn with_agent(places: &Places<'_>) -> Setup {
    let config = Shipped::read(places.config, "haproxy/spoe.cfg")
        .with("127.0.0.1:9002\n", &format!("127.0.0.1:{}\n", places.gate));
    let agent = Shipped::read(places.config, "haproxy/spoe-agent.conf");
    start_with(config, agent, places)
}

fn start_with(config: Shipped, beside: Shipped, places: &Places<'_>) -> Setup {
    let config = config
        .with("/etc/haproxy/", "")
        .with("bind :8000", &format!("bind 127.0.0.1:{}", places.listen))
        .with("127.0.0.1:3000", &format!("127.0.0.1:{}", places.app));
    Setup {
        arguments: ["-db", "-f", config.name()]
            .iter()
            .map(Into::into)
            .collect(),
        files: vec![config, beside],
    }
}
