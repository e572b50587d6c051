//! `net.certificate`: what a server shows of itself by TLS, and whether it would be trusted.
//!
//! A certificate that has expired or comes from elsewhere must be looked at, too: so the handshake goes on whatever is
//! shown, what the verifier says is kept, and nothing is sent over the connection.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::engine::world::Request;
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::native::{Registered, probe};
use super::tls::{authority, tls_words};

pub(super) const NATIVES: &[Registered] = &[probe("net.certificate", |_, request| look(request).boxed())];

/// `net.certificate(host, port)`
async fn look(request: Request) -> Answer {
    let limit = request.duration("timeout").unwrap_or(request.limit);
    super::within(limit, async move { asked(&request).await.unwrap_or_else(Answer::Unknown) }).await
}

async fn asked(request: &Request) -> Result<Answer, Unknown> {
    let host = request.text("host").unwrap_or_default();
    let port = super::net::port_number(request)?;
    let name = request.text("name").unwrap_or(host);
    let place = format!("{host}:{port}");
    let server = ServerName::try_from(name.to_owned())
        .map_err(|_| Unknown::new(UnknownCause::Invalid, format!("`{name}` is no name of a server")))?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match request.text("ca") {
        Some(ca) => authority(Path::new(ca)).await?,
        None => Vec::new(),
    };
    let real = Verifier::new_with_extra_roots(roots, provider.clone())
        .map_err(|error| Unknown::new(UnknownCause::Unreadable, format!("no authority can be asked: {error}")))?;
    let witness = Arc::new(Witness { real, seen: Mutex::default() });
    let no_tls = |error: rustls::Error| Unknown::new(UnknownCause::Invalid, format!("no TLS: {error}"));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(no_tls)?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();

    let no_answer = |why: String| Unknown::new(UnknownCause::NoAnswer, why);
    let stream = tokio::net::TcpStream::connect((host, port)).await.map_err(|error| {
        no_answer(match error.kind() {
            std::io::ErrorKind::ConnectionRefused => format!("the connection to {place} was refused"),
            _ => format!("{place} could not be asked: {}", super::io_words(&error)),
        })
    })?;
    let connected = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(server, stream).await;
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    // A server may end the handshake after it has shown its certificate: that is still an answer.
    match (seen, connected) {
        (Some(seen), _) => record(&seen),
        (None, Ok(_)) => Err(no_answer(format!("{place} showed no certificate"))),
        (None, Err(_)) => Err(no_answer(format!("{place} does not speak TLS"))),
    }
}

/// What was shown, and what the real verifier says of it.
struct Seen {
    certificate: Vec<u8>,
    refused: Option<rustls::Error>,
}

/// Lets every certificate pass, and keeps what the real verifier says.
#[derive(Debug)]
struct Witness {
    real: Verifier,
    seen: Mutex<Option<Seen>>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a certificate of {} bytes", self.certificate.len())
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.real.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let seen = Seen { certificate: end_entity.to_vec(), refused: verified.err() };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.real.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.real.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        CryptoProvider::get_default().map_or_else(
            || rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes(),
            |provider| provider.signature_verification_algorithms.supported_schemes(),
        )
    }
}

fn record(seen: &Seen) -> Result<Answer, Unknown> {
    let unreadable = || Unknown::new(UnknownCause::Unreadable, "the server's certificate can't be read");
    let (_, certificate) = x509_parser::parse_x509_certificate(&seen.certificate).map_err(|_| unreadable())?;
    let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|_| unreadable());
    let validity = certificate.validity();
    let known = Answer::Known;
    let common_name = |name: &x509_parser::x509::X509Name<'_>| {
        name.iter_common_name().next().and_then(|name| name.as_str().ok()).map(Value::text)
    };
    let subject = match common_name(certificate.subject()) {
        Some(name) => known(name),
        None => Answer::absent("the certificate has no common name"),
    };
    let issuer = common_name(certificate.issuer()).unwrap_or_else(|| Value::text(certificate.issuer().to_string()));
    let reason = match &seen.refused {
        None => Answer::absent("it is trusted"),
        Some(error) => known(Value::text(tls_words(error))),
    };
    let sha256: String = Sha256::digest(&seen.certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(known(Value::record(
        "net.certificate",
        [
            ("subject", subject),
            ("issuer", known(issuer)),
            ("names", known(Value::list(names(&certificate).into_iter().map(Value::text)))),
            ("valid_from", known(Value::Time(time(validity.not_before)?))),
            ("expires", known(Value::Time(time(validity.not_after)?))),
            ("trusted", known(Value::Bool(seen.refused.is_none()))),
            ("reason", reason),
            ("sha256", known(Value::text(sha256))),
        ],
    )))
}

/// The names and addresses that a certificate is for (RFC 5280, section 4.2.1.6).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let address = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
        Err(_) => <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
    };
    let names = alternative.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect()
}
