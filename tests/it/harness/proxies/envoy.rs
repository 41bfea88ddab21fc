//! Envoy.

use super::shipped::Shipped;
use super::{Extent, Places, Setup};

pub(super) fn over_http(extent: Extent, places: &Places<'_>) -> Setup {
    let config = match extent {
        Extent::Full => Shipped::read(places.config, "envoy/http.yaml"),
        Extent::Minimal => Shipped::read(places.config, "envoy/minimal.yaml"),
    };
    start_with(config, 8080, places)
}

/// There is one configuration for it: what is minimal about the other one is no different here.
pub(super) fn over_grpc(places: &Places<'_>) -> Setup {
    start_with(
        Shipped::read(places.config, "envoy/grpc.yaml"),
        9001,
        places,
    )
}

fn start_with(config: Shipped, gate: u16, places: &Places<'_>) -> Setup {
    let port = |port: u16| format!("port_value: {port} }}");
    let config = config
        .with(&port(gate), &port(places.gate))
        .with(&port(3000), &port(places.app))
        .with(
            "0.0.0.0, port_value: 8000",
            &format!("127.0.0.1, port_value: {}", places.listen),
        );
    // Without the first two, several at once are taken for one that restarts.
    let arguments = [
        "--use-dynamic-base-id",
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "warning",
        "-c",
        config.name(),
    ];
    Setup {
        arguments: arguments.iter().map(Into::into).collect(),
        files: vec![config],
    }
}
