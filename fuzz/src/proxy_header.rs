//! The PROXY header in front of a connection.

use dataplane::measured::{BadHeader, ParsedProxyHeader as Parsed, parse_proxy_header as parse};

/// The most bytes of any header: no beginning of a connection may make us wait for more.
const LONGEST: usize = 4 << 10;

/// Whatever a connection begins with, and in whatever pieces that comes: there is a header or there is none, and the
/// first piece that tells says the same as all pieces together. A header is no longer than what is there.
///
/// # Panics
/// It does not hold.
pub fn proxy_header(data: &[u8]) {
    let whole = parse(data);
    let mut told = None;
    for end in 0..=data.len().min(LONGEST + 1) {
        let seen = parse(&data[..end]);
        match seen {
            Ok(Parsed::Part { longest }) => {
                assert!(end < longest && longest <= LONGEST, "after {end} bytes it waits for {longest}");
                assert_eq!(told, None, "after {end} bytes it is not known any more");
            }
            Ok(Parsed::Whole { length, .. }) => {
                assert!(0 < length && length <= end && length <= LONGEST, "{length} of {end} bytes are the header");
                told.get_or_insert(seen);
            }
            Err(error) => {
                let is_of_bytes = matches!(error, BadHeader::Missing | BadHeader::Malformed);
                assert!(is_of_bytes, "bytes alone do not say so: {error:?}");
                told.get_or_insert(seen);
            }
        }
        assert!(told.is_none_or(|told| told == seen), "{told:?} has become {seen:?} after {end} bytes");
    }
    match told {
        Some(told) => assert_eq!(told, whole, "all bytes together are something else"),
        None => assert!(data.len() <= LONGEST && matches!(whole, Ok(Parsed::Part { .. })), "{whole:?}"),
    }
}
