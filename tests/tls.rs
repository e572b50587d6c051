//! TLS: an own authority, and the certificates that a server should not have. Real handshakes on loopback.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use support::Story;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "The Test Authority");
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server on loopback with a certificate for `name`, valid in these years; its port.
    fn serve(&self, name: &str, years: (i32, i32)) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        params.distinguished_name.push(DnType::CommonName, "The Test Server");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a configuration");
        let listener = std::net::TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        listener.set_nonblocking(true).expect("it does not block");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
                while let Ok((stream, _)) = listener.accept().await {
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let Ok(mut stream) = acceptor.accept(stream).await else { return };
                        let mut buffer = [0; 4096];
                        if stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                            let _ = stream.write_all(answer).await;
                            let _ = stream.shutdown().await;
                        }
                    });
                }
            });
        });
        port
    }
}

fn dry_run(authority: &Authority, expects: &str) -> support::Told {
    let story = Story::new(&format!("runbook \"TLS\" {{ proof = none }}\n\nstep look {{\n{expects}\n}}\n"));
    story.write("ca.pem", &authority.pem());
    story.write("not.pem", "hello");
    story.dry_run()
}

#[test]
fn an_own_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    let authority = Authority::new();
    let port = authority.serve("localhost", (2020, 2090));
    let told = dry_run(
        &authority,
        &format!(
            "expect http.get(\"https://localhost:{port}/\", ca: \"ca.pem\") {{\n\
             .status == 200\n .text == \"ok\"\n .certificate_expires == 2090-01-01T00:00:00Z\n}}\n\
             expect http.get(\"https://localhost:{port}/\").status == 200\n\
             expect http.get(\"https://localhost:{port}/\", ca: \"not.pem\").status == 200"
        ),
    );
    assert!(told.text.contains("3 hold now, 0 differ now, 2 unknown"), "{}", told.text);
    assert!(told.text.contains("from an authority that this host does not trust"), "{}", told.text);
    assert!(told.text.contains("not.pem` can't be read: it is no PEM"), "{}", told.text);
}

#[test]
fn a_certificate_is_looked_at_whatever_it_is() {
    let authority = Authority::new();
    let good = authority.serve("localhost", (2020, 2090));
    let old = authority.serve("localhost", (2020, 2021));
    let other = authority.serve("other.example", (2020, 2090));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let plain = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut stream, b"220 ready\r\n");
        }
    });
    let told = dry_run(
        &authority,
        &format!(
            "expect net.certificate(\"localhost\", {good}, ca: \"ca.pem\") {{\n\
               .trusted\n .reason is absent\n .subject == \"The Test Server\"\n .issuer == \"The Test Authority\"\n\
               .names == [\"localhost\"]\n .valid_from == 2020-01-01T00:00:00Z\n .sha256 matches '^[0-9a-f]{{64}}$'\n}}\n\
             expect not net.certificate(\"localhost\", {good}).trusted\n\
             expect net.certificate(\"localhost\", {old}, ca: \"ca.pem\") {{\n\
               not .trusted\n .reason == \"its certificate has expired\"\n .expires == 2021-01-01T00:00:00Z\n}}\n\
             expect net.certificate(\"127.0.0.1\", {other}, name: \"localhost\", ca: \"ca.pem\") {{\n\
               .reason == \"its certificate is for another name\"\n .names == [\"other.example\"]\n}}\n\
             expect net.certificate(\"localhost\", {plain}).trusted\n\
             expect net.certificate(\"localhost\", 1).trusted"
        ),
    );
    assert!(told.text.contains("13 hold now, 0 differ now, 2 unknown"), "{}", told.text);
    assert!(told.text.contains(&format!("localhost:{plain} does not speak TLS")), "{}", told.text);
    assert!(told.text.contains("the connection to localhost:1 was refused"), "{}", told.text);
}

#[test]
fn a_certificate_that_lasts_is_told_from_one_that_does_not() {
    let authority = Authority::new();
    let (good, old) = (authority.serve("localhost", (2020, 2090)), authority.serve("localhost", (2020, 2021)));
    let story = Story::new(&format!(
        "runbook \"TLS\" {{ }}\nstep look {{\n  expect net.certificate_lasts(\"localhost\", {good})\n\
         expect net.certificate_lasts(\"localhost\", {good}, at_least: 90000d)\n\
         expect net.certificate_lasts(\"localhost\", {old})\n}}\n"
    ));
    story.write("ca.pem", &authority.pem());
    let mut command = story.command(&["dry-run", "plan.runbook"]);
    command.env("SSL_CERT_FILE", story.path("ca.pem")).env_remove("SSL_CERT_DIR");
    let told = support::told(command.output().expect("it runs"));
    assert!(told.text.contains("3 hold now, 3 differ now, 0 unknown"), "{}", told.text);
}

#[test]
fn requests_tell_what_is_wrong_with_a_certificate() {
    let authority = Authority::new();
    let old = authority.serve("localhost", (2020, 2021));
    let other = authority.serve("other.example", (2020, 2090));
    let told = dry_run(
        &authority,
        &format!(
            "expect http.get(\"https://localhost:{old}/\", ca: \"ca.pem\").status == 200\n\
             expect http.get(\"https://localhost:{other}/\", ca: \"ca.pem\").status == 200"
        ),
    );
    assert!(told.text.contains("0 hold now, 0 differ now, 2 unknown"), "{}", told.text);
    assert!(told.text.contains("its certificate has expired"), "{}", told.text);
    assert!(told.text.contains("its certificate is for another name"), "{}", told.text);
}
