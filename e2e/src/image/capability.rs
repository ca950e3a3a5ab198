//! The file capability of a program in an image.
//!
//! A process that is not root has a capability only if its program's file has it, whatever `capabilities.add` of its
//! container says: that is no more than the bound. Source: capabilities(7), "Transformation of capabilities during
//! execve()" and "File capability extended attribute versioning".

use std::io::{self, Write};

/// `CAP_NET_BIND_SERVICE`: ports below 1024.
const NET_BIND_SERVICE: u32 = 10;
/// `VFS_CAP_REVISION_2`. Without `VFS_CAP_FLAGS_EFFECTIVE` beside it: with that flag, the kernel does not even start
/// the program in a container that may not have the capability. So it is permitted only, and the program takes it.
const REVISION_2: u32 = 0x0200_0000;

/// The extended attribute `security.capability` that permits binding of low ports, as `setcap cap_net_bind_service=p`
/// writes it.
pub fn net_bind_service() -> [u8; 20] {
    let mut attribute = [0; 20];
    attribute[..4].copy_from_slice(&REVISION_2.to_le_bytes());
    attribute[4..8].copy_from_slice(&(1_u32 << NET_BIND_SERVICE).to_le_bytes());
    attribute
}

/// Writes the PAX header that gives the next entry of an archive this attribute.
/// Source: pax, "extended header", with the key that tar and container runtimes use for extended attributes.
///
/// # Errors
/// The archive cannot be written.
pub fn append(archive: &mut tar::Builder<impl Write>, mut header: tar::Header) -> io::Result<()> {
    let record = record(b"SCHILY.xattr.security.capability", &net_bind_service());
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(record.len() as u64);
    archive.append_data(&mut header, "pax", record.as_slice())
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let digits = |number: usize| number.to_string().len();
    let once = rest.len() + digits(rest.len());
    let length = rest.len() + digits(once);
    [length.to_string().as_bytes(), &rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_itself() {
        assert_eq!(record(b"a", b"b"), b"6 a=b\n");
        // With one digit it would have 9 bytes, with two it has 11.
        assert_eq!(record(b"aaa", b"bbb"), b"11 aaa=bbb\n");
    }

    #[test]
    fn the_attribute_is_what_setcap_writes() {
        let expected = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(net_bind_service(), expected);
    }
}
