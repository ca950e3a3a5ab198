//! Names of certificates as text (RFC 4514), in the words of OpenSSL's `XN_FLAG_RFC2253`, which nginx writes and backends
//! and patterns know.

use std::fmt::Write;

use x509_parser::{
    asn1_rs::{Any, Tag},
    x509::{AttributeTypeAndValue, X509Name},
};

/// The whole name: the most specific part first, with commas.
pub fn text(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter().collect();
    for (at, part) in parts.into_iter().rev().enumerate() {
        if at > 0 {
            text.push(',');
        }
        for (at, attribute) in part.iter().enumerate() {
            if at > 0 {
                text.push('+');
            }
            write_attribute(&mut text, attribute);
        }
    }
    text
}

/// Short names of attributes (RFC 4514 section 3, and OpenSSL's for others).
const SHORT: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let oid = attribute.attr_type().to_id_string();
    let short = SHORT.iter().find(|(id, _)| *id == oid).map(|(_, short)| *short);
    text.push_str(short.unwrap_or(&oid));
    text.push('=');
    match (short, string(attribute.attr_value())) {
        (Some(_), Some(value)) => write_escaped(text, &value),
        // What nobody knows how to read stands there as it is (RFC 4514 section 2.4).
        _ => {
            let value = attribute.attr_value();
            text.push('#');
            for byte in header_of(value).iter().chain(value.data) {
                let _ = write!(text, "{byte:02X}"); // writing to a String cannot fail
            }
        }
    }
}

/// Tag and length of a value (X.690 section 8.1).
fn header_of(value: &Any<'_>) -> Vec<u8> {
    let tag = u8::try_from(value.tag().0).unwrap_or_default();
    let length = value.data.len();
    match u8::try_from(length) {
        Ok(short) if short < 128 => vec![tag, short],
        _ => {
            let bytes = length.to_be_bytes();
            let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            let count = u8::try_from(significant.len()).unwrap_or_default();
            [vec![tag, 0x80 | count], significant].concat()
        }
    }
}

fn string(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        // In practice Latin-1.
        Tag::T61String => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            });
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// What is special is preceded by a backslash; bytes that are no plain ASCII stand in hexadecimal.
fn write_escaped(text: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let is_special = matches!(byte, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';');
        let is_at_edge = (at == 0 && matches!(byte, b' ' | b'#')) || (at == last && byte == b' ');
        match byte {
            0..0x20 | 0x7f.. => drop(write!(text, "\\{byte:02X}")),
            _ if is_special || is_at_edge => text.extend(['\\', char::from(byte)]),
            _ => text.push(char::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
    use x509_parser::parse_x509_certificate;

    use super::*;

    fn subject(parts: &[(DnType, DnValue)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        text(parse_x509_certificate(&der).unwrap().1.subject())
    }

    fn common(value: &str) -> String {
        subject(&[(DnType::CommonName, value.into())])
    }

    /// Checked against `openssl x509 -nameopt RFC2253`.
    #[test]
    fn is_written_as_openssl_does() {
        assert_eq!(
            subject(&[
                (DnType::CountryName, "DE".into()),
                (DnType::OrganizationName, "A, B".into()),
                (DnType::CommonName, "staff-1".into()),
            ]),
            "CN=staff-1,O=A\\, B,C=DE"
        );
        assert_eq!(common("ü"), "CN=\\C3\\BC");
        assert_eq!(common(" a b "), "CN=\\ a b\\ ");
        assert_eq!(common("#1+2;3<4>\"\\"), "CN=\\#1\\+2\\;3\\<4\\>\\\"\\\\");
        assert_eq!(common("a\nb\u{7f}"), "CN=a\\0Ab\\7F");
        assert_eq!(subject(&[]), "");
        let private = DnType::CustomDnType(vec![1, 2, 3, 4]);
        assert_eq!(subject(&[(private, "x".into())]), "1.2.3.4=#0C0178");
        let wide = DnValue::BmpString("né".parse().unwrap());
        assert_eq!(subject(&[(DnType::CommonName, wide)]), "CN=n\\C3\\A9");
    }

    /// Nothing that a certificate says can end a field, or begin one.
    #[test]
    fn is_always_the_value_of_a_field() {
        for value in ["\r\nX: y", "\u{0}", "\u{80}", "日本"] {
            assert!(http::HeaderValue::try_from(common(value)).is_ok(), "{value:?}");
        }
    }
}
