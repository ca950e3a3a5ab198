//! The real binary on a folder of manifests, a backend, and a client that shows every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

pub mod split;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes; reached only where something is broken.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// `tidegate run --manifests` as a user starts it.
pub struct Tidegate {
    child: Child,
    pub http: u16,
    pub https: u16,
    pub admin: u16,
    pub folder: tempfile::TempDir,
}

impl Tidegate {
    /// Starts on these files and waits until it is ready.
    pub fn start(files: &[(&str, &str)]) -> Self {
        Self::start_with(files, &[])
    }

    /// The same with further flags.
    pub fn start_with(files: &[(&str, &str)], flags: &[&str]) -> Self {
        let tidegate = Self::launch(files, flags);
        until("ready", || tidegate.admin("/readyz").0 == 200);
        tidegate
    }

    pub fn start_unready(files: &[(&str, &str)]) -> Self {
        Self::launch(files, &[])
    }

    fn launch(files: &[(&str, &str)], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        let [http, https, admin] = free_ports();
        let child = command(folder.path(), [http, https, admin]).args(flags).stdout(Stdio::null()).spawn().unwrap();
        Self { child, http, https, admin, folder }
    }

    /// Ends it and starts it again on the same folder; how long it takes to be ready.
    pub fn restart(&mut self) -> Duration {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut command = command(self.folder.path(), [self.http, self.https, self.admin]);
        let start = Instant::now();
        self.child = command.stdout(Stdio::null()).spawn().unwrap();
        until("ready", || self.admin("/readyz").0 == 200);
        start.elapsed()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn get(&self, host: &str, path: &str) -> (u16, String) {
        get(self.http, host, path)
    }

    pub fn admin(&self, path: &str) -> (u16, String) {
        get(self.admin, "localhost", path)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it has, in KiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The value of a metric, over all its series.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, page) = self.admin("/metrics");
        let series = page.lines().filter(|line| line.starts_with(name));
        series.filter_map(|line| line.rsplit_once(' ')?.1.trim().parse::<f64>().ok()).sum()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> ExitStatus {
        terminate(&self.child);
        self.child.wait().unwrap()
    }
}

impl Drop for Tidegate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command with its ports on loopback.
pub fn command(folder: &Path, [http, https, admin]: [u16; 3]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["run", "--bind-address=127.0.0.1", "--healthz-host=127.0.0.1", "--workers=2"]);
    command.arg(format!("--http-port={http}")).arg(format!("--https-port={https}"));
    command.arg(format!("--healthz-port={admin}")).arg("--manifests").arg(folder);
    command
}

pub fn terminate(child: &Child) {
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Waits for a condition; fails, naming it, where it does not come true.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "still not {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// One request on a connection of its own; status 0 where there is no answer.
pub fn get(port: u16, host: &str, path: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return (0, String::new()) };
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    if stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer)).is_err() {
        return (0, String::new());
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}

/// A backend that answers each request with its name; keep-alive, no bodies. Lives until the process ends.
pub fn backend(name: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, name));
        }
    });
    port
}

fn answer(mut stream: TcpStream, name: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        if line == "\r\n" {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        line.clear();
    }
}

/// Our IngressClass, as the default one.
pub const CLASS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: tidegate, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec: {controller: tidegate.dev/ingress-controller}
";

/// A Service of one port and its only endpoint, on loopback.
pub fn service(name: &str, port: u16) -> String {
    format!(
        "\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: '', port: {port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
"
    )
}

/// An Ingress that sends a host's paths to a Service.
pub fn ingress(name: &str, host: &str, service: &str) -> String {
    format!(
        "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec:
  rules:
  - host: {host}
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}
"
    )
}
