//! Lists of cipher suites as OpenSSL reads them (`openssl-ciphers(1)`, "CIPHER LIST FORMAT"), with IANA's names too.

use snapshot::Tls12Suite;

/// What a list comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CipherList {
    /// What is offered of it, in its order.
    pub suites: Vec<Tls12Suite>,
    /// Entries that are known, and stand for nothing that we offer.
    pub not_offered: Vec<String>,
    /// Entries that are no cipher suite.
    pub unknown: Vec<String>,
}

/// Reads a list: entries with colons, commas or blanks between them, each a name, a keyword or several keywords with
/// plus signs, and before it `!` (never), `-` (not so far) or `+` (to the end).
pub(crate) fn ciphers(text: &str) -> CipherList {
    let mut list = CipherList::default();
    let mut never: Vec<Tls12Suite> = Vec::new();
    for entry in text.split([':', ',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty()) {
        let sign = entry.chars().next().filter(|sign| matches!(sign, '!' | '-' | '+'));
        let name = sign.map_or(entry, |sign| entry.trim_start_matches(sign));
        // `@STRENGTH` and `@SECLEVEL=n`: what we offer is strong, and of about one strength.
        if name.starts_with('@') {
            continue;
        }
        let matched: Vec<Tls12Suite> = Tls12Suite::ALL.into_iter().filter(|suite| is_meant(*suite, name)).collect();
        let (held, new): (Vec<_>, Vec<_>) = matched.iter().partition(|suite| list.suites.contains(suite));
        if sign.is_some() {
            list.suites.retain(|suite| !matched.contains(suite));
        }
        match sign {
            Some('!') => never.extend(matched),
            Some('+') => list.suites.extend(held),
            Some(_) => {}
            None => {
                list.note(name, matched.is_empty());
                list.suites.extend(new.into_iter().filter(|suite| !never.contains(suite)));
            }
        }
    }
    list
}

/// What is offered of a list.
///
/// # Errors
/// Nothing is.
pub(crate) fn usable_ciphers(text: &str) -> Result<Vec<Tls12Suite>, String> {
    let suites = ciphers(text).suites;
    if suites.is_empty() {
        Err(format!("`{text}` names no cipher suite of TLS 1.2 that is offered"))
    } else {
        Ok(suites)
    }
}

impl CipherList {
    /// What of a list that can be used is not offered.
    pub fn notice(&self) -> Option<String> {
        let listed = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let parts = [("not offered", &self.not_offered), ("no cipher suite", &self.unknown)];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{} {} {what}", listed(names), if names.len() == 1 { "is" } else { "are" }))
            .collect();
        (!parts.is_empty()).then(|| format!("{}; the rest of the list holds", parts.join("; ")))
    }

    fn note(&mut self, name: &str, stands_for_nothing: bool) {
        // The suites of TLS 1.3 are not chosen by this list, in OpenSSL neither.
        if stands_for_nothing && !TLS13.contains(&name) {
            let notes = if is_known(name) { &mut self.not_offered } else { &mut self.unknown };
            notes.push(name.to_owned());
        }
    }
}

/// Whether a name, a keyword, or all keywords of an entry stand for a suite.
fn is_meant(suite: Tls12Suite, entry: &str) -> bool {
    let (openssl, iana, keywords) = described(suite);
    let is_keyword = |word: &str| COMMON.contains(&word) || keywords.contains(&word);
    entry == openssl || entry == iana || entry.split('+').all(is_keyword)
}

/// Keywords that stand for all suites which we offer.
const COMMON: &[&str] =
    &["ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDH", "FIPS", "TLSv1.0"];

const TLS13: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/// OpenSSL's name, IANA's, and the keywords that stand for a suite but not for all.
const fn described(suite: Tls12Suite) -> (&'static str, &'static str, &'static [&'static str]) {
    match suite {
        Tls12Suite::EcdheEcdsaAes128Gcm => (
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            &["ECDSA", "aECDSA", "AES", "AESGCM", "AES128"],
        ),
        Tls12Suite::EcdheRsaAes128Gcm => (
            "ECDHE-RSA-AES128-GCM-SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            &["aRSA", "AES", "AESGCM", "AES128"],
        ),
        Tls12Suite::EcdheEcdsaAes256Gcm => (
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            &["ECDSA", "aECDSA", "AES", "AESGCM", "AES256"],
        ),
        Tls12Suite::EcdheRsaAes256Gcm => (
            "ECDHE-RSA-AES256-GCM-SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            &["aRSA", "AES", "AESGCM", "AES256"],
        ),
        Tls12Suite::EcdheEcdsaChacha20 => (
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            &["ECDSA", "aECDSA", "CHACHA20"],
        ),
        Tls12Suite::EcdheRsaChacha20 => {
            ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", &["aRSA", "CHACHA20"])
        }
    }
}

/// Whether an entry is made of nothing but what names of suites and keywords are made of.
fn is_known(entry: &str) -> bool {
    entry.split(['-', '_', '+']).all(|part| PARTS.contains(&part) || COMMON.contains(&part))
}

#[rustfmt::skip]
const PARTS: &[&str] = &[
    "TLS", "SSL", "WITH", "RSA", "ECDSA", "DSS", "PSK", "SRP", "DH", "DHE", "EDH", "ADH", "AECDH", "ECDH", "ECDHE", "anon",
    "kRSA", "aRSA", "kDHE", "kEDH", "kPSK", "kDHEPSK", "kECDHEPSK", "kRSAPSK", "kSRP", "aDSS", "aECDSA", "aPSK", "aSRP",
    "aNULL", "eNULL", "NULL", "EXP", "EXPORT", "EXPORT40", "EXPORT56", "LOW", "MEDIUM", "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT", "SUITEB128", "SUITEB192", "SUITEB128ONLY", "3DES", "DES", "EDE", "RC4", "RC2", "IDEA", "SEED",
    "AES", "AES128", "AES256", "128", "256", "40", "56", "8", "GCM", "CCM", "CCM8", "CBC", "CBC3", "AESGCM", "AESCCM",
    "AESCCM8", "CAMELLIA", "CAMELLIA128", "CAMELLIA256", "ARIA", "ARIA128", "ARIA256", "ARIAGCM", "CHACHA20", "POLY1305",
    "OLD", "MD5", "SHA", "SHA1", "SHA256", "SHA384", "GOST", "GOST94", "GOST89MAC", "kGOST", "aGOST", "SSLv3", "TLSv1",
];

#[cfg(test)]
mod tests {
    use Tls12Suite::*;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_that_people_have() {
        let ecdsa = [EcdheEcdsaAes128Gcm, EcdheEcdsaAes256Gcm, EcdheEcdsaChacha20];
        let cases: &[(&str, &[Tls12Suite])] = &[
            ("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256", &[EcdheRsaAes256Gcm, EcdheRsaAes128Gcm]),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", &[EcdheRsaChacha20]),
            ("HIGH:!aNULL:!MD5", &Tls12Suite::ALL),
            ("EECDH+AESGCM:EDH+AESGCM:AES256+EECDH", &Tls12Suite::ALL[..4]),
            ("ECDHE+CHACHA20:!aRSA", &[EcdheEcdsaChacha20]),
            ("aECDSA", &ecdsa),
            ("ALL:!aRSA:aRSA", &ecdsa),
            ("CHACHA20:-aECDSA:ECDHE-ECDSA-CHACHA20-POLY1305", &[EcdheRsaChacha20, EcdheEcdsaChacha20]),
            ("CHACHA20:+aECDSA, @STRENGTH", &[EcdheRsaChacha20, EcdheEcdsaChacha20]),
            ("TLS_AES_128_GCM_SHA256", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(ciphers(text).suites, *expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_offered_is_told_from_what_does_not_exist() {
        let list = ciphers("DHE-RSA-AES128-GCM-SHA256:AES128-SHA:HIGH:DES-CBC3-SHA:EDH+AESGCM:ECDHE-RSA-AES:FOO:a b");
        assert_eq!(
            list.not_offered,
            ["DHE-RSA-AES128-GCM-SHA256", "AES128-SHA", "DES-CBC3-SHA", "EDH+AESGCM", "ECDHE-RSA-AES"]
        );
        assert_eq!(list.unknown, ["FOO", "a", "b"]);
        assert_eq!(ciphers("!aNULL:!FOO:-RC4:TLS_AES_256_GCM_SHA384").not_offered, Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn never_panics_and_names_nothing_twice(text in "[A-Za-z0-9:!+_@ -]*|.*") {
            let list = ciphers(&text);
            let distinct: std::collections::HashSet<_> = list.suites.iter().collect();
            prop_assert_eq!(distinct.len(), list.suites.len());
        }
    }
}
