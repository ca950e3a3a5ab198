//! The digest of the contract: two builds whose planes may speak with each other have the same one.
//!
//! It is taken over the sources of this crate without comments and tests (which stand last in a file, or in a file of
//! that name), so that nobody has to think of raising a number when a type changes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    let mut sources = Vec::new();
    find(Path::new("src"), &mut sources)?;
    sources.sort();
    let mut digest = Digest::default();
    for source in sources {
        digest.add(&source.to_string_lossy());
        let text = fs::read_to_string(source)?;
        let lines = text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
        lines.filter(|line| !line.is_empty() && !line.starts_with("//")).for_each(|line| digest.add(line));
    }
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    fs::write(folder.join("schema.rs"), format!("0x{:016x}", digest.0))
}

fn find(folder: &Path, sources: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            sources.push(path);
        }
    }
    Ok(())
}

/// FNV-1a over 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): the same with every compiler, unlike the hasher
/// of the standard library.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, line: &str) {
        for byte in line.bytes().chain([b'\n']) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
