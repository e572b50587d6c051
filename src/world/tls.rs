//! What every backend that speaks TLS needs: the certificates of an authority of one's own, and an error in plain words.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::value::{Unknown, UnknownCause};

/// The certificates of an own authority.
pub(super) async fn authority(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unknown> {
    let unreadable = |why: String| {
        let path = path.display();
        Unknown::new(UnknownCause::Unreadable, format!("the certificates of `{path}` can't be read: {why}"))
    };
    let pem = tokio::fs::read(path).await.map_err(|error| unreadable(super::io_words(&error)))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unreadable("it is no PEM".to_owned())),
    }
}

/// Why a handshake failed.
pub(super) fn tls_words(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            Certificate::Expired | Certificate::ExpiredContext { .. } => "its certificate has expired".to_owned(),
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid yet".to_owned()
            }
            Certificate::UnknownIssuer => {
                "its certificate is from an authority that this host does not trust".to_owned()
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            other => format!("its certificate is not valid: {other}"),
        },
        other => other.to_string(),
    }
}
