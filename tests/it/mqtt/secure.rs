//! TLS and passwords: what is right is taken, and each thing that is wrong is told.

use std::net::SocketAddr;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use steward_tests::programs::{Mosquitto, free_tcp_port};
use steward_tests::{Edge, eventually};

use super::house::LONG;

pub fn a_broker_with_tls_and_passwords() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["right", "wrong"] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(path(&format!("{name}.pem")), ca.pem()).unwrap();
        if name == "right" {
            let own = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let issuer = Issuer::from_ca_cert_pem(&ca.pem(), key).unwrap();
            std::fs::write(path("broker.pem"), params.signed_by(&own, &issuer).unwrap().pem()).unwrap();
            std::fs::write(path("broker.key"), own.serialize_pem()).unwrap();
        }
    }
    Mosquitto::password_file(&path("users"), "edge", "s3cret").unwrap();
    let settings = format!(
        "certfile {}\nkeyfile {}\npassword_file {}",
        path("broker.pem").display(),
        path("broker.key").display(),
        path("users").display()
    );
    let port = free_tcp_port().unwrap();
    let mut broker = Mosquitto::new(&path("broker"), port, &settings).unwrap();
    broker.start().unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let write = |ca: &str, password: &str| {
        std::fs::write(path("password"), format!("{password}\n")).unwrap();
        let text = format!(
            "[gateway]\nname = \"east\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[[line]]\nname = \"mqtt\"\nkind = \"mqtt\"\n\
             host = \"localhost\"\nport = {port}\ntls = true\nca = \"{}\"\nuser = \"edge\"\npassword_file = \"{}\"\n\
             [[line.device]]\nname = \"archive\"\nprofile = \"aqara/wsdcgq11lm\"\ntopic = \"zigbee2mqtt/archive\"\n",
            path("edge").display(),
            path(ca).display(),
            path("password").display(),
        );
        std::fs::write(path("edge.toml"), text).unwrap();
    };
    for (ca, password, told) in [
        ("wrong.pem", "s3cret", Some("no TLS with the broker: invalid peer certificate")),
        ("right.pem", "guess", Some("user")),
        ("broker.key", "s3cret", Some("no authority stands in it")),
        ("right.pem", "s3cret", None),
    ] {
        write(ca, password);
        let mut edge = Edge::new(&path("edge.toml"), http);
        edge.start().unwrap();
        eventually(&format!("{ca} with {password}"), LONG, || {
            let line = edge.status().ok()?["health"]["lines"][0].clone();
            match told {
                Some(told) => line["last_error"].as_str()?.contains(told).then_some(()),
                None => line["up"].as_bool()?.then_some(()),
            }
        });
        assert!(!edge.log().contains("s3cret"), "a password is in the log");
        edge.stop().unwrap();
    }
}
