//! TLS for listeners: one certificate, replaced while the service runs.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{Fault, Server};
use crate::keys::file::warn_when_world_readable;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The certificate of the service and whose clients it asks for one. Cheap to clone; what is replaced counts for every clone.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<Parts>>);

/// What the next handshake is made with.
#[derive(Clone)]
struct Parts {
    certified: Arc<CertifiedKey>,
    clients: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
}

/// Makes TLS of connections.
#[derive(Clone, Debug)]
pub(super) struct Secure {
    tls: Tls,
    speaks: Speaks,
}

/// What a listener speaks over TLS (RFC 7301), so that nobody speaks HTTP to what is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, which gRPC stands on.
    #[cfg(feature = "ext-authz")]
    Http2,
    /// HAProxy's agent protocol, which has no name there.
    #[cfg(feature = "spoe")]
    Spop,
}

impl Tls {
    /// Reads the files of `[server]`. None where no address needs them.
    #[must_use]
    pub fn load(server: &Server, is_needed: bool) -> (Option<Self>, Vec<Fault>) {
        if !is_needed {
            return (None, Vec::new());
        }
        let mut faults = Vec::new();
        let certified = certified(server, &mut faults);
        let clients = server.tls_client_authorities.as_ref().map(|file| {
            clients(file).map_err(|found| {
                faults.push(Fault::new(
                    "server.tls_client_authorities",
                    format!("`{file}`: {found}"),
                    "a PEM file with certificates of authorities",
                    "without this key nobody is asked for a certificate",
                ));
            })
        });
        let clients = match clients {
            Some(Err(())) => return (None, faults),
            Some(Ok(clients)) => Some(clients),
            None => None,
        };
        let tls = certified.map(|certified| {
            let certified = Arc::new(certified);
            let parts = Parts { certified, clients };
            Self(Arc::new(ArcSwap::from_pointee(parts)))
        });
        (tls, faults)
    }

    /// Shows the certificate of `other`, and asks for those of its clients, from the next handshake on.
    pub fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    pub(super) fn secure(&self, speaks: Speaks) -> Secure {
        Secure {
            tls: self.clone(),
            speaks,
        }
    }
}

impl Secure {
    /// Makes TLS of a connection, within a limit.
    ///
    /// # Errors
    /// The client does not finish, or is not who it must be.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let parts = self.tls.0.load_full();
        let acceptor = TlsAcceptor::from(Arc::new(parts.config(self.speaks)));
        tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await?
    }
}

impl Parts {
    /// Small against a handshake, so it is made for each.
    fn config(&self, speaks: Speaks) -> ServerConfig {
        let builder = ServerConfig::builder();
        let builder = match &self.clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = match speaks {
            Speaks::Http1 => vec![b"http/1.1".to_vec()],
            #[cfg(feature = "ext-authz")]
            Speaks::Http2 => vec![b"h2".to_vec()],
            #[cfg(feature = "spoe")]
            Speaks::Spop => Vec::new(),
        };
        // Nobody comes back to a configuration that was made for one handshake.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Parts {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified))
    }
}

fn certified(server: &Server, faults: &mut Vec<Fault>) -> Option<CertifiedKey> {
    let certificates = named(
        server.tls_certificate.as_ref(),
        "server.tls_certificate",
        faults,
    );
    let key = named(server.tls_key.as_ref(), "server.tls_key", faults);
    if let Some(key) = &key {
        warn_when_world_readable(key, "server.tls_key", faults);
    }
    let (certificates, key) = (certificates?, key?);
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())
        .and_then(|chain| {
            if chain.is_empty() {
                Err("no certificate in it".to_owned())
            } else {
                Ok(chain)
            }
        })
        .map_err(|error| {
            faults.push(Fault::new(
                "server.tls_certificate",
                format!("`{certificates}`: {error}"),
                "a PEM file with a certificate",
                "`-----BEGIN CERTIFICATE-----`, first the service's own, then those that lead to its authority",
            ));
        });
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        faults.push(Fault::new(
            "server.tls_key",
            format!("`{key}`: {error}"),
            "a PEM file with a private key",
            "`-----BEGIN PRIVATE KEY-----`, without a passphrase",
        ));
    });
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let certified = CertifiedKey::from_der(chain.ok()?, private.ok()?, &provider);
    certified
        .map_err(|error| {
            faults.push(Fault::new(
                "server.tls_key",
                format!("`{key}` beside `{certificates}`: {error}"),
                "the private key of that certificate",
                "`openssl x509 -noout -pubkey -in CERTIFICATE` and `openssl pkey -pubout -in KEY` must print the same",
            ));
        })
        .ok()
}

fn named<'s>(file: Option<&'s String>, path: &str, faults: &mut Vec<Fault>) -> Option<&'s String> {
    if file.is_none() {
        faults.push(
            Fault::new(
                path,
                "nothing, beside an address that begins with `tls:`",
                "a PEM file",
                "`tls_certificate` and `tls_key` belong to every `tls:` address",
            )
            .absent(),
        );
    }
    file
}

fn clients(file: &str) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, String> {
    let mut roots = rustls::RootCertStore::empty();
    let authorities = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    for authority in authorities {
        let authority = authority.map_err(|error| error.to_string())?;
        roots.add(authority).map_err(|error| error.to_string())?;
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
    verifier
        .map(|verifier| verifier as _)
        .map_err(|error| error.to_string())
}
