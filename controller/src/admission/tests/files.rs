//! The files of the webhook's certificate.

use std::{fs, path::Path};

use compile::Reason;
use prometheus::TextEncoder;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::sync::watch;

use super::*;
use crate::{
    admission::{AdmissionConfig, certificate::Files},
    board::Board,
};

/// A new pair that ends at the beginning of this year.
fn issue(folder: &Path, year: i32) {
    let mut params = CertificateParams::new(["webhook.test".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("tls.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}

fn expires(registry: &Registry) -> Option<i64> {
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let line =
        text.lines().find_map(|line| line.strip_prefix("tidegate_admission_certificate_expire_time_seconds "))?;
    Some(line.parse().unwrap())
}

#[tokio::test]
async fn an_end_is_told_and_a_new_pair_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let config =
        AdmissionConfig { listen: ([127, 0, 0, 1], 0).into(), certificate: file("tls.crt"), key: file("tls.key") };
    let (sender, shown) = watch::channel(None);
    let (board, registry) = (Board::new(), Registry::new());
    let mut files = Files::new(&config, sender, Arc::clone(&board), Metrics::new(&registry).unwrap());
    let reasons = || board.problems().borrow().iter().map(|problem| problem.reason).collect::<Vec<_>>();
    files.look().await;
    assert_eq!((reasons(), expires(&registry)), (vec![Reason::WebhookCertificateUnusable], None));

    issue(folder.path(), 2020);
    files.look().await;
    assert_eq!((reasons(), expires(&registry)), (vec![Reason::WebhookCertificateExpired], Some(1_577_836_800)));
    let first = shown.borrow().clone().expect("it is shown all the same");

    // One that cannot be used changes nothing of that, and no problem quotes it.
    for key in ["x".to_owned(), fs::read_to_string(file("tls.key")).unwrap().replacen('\n', "", 1)] {
        fs::write(file("tls.key"), key).unwrap();
        files.look().await;
        assert_eq!(reasons(), [Reason::WebhookCertificateUnusable, Reason::WebhookCertificateExpired]);
        assert!(Arc::ptr_eq(&first, shown.borrow().as_ref().unwrap()));
        assert!(board.problems().borrow().iter().all(|problem| !problem.message.contains("45, 45, 45")));
    }

    issue(folder.path(), 2099);
    files.look().await;
    assert_eq!((reasons(), expires(&registry)), (vec![], Some(4_070_908_800)));
    assert!(!Arc::ptr_eq(&first, shown.borrow().as_ref().unwrap()));
}
