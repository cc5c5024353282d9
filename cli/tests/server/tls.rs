//! The client verbs over TLS: a real server behind one that ends TLS, as a proxy does, with an
//! authority of its own.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::redis::TestServer;
use crate::scene::{Done, Scene};
use crate::{Service, Stub};

/// Ends with its value.
struct Proxy {
    _runtime: Runtime,
    address: SocketAddr,
    /// The certificate of its authority, in PEM.
    authority: String,
}

impl Proxy {
    /// In front of what listens at `inner`; known as localhost.
    fn start(inner: &str) -> Self {
        let key = || KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, key()).unwrap();
        let own = key();
        let host = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = host.signed_by(&own, &authority).unwrap();
        let private = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], private).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let inner = inner.to_owned();
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, inner) = (acceptor.clone(), inner.clone());
                tokio::spawn(async move {
                    // Who does not trust it goes away.
                    let Ok(mut outer) = acceptor.accept(stream).await else { return };
                    let mut inner = TcpStream::connect(inner).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut outer, &mut inner).await);
                });
            }
        });
        Self { _runtime: runtime, address, authority: authority.pem() }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

#[test]
fn each_verb_talks_tls_to_whom_it_trusts_and_to_nobody_else() {
    let redis = TestServer::start(&[]);
    let service = Service::start(&redis, &[]);
    let _worker = Stub::start(&redis);
    let proxy = Proxy::start(&service.address);
    let mut scene = Scene::new();
    scene.set("EVALX_SERVER", &proxy.url());
    scene.file("a.py", "ms=20 echo=x");
    scene.tests();
    let ca = scene.file("ca.pem", &proxy.authority).display().to_string();
    let fine = |done: Done| {
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        done.stdout
    };

    let id = fine(scene.run(&["submit", "a.py", "--tests", "tests", "-q", "--ca", &ca]));
    let line = ["submit", "a.py", "--tests", "tests", "--wait", "-o", "json", "--ca", &ca];
    assert!(fine(scene.run(&line)).contains("\"AC\""));
    fine(scene.run(&["watch", id.trim(), "-o", "json", "--ca", &ca]));
    assert!(fine(scene.run(&["queue", "--ca", &ca])).contains("1 worker\n"));
    assert!(fine(scene.run(&["workers", "--ca", &ca])).contains("1 worker"));

    let refused = |done: Done, code: i32, message: &str| {
        assert_eq!((done.code, done.stdout.as_str()), (Some(code), ""), "{}", done.stderr);
        assert!(done.stderr.contains(message), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    };
    // The system knows nothing of that authority.
    let stranger = "is not who it should be; if it is, give its authority with --ca or EVALX_CA";
    refused(scene.run(&["queue"]), 3, stranger);
    refused(scene.run(&["submit", "a.py", "--tests", "tests"]), 3, stranger);
    // Another name than the one that is vouched for.
    let elsewhere = format!("https://{}", proxy.address);
    refused(scene.run(&["queue", "--server", &elsewhere, "--ca", &ca]), 3, stranger);
    // A file that is none.
    refused(scene.run(&["queue", "--ca", "a.py"]), 2, "--ca \"a.py\": there is no certificate");
    refused(scene.run(&["queue", "--ca", "none"]), 2, "--ca \"none\": it cannot be read");

    // As the system's, and by the configuration file.
    let mut system = Scene::new();
    system.set("EVALX_SERVER", &proxy.url());
    fs::write(system.dir().join("ca.pem"), &proxy.authority).unwrap();
    let path = system.dir().join("ca.pem").display().to_string();
    system.file("../config/evalx/config.toml", format!("ca = {path:?}\n"));
    fine(system.run(&["queue"]));
    system.file("../config/evalx/config.toml", "");
    system.set("SSL_CERT_FILE", &path);
    fine(system.run(&["queue"]));
}
