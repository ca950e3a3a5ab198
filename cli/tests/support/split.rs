//! `tidegate controller` and `tidegate dataplane` as a chart starts them, and either end played by the test.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use snapshot::frame::{Frame, HEADER, MAX_FRAME, payload_length};

use super::{DEADLINE, free_ports, get, terminate, until};

/// Two processes on one folder.
pub struct Split {
    pub controller: Option<Child>,
    pub dataplane: Option<Child>,
    pub http: u16,
    /// The data plane's port for probes and scrapes.
    pub admin: u16,
    /// The controller's.
    pub controller_admin: u16,
    ports: [u16; 4],
    pub folder: tempfile::TempDir,
}

impl Split {
    /// The files, and nothing that runs.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("manifests")).unwrap();
        let ports = free_ports::<4>();
        let [http, _, admin, controller_admin] = ports;
        let split = Self { controller: None, dataplane: None, http, admin, controller_admin, ports, folder };
        files.iter().for_each(|(name, text)| split.write(name, text));
        split
    }

    /// Both run, and are ready.
    pub fn start(files: &[(&str, &str)]) -> Self {
        let mut split = Self::new(files);
        split.start_controller(&[]);
        split.start_dataplane();
        split.until_ready();
        split
    }

    pub fn until_ready(&self) {
        until("ready", || self.admin("/readyz").0 == 200 && self.controller_admin("/readyz").0 == 200);
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("manifests").join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join("manifests").join(name)).unwrap();
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("link.sock")
    }

    pub fn start_controller(&mut self, flags: &[&str]) {
        let socket = self.socket();
        self.launch_controller(&socket, flags);
    }

    /// With a socket that no data plane looks for.
    pub fn start_controller_at(&mut self, socket: &Path) {
        self.launch_controller(socket, &[]);
    }

    /// With a supervisor, and a socket in this place.
    pub fn start_supervised_at(&mut self, socket: &Path) {
        self.launch_controller(socket, &["--supervised"]);
    }

    fn launch_controller(&mut self, socket: &Path, flags: &[&str]) {
        let [http, https, _, admin] = self.ports;
        let mut command = self.command("controller", admin);
        command.arg("--socket").arg(socket);
        command.args([format!("--http-port={http}"), format!("--https-port={https}")]).args(flags);
        command.arg("--bind-address=127.0.0.1").arg("--manifests").arg(self.folder.path().join("manifests"));
        self.controller = Some(command.spawn().unwrap());
    }

    pub fn start_dataplane(&mut self) {
        self.start_dataplane_with(&[]);
    }

    /// The same with further flags.
    pub fn start_dataplane_with(&mut self, flags: &[&str]) {
        let mut command = self.command("dataplane", self.admin);
        command.arg("--socket").arg(self.socket());
        command.args(["--workers=2", "--access-log=off", "--state-dir"]).arg(self.folder.path().join("state"));
        command.args(flags);
        self.dataplane = Some(command.spawn().unwrap());
    }

    /// Without a state, as another user, who may look into our folder. It starts a copy: where the binary lies, that user
    /// need not get to.
    pub fn start_dataplane_as(&mut self, user: u32) {
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = self.folder.path().join("tidegate");
        fs::copy(env!("CARGO_BIN_EXE_tidegate"), &copy).unwrap();
        let mut command = self.command_of(&copy, "dataplane", self.admin);
        command.arg("--socket").arg(self.socket());
        command.args(["--workers=2", "--access-log=off"]).uid(user).gid(user);
        self.dataplane = Some(command.spawn().unwrap());
    }

    fn command(&self, plane: &str, admin: u16) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_tidegate")), plane, admin)
    }

    fn command_of(&self, binary: &Path, plane: &str, admin: u16) -> Command {
        let mut command = Command::new(binary);
        command.args([plane, "--healthz-host=127.0.0.1"]).arg(format!("--healthz-port={admin}"));
        let log = File::options().create(true).append(true).open(self.log_file(plane)).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    fn log_file(&self, plane: &str) -> PathBuf {
        self.folder.path().join(format!("{plane}.log"))
    }

    /// What a plane has logged, over all its lives.
    pub fn log(&self, plane: &str) -> String {
        fs::read_to_string(self.log_file(plane)).unwrap_or_default()
    }

    pub fn kill_controller(&mut self) {
        kill(&mut self.controller);
    }

    pub fn kill_dataplane(&mut self) {
        kill(&mut self.dataplane);
    }

    pub fn get(&self, host: &str) -> (u16, String) {
        get(self.http, host, "/")
    }

    pub fn admin(&self, path: &str) -> (u16, String) {
        get(self.admin, "localhost", path)
    }

    pub fn controller_admin(&self, path: &str) -> (u16, String) {
        get(self.controller_admin, "localhost", path)
    }

    /// The value of a counter of the data plane.
    pub fn metric(&self, series: &str) -> f64 {
        value(&self.admin("/metrics").1, series)
    }

    /// The value of a counter of the controller.
    pub fn controller_metric(&self, series: &str) -> f64 {
        value(&self.controller_admin("/metrics").1, series)
    }

    /// Both get SIGTERM, the controller first.
    pub fn stop(mut self) -> [ExitStatus; 2] {
        let mut both = [self.controller.take().unwrap(), self.dataplane.take().unwrap()];
        both.iter().for_each(terminate);
        both.each_mut().map(|child| child.wait().unwrap())
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("controller:\n{}\ndata plane:\n{}", self.log("controller"), self.log("dataplane"));
        }
        kill(&mut self.controller);
        kill(&mut self.dataplane);
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn value(page: &str, series: &str) -> f64 {
    let (name, label) = series.split_once(' ').unwrap_or((series, ""));
    let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.trim().parse::<f64>().ok()).sum()
}

/// Connects as a data plane would.
pub fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub fn send(stream: &mut UnixStream, frames: &[Frame]) {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes).unwrap());
    stream.write_all(&bytes).unwrap();
}

pub fn receive(stream: &mut UnixStream) -> Frame {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).unwrap();
    let mut payload = vec![0; payload_length(header, MAX_FRAME).unwrap()];
    stream.read_exact(&mut payload).unwrap();
    Frame::decode(&payload).unwrap()
}
