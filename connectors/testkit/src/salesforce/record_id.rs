//! Ids of records: 15 characters that tell upper and lower case apart, or 18 that need not.
//!
//! The last three of 18 say which of the 15 are upper case, five by five
//! (help.salesforce.com, "Converting 15 character ID to 18 character ID").

/// The 15 characters of the `number`th record whose object has `prefix`.
pub(super) fn short(prefix: &str, number: usize) -> String {
    format!("{prefix}5g0000{number:06}")
}

/// The 18 characters of an id of 15.
pub(super) fn long(short: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mark = |five: &[u8]| {
        let bits = five.iter().enumerate().map(|(at, byte)| usize::from(byte.is_ascii_uppercase()) << at);
        char::from(LETTERS[bits.sum::<usize>()])
    };
    let marks: String = short.as_bytes().chunks(5).map(mark).collect();
    format!("{short}{marks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_are_those_of_a_known_pair() {
        // The pair that Salesforce's own article converts.
        assert_eq!(long("001A0000006Vm9r"), "001A0000006Vm9rIAC");
        assert_eq!(short("00Q", 12), "00Q5g0000000012");
    }
}
