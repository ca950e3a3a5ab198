//! What is wrong with PEM, in words of ours.

use rustls_pki_types::pem::Error;

/// What is wrong. The error's own text quotes what it found, and where line breaks were lost that is the whole of a private
/// key: it must reach no problem and no log.
pub fn pem_problem(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => {
            "a block has no end, a line `-----END …-----` with the same words as its beginning; were line breaks lost?"
        }
        Error::IllegalSectionStart { .. } => {
            "a line that begins with `-----BEGIN ` does not end with `-----`; were line breaks lost?"
        }
        Error::Base64Decode(_) => "a block is not base64",
        Error::NoItemsFound => "there is no block of that kind",
        Error::SectionTooLarge => "a block is too large",
        _ => "it cannot be read",
    }
}
