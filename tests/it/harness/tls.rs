//! Who a TLS server says it is, rightly or wrongly.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tokens;

/// What a server and its client speak through: TCP, or TLS over it.
pub(crate) trait Transport: Read + Write {
    /// Says that nothing more will come, where the protocol has a word for it.
    fn say_goodbye(&mut self);
}

impl Transport for &TcpStream {
    fn say_goodbye(&mut self) {}
}

impl Transport for StreamOwned<ServerConnection, &TcpStream> {
    fn say_goodbye(&mut self) {
        self.conn.send_close_notify();
        // The other side may be gone already.
        self.flush().ok();
    }
}

/// The certificate of a server, and how it speaks TLS.
#[derive(Clone)]
pub(crate) struct TlsIdentity {
    /// The name in the URLs of the server, which need not be the one in its certificate.
    pub(crate) host: String,
    ca_pem: String,
    protocol: Protocol,
}

#[derive(Clone)]
enum Protocol {
    Modern(Arc<ServerConfig>),
    Tls11,
}

impl TlsIdentity {
    /// Right in everything, for a client that trusts [`TlsIdentity::ca_pem`].
    pub(crate) fn good() -> Self {
        Self::issued(&["localhost", "127.0.0.1"], 2010, 4000)
    }

    pub(crate) fn expired() -> Self {
        Self::issued(&["localhost", "127.0.0.1"], 2010, 2020)
    }

    pub(crate) fn not_yet_valid() -> Self {
        Self::issued(&["localhost", "127.0.0.1"], 3000, 4000)
    }

    /// A good certificate of somebody else.
    pub(crate) fn wrong_host() -> Self {
        Self::issued(&["other.example"], 2010, 4000)
    }

    /// Nobody vouches for it but itself: [`TlsIdentity::ca_pem`] is the certificate.
    pub(crate) fn self_signed() -> Self {
        let key = new_key();
        let leaf = leaf_params(&["localhost", "127.0.0.1"], 2010, 4000)
            .self_signed(&key)
            .expect("the key can sign");
        Self::new(leaf.pem(), &leaf, key)
    }

    /// A server that knows nothing newer than TLS 1.1, which RFC 8996 forbids.
    pub(crate) fn old_protocol() -> Self {
        Self {
            protocol: Protocol::Tls11,
            ..Self::good()
        }
    }

    /// The authority that issued the certificate.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Begins TLS as the server. `None` when this server cannot get any further.
    pub(crate) fn accept<'a>(&self, stream: &'a TcpStream) -> Option<Box<dyn Transport + 'a>> {
        match &self.protocol {
            Protocol::Modern(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).ok()?;
                Some(Box::new(StreamOwned::new(connection, stream)))
            }
            Protocol::Tls11 => {
                // The client breaks the handshake off, and how it does so is its own affair.
                answer_in_tls11(stream).ok();
                None
            }
        }
    }

    /// A fresh authority and a certificate of its making.
    fn issued(names: &[&str], from_year: i32, until_year: i32) -> Self {
        let authority_key = new_key();
        let mut authority = CertificateParams::default();
        authority
            .distinguished_name
            .push(DnType::CommonName, authority_name(&authority_key));
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca_pem = authority
            .self_signed(&authority_key)
            .expect("the key can sign")
            .pem();
        let key = new_key();
        let leaf = leaf_params(names, from_year, until_year)
            .signed_by(&key, &Issuer::new(authority, authority_key))
            .expect("the authority can sign");
        Self::new(ca_pem, &leaf, key)
    }

    fn new(ca_pem: String, leaf: &Certificate, key: KeyPair) -> Self {
        // Named here, because the test process has several providers and no default one.
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::from(key))
            .expect("the key belongs to the certificate");
        Self {
            host: "localhost".to_owned(),
            ca_pem,
            protocol: Protocol::Modern(Arc::new(config)),
        }
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key can be generated")
}

/// A name that no other authority has, lest a client takes one for the other and complains about the signature.
fn authority_name(key: &KeyPair) -> String {
    format!(
        "jwtgate test authority {}",
        tokens::encode(&key.public_key_raw()[1..9])
    )
}

fn leaf_params(names: &[&str], from_year: i32, until_year: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.not_before = rcgen::date_time_ymd(from_year, 1, 1);
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    params
}

/// Takes the ClientHello and answers it with a ServerHello of TLS 1.1 (RFC 4346 §7.4.1.3).
fn answer_in_tls11(mut stream: &TcpStream) -> io::Result<()> {
    const VERSION: [u8; 2] = [3, 2];
    const AES_128_CBC_SHA: [u8; 2] = [0, 0x2f];
    let mut record_head = [0; 5];
    stream.read_exact(&mut record_head)?;
    let length = u64::from(u16::from_be_bytes([record_head[3], record_head[4]]));
    io::copy(&mut stream.take(length), &mut io::sink())?;

    let random = [7; 32];
    // No session to resume before the cipher suite, no compression after it.
    let hello = [&VERSION[..], &random, &[0], &AES_128_CBC_SHA, &[0]].concat();
    // A record of type 22 (handshake) that holds a message of type 2 (ServerHello), each with its length.
    stream.write_all(&[&[22][..], &VERSION, &[0, 42, 2, 0, 0, 38], &hello].concat())?;
    // The client's alert is read, lest the end of the connection overtakes the answer as a reset.
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}
