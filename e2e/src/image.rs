//! Container images made from local files, without a container engine.
//!
//! An image is written as an OCI image layout inside a tar archive, which
//! `ctr images import`, `kind load image-archive`, `k3s ctr images import` and
//! `docker load` take. The same files always give the same bytes.
//! Source: OCI image specification 1.1, "image-layout", "manifest" and "config".

mod capability;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One image: what a container of it finds and runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name it is known under, such as `tidegate:0.1.0`.
    pub name: String,
    /// `uid:gid` of its process; empty means root.
    pub user: String,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// TCP ports it declares. Documentation only: they open nothing.
    pub ports: Vec<u16>,
    /// Everything in its file system.
    pub files: Vec<File>,
}

/// A regular file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it comes from, on this machine.
    pub source: PathBuf,
    /// Its absolute path in the image.
    pub path: String,
    /// Whether it may bind ports below 1024 where its container may, without root.
    pub binds_low_ports: bool,
}

impl Image {
    /// The product's image. The Dockerfile's final stage describes the same one;
    /// a test of this crate holds the two together.
    pub fn tidegate(binary: impl Into<PathBuf>) -> Self {
        let name = concat!("tidegate:", env!("CARGO_PKG_VERSION"));
        let mut image = Self { ports: vec![80, 443, 10254, 10255], ..Self::of_program("tidegate", name, binary) };
        image.files.iter_mut().for_each(|file| file.binds_low_ports = true);
        image
    }

    /// The backend that the end-to-end tests put behind Tidegate.
    pub fn echo(binary: impl Into<PathBuf>) -> Self {
        Self::of_program("echo", "tidegate-echo:e2e", binary)
    }

    /// What holds a Pod's namespaces open, for the test cluster.
    pub fn pause(binary: impl Into<PathBuf>) -> Self {
        Self::of_program("pause", "localhost/pause:1", binary)
    }

    /// One static program at the root and nothing else, for an unprivileged user.
    fn of_program(program: &str, name: &str, binary: impl Into<PathBuf>) -> Self {
        let path = format!("/{program}");
        Self {
            name: name.to_owned(),
            user: "65532:65532".to_owned(),
            entrypoint: vec![path.clone()],
            ports: Vec::new(),
            files: vec![File { source: binary.into(), path, binds_low_ports: false }],
        }
    }

    /// Writes the image as an archive.
    ///
    /// # Errors
    /// A source file cannot be read, or `out` cannot be written.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let layer = Blob::new(self.layer()?);
        let config = Blob::json(&self.config(&layer));
        let manifest = Blob::json(&manifest(&config, &layer));
        let index = self.index(&manifest);
        let docker = json!([{
            "Config": config.path(), "RepoTags": [&self.name], "Layers": [layer.path()],
        }]);

        let mut archive = tar::Builder::new(out);
        append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
        append(&mut archive, "index.json", index.to_string().as_bytes(), 0o644)?;
        // Docker before version 25 reads this in place of the index.
        append(&mut archive, "manifest.json", docker.to_string().as_bytes(), 0o644)?;
        for blob in [&layer, &config, &manifest] {
            append(&mut archive, &blob.path(), &blob.bytes, 0o644)?;
        }
        archive.into_inner()?.flush()
    }

    /// The file system: the folders first that its files need, then the files.
    fn layer(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        for folder in self.folders() {
            let mut header = header(0o755, 0);
            header.set_entry_type(tar::EntryType::Directory);
            archive.append_data(&mut header, folder, io::empty())?;
        }
        for file in &self.files {
            if file.binds_low_ports {
                capability::append(&mut archive, header(0o644, 0))?;
            }
            let bytes = read(&file.source)?;
            append(&mut archive, file.path.trim_start_matches('/'), &bytes, mode(&file.source)?)?;
        }
        archive.into_inner()
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let parents = |file: &'_ File| {
            let path = PathBuf::from(file.path.trim_start_matches('/'));
            path.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>()
        };
        let mut folders: BTreeSet<_> = self.files.iter().flat_map(parents).collect();
        folders.remove(Path::new(""));
        folders
    }

    fn config(&self, layer: &Blob) -> Value {
        let ports: serde_json::Map<_, _> = self.ports.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "User": self.user,
                "ExposedPorts": ports,
                "Entrypoint": self.entrypoint,
                "WorkingDir": "/",
            },
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
            "history": [{ "created_by": "mkimage" }],
        })
    }

    fn index(&self, manifest: &Blob) -> Value {
        let mut descriptor = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
        descriptor["platform"] = json!({ "architecture": architecture(), "os": "linux" });
        descriptor["annotations"] = json!({
            "io.containerd.image.name": full_name(&self.name),
            "org.opencontainers.image.ref.name": tag(&self.name),
        });
        json!({ "schemaVersion": 2, "manifests": [descriptor] })
    }
}

/// A piece of an image, known by the digest of its bytes.
struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        Self { bytes, digest }
    }

    fn json(value: &Value) -> Self {
        Self::new(value.to_string().into_bytes())
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

fn manifest(config: &Blob, layer: &Blob) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
    })
}

/// The name as container runtimes write it out: a name without a registry
/// belongs to the default one, and one without a tag has the tag `latest`.
/// (Kubernetes looks an image up under this form.)
fn full_name(name: &str) -> String {
    let mut full = match name.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    };
    if !full.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        full.push_str(":latest");
    }
    full
}

fn tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once(':').map_or("latest", |(_, tag)| tag).to_owned()
}

/// This machine's architecture by the name that images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn append(archive: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    archive.append_data(&mut header(mode, bytes.len() as u64), path, bytes)
}

/// Owned by root, as old as can be: nothing of this machine gets into an image.
fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| named(path, &error))
}

/// Executable for everyone or for nobody: the umask of the builder does not count.
fn mode(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_err(|error| named(path, &error))?.permissions().mode();
    Ok(if mode & 0o111 == 0 { 0o644 } else { 0o755 })
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read;

    /// The archive's files by path.
    fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (path, bytes)
        });
        entries.collect()
    }

    fn image(folder: &Path) -> Image {
        let source = folder.join("program");
        std::fs::write(&source, b"\x7fELF").unwrap();
        Image {
            ports: vec![80],
            files: vec![File { source, path: "/opt/bin/program".into(), binds_low_ports: false }],
            ..Image::echo("")
        }
    }

    fn packed(image: &Image) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(packed(&image(one.path())), packed(&image(other.path())));
    }

    /// Walks from the index to the layer, as a runtime does.
    #[test]
    fn digests_lead_from_the_index_to_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let files = unpack(&packed(&image(folder.path())));
        let json = |path: &str| serde_json::from_slice::<Value>(&files[path]).unwrap();
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let path = format!("blobs/{}", digest.replace(':', "/"));
            assert_eq!(descriptor["size"], files[&path].len());
            assert_eq!(digest, Blob::new(files[&path].clone()).digest);
            path
        };
        let index = json("index.json");
        assert_eq!(
            index["manifests"][0]["annotations"]["io.containerd.image.name"],
            "docker.io/library/tidegate-echo:e2e"
        );
        let manifest = json(&blob(&index["manifests"][0]));
        let config = json(&blob(&manifest["config"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["ExposedPorts"], json!({ "80/tcp": {} }));
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        let layer = unpack(&files[&blob(&manifest["layers"][0])]);
        assert_eq!(layer.keys().collect::<Vec<_>>(), ["opt", "opt/bin", "opt/bin/program"]);
        assert_eq!(layer["opt/bin/program"], b"\x7fELF");
    }

    /// As container runtimes read it, which look for this key.
    #[test]
    fn the_capability_stands_before_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let mut image = image(folder.path());
        image.files[0].binds_low_ports = true;
        let layer = image.layer().unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let mut program = archive.entries().unwrap().map(Result::unwrap).find(|entry| entry.size() == 4).unwrap();
        assert_eq!(program.path().unwrap(), Path::new("opt/bin/program"));
        let attributes = program.pax_extensions().unwrap().unwrap().map(Result::unwrap);
        let found: Vec<_> = attributes.map(|one| (one.key().unwrap().to_owned(), one.value_bytes().to_vec())).collect();
        let key = "SCHILY.xattr.security.capability".to_owned();
        assert_eq!(found, [(key, capability::net_bind_service().to_vec())]);
    }

    #[test]
    fn names_are_written_out_as_runtimes_do() {
        let cases = [
            ("tidegate:1", "docker.io/library/tidegate:1"),
            ("tidegate", "docker.io/library/tidegate:latest"),
            ("team/tidegate:1", "docker.io/team/tidegate:1"),
            ("localhost/pause:1", "localhost/pause:1"),
            ("registry.example:5000/tidegate", "registry.example:5000/tidegate:latest"),
        ];
        for (name, full) in cases {
            assert_eq!(full_name(name), full);
        }
    }

    /// What `docker build` would put into the image, read from the final stage.
    fn of_dockerfile(text: &str) -> Image {
        let mut image =
            Image { name: String::new(), user: String::new(), entrypoint: vec![], ports: vec![], files: vec![] };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines.collect::<Vec<_>>().rsplit(|line| line.starts_with("FROM ")).next().unwrap() {
            let (word, rest) = line.split_once(' ').unwrap();
            match word {
                "COPY" => {
                    let words: Vec<_> = rest.split(' ').filter(|word| !word.starts_with("--")).collect();
                    let [source, path] = words[..] else { panic!("COPY of several files: {line}") };
                    let setcap = format!("setcap cap_net_bind_service=p {source}");
                    let binds_low_ports = text.contains(&setcap);
                    image.files.push(File { source: source.into(), path: path.into(), binds_low_ports });
                }
                "USER" => image.user = rest.into(),
                "EXPOSE" => image.ports = rest.split(' ').map(|port| port.parse().unwrap()).collect(),
                "ENTRYPOINT" => image.entrypoint = serde_json::from_str(rest).unwrap(),
                _ => panic!("the packer has no counterpart of {line}"),
            }
        }
        image
    }

    #[test]
    fn the_dockerfile_makes_the_same_image() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Dockerfile")).unwrap();
        let stage = text.lines().rfind(|line| line.starts_with("FROM "));
        assert_eq!(stage, Some("FROM scratch"), "anything below would be in the image too");
        let packed = Image { name: String::new(), ..Image::tidegate("/tidegate") };
        assert_eq!(of_dockerfile(&text), packed);
    }

    /// Crates that were copied by name would not be all of them for long.
    #[test]
    fn the_dockerfile_builds_all_that_is_there_as_the_packer_does() {
        let read = |name| std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let (dockerfile, packer) = (read("Dockerfile"), read("e2e/build-static"));
        assert!(dockerfile.lines().any(|line| line == "COPY . ."));
        assert_eq!(read(".dockerignore").lines().collect::<Vec<_>>(), [".git", "target"]);
        for flag in ["RUSTFLAGS=\"-C target-feature=+crt-static\"", "--locked", "--target"] {
            assert!(dockerfile.contains(flag) && packer.contains(flag), "{flag}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Image::echo("/no/such/file").write(Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/file: "), "{error}");
    }
}
