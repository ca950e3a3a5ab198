//! How long a chain of certificates may be.

use webpki::{Error, VerifiedPath};

/// Holds a chain against `verify_depth` as nginx counts it: how many certificates may stand between the first one and its
/// anchor.
///
/// # Errors
/// More do.
pub(super) fn check_depth(path: &VerifiedPath<'_>, most: u32) -> Result<(), Error> {
    match u32::try_from(path.intermediate_certificates().count()) {
        Ok(between) if between <= most => Ok(()),
        _ => Err(Error::MaximumPathDepthExceeded),
    }
}
