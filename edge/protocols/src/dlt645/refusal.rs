//! What a meter means by the error byte of its refusal: one bit for each reason.

use steward_shared::profile::dlt645::Version;
use steward_shared::reading::Quality;

use crate::exchange::{About, Refusal};

/// DL/T 645-2007, bits of ERR from 0 on.
const REASONS_2007: [&str; 7] = [
    "another error",
    "it has no such data",
    "the password is wrong or the right is missing",
    "the baud rate cannot be changed",
    "too many yearly time zones",
    "too many daily periods",
    "too many tariffs",
];
/// DL/T 645-1997.
const REASONS_1997: [&str; 7] = [
    "the data are not valid",
    "it has no such data",
    "the password is wrong",
    "another error",
    "too many yearly time zones",
    "too many daily periods",
    "too many tariffs",
];
/// The bit that says that there is no such data.
const NO_DATA: u8 = 1;

/// The refusal that an error byte tells. Its quality bears the number of the lowest bit, counted from 1.
pub fn refusal(version: Version, error: u8) -> Refusal {
    let reasons = match version {
        Version::V1997 => &REASONS_1997,
        Version::V2007 => &REASONS_2007,
    };
    let given: Vec<&str> =
        reasons.iter().enumerate().filter(|(bit, _)| error >> bit & 1 == 1).map(|(_, r)| *r).collect();
    let why = if given.is_empty() { "it does not say why".to_owned() } else { given.join(", ") };
    let bit = error.trailing_zeros().min(6) as u8;
    let about = if error >> NO_DATA & 1 == 1 { About::Place } else { About::Other };
    let quality = Quality::Refused(if error == 0 { 15 } else { bit + 1 });
    Refusal { quality, about, text: format!("error {error:02X} ({why})") }
}

/// The error byte for data that are not there.
pub(super) const NO_SUCH_DATA: u8 = 1 << NO_DATA;
/// The error byte for what may not be written.
pub(super) const NOT_ALLOWED: u8 = 1 << 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words_and_only_missing_data_are_about_the_place() {
        let none = refusal(Version::V2007, 0x02);
        assert_eq!(none.to_string(), "error 02 (it has no such data)");
        assert_eq!((none.about, none.quality), (About::Place, Quality::Refused(2)));
        let password = refusal(Version::V2007, 0x04);
        assert_eq!((password.about, password.quality), (About::Other, Quality::Refused(3)));
        assert!(refusal(Version::V1997, 0x05).to_string().contains("not valid, the password is wrong"));
        assert!(refusal(Version::V2007, 0).to_string().contains("does not say why"));
        assert_eq!(refusal(Version::V2007, 0x80).quality, Quality::Refused(7));
    }
}
