//! Addresses that a name from a cluster's users must not lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is of this machine, of its link (where clouds serve credentials), or of no single machine.
/// An IPv4 address within an IPv6 one (RFC 4291 section 2.5.5, RFC 6052 section 2.1) counts as itself.
pub(super) fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_local_v4(address),
        IpAddr::V6(address) => embedded(address).map_or_else(|| is_local_v6(address), is_local_v4),
    }
}

/// All of 0.0.0.0/8 means "this host on this network" (RFC 1122 section 3.2.1.3).
fn is_local_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first == 0 || address.is_loopback() || address.is_link_local() || address.is_multicast() || address.is_broadcast()
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local() || address.is_multicast()
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let is_mapped = [a, b, c, d, e, f] == [0, 0, 0, 0, 0, 0xffff];
    let is_nat64 = [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0];
    // `::` and `::1` have this form too, and stay IPv6.
    let is_compatible = [a, b, c, d, e, f] == [0; 6] && high != 0;
    (is_mapped || is_nat64 || is_compatible).then(|| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_local_addresses_in_every_dress() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::169.254.169.254",
        ] {
            assert!(is_local(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn leaves_the_others() {
        for address in
            ["10.0.0.1", "192.168.0.1", "203.0.113.9", "2001:db8::1", "fd00::1", "64:ff9b::1.1.1.1", "::ffff:10.0.0.1"]
        {
            assert!(!is_local(address.parse().unwrap()), "{address}");
        }
    }
}
