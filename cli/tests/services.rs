//! TCP and UDP services and TLS that is handed on, as a user of the binary sees them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use support::{CLASS, Tidegate, free_ports, ingress, service, until};

/// Sends everything back, over TCP.
fn tcp_echo() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                std::io::copy(&mut reader, &mut stream).ok();
            });
        }
    });
    port
}

/// Sends every datagram back.
fn udp_echo() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..length], from).ok();
        }
    });
    port
}

fn ask_tcp(port: u16, text: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn ask_udp(port: u16, text: &str) -> Option<String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.send_to(text.as_bytes(), (Ipv4Addr::LOCALHOST, port)).ok()?;
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn config_map(name: &str, data: &[(u16, &str)]) -> String {
    let entries: String = data.iter().map(|(port, to)| format!("  \"{port}\": {to}\n")).collect();
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: system}}\ndata:\n{entries}")
}

/// The same Service for datagrams.
fn of_udp(service: &str) -> String {
    service.replace("{port: 80}", "{port: 80, protocol: UDP}").replace("[{name: '',", "[{name: '', protocol: UDP,")
}

#[test]
fn ports_follow_their_config_maps() {
    let [tcp, later, udp, empty] = free_ports();
    let (echo, datagrams) = (service("echo", tcp_echo()), of_udp(&service("datagrams", udp_echo())));
    let nobody =
        "apiVersion: v1\nkind: Service\nmetadata: {name: nobody}\nspec: {ports: [{port: 80, protocol: UDP}]}\n";
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = (taken.local_addr().unwrap().port(), taken);
    let flags = ["--tcp-services-configmap=system/tcp", "--udp-services-configmap=system/udp"];
    let files = [
        ("class.yaml", CLASS),
        ("echo.yaml", &echo),
        ("datagrams.yaml", &datagrams),
        ("nobody.yaml", nobody),
        ("tcp.yaml", &config_map("tcp", &[(tcp, "default/echo:80"), (taken.0, "default/echo:80")])),
        ("udp.yaml", &config_map("udp", &[(udp, "default/datagrams:80"), (empty, "default/nobody:80")])),
    ];
    let tidegate = Tidegate::start_with(&files, &flags);
    assert_eq!(ask_tcp(tcp, "hello").as_deref(), Some("hello"));
    until("an answer", || ask_udp(udp, "hello").as_deref() == Some("hello"));
    let (_, problems) = tidegate.admin("/problems");
    for part in [format!("\"field\": \"data[{}]\"", taken.0), format!("\"cannot bind 127.0.0.1:{}", taken.0)] {
        assert!(problems.contains(&part), "{part}: {problems}");
    }
    assert!(problems.contains("port 80 of Service default/nobody has no endpoint"), "{problems}");

    let mut open = TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).unwrap();
    let data = [(later, "default/echo:80"), (tidegate.admin, "default/echo:80"), (taken.0, "echo")];
    tidegate.write("tcp.yaml", &config_map("tcp", &data));
    until("open", || ask_tcp(later, "later").as_deref() == Some("later"));
    until("closed", || TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).is_err());
    open.write_all(b"still").unwrap();
    let mut back = [0; 5];
    open.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"still");
    let (_, problems) = tidegate.admin("/problems");
    assert!(problems.contains("is that of --healthz-port"), "{problems}");
    assert!(problems.contains("is not namespace/service:port"), "{problems}");
    drop(open);
    assert!(tidegate.stop().success());
}

#[test]
fn tls_is_handed_on_where_the_flag_is_given() {
    let key = "metadata: {name: i, annotations: {nginx.ingress.kubernetes.io/ssl-passthrough: 'true'}}";
    let through = ingress("i", "x.test", "echo").replace("metadata: {name: i}", key);
    let echo = service("echo", tcp_echo());
    let files = [("class.yaml", CLASS), ("echo.yaml", &echo), ("i.yaml", &through)];
    // The echo of our own ClientHello is the proof that nobody ended TLS.
    let hello = client_hello("x.test");
    let ask = |port| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(&hello).unwrap();
        let mut back = vec![0; hello.len()];
        stream.read_exact(&mut back).is_ok() && back == hello
    };
    let tidegate = Tidegate::start_with(&files, &["--enable-ssl-passthrough"]);
    assert!(ask(tidegate.https));
    let without = Tidegate::start(&files);
    assert!(without.admin("/problems").1.contains("--enable-ssl-passthrough"));
    assert!(!ask(without.https));
}

fn client_hello(name: &str) -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let mut bytes = Vec::new();
    let mut connection = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}
