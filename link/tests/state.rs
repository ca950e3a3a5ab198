//! What is served, through the file in which it is kept.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use link::{Folder, Limits, Metrics};
use snapshot::{
    Endpoint, EndpointSet, KeyFormat, PrivateKey, Snapshot, TicketKey,
    frame::{Frame, Hello, SCHEMA},
};
use support::{metrics, snapshot, within};
use tokio::sync::watch;

fn load(path: &Path) -> Option<Arc<Snapshot>> {
    Folder::open(path).unwrap().load(&metrics())
}

fn file(path: &Path) -> PathBuf {
    path.join("snapshot")
}

async fn until_kept(path: &Path, wanted: &Snapshot) {
    within("the file", async {
        while load(path).is_none_or(|kept| *kept != *wanted) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn with_endpoints(base: &Snapshot, sequence: u64, ports: std::ops::Range<u16>) -> Arc<Snapshot> {
    let mut next = base.clone();
    next.id.sequence = sequence;
    let endpoints = ports.map(|port| Endpoint { address: ([10, 0, 0, 1], port).into() }).collect();
    next.endpoints.insert("a".into(), Arc::new(EndpointSet { endpoints }));
    Arc::new(next)
}

#[tokio::test]
async fn what_is_served_is_kept_with_its_keys_and_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert!(load(&path).is_none());
    let mut one = Snapshot::clone(&snapshot(1, 1, &["a", "b"]));
    one.keys.insert("x".into(), Arc::new(PrivateKey::new(KeyFormat::Pkcs8, vec![1, 2])));
    let one = Arc::new(one);
    let (served, receiver) = watch::channel(None);
    let keeping = tokio::spawn(Folder::open(&path).unwrap().keep(receiver, Limits::default(), metrics()));
    served.send_replace(Some(Arc::clone(&one)));
    until_kept(&path, &one).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&file(&path))), (0o700, 0o600));
    // A difference is appended; what is gone is gone.
    let before = fs::metadata(file(&path)).unwrap().len();
    let two = Snapshot { keys: one.keys.clone(), ..Snapshot::clone(&snapshot(1, 2, &["b"])) };
    let two = Arc::new(two.share(&one));
    served.send_replace(Some(Arc::clone(&two)));
    until_kept(&path, &two).await;
    assert!(fs::metadata(file(&path)).unwrap().len() > before);
    drop(served);
    within("the end", keeping).await.unwrap();
}

#[tokio::test]
async fn the_file_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (served, receiver) = watch::channel(None);
    let _keeping = tokio::spawn(Folder::open(folder.path()).unwrap().keep(receiver, Limits::default(), metrics()));
    let mut longest = 0;
    for sequence in 1..40 {
        // Not of endpoints alone, so that each is written at once.
        let mut next = Snapshot::clone(&with_endpoints(&snapshot(1, 1, &["a"]), sequence, 1..500));
        next.endpoints.insert("b".into(), Arc::new(EndpointSet { endpoints: Vec::new() }));
        next.tables = [(sequence.to_string().into(), Arc::default())].into();
        let changed = with_endpoints(&next, sequence, u16::try_from(sequence).unwrap()..500);
        served.send_replace(Some(Arc::clone(&changed)));
        until_kept(folder.path(), &changed).await;
        longest = longest.max(fs::metadata(file(folder.path())).unwrap().len());
    }
    // No push makes it longer, not even for a moment.
    assert!(longest <= 64 << 10, "{longest}");
}

#[tokio::test]
async fn changes_of_endpoints_alone_are_gathered() {
    let folder = tempfile::tempdir().unwrap();
    let (served, receiver) = watch::channel(None);
    let _keeping = tokio::spawn(Folder::open(folder.path()).unwrap().keep(receiver, Limits::default(), metrics()));
    let base = snapshot(1, 1, &["a"]);
    served.send_replace(Some(Arc::clone(&base)));
    until_kept(folder.path(), &base).await;
    for sequence in 2..100 {
        served.send_replace(Some(with_endpoints(&base, sequence, 1..u16::try_from(sequence).unwrap())));
        tokio::task::yield_now().await;
    }
    until_kept(folder.path(), &with_endpoints(&base, 99, 1..99)).await;
    // Ninety-eight of them would be far longer than the last one.
    assert!(fs::metadata(file(folder.path())).unwrap().len() < 20 << 10);
}

async fn kept(path: &Path, snapshots: &[Arc<Snapshot>]) -> Vec<u8> {
    let (served, receiver) = watch::channel(None);
    let keeping = tokio::spawn(Folder::open(path).unwrap().keep(receiver, Limits::default(), metrics()));
    for snapshot in snapshots {
        served.send_replace(Some(Arc::clone(snapshot)));
        until_kept(path, snapshot).await;
    }
    drop(served);
    within("the end", keeping).await.unwrap();
    fs::read(file(path)).unwrap()
}

#[tokio::test]
async fn what_was_cut_off_counts_up_to_the_last_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (one, two) = (snapshot(1, 1, &["a"]), snapshot(1, 2, &["a", "b"]));
    let whole = kept(path, std::slice::from_ref(&one)).await.len();
    fs::remove_file(file(path)).unwrap();
    let bytes = kept(path, &[Arc::clone(&one), Arc::clone(&two)]).await;
    assert!(bytes.len() > whole && load(path) == Some(two));
    // The id of what is loaded, and how much was wrong.
    let loaded = |bytes: &[u8]| {
        fs::write(file(path), bytes).unwrap();
        let metrics = metrics();
        let kept = Folder::open(path).unwrap().load(&metrics);
        (kept.map(|kept| kept.id), support::value(&metrics, "tidegate_link_errors_total", "state"))
    };
    for length in 0..bytes.len() {
        let wanted = ((length >= whole).then_some(one.id), if length == whole { 0.0 } else { 1.0 });
        assert_eq!(loaded(&bytes[..length]), wanted, "cut at {length}");
    }
    // Damage hides what comes after it.
    for index in whole..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[index] = 0xff;
        assert_eq!(loaded(&damaged), (Some(one.id), 1.0), "damaged at {index}");
    }
    fs::write(file(path), "something else").unwrap();
    assert!(load(path).is_none());
}

/// How many writes have failed.
fn failures(metrics: &Metrics) -> f64 {
    support::value(metrics, "tidegate_link_errors_total", "state")
}

#[tokio::test]
async fn a_write_that_fails_is_tried_again_without_a_change_and_not_for_each_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, metrics) = (folder.path(), metrics());
    // A folder where the new file must be, which not even root can put a file in the place of.
    fs::create_dir(path.join("snapshot.new")).unwrap();
    let base = snapshot(1, 1, &["a"]);
    let (served, receiver) = watch::channel(Some(Arc::clone(&base)));
    let _keeping = tokio::spawn(Folder::open(path).unwrap().keep(receiver, Limits::default(), metrics.clone()));
    within("a failure", async {
        while failures(&metrics) < 1.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // Until it is tried again a second passes, far more than these take.
    let last = with_endpoints(&base, 99, 1..99);
    for sequence in 2..100 {
        served.send_replace(Some(with_endpoints(&base, sequence, 1..u16::try_from(sequence).unwrap())));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(failures(&metrics) < 10.0, "{}", failures(&metrics));
    // Then nothing changes any more.
    fs::remove_dir(path.join("snapshot.new")).unwrap();
    until_kept(path, &last).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_file_that_cannot_take_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (path, metrics) = (folder.path(), metrics());
    fs::create_dir(file(path)).unwrap();
    let (_served, receiver) = watch::channel(Some(snapshot(1, 1, &["a"])));
    let _keeping = tokio::spawn(Folder::open(path).unwrap().keep(receiver, Limits::default(), metrics.clone()));
    within("a failure", async {
        while failures(&metrics) < 1.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!path.join("snapshot.new").exists());
}

#[tokio::test]
async fn a_key_that_is_used_no_more_is_not_in_the_file_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let with_keys = |sequence: u64, keys: &[(&str, &[u8])], ticket: &[u8]| {
        let mut next = Snapshot::clone(&snapshot(1, sequence, &["a"]));
        next.keys = keys
            .iter()
            .map(|(name, key)| ((*name).into(), Arc::new(PrivateKey::new(KeyFormat::Pkcs8, key.to_vec()))))
            .collect();
        next.ticket_key = Some(TicketKey::new(ticket));
        Arc::new(next)
    };
    let (served, receiver) = watch::channel(None);
    let _keeping = tokio::spawn(Folder::open(folder.path()).unwrap().keep(receiver, Limits::default(), metrics()));
    let is_there = |key: &[u8]| fs::read(file(folder.path())).unwrap().windows(key.len()).any(|window| window == key);
    let all = [b"first key", b"other key", b"third key", b"ticket #1", b"ticket #2"].map(|key| &key[..]);
    let [first, other, third, ticket, next_ticket] = all;
    let steps = [
        with_keys(1, &[("x", first), ("y", other)], ticket),
        // Another one beside them, one in the place of another, one less, another one for tickets.
        with_keys(2, &[("x", first), ("y", other), ("z", third)], ticket),
        with_keys(3, &[("x", third), ("y", other)], ticket),
        with_keys(4, &[("x", third)], ticket),
        with_keys(5, &[("x", third)], next_ticket),
    ];
    let there = [
        [true, true, false, true, false],
        [true, true, true, true, false],
        [false, true, true, true, false],
        [false, false, true, true, false],
        [false, false, true, false, true],
    ];
    for (step, there) in steps.iter().zip(there) {
        served.send_replace(Some(Arc::clone(step)));
        until_kept(folder.path(), step).await;
        assert_eq!(all.map(is_there), there, "after {}", step.id);
    }
}

#[tokio::test]
async fn what_another_build_kept_is_not_used_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let one = snapshot(1, 1, &["a"]);
    let bytes = kept(path, std::slice::from_ref(&one)).await;
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    Frame::Hello(Hello::ours(None)).encode(&mut ours).unwrap();
    Frame::Hello(Hello { schema: SCHEMA ^ 1, ..Hello::ours(None) }).encode(&mut other).unwrap();
    other.extend(&bytes[ours.len()..]);
    fs::write(file(path), &other).unwrap();
    let metrics = metrics();
    assert!(Folder::open(path).unwrap().load(&metrics).is_none());
    assert_eq!(support::value(&metrics, "tidegate_link_errors_total", "state"), 1.0);
    kept(path, std::slice::from_ref(&one)).await;
    assert!(load(path) == Some(one));
}

#[test]
fn a_folder_that_is_open_to_others_is_closed_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    Folder::open(&open).unwrap();
    assert_eq!(fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Folder::open(&file).unwrap_err().to_string();
    assert!(error.contains("--state-dir") && error.contains("folder"), "{error}");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&open, &link).unwrap();
    assert!(Folder::open(&link).is_err());
}
