//! `reserved_ips`: addresses an operator keeps for other things.

use super::AddressRange;

/// An entry of `reserved_ips` that is none of the three forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reserved_ips: {0:?} is not an address, a CIDR, or a range such as 10.8.0.1-10.8.0.9")]
pub struct InvalidReserved(String);

/// Reads entries that are each an address, a CIDR or a range `first-last`.
///
/// # Errors
/// [`InvalidReserved`] names the entry.
pub fn parse_reserved<T: AsRef<str>>(
    entries: impl IntoIterator<Item = T>,
) -> Result<Vec<AddressRange>, InvalidReserved> {
    let parse = |entry: T| {
        let entry = entry.as_ref().trim();
        parse_entry(entry).ok_or_else(|| InvalidReserved(entry.chars().take(64).collect()))
    };
    entries.into_iter().map(parse).collect()
}

fn parse_entry(entry: &str) -> Option<AddressRange> {
    match entry.split_once('-') {
        None => entry.parse().ok().map(AddressRange::of_network),
        Some((first, last)) => {
            AddressRange::new(first.trim().parse().ok()?, last.trim().parse().ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        let entries = [
            "10.8.0.1",
            "10.8.0.8/29",
            " 10.8.0.20 - 10.8.0.29 ",
            "fd00::1-fd00::ff",
        ];
        let ranges = parse_reserved(entries).unwrap();
        let texts: Vec<String> = ranges.iter().map(AddressRange::to_string).collect();
        let expected = [
            "10.8.0.1-10.8.0.1",
            "10.8.0.8-10.8.0.15",
            "10.8.0.20-10.8.0.29",
            "fd00::1-fd00::ff",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn anything_else_is_named() {
        for bad in [
            "",
            "x",
            "10.8.0.9-10.8.0.1",
            "10.8.0.1-fd00::1",
            "10.8.0.1/33",
            "-",
            "1-2-3",
        ] {
            let error = parse_reserved([bad]).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
