//! A real folder, real events. Waits are bounded; nothing is decided by how long they took.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, channel, error::TryRecvError};

use super::*;
use crate::object::{Change, Object};

const PATIENCE: Duration = Duration::from_secs(20);

/// So that events alone have to tell of changes.
const NO_SCAN: Duration = Duration::from_secs(3600);

/// A source over a temporary folder, and what it told so far.
struct World {
    dir: TempDir,
    updates: Receiver<Update>,
    objects: BTreeMap<String, Object>,
    board: Arc<Board>,
    _source: Manifests,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("");
        Self::at(dir, &folder, NO_SCAN, files)
    }

    /// The same, with the folder named as `folder`.
    fn at(dir: TempDir, folder: &Path, full_scan: Duration, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            write(dir.path(), path, text);
        }
        let (sender, updates) = channel(64);
        let board = Board::new();
        let source = start_with(folder, full_scan, sender, Arc::clone(&board)).unwrap();
        let mut world = Self { dir, updates, objects: BTreeMap::new(), board, _source: source };
        while world.step().is_none_or(|update| update.listed.is_none()) {}
        world
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, path: &str, text: &str) {
        write(self.path(), path, text);
    }

    fn step(&mut self) -> Option<Update> {
        let update = match self.updates.try_recv() {
            Ok(update) => update,
            Err(TryRecvError::Empty) => {
                thread::sleep(Duration::from_millis(5));
                return None;
            }
            Err(TryRecvError::Disconnected) => panic!("the source ended"),
        };
        for change in update.changes.clone() {
            match change {
                Change::Put(object) => drop(self.objects.insert(object.key().to_string(), object)),
                Change::Remove(key) => assert!(self.objects.remove(&key.to_string()).is_some(), "{key} was not there"),
            }
        }
        Some(update)
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}, {:?}", self.objects.keys(), self.problems());
            self.step();
        }
    }

    /// Waits until exactly these are there, each with its host.
    fn until_hosts(&mut self, hosts: &[(&str, &str)]) {
        let hosts: BTreeMap<String, String> =
            hosts.iter().map(|(name, host)| (format!("Ingress default/{name}"), (*host).to_owned())).collect();
        self.until(&format!("{hosts:?}"), |world| world.hosts() == hosts);
    }

    fn hosts(&self) -> BTreeMap<String, String> {
        let host = |object: &Object| match object {
            Object::Ingress(ingress) => ingress.spec.as_ref()?.rules.as_ref()?.first()?.host.clone(),
            _ => None,
        };
        self.objects.iter().map(|(key, object)| (key.clone(), host(object).unwrap_or_default())).collect()
    }

    fn problems(&self) -> Vec<String> {
        self.board.problems().borrow().iter().map(|problem| format!("{} {problem}", problem.reason)).collect()
    }

    fn until_problem(&mut self, reason: &str) {
        self.until(reason, |world| world.problems().iter().any(|problem| problem.starts_with(reason)));
    }

    fn until_no_problem(&mut self) {
        self.until("no problem", |world| world.problems().is_empty());
    }
}

fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn ingress(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\nspec:\n  rules:\n  - host: \"{host}\"\n"
    )
}

#[test]
fn follows_files_of_any_depth() {
    let mut world = World::new(&[("a.yaml", &ingress("a", "1")), ("x/y/b.yml", &ingress("b", "1")), ("n.txt", "no")]);
    world.until_hosts(&[("a", "1"), ("b", "1")]);
    world.write("x/y/b.yml", &ingress("b", "2"));
    world.until_hosts(&[("a", "1"), ("b", "2")]);
    world.write("new/deep/c.yaml", &ingress("c", "1"));
    world.until_hosts(&[("a", "1"), ("b", "2"), ("c", "1")]);
    fs::remove_file(world.path().join("a.yaml")).unwrap();
    world.until_hosts(&[("b", "2"), ("c", "1")]);
    fs::remove_dir_all(world.path().join("x")).unwrap();
    world.until_hosts(&[("c", "1")]);
    assert_eq!(world.problems(), Vec::<String>::new());
}

#[test]
fn a_broken_file_keeps_its_last_good_version() {
    let mut world = World::new(&[("a.yaml", &ingress("a", "1")), ("b.yaml", &ingress("b", "1"))]);
    world.write("a.yaml", "apiVersion: v1\nkind: [Ingress\n");
    world.until_problem("FileBroken");
    let problems = world.problems();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.contains("a.yaml: line ") && problem.contains("last good version"), "{problem}");
    world.write("b.yaml", &ingress("b", "2"));
    world.until_hosts(&[("a", "1"), ("b", "2")]);
    world.write("a.yaml", "");
    world.until_problem("FileEmpty");
    world.write("a.yaml", &ingress("a", "3"));
    world.until_hosts(&[("a", "3"), ("b", "2")]);
    world.until_no_problem();
}

#[test]
fn one_unreadable_object_keeps_its_last_good_version() {
    let good = |host: &str| format!("{}---\n{}", ingress("a", host), ingress("b", host));
    let mut world = World::new(&[("a.yaml", &good("1"))]);
    world.write("a.yaml", &format!("{}---\n{}", ingress("a", "2"), ingress("b", "x").replace("\"x\"", "[]")));
    world.until_problem("ObjectUnreadable");
    world.until_hosts(&[("a", "2"), ("b", "1")]);
    assert!(world.problems()[0].contains("line 15"), "{:?}", world.problems());
}

#[test]
fn of_two_files_with_one_object_the_first_counts() {
    let mut world = World::new(&[("a.yaml", &ingress("x", "1")), ("b.yaml", &ingress("x", "2"))]);
    world.until_hosts(&[("x", "1")]);
    world.until_problem("DuplicateObject Ingress default/x");
    fs::remove_file(world.path().join("a.yaml")).unwrap();
    world.until_hosts(&[("x", "2")]);
    world.until_no_problem();
}

#[test]
fn a_file_that_is_replaced_or_moved_never_takes_its_objects_away() {
    let mut world = World::new(&[("a.yaml", &ingress("a", "1"))]);
    for round in 2..6 {
        let host = round.to_string();
        world.write(".a.tmp", &ingress("a", &host));
        fs::remove_file(world.path().join("a.yaml")).unwrap();
        fs::rename(world.path().join(".a.tmp"), world.path().join("a.yaml")).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while world.hosts().values().next() != Some(&host) {
            assert!(Instant::now() < deadline && !world.objects.is_empty(), "{:?}", world.hosts());
            world.step();
        }
    }
    fs::rename(world.path().join("a.yaml"), world.path().join("b.yaml")).unwrap();
    let deadline = Instant::now() + REMOVED;
    while Instant::now() < deadline {
        world.step();
        assert_eq!(world.objects.len(), 1);
    }
}

/// Longer than a removed file's objects stay.
const REMOVED: Duration = Duration::from_millis(600);

#[test]
fn a_folder_that_vanishes_keeps_its_objects_and_comes_back() {
    let mut world = World::new(&[("a.yaml", &ingress("a", "1"))]);
    let (root, away) = (world.path().to_owned(), world.path().with_extension("away"));
    fs::rename(&root, &away).unwrap();
    world.until_problem("FolderVanished");
    world.until_hosts(&[("a", "1")]);
    fs::remove_dir_all(&away).unwrap();
    write(&root, "b.yaml", &ingress("b", "1"));
    world.until_hosts(&[("b", "1")]);
    world.until_no_problem();
    // The new folder is watched as the old one was.
    world.write("b.yaml", &ingress("b", "2"));
    world.until_hosts(&[("b", "2")]);
}

#[test]
fn a_folder_that_is_deleted_file_by_file_keeps_its_objects() {
    let files: Vec<(String, String)> = (0..50).map(|i| (format!("{i}.yaml"), ingress(&format!("i{i}"), "1"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut world = World::new(&files);
    fs::remove_dir_all(world.path()).unwrap();
    world.until_problem("FolderVanished");
    assert_eq!(world.objects.len(), 50);
}

#[test]
fn a_folder_may_be_named_relative_to_the_working_directory() {
    let dir = TempDir::new().unwrap();
    let up: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
    let folder = up.join(dir.path().strip_prefix("/").unwrap());
    let mut world = World::at(dir, &folder, NO_SCAN, &[("a.yaml", &ingress("a", "1"))]);
    world.write("a.yaml", &ingress("a", "2"));
    let update = loop {
        if let Some(update) = world.step() {
            break update;
        }
    };
    assert_eq!(update.changes.len(), 1);
    world.until_hosts(&[("a", "2")]);
}

#[test]
fn a_full_scan_finds_what_no_event_told() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(elsewhere.path(), "a.yaml", &ingress("a", "1"));
    symlink(elsewhere.path().join("a.yaml"), dir.path().join("a.yaml")).unwrap();
    let folder = dir.path().to_owned();
    let mut world = World::at(dir, &folder, Duration::from_millis(100), &[]);
    world.until_hosts(&[("a", "1")]);
    write(elsewhere.path(), "a.yaml", &ingress("a", "2"));
    world.until_hosts(&[("a", "2")]);
}

#[test]
fn a_mounted_config_map_is_swapped_as_a_whole() {
    let mut world = World::new(&[]);
    let root = world.path().to_owned();
    write(&root, "..1/a.yaml", &ingress("a", "1"));
    symlink("..1", root.join("..data")).unwrap();
    symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
    world.until_hosts(&[("a", "1")]);
    write(&root, "..2/a.yaml", &ingress("a", "2"));
    symlink("..2", root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    fs::remove_dir_all(root.join("..1")).unwrap();
    world.until_hosts(&[("a", "2")]);
    assert_eq!(world.problems(), Vec::<String>::new());
}

#[test]
fn links_that_lead_round_end() {
    let world = World::new(&[("x/a.yaml", &ingress("a", "1"))]);
    symlink(world.path(), world.path().join("x/up")).unwrap();
    assert_eq!(scan::scan(world.path()).files.len(), 1);
}

#[test]
fn hidden_files_and_pipes_are_left_alone() {
    let mut world = World::new(&[(".hidden.yaml", "{"), (".git/a.yaml", "{"), ("a.yaml~", "{"), ("a.yaml.swp", "{")]);
    symlink("/dev/zero", world.path().join("zero.yaml")).unwrap();
    world.write("b.yaml", &ingress("b", "1"));
    world.until_hosts(&[("b", "1")]);
    assert_eq!(world.problems(), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_missing_at_start_is_an_error() {
    let (sender, _updates) = channel(1);
    let error = start(Path::new("/nowhere/at/all"), sender, Board::new()).err().unwrap();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

#[test]
fn a_file_that_is_no_text_is_a_problem_and_its_objects_stay() {
    let mut world = World::new(&[("a.yaml", &ingress("a", "1"))]);
    let path = world.path().join("a.yaml");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    world.until_problem("FileBroken");
    world.until_hosts(&[("a", "1")]);
    fs::write(&path, ingress("a", "2")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    world.until_hosts(&[("a", "2")]);
    world.until_no_problem();
}

#[test]
fn only_what_changed_is_told() {
    let files: Vec<(String, String)> =
        (0..300).map(|i| (format!("{i}.yaml"), ingress(&format!("i{i}"), "1"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut world = World::new(&files);
    assert_eq!(world.objects.len(), 300);
    world.write("7.yaml", &ingress("i7", "2"));
    let update = loop {
        if let Some(update) = world.step() {
            break update;
        }
    };
    assert_eq!(update.changes.len(), 1);
}
